// etcd's JSON gateway through fetch: one member after the other until one answers, and writes that
// take effect once at most.

import { randomUUID } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import { type Deadline, Unavailable } from "../store.ts";
import { type Answer, outcomeOf, put, range, unchanged } from "./transaction.ts";
import type { Outcome, Transaction } from "./transaction.ts";

/** For a read or a write in all, unless whoever asks has another deadline. */
export const DEADLINE_MS = 10_000;
const ANSWER_MS = 1000; // for one member, before another is asked
const PAUSE_MS = 100; // after each has failed: to elect a leader takes them a second or two

/** A deadline for what begins now. */
export const within = (ms: number): Deadline => ({ until: performance.now() + ms, gone: false });

/** A cluster. */
export class Gateway {
  readonly #members: readonly string[];
  #member = 0; // the one to ask: it answered last
  #failure = "in time"; // why the last one did not
  readonly #marksAt: string;
  readonly #marks: { readonly key: string; readonly revision: number }[] = []; // in no use

  #writes = 0; // so far

  /** The members by host:port, and where it may keep a mark for each write under way. */
  constructor(members: readonly string[], marksAt: string) {
    this.#members = members;
    this.#marksAt = marksAt;
  }

  /** Reads ranges, all of one moment, after whatever was written before. Throws Unavailable. */
  async read(by = within(DEADLINE_MS), ...ranges: object[]): Promise<Outcome> {
    return await this.#ask({ success: ranges }, by.until);
  }

  /**
   * Takes effect as a whole and once, or not at all. Throws Unavailable, and then it may yet do so.
   *
   * When an answer is lost, nobody knows whether the write has arrived, or still will; and some
   * fetch, Deno's, may have sent it again. So each leaves its number in a mark, on condition that
   * the mark is as it was left. To empty that, on the same condition, stops a write which is still
   * on its way, or else shows the number of one that has arrived.
   */
  async write(
    by = within(DEADLINE_MS),
    compare: readonly object[],
    success: readonly object[],
    failure: readonly object[] = [],
  ): Promise<Outcome> {
    const { until } = by;
    for (;;) {
      const mark = this.#marks.pop() ?? { key: this.#marksAt + randomUUID(), revision: 0 };
      const asLeft = unchanged(mark.key, mark.revision);
      const number = `${++this.#writes}`;
      const sent = await this.#once({
        compare: [asLeft, ...compare],
        success: [put(mark.key, number), ...success],
        failure: [range(mark.key), ...failure],
      }, until).catch((refused) => {
        this.#marks.push(mark);
        throw refused;
      });
      const outcome = sent ?? await this.#ask({
        compare: [asLeft],
        success: [put(mark.key, "")],
        failure: [range(mark.key)],
      }, until);
      if (outcome.succeeded) {
        this.#marks.push({ ...mark, revision: outcome.revision });
        if (outcome === sent) return sent;
      } else {
        const [marked, ...found] = outcome.found;
        const { value, revision } = marked?.pairs[0] ?? { value: "", revision: 0 };
        const arrived = value === number;
        if (arrived || (outcome === sent && revision === mark.revision)) {
          this.#marks.push({ ...mark, revision });
          return { succeeded: arrived, revision, found };
        } // else it was emptied before, or lost when a backup was restored: again, with another
      }
    }
  }

  /** Asks one member after the other until one answers. Throws Unavailable. */
  async #ask(transaction: Transaction, until: number): Promise<Outcome> {
    for (let asked = 1;; asked++) {
      const outcome = await this.#once(transaction, until);
      if (outcome !== undefined) return outcome;
      if (asked % this.#members.length === 0) await setTimeout(PAUSE_MS);
    }
  }

  /** Asks one member. Undefined if its answer does not come; throws Unavailable if it refuses. */
  async #once(transaction: Transaction, until: number): Promise<Outcome | undefined> {
    const member = this.#member;
    const left = Math.ceil(until - performance.now());
    if (left <= 0) throw new Unavailable(`no member of etcd answers: ${this.#failure}`);
    try {
      const response = await fetch(`http://${this.#members[member]}/v3/kv/txn`, {
        method: "POST",
        headers: { "Grpc-Metadata-hasleader": "true" }, // one that has no leader says so at once
        body: JSON.stringify(transaction),
        signal: AbortSignal.timeout(Math.min(left, ANSWER_MS)),
      });
      const answer: Answer & { message?: string } = JSON.parse(await response.text());
      if (response.ok) return outcomeOf(answer);
      const message = `etcd says: ${answer.message}`;
      // A full database, too large a request: any other member says the same.
      if (response.status < 408 || response.status === 429) throw new Unavailable(message);
      throw new Error(message);
    } catch (error) {
      if (error instanceof Unavailable) throw error;
      this.#failure = reasonOf(error);
      if (this.#member === member) this.#member = (member + 1) % this.#members.length;
      return undefined;
    }
  }
}

/** What is at the bottom of it: fetch itself says no more than that it failed. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return `${error}`;
  return error.cause === undefined ? error.message : reasonOf(error.cause);
}
