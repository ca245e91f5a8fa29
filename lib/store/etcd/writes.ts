// Writes that take effect at most once, although answers get lost.
//
// If no answer comes, the write may have arrived, or it may still be on its way. Deno's fetch may
// even have sent it twice. So each write has a number, and leaves it in a mark: a key that only one
// write uses at a time. A write does nothing unless its mark is as the write before left it, and
// otherwise it changes the mark, even if something else that it compares does not hold:
//
// - A second copy finds the number of the first one in the mark, and does nothing.
// - To learn what became of a write, the server tries to change the mark on the same condition. If
//   it can, the write has not arrived, and no longer will. If it cannot, the mark shows why: it
//   holds the number of the write, and what the write did.
//
// test/slow/model-etcd.test.ts tries every order in which messages may arrive, or not.

import { randomUUID } from "node:crypto";
import { Unavailable } from "../store.ts";
import type { Cluster } from "./cluster.ts";
import type { Keys } from "./keys.ts";
import { Leases } from "./leases.ts";
import { LeaseEnded } from "./refusals.ts";
import { nested, type Outcome, outcomeOf, type Pair } from "./transaction.ts";
import { put, range, type Transaction, unchanged } from "./transaction.ts";

interface Mark {
  readonly key: string;
  /** As the write before left it; 0 if there was none. */
  readonly revision: number;
  /** When it ends, etcd removes the mark. */
  readonly lease: string;
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
  async write({ compare = [], success, failure = [] }: Transaction, by: number): Promise<Outcome> {
    for (;;) {
      const mark = await this.#take(by);
      const number = `${++this.#count}`;
      const leave = (what: string) => put(mark.key, `${number} ${what}`, mark.lease);
      const outcome = await this.#send(mark, {
        compare: [asLeft(mark), ...compare],
        success: [leave("done"), ...success],
        failure: [nested({
          compare: [asLeft(mark)],
          success: [leave("refused"), ...failure],
          failure: [range(mark.key)],
        })],
      }, by);
      if (outcome?.succeeded || outcome?.nested) {
        this.#giveBack(mark, outcome.revision);
        return outcome;
      }
      // Another copy has arrived, or no answer came: the mark shows what the write did.
      const trace = outcome?.found[0]?.pairs[0] ?? await this.#stop(number, mark, by);
      if (trace?.value.split(" ")[0] !== number) {
        this.#leases.renew(); // what took this mark may have taken all marks of the lease
        throw new Unavailable("nobody knows whether a write was done: etcd has lost its mark");
      }
      this.#giveBack(mark, trace.revision);
      if (trace.value === `${number} done`) {
        return { succeeded: true, nested: false, revision: trace.revision, found: [] };
      } // otherwise it did nothing, and never will: it is safe to send it again
    }
  }

  /** Sends a write to one member. Undefined if its answer does not come. */
  async #send(mark: Mark, write: Transaction, by: number): Promise<Outcome | undefined> {
    try {
      const answer = await this.#cluster.once("kv/txn", write, by);
      return answer && outcomeOf(answer);
    } catch (refused) {
      if (refused instanceof LeaseEnded) this.#leases.renew();
      else this.#giveBack(mark, mark.revision);
      throw refused;
    }
  }

  /** Stops a write if it has not arrived. Returns its mark, as the write or this has changed it. */
  async #stop(number: string, mark: Mark, by: number): Promise<Pair | undefined> {
    const value = `${number} stopped`;
    const { succeeded, revision, found: [marked] } = outcomeOf(
      await this.#cluster.ask("kv/txn", {
        compare: [asLeft(mark)],
        success: [put(mark.key, value, mark.lease)],
        failure: [range(mark.key)],
      }, by),
    );
    return succeeded ? { value, revision } : marked?.pairs[0];
  }

  /** Returns a mark that no other write uses. */
  async #take(by: number): Promise<Mark> {
    const lease = await this.#leases.current(by);
    this.#free = this.#free.filter((mark) => mark.lease === lease);
    return this.#free.pop() ?? { key: this.#keys.mark(randomUUID()), revision: 0, lease };
  }

  #giveBack(mark: Mark, revision: number): void {
    this.#free.push({ ...mark, revision });
  }
}

const asLeft = ({ key, revision }: Mark) => unchanged(key, revision);
