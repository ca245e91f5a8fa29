// An array of a million tasks that is quick to search and to shorten: an array of short arrays.

import type { Task } from "./store.ts";

const SIZE = 512; // tasks in a block: splicing one costs less than finding it

/**
 * Tasks in the order of their ids, which only rise. To search is O(log n), to change hardly more. A
 * block that anybody has got is never changed but replaced: they keep it as it was.
 */
export class Blocks {
  readonly #blocks: (readonly Task[])[] = []; // none is empty
  #unread: Task[] = []; // a block that nobody has got yet, and so may grow
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** All tasks as they are now, in pieces. */
  snapshot(): readonly (readonly Task[])[] {
    this.#unread = [];
    return this.#blocks.slice();
  }

  get(id: number): Task | undefined {
    const block = this.#blocks[this.#at(id)] ?? [];
    return block[indexIn(block, id)];
  }

  push(task: Task): void {
    const last = this.#blocks.at(-1);
    if (last === undefined || last.length >= SIZE) {
      this.#blocks.push(this.#unread = [task]);
    } else if (last === this.#unread) {
      this.#unread.push(task);
    } else {
      this.#blocks[this.#blocks.length - 1] = this.#unread = [...last, task];
    }
    this.#length++;
  }

  /** Puts a task in the place of the one with its id, which must be there. */
  replace(task: Task): void {
    const at = this.#at(task.id);
    const block = this.#blocks[at] ?? [];
    this.#blocks[at] = block.with(indexIn(block, task.id), task);
  }

  /** Takes out the task with this id, which must be there. */
  remove(id: number): void {
    const at = this.#at(id);
    const block = this.#blocks[at] ?? [];
    if (block.length > 1) this.#blocks[at] = block.toSpliced(indexIn(block, id), 1);
    else this.#blocks.splice(at, 1);
    this.#length--;
  }

  /** A copy of `limit` tasks after the first `offset`. */
  slice(offset: number, limit: number): Task[] {
    if (offset >= this.#length) return [];
    let at = 0; // the block of the first task, looked for from the nearer end
    let before = 0; // how many tasks are in front of it
    if (offset < this.#length / 2) {
      while (before + this.#size(at) <= offset) before += this.#size(at++);
    } else {
      at = this.#blocks.length;
      before = this.#length;
      while (before > offset) before -= this.#size(--at);
    }
    const tasks: Task[] = [];
    for (let from = offset - before; at < this.#blocks.length && tasks.length < limit; from = 0) {
      tasks.push(...(this.#blocks[at++] ?? []).slice(from, from + limit - tasks.length));
    }
    return tasks;
  }

  /** Some of the tasks after this id, in order; none where there is none. */
  after(id: number): readonly Task[] {
    const at = Math.max(0, this.#at(id));
    const block = this.#blocks[at] ?? [];
    const rest = block.slice(last(block, (task) => task.id <= id) + 1);
    if (rest.length > 0) return rest;
    this.#unread = [];
    return this.#blocks[at + 1] ?? [];
  }

  #size(at: number): number {
    return this.#blocks[at]?.length ?? 0;
  }

  /** The index of the block in which this id is, if it is in any. */
  #at(id: number): number {
    return last(this.#blocks, (block) => firstId(block) <= id);
  }
}

const firstId = ([task]: readonly Task[]) => task?.id ?? 0;

/** The index of the task with this id, or -1. */
function indexIn(block: readonly Task[], id: number): number {
  const index = last(block, (task) => task.id <= id);
  return block[index]?.id === id ? index : -1;
}

/** The index of the last item that fits, or -1; those that fit come first. */
function last<T>(items: readonly T[], fits: (item: T) => boolean): number {
  let low = -1;
  let high = items.length;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    const item = items[middle];
    if (item !== undefined && fits(item)) low = middle;
    else high = middle;
  }
  return low;
}
