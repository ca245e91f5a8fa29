// To-do lists in etcd. Each is two ranges of keys in the order of the ids, the open tasks and the
// finished ones, so that a page of either, or of both, is read without the rest of the list.

import type { Gateway } from "./cluster.ts";
import { type Filter, type Part, passes, type Task } from "../store.ts";
import { type Extent, type Found, range } from "./transaction.ts";

const SLICE = 100; // tasks that are read in one go
const WAYS = 16; // parts of a list whose tasks are counted at once
const END = 10 ** 15; // comes after every id

/** Reads lists whose keys begin with a prefix. */
export class Lists {
  readonly #etcd: Gateway;
  readonly #prefix: string;
  /** Holds the last id that was given. */
  readonly lastKey: string;
  /** Written by who wanted the next id and came too late. */
  readonly lateKey: string;

  constructor(etcd: Gateway, prefix: string) {
    this.#etcd = etcd;
    this.#prefix = prefix;
    this.lastKey = `${prefix}last`;
    this.lateKey = `${prefix}late`;
  }

  userKey(username: string): string {
    return `${this.#prefix}user/${username}`;
  }

  /** Written with every change of the owner's tasks: its revision is the list's. */
  key(owner: string): string {
    return `${this.#prefix}list/${owner}`;
  }

  /** Holds a task: another key when it is done than when it is open. */
  taskKey(owner: string, done: boolean, id: number): string {
    return `${this.#prefix}task/${owner}/${Number(done)}/${`${id}`.padStart(16, "0")}`;
  }

  /** The range of all keys of the owner's tasks. */
  taskKeys(owner: string): [from: string, end: string] {
    return [this.taskKey(owner, false, 0), this.taskKey(owner, true, END)];
  }

  /** As in a store. */
  async get(owner: string, id: number): Promise<Task | undefined> {
    const keys = [false, true].map((done) => this.taskKey(owner, done, id));
    const { found } = await this.#etcd.read(...keys.map((key) => range(key)));
    return tasksIn(found)[0];
  }

  /** As in a store: all of one moment. */
  async list(owner: string, filter: Filter, offset: number, limit: number): Promise<Part> {
    const search = filter.titlePrefix !== undefined;
    const { revision: now, found: [list, last, ...ranges] } = await this.#etcd.read(
      range(this.key(owner)),
      range(this.lastKey),
      ...this.#ranges(owner, filter, offset === 0 && !search ? { limit } : { count_only: true }),
    );
    const revision = list?.pairs[0]?.revision ?? 0;
    if (search) {
      const tasks: Task[] = [];
      let total = 0;
      for await (const slice of this.walk(owner, filter, now)) {
        for (const task of slice) if (total++ >= offset && tasks.length < limit) tasks.push(task);
      }
      return { tasks, total, revision };
    }
    const total = count(ranges);
    if (offset === 0) return { tasks: tasksIn(ranges).slice(0, limit), total, revision };
    if (offset >= total) return { tasks: [], total, revision };
    const end = Number(last?.pairs[0]?.value) + 1;
    const from = await this.#start(owner, filter, offset, end, now);
    return { tasks: await this.#slice(owner, filter, from, limit, now), total, revision };
  }

  /** As in a store; with a revision, as it was then. */
  async *walk(owner: string, filter: Filter, revision = 0): AsyncIterable<readonly Task[]> {
    for (let from = 0, last: Task | undefined;; from = last.id + 1) {
      const slice = await this.#slice(owner, filter, from, SLICE, revision);
      last = slice.at(-1);
      if (last === undefined) return;
      yield slice.filter((task) => passes(filter, task));
    }
  }

  async #slice(owner: string, filter: Filter, from: number, limit: number, revision: number) {
    const ranges = this.#ranges(owner, filter, { limit, revision }, from);
    return tasksIn((await this.#etcd.read(...ranges)).found).slice(0, limit);
  }

  /** The id before which there are `skip` tasks: each round of counting leaves a 16th to search. */
  async #start(owner: string, filter: Filter, skip: number, end: number, revision: number) {
    let from = 0;
    while (skip > 0) {
      const width = Math.ceil((end - from) / WAYS);
      const bounds = Array.from({ length: WAYS }, (_, i) => from + i * width);
      const options = { count_only: true, revision };
      const { found } = await this.#etcd.read(
        ...bounds.flatMap((at) => this.#ranges(owner, filter, options, at, at + width)),
      );
      const ranges = found.length / WAYS;
      for (let i = 0; i < found.length; i += ranges) {
        const here = count(found.slice(i, i + ranges));
        if (here > skip) break;
        skip -= here;
        from += width;
      }
      end = from + width;
    }
    return from;
  }

  #ranges(owner: string, { done }: Filter, extent: Extent, from = 0, end = END) {
    const states = done === undefined ? [false, true] : [done];
    return states.map((done) =>
      range([this.taskKey(owner, done, from), this.taskKey(owner, done, end)], extent)
    );
  }
}

const count = (ranges: readonly Found[]) => ranges.reduce((sum, { count }) => sum + count, 0);

/** The tasks in some ranges, in order. */
function tasksIn(ranges: readonly Found[]): Task[] {
  return ranges.flatMap(({ pairs }) => pairs)
    .map(({ value, revision }): Task => ({ ...JSON.parse(value), revision }))
    .sort((a, b) => a.id - b.id);
}
