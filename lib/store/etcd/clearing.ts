// Deletes the tasks of removed users, in pieces, so that no request waits for it. If it fails, the
// next start or removal continues.

import { setTimeout } from "node:timers/promises";
import { type Cluster, soon } from "./cluster.ts";
import type { Keys } from "./keys.ts";
import { range, remove } from "./transaction.ts";

const PIECE = 1000; // tasks that are deleted at once

/** The clearing that one server does. Several servers may do it at the same time. */
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

  /** Begins, unless it is under way. Then it looks for removed users once more. */
  start(): void {
    this.#more = true;
    this.#clearing ??= this.#clearAll();
  }

  /** Ends it after the current piece. */
  async close(): Promise<void> {
    this.#life.gone = true;
    await this.#clearing;
  }

  async #clearAll(): Promise<void> {
    try {
      while (this.#more && !this.#life.gone) {
        this.#more = false;
        const all = this.#keys.all("removed");
        const { found: [users] } = await this.#cluster.read(soon(this.#life), range(all));
        for (const { value } of users?.pairs ?? []) await this.#clear(value);
      }
    } catch {
      // etcd cannot be reached, or is full: the next start clears them
    } finally {
      this.#clearing = undefined;
    }
  }

  /** Deletes one user's tasks. */
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
      // If the ids of other users lie between, the next piece spans more ids.
      width = Math.ceil(width * Math.min(8, PIECE / Math.max(1, removed)));
      await setTimeout(performance.now() - start); // leaves etcd to others for as long
    }
    await this.#cluster.run({ success: [remove(this.#keys.removed(user))] }, soon(this.#life));
  }
}
