// What a query finds in a list: any store may read the whole list, which is bounded, and call this.

import { type Filter, passes } from "./filter.ts";
import type { Task } from "./store.ts";

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

/** The page that a query asks for, and how many tasks pass. `tasks` come in the order of ids. */
export function select(tasks: readonly Task[], { filter, order, offset, limit }: Query) {
  const found = tasks.filter(passes(filter));
  if (order !== "id") found.sort(ORDERS[order]);
  return { tasks: found.slice(offset, offset + limit), total: found.length };
}
