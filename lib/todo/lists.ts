// What a query finds in a list. To go through a long list keeps the processor busy, so this is done
// in slices, and after each of them other requests go on.

import { performance } from "node:perf_hooks";
import { setTimeout } from "node:timers/promises";
import type { Client } from "../http/call.ts";
import { type List, type Task, type TaskStore, Unavailable } from "../store/store.ts";
import { type Filter, passes } from "./filter.ts";

const byId = (a: Task, b: Task) => a.id - b.id;

/** Titles by their UTF-16 code units, as JavaScript compares strings. */
const byTitle = (a: Task, b: Task) => a.title < b.title ? -1 : a.title > b.title ? 1 : byId(a, b);

/** The orders of a list by name. */
export const ORDERS = {
  id: byId,
  "-id": (a: Task, b: Task) => byId(b, a),
  title: byTitle,
  "-title": (a: Task, b: Task) => byTitle(b, a),
};

export type Order = keyof typeof ORDERS;

/** At most `limit` tasks of a list that pass the filter, after the first `offset`. */
export interface Query {
  readonly filter: Filter;
  readonly order: Order;
  readonly offset: number;
  readonly limit: number;
}

const SLICE_MS = 5;
const LONG_MS = 2; // a pause is not worth while after less

/** The lists of a store. */
export class Lists {
  readonly store: TaskStore;
  readonly #latest = new Map<string, Promise<List>>(); // by owner
  #pause: Promise<void> | undefined;

  constructor(store: TaskStore) {
    this.store = store;
  }

  /**
   * The page that a query asks for, how many tasks pass its filter, and the list's revision. It is
   * read after the same owner's lists before it. Throws Unavailable if nobody waits for it by then.
   */
  async read(owner: string, query: Query, client: Client): Promise<List> {
    const page = this.#read(owner, query, client, this.#latest.get(owner));
    this.#latest.set(owner, page);
    try {
      return await page;
    } finally {
      if (this.#latest.get(owner) === page) this.#latest.delete(owner);
    }
  }

  async #read(owner: string, query: Query, client: Client, before?: Promise<List>): Promise<List> {
    await before?.catch(() => {});
    const { filter, order, offset, limit } = query;
    const end = offset + limit;
    // Of a list as it is, what comes after the page need not be read.
    const isWhole = order !== "id" || Object.keys(filter).length > 0;
    const most = isWhole || end === Infinity ? undefined : end;
    const list = await this.#slice(client, () => this.store.list(owner, most));
    if (!isWhole) return { ...list, tasks: list.tasks.slice(offset) };
    const found = await this.#filter(list.tasks, passes(filter), client);
    if (order !== "id") await this.#slice(client, () => found.sort(ORDERS[order]));
    return { tasks: found.slice(offset, end), total: found.length, revision: list.revision };
  }

  async #filter(tasks: readonly Task[], test: (task: Task) => boolean, client: Client) {
    const found: Task[] = [];
    const rest = tasks[Symbol.iterator](); // each slice goes on where the one before it stopped
    const slice = () => {
      const end = performance.now() + SLICE_MS;
      for (const task of rest) {
        if (test(task)) found.push(task);
        if (performance.now() > end) return false;
      }
      return true;
    };
    while (!await this.#slice(client, slice));
    return found;
  }

  /** Does some work, but first lets others go on for as long as the slice before it took. */
  async #slice<T>(client: Client, work: () => T): Promise<Awaited<T>> {
    while (this.#pause !== undefined) await this.#pause;
    if (client.gone || performance.now() > client.until) {
      throw new Unavailable("too many long lists are asked for at once");
    }
    const began = performance.now();
    const done = work(); // what comes with a promise later has kept nobody waiting
    const took = performance.now() - began;
    // In one turn of the event loop, node accepts only one connection: a turn is not enough.
    if (took > LONG_MS) this.#pause = setTimeout(took).then(() => this.#pause = undefined);
    return await done;
  }
}
