// How an array of tasks is searched: by id, and by filter.

import { setImmediate } from "node:timers/promises";
import { type Filter, passes } from "./filter.ts";
import { type Deadline, sliceOf, type Task } from "./store.ts";

/** Finds the tasks that pass, as they are at the call. Other requests run meanwhile. */
export async function search(
  tasks: readonly Task[],
  filter: Filter,
  by?: Deadline,
): Promise<Task[]> {
  const test = passes(filter);
  const all = tasks.slice();
  const found: Task[] = [];
  for (let i = 0; i < all.length && !by?.gone;) {
    const slice = sliceOf(all, i, Infinity);
    found.push(...slice.filter(test));
    i += slice.length;
    await setImmediate();
  }
  return found;
}

/** The index of the task with this id, or -1. */
export function indexOf(tasks: readonly Task[], id: number): number {
  const index = indexAfter(tasks, id) - 1;
  return tasks[index]?.id === id ? index : -1;
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
