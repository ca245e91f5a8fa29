// Writes that take effect at most once, although answers get lost.
//
// If no answer comes, the write may have arrived, or it may still be on its way. Deno's fetch may
// even have sent it twice. So each write has a number, and leaves it in a mark: a key that only one
// write uses at a time. A write does nothing unless its mark is as the write before left it:
//
// - A second copy finds the number of the first one in the mark, and does nothing.
// - To learn what became of a write, the server tries to change the mark on the same condition. If
//   it can, the write has not arrived, and no longer will. If it cannot, the mark shows why: it
//   holds the number of the write, which has arrived.

import { randomUUID } from "node:crypto";
import { type Deadline, Unavailable } from "../store.ts";
import { type Cluster, soon } from "./cluster.ts";
import type { Keys } from "./keys.ts";
import { Leases } from "./leases.ts";
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

interface Mark {
  readonly key: string;
  /** As the write before left it; 0 if there was none. */
  readonly revision: number;
  /** When it ends, etcd removes the mark. */
  readonly lease: string;
}

/** What became of a write whose answer was lost. */
interface Fate {
  /** `never`: it has not arrived, and no longer will. */
  readonly is: "arrived" | "never" | "unknown";
  /** The revision in which it arrived. */
  readonly revision: number;
}

/** Writes to a cluster. */
export class Writes {
  readonly #cluster: Cluster;
  readonly #keys: Keys;
  readonly #leases: Leases;
  #free: Mark[] = [];
  #count = 0;

  constructor(cluster: Cluster, keys: Keys) {
    this.#cluster = cluster;
    this.#keys = keys;
    this.#leases = new Leases(cluster);
  }

  /**
   * Runs a transaction as a whole and once, or not at all. After Unavailable nobody knows which:
   * the write may still happen. After a success, `found` is empty if the answer was lost.
   */
  async write({ compare = [], success, failure = [] }: Transaction, by = soon()): Promise<Outcome> {
    for (;;) {
      const mark = await this.#take();
      const number = `${++this.#count}`;
      const transaction = {
        compare: [asLeft(mark), ...compare],
        success: [put(mark.key, number, mark.lease), ...success],
        failure: [range(mark.key), ...failure],
      };
      const answer = await this.#send(transaction, mark, by);
      if (answer?.succeeded) {
        this.#giveBack(mark, answer.revision);
        return answer;
      }
      const [marked, ...found] = answer?.found ?? [];
      if (answer !== undefined && revisionOf(marked) === mark.revision) {
        this.#giveBack(mark, mark.revision); // something else that was compared does not hold
        return { ...answer, found };
      }
      const fate = await this.#fateOf(number, mark, by);
      if (fate.is === "arrived") {
        return { succeeded: true, revision: fate.revision, found: [], removed: 0 };
      }
      // An answer says that this copy did nothing; the mark was lost when a backup was restored.
      if (fate.is === "unknown" && answer === undefined) {
        throw new Unavailable("nobody knows whether a write was done: etcd has lost its mark");
      } // otherwise it is safe to send it again, with another number
    }
  }

  /** Sends a write to one member. Undefined if its answer does not come. */
  async #send(write: Transaction, mark: Mark, by: Deadline): Promise<Outcome | undefined> {
    try {
      const answer = await this.#cluster.once("kv/txn", write, by);
      return answer && outcomeOf(answer);
    } catch (refused) {
      if (refused instanceof LeaseEnded) this.#leases.renew();
      else this.#giveBack(mark, mark.revision);
      throw refused;
    }
  }

  /**
   * Finds out what became of a write, and stops it if it has not arrived: changes its mark, if that
   * is still as the write before left it.
   */
  async #fateOf(number: string, mark: Mark, by: Deadline): Promise<Fate> {
    const stopped = `${number} stopped`;
    const { succeeded, revision, found: [marked] } = await this.#cluster.run({
      compare: [asLeft(mark)],
      success: [put(mark.key, stopped, mark.lease)],
      failure: [range(mark.key)],
    }, by);
    const now = succeeded ? { value: stopped, revision } : marked?.pairs[0];
    if (now?.value !== number && now?.value !== stopped) return { is: "unknown", revision: 0 };
    this.#giveBack(mark, now.revision);
    return { is: now.value === number ? "arrived" : "never", revision: now.revision };
  }

  /** Returns a mark that no other write uses. */
  async #take(): Promise<Mark> {
    const lease = await this.#leases.current();
    this.#free = this.#free.filter((mark) => mark.lease === lease);
    return this.#free.pop() ?? { key: this.#keys.mark(randomUUID()), revision: 0, lease };
  }

  #giveBack(mark: Mark, revision: number): void {
    this.#free.push({ ...mark, revision });
  }
}

const asLeft = ({ key, revision }: Mark) => unchanged(key, revision);
const revisionOf = (found?: Found) => found?.pairs[0]?.revision ?? 0;
