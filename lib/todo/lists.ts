// Lets lists take turns, since a long one keeps the processor busy for some milliseconds.

import { performance } from "node:perf_hooks";
import { setTimeout } from "node:timers/promises";
import type { Client } from "../http/call.ts";
import type { Query } from "../store/select.ts";
import { type Part, type TaskStore, Unavailable } from "../store/store.ts";

const LONG_MS = 2;

/** The lists of a store. */
export class Lists {
  readonly store: TaskStore;
  readonly #latest = new Map<string, Promise<Part>>(); // by owner
  #pause: Promise<void> | undefined;

  constructor(store: TaskStore) {
    this.store = store;
  }

  /**
   * Reads a list when the same owner's lists before it have been read. After a long one other
   * requests go on for as long. Throws Unavailable if nobody waits for it by then.
   */
  async read(owner: string, query: Query, client: Client): Promise<Part> {
    const part = this.#read(owner, query, client, this.#latest.get(owner));
    this.#latest.set(owner, part);
    try {
      return await part;
    } finally {
      if (this.#latest.get(owner) === part) this.#latest.delete(owner);
    }
  }

  async #read(owner: string, query: Query, client: Client, before?: Promise<Part>): Promise<Part> {
    if (before !== undefined || this.#pause !== undefined) {
      await before?.catch(() => {});
      while (this.#pause !== undefined) await this.#pause;
      if (client.gone || performance.now() > client.until) {
        throw new Unavailable("too many long lists are asked for at once");
      }
    }
    const began = performance.now();
    try {
      return await this.store.list(owner, query);
    } finally {
      const took = performance.now() - began;
      // Others get as much time. In one turn of the event loop, node accepts only one connection.
      if (took > LONG_MS) this.#pause = setTimeout(took).then(() => this.#pause = undefined);
    }
  }
}
