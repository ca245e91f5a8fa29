// How an array of tasks is searched: by id, and by filter.

import { setImmediate } from "node:timers/promises";
import { type Filter, passes } from "./filter.ts";
import { type Deadline, SLICE, type Task } from "./store.ts";

/** All tasks of one moment that pass. Other requests have their turns meanwhile. */
export async function search(
  tasks: readonly Task[],
  filter: Filter,
  by?: Deadline,
): Promise<Task[]> {
  const test = passes(filter);
  const all = tasks.slice();
  const found: Task[] = [];
  for (let i = 0; i < all.length && !by?.gone; i += SLICE.tasks) {
    found.push(...all.slice(i, i + SLICE.tasks).filter(test));
    await setImmediate();
  }
  return found;
}

/** The index of the first task with an id above this one: a binary search, since ids only rise. */
export function indexAfter(tasks: readonly Task[], id: number): number {
  let low = 0;
  let high = tasks.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((tasks[middle]?.id ?? 0) > id) high = middle;
    else low = middle + 1;
  }
  return low;
}
