// Frees the space of removed users' tasks, in pieces, so that nobody waits for it. If it does not
// get through, it goes on at the next start or removal.

import { setTimeout } from "node:timers/promises";
import { type Cluster, soon } from "./cluster.ts";
import type { Keys } from "./keys.ts";
import { range, remove } from "./transaction.ts";

const PIECE = 1000; // tasks that are removed at once

/** Frees space for one server. Two may do it at the same time. */
export class Clearing {
  readonly #cluster: Cluster;
  readonly #keys: Keys;
  #clearing: Promise<void> | undefined;
  #more = false;
  readonly #life = { until: Infinity, gone: false };

  constructor(cluster: Cluster, keys: Keys) {
    this.#cluster = cluster;
    this.#keys = keys;
  }

  /** Begins, unless it has begun. */
  start(): void {
    this.#more = true;
    this.#clearing ??= this.#clearAll()
      .catch(() => {}) // etcd cannot be reached, or is full
      .finally(() => this.#clearing = undefined);
  }

  /** Ends after the piece that it is at. */
  async close(): Promise<void> {
    this.#life.gone = true;
    await this.#clearing;
  }

  async #clearAll(): Promise<void> {
    while (this.#more && !this.#life.gone) {
      this.#more = false;
      const all = this.#keys.all("removed");
      const { found: [users] } = await this.#cluster.read(soon(this.#life), range(all));
      for (const { value } of users?.pairs ?? []) await this.#clear(value);
    }
  }

  /** Frees the space of one user's tasks. */
  async #clear(user: string): Promise<void> {
    let last = Infinity;
    for (let from = 1, width = PIECE; from <= last;) {
      if (this.#life.gone) return;
      const start = performance.now();
      const end = from + width;
      const ranges = [false, true].map((done) => this.#keys.tasks(user, done, from, end));
      const { removed, found: [newest] } = await this.#cluster.run({
        success: [range(this.#keys.last), ...ranges.map(remove)],
      }, soon(this.#life));
      last = Number(newest?.pairs[0]?.value ?? 0);
      from = end;
      // Where the ids of others lie between, a piece takes more ids.
      width = Math.ceil(width * Math.min(8, PIECE / Math.max(1, removed)));
      await setTimeout(performance.now() - start); // others have their turns
    }
    await this.#cluster.run({ success: [remove(this.#keys.removed(user))] }, soon(this.#life));
  }
}
