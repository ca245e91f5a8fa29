// Writes that take effect once at most, although answers get lost.
//
// If no answer comes, the write may have arrived, or it may still be on its way; and Deno's fetch
// may have sent it twice. So each write has a number, and leaves it in a mark: a key that only one
// write uses at a time. The write holds only if the mark is as the write before left it. So a second
// copy does nothing, and whoever changes the mark stops a write that has not arrived.

import { randomUUID } from "node:crypto";
import { type Deadline, Unavailable } from "../store.ts";
import { type Cluster, soon } from "./cluster.ts";
import type { Keys } from "./keys.ts";
import { LeaseEnded } from "./refusals.ts";
import {
  type Found,
  type Outcome,
  outcomeOf,
  put,
  range,
  type Transaction,
  unchanged,
} from "./transaction.ts";

const LEASE_S = 1200;

interface Mark {
  readonly key: string;
  /** As the write before left it; 0 if there was none. */
  readonly revision: number;
  /** When it ends, etcd removes the mark. */
  readonly lease: string;
}

/** What became of a write whose answer was lost. `never`: it has not arrived, and no longer will. */
type Fate = "arrived" | "never" | "unknown";
interface Settled {
  readonly fate: Fate;
  /** In which it arrived. */
  readonly revision: number;
}

/** Writes to a cluster. */
export class Writes {
  readonly #cluster: Cluster;
  readonly #keys: Keys;
  #free: Mark[] = [];
  #count = 0;
  #lease: Promise<string> | undefined;
  #renewAt = 0;

  constructor(cluster: Cluster, keys: Keys) {
    this.#cluster = cluster;
    this.#keys = keys;
  }

  /**
   * Runs a transaction as a whole and once, or not at all. After Unavailable the outcome is unknown:
   * the write may still happen. After a success, `found` is empty if the answer was lost.
   */
  async write({ compare = [], success, failure = [] }: Transaction, by = soon()): Promise<Outcome> {
    for (;;) {
      const mark = await this.#take();
      const number = `${++this.#count}`;
      const answer = await this.#send(
        {
          compare: [asLeft(mark), ...compare],
          success: [put(mark.key, number, mark.lease), ...success],
          failure: [range(mark.key), ...failure],
        },
        mark,
        by,
      );
      if (answer?.succeeded) {
        this.#giveBack(mark, answer.revision);
        return answer;
      }
      if (answer !== undefined) {
        const [marked, ...found] = answer.found;
        if (revisionOf(marked) === mark.revision) { // so something else did not hold
          this.#giveBack(mark, mark.revision);
          return { ...answer, found };
        }
      }
      const { fate, revision } = await this.#fateOf(number, mark, by);
      if (fate === "arrived") return { succeeded: true, revision, found: [], removed: 0 };
      // If there was an answer, this copy did nothing: the mark went when a backup was restored.
      if (fate === "unknown" && answer === undefined) throw new Unavailable("a mark was lost");
    }
  }

  /** Sends a write to one member. Undefined if its answer does not come. */
  async #send(write: Transaction, mark: Mark, by: Deadline): Promise<Outcome | undefined> {
    try {
      const answer = await this.#cluster.once("kv/txn", write, by);
      return answer && outcomeOf(answer);
    } catch (refused) {
      if (refused instanceof LeaseEnded) this.#lease = undefined;
      else this.#giveBack(mark, mark.revision);
      throw refused;
    }
  }

  /**
   * Finds out what became of a write, and stops it if it has not arrived: changes its mark, if that
   * is still as the write before left it.
   */
  async #fateOf(number: string, mark: Mark, by: Deadline): Promise<Settled> {
    const stopped = `${number} stopped`;
    const { succeeded, revision, found: [marked] } = await this.#cluster.run({
      compare: [asLeft(mark)],
      success: [put(mark.key, stopped, mark.lease)],
      failure: [range(mark.key)],
    }, by);
    const now = succeeded ? { value: stopped, revision } : marked?.pairs[0];
    if (now?.value !== number && now?.value !== stopped) return { fate: "unknown", revision: 0 };
    this.#giveBack(mark, now.revision);
    return { fate: now.value === number ? "arrived" : "never", revision: now.revision };
  }

  /** Returns a mark that no other write uses. */
  async #take(): Promise<Mark> {
    const lease = await this.#currentLease();
    this.#free = this.#free.filter((mark) => mark.lease === lease);
    return this.#free.pop() ?? { key: this.#keys.mark(randomUUID()), revision: 0, lease };
  }

  #giveBack(mark: Mark, revision: number): void {
    this.#free.push({ ...mark, revision });
  }

  /** A lease is used for half its time, so that no mark is removed while its write is under way. */
  async #currentLease(): Promise<string> {
    const now = performance.now();
    if (this.#lease === undefined || now > this.#renewAt) {
      this.#renewAt = now + LEASE_S * 1000 / 2;
      const lease = this.#cluster.ask("lease/grant", () => ({ TTL: `${LEASE_S}` }));
      this.#lease = lease.then(({ ID = "" }) => ID);
      this.#lease.catch(() => this.#lease = undefined);
    }
    return await this.#lease;
  }
}

const asLeft = ({ key, revision }: Mark) => unchanged(key, revision);
const revisionOf = (found?: Found) => found?.pairs[0]?.revision ?? 0;
