// Reads to-do lists in etcd. A page costs what it returns; the total costs a count in etcd.

import { type Filter, passes, usesOnly } from "../filter.ts";
import { type Deadline, type Part, SLICE, sliceOf, type Task } from "../store.ts";
import { type Cluster, soon } from "./cluster.ts";
import type { Keys } from "./keys.ts";
import { range } from "./transaction.ts";
import { countOf, FIRST, mayGrow, nextLimit, tasksIn, type View, Windows } from "./windows.ts";

/** Reads lists of a cluster. */
export class Lists {
  readonly #cluster: Cluster;
  readonly #keys: Keys;
  readonly #windows: Windows;

  constructor(cluster: Cluster, keys: Keys) {
    this.#cluster = cluster;
    this.#keys = keys;
    this.#windows = new Windows(cluster, keys);
  }

  /** See TaskStore. */
  async get(owner: string, id: number, by?: Deadline): Promise<Task | undefined> {
    const keys = [false, true].map((done) => this.#keys.task(owner, done, id));
    const ranges = [this.#keys.list(owner), ...keys].map((key) => range(key));
    const { found: [list, ...found] } = await this.#cluster.read(by, ...ranges);
    return list?.count === 0 ? undefined : tasksIn(found)[0];
  }

  /** See TaskStore. The whole part is as it was at one moment. */
  async list(
    owner: string,
    filter: Filter,
    offset: number,
    limit: number,
    by?: Deadline,
  ): Promise<Part> {
    const view = { owner, done: filter.done, deadline: () => by };
    const counted = usesOnly(filter, "done");
    const extent = counted && offset === 0
      ? { limit: Math.min(FIRST, limit) }
      : { count_only: true };
    const { now, listRevision, newest, ranges } = await this.#windows.read(view, extent);
    if (listRevision === undefined) return { tasks: [], total: 0, revision: 0 };
    const then = { ...view, revision: now };
    const part = counted
      ? await this.#take(then, tasksIn(ranges), offset, limit, countOf(ranges), newest)
      : await this.#search(then, filter, offset, limit);
    return { ...part, revision: listRevision };
  }

  /** Takes a part of the list. `tasks` are the first of that part, if they have been read. */
  async #take(
    view: View,
    tasks: Task[],
    offset: number,
    limit: number,
    total: number,
    newest: number,
  ) {
    const count = Math.min(limit, Math.max(0, total - offset), SLICE.tasks);
    const missing = () => mayGrow(tasks) ? count - tasks.length : 0;
    if (missing() > 0) {
      const after = tasks.at(-1)?.id ?? await this.#windows.skip(view, offset, newest);
      const next = Math.min(nextLimit(FIRST, tasks), count);
      for await (const slice of this.#windows.slices(view, after, next)) {
        tasks.push(...slice);
        if (missing() <= 0) break;
      }
    }
    return { tasks: sliceOf(tasks, 0, count), total };
  }

  /** Counts all tasks that pass, and takes a part of them. */
  async #search(view: View, filter: Filter, offset: number, limit: number) {
    const test = passes(filter);
    const tasks: Task[] = [];
    let total = 0;
    for await (const slice of this.#windows.slices(view, 0)) {
      for (const task of slice.filter(test)) {
        if (total++ >= offset && tasks.length < limit && mayGrow(tasks)) tasks.push(task);
      }
    }
    return { tasks, total };
  }

  /** See TaskStore. The deadline is for each slice: a slow client may read for longer. */
  async *walk(owner: string, filter: Filter, after: number, by?: Deadline) {
    const view = { owner, done: filter.done, deadline: () => soon(by) };
    const test = passes(filter);
    for await (const slice of this.#windows.slices(view, after)) yield slice.filter(test);
  }
}
