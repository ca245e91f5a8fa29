// Reads parts of a list. A list is two ranges of keys in the order of the ids: the open tasks and
// the done ones.
//
// To read the first keys of a range, etcd counts all of it. So a long list is read in windows: from
// one id up to another.

import type { Filter } from "../filter.ts";
import { type Deadline, INITIAL, SLICE, sliceOf, type Task } from "../store.ts";
import type { Cluster } from "./cluster.ts";
import type { Keys } from "./keys.ts";
import { type Extent, type Found, outcomeOf, range } from "./transaction.ts";

/** Tasks that are read before it is known how large they are. */
export const FIRST = 16;
const WINDOW = 8192; // ids among which the first tasks are looked for
const WAYS = 16; // parts of a list whose tasks are counted at once

/** A list; with a revision, the list as it was then. */
export interface View {
  readonly owner: string;
  readonly done: Filter["done"];
  readonly revision?: number;
  deadline(): Deadline | undefined;
}

/** Reads parts of lists. */
export class Windows {
  readonly #cluster: Cluster;
  readonly #keys: Keys;

  constructor(cluster: Cluster, keys: Keys) {
    this.#cluster = cluster;
    this.#keys = keys;
  }

  /** Reads a list's revision, the last id of all lists, and ranges with ids `from` to `end`. */
  async read(view: View, extent: Extent, from?: number, end?: number) {
    const { owner, revision = 0 } = view;
    const { limit } = extent;
    const answer = await this.#cluster.ask("kv/txn", (failures) => {
      // Tasks may be so large that a member needs too long to answer.
      const less = limit === undefined ? {} : { limit: Math.ceil(limit / 4 ** failures) };
      const ranges = this.#ranges(view, { ...extent, ...less }, from, end);
      const keys = [this.#keys.list(owner), this.#keys.last];
      return { success: [...keys.map((key) => range(key, { revision })), ...ranges] };
    }, view.deadline());
    const { revision: now, found: [list, last, ...ranges] } = outcomeOf(answer);
    const listRevision = list?.pairs[0]?.revision;
    return { now, listRevision, newest: Number(last?.pairs[0]?.value ?? 0), ranges };
  }

  /** Reads slice by slice what has an id above `after`. Ends if the list is gone. */
  async *slices(view: View, after: number, limit = FIRST): AsyncIterable<Task[]> {
    for (let [width, last] = [WINDOW, Infinity]; after < last;) {
      const end = after + 1 + width;
      const { listRevision, newest, ranges } = await this.read(view, { limit }, after + 1, end);
      if (listRevision === undefined) return;
      const tasks = sliceOf(tasksIn(ranges), 0, SLICE.tasks);
      yield tasks;
      const count = countOf(ranges);
      after = tasks.length < count ? tasks.at(-1)?.id ?? after : end - 1;
      last = newest;
      limit = nextLimit(limit, tasks);
      width = Math.ceil(width * Math.min(8, 2 * limit / Math.max(1, count)));
    }
  }

  /** The id up to which there are `skip` tasks: each round of counting leaves a 16th to search. */
  async skip(view: View, skip: number, newest: number): Promise<number> {
    const extent = { count_only: true, revision: view.revision ?? 0 };
    let from = 0;
    for (let end = newest + 1; skip > 0;) {
      const width = Math.ceil((end - from) / WAYS);
      const bounds = Array.from({ length: WAYS }, (_, i) => from + i * width);
      const { found } = await this.#cluster.read(
        view.deadline(),
        ...bounds.flatMap((at) => this.#ranges(view, extent, at, at + width)),
      );
      const ranges = found.length / WAYS;
      for (let i = 0; i < found.length; i += ranges) {
        const here = countOf(found.slice(i, i + ranges));
        if (here > skip) break;
        skip -= here;
        from += width;
      }
      end = from + width;
    }
    return from - 1;
  }

  #ranges({ owner, done, revision = 0 }: View, extent: Extent, from?: number, end?: number) {
    const states = done === undefined ? [false, true] : [done === "true"];
    return states.map((state) =>
      range(this.#keys.tasks(owner, state, from, end), { ...extent, revision })
    );
  }
}

/** How many tasks to ask for next, after `limit` were asked for and these were read. */
export function nextLimit(limit: number, tasks: readonly Task[]): number {
  if (tasks.length === 0) return limit;
  const size = Math.max(1, charactersOf(tasks) / tasks.length);
  return Math.min(SLICE.tasks, 8 * limit, Math.ceil(SLICE.characters / size));
}

/** Whether a slice has room for another task. */
export const mayGrow = (slice: readonly Task[]) =>
  slice.length < SLICE.tasks && charactersOf(slice) <= SLICE.characters;

const charactersOf = (tasks: readonly Task[]) =>
  tasks.reduce((sum, { title, description }) => sum + title.length + description.length, 0);

/** How many tasks there are in ranges. */
export const countOf = (ranges: readonly Found[]) =>
  ranges.reduce((sum, { count }) => sum + count, 0);

/** The first tasks of ranges, in order. Of a range that was not read to its end, more follow. */
export function tasksIn(ranges: readonly Found[]): Task[] {
  let end = Infinity;
  const tasks = ranges.flatMap(({ pairs, count }) => {
    // A task that was written before a field was added has its initial value.
    const here: Task[] = pairs.map(({ value, revision }) =>
      Object.assign({}, INITIAL, JSON.parse(value), { revision })
    );
    if (here.length < count) end = Math.min(end, here.at(-1)?.id ?? 0);
    return here;
  });
  return tasks.filter(({ id }) => id <= end).sort((a, b) => a.id - b.id);
}
