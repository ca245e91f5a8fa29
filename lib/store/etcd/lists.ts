// To-do lists in etcd. Each is two ranges of keys in the order of the ids, the open tasks and the
// finished ones, so that a page of either, or of both, is read without the rest of the list.

import type { Gateway } from "./cluster.ts";
import { type Filter, passes, usesOnly } from "../filter.ts";
import { type Deadline, type Part, SLICE, sliceOf, type Task } from "../store.ts";
import { type Extent, type Found, range } from "./transaction.ts";

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
  /** Written with every new user. */
  readonly usersKey: string;
  /** The range of all users. */
  readonly allUserKeys: [from: string, end: string];

  constructor(etcd: Gateway, prefix: string) {
    this.#etcd = etcd;
    this.#prefix = prefix;
    this.lastKey = `${prefix}last`;
    this.lateKey = `${prefix}late`;
    this.usersKey = `${prefix}users`;
    this.allUserKeys = [this.userKey(""), `${prefix}user0`];
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
  async get(owner: string, id: number, by?: Deadline): Promise<Task | undefined> {
    const keys = [false, true].map((done) => this.taskKey(owner, done, id));
    const ranges = [this.key(owner), ...keys].map((key) => range(key));
    const { found: [list, ...found] } = await this.#etcd.read(by, ...ranges);
    return list?.count === 0 ? undefined : tasksIn(found)[0];
  }

  /** As in a store: all of one moment. */
  async list(
    owner: string,
    filter: Filter,
    offset: number,
    limit: number,
    by?: Deadline,
  ): Promise<Part> {
    const search = !usesOnly(filter, "done");
    const count = Math.min(limit, SLICE.tasks);
    const { revision: now, found: [list, last, ...ranges] } = await this.#etcd.read(
      by,
      range(this.key(owner)),
      range(this.lastKey),
      ...this.#ranges(owner, filter, offset || search ? { count_only: true } : { limit: count }),
    );
    const revision = list?.pairs[0]?.revision ?? 0;
    if (list?.count === 0) return { tasks: [], total: 0, revision };
    if (search) return { ...await this.#search(owner, filter, offset, count, now, by), revision };
    const total = countOf(ranges);
    if (offset === 0) return { tasks: sliceOf(tasksIn(ranges), 0, count), total, revision };
    if (offset >= total) return { tasks: [], total, revision };
    const end = Number(last?.pairs[0]?.value) + 1;
    const from = await this.#start(owner, filter, offset, end, now, by);
    const { found: [, ...found] } = await this.#slice(owner, filter, from, count, now, by);
    return { tasks: sliceOf(tasksIn(found), 0, count), total, revision };
  }

  async #search(
    owner: string,
    filter: Filter,
    offset: number,
    limit: number,
    now: number,
    by?: Deadline,
  ) {
    const tasks: Task[] = [];
    let total = 0;
    for await (const slice of this.#walk(owner, filter, 0, now, by)) {
      for (const task of slice) if (total++ >= offset && tasks.length < limit) tasks.push(task);
    }
    return { tasks: sliceOf(tasks, 0, limit), total };
  }

  /** As in a store. */
  walk(owner: string, filter: Filter, after: number, by?: Deadline) {
    return this.#walk(owner, filter, after, 0, by);
  }

  /** As in a store; with a revision, as it was then. */
  async *#walk(owner: string, filter: Filter, after: number, revision: number, by?: Deadline) {
    const test = passes(filter);
    for (let last = after;;) {
      const { found: [list, ...found] } = await this.#slice(
        owner,
        filter,
        last + 1,
        SLICE.tasks,
        revision,
        by,
      );
      const slice = sliceOf(tasksIn(found), 0, SLICE.tasks);
      const end = slice.at(-1);
      if (end === undefined || list?.count === 0) return;
      yield slice.filter(test);
      last = end.id;
    }
  }

  #slice(
    owner: string,
    filter: Filter,
    from: number,
    limit: number,
    revision: number,
    by?: Deadline,
  ) {
    const ranges = this.#ranges(owner, filter, { limit, revision }, from);
    return this.#etcd.read(by, range(this.key(owner), { revision }), ...ranges);
  }

  /** The id before which there are `skip` tasks: each round of counting leaves a 16th to search. */
  async #start(
    owner: string,
    filter: Filter,
    skip: number,
    end: number,
    revision: number,
    by?: Deadline,
  ) {
    let from = 0;
    while (skip > 0) {
      const width = Math.ceil((end - from) / WAYS);
      const bounds = Array.from({ length: WAYS }, (_, i) => from + i * width);
      const options = { count_only: true, revision };
      const { found } = await this.#etcd.read(
        by,
        ...bounds.flatMap((at) => this.#ranges(owner, filter, options, at, at + width)),
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
    return from;
  }

  #ranges(owner: string, { done }: Filter, extent: Extent, from = 0, end = END) {
    const states = done === undefined ? [false, true] : [done === "true"];
    return states.map((done) =>
      range([this.taskKey(owner, done, from), this.taskKey(owner, done, end)], extent)
    );
  }
}

const countOf = (ranges: readonly Found[]) => ranges.reduce((sum, { count }) => sum + count, 0);

/** The tasks in some ranges, in order. */
function tasksIn(ranges: readonly Found[]): Task[] {
  return ranges.flatMap(({ pairs }) => pairs)
    .map(({ value, revision }): Task => ({ ...JSON.parse(value), revision }))
    .sort((a, b) => a.id - b.id);
}
