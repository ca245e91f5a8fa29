// Writes tasks to etcd. Each change of a list writes the list's key too, and compares it: so the
// size of the list is right, and a task that was read with its list is as it was read.

import { setTimeout } from "node:timers/promises";
import { ListFull, MOST_IN_LIST, sizeOf } from "../store.ts";
import type { Task, TaskFields } from "../store.ts";
import { soon } from "./cluster.ts";
import { Lists, putTask } from "./lists.ts";
import { type Pair, put, range, remove, unchanged } from "./transaction.ts";

/** What is to be written: the requests, and by how much the list becomes larger. */
interface Change {
  readonly growth: number;
  readonly requests: readonly object[];
}

/** The part of a store that changes lists. */
export class Tasks extends Lists {
  readonly #lines = new Map<string, Promise<unknown>>(); // the last piece of work in each

  async add(owner: string, fields: TaskFields): Promise<Task | undefined> {
    const { last } = this.keys;
    let id = 0;
    const revision = await this.#change("adds", owner, last, (pair) => {
      id = Number(pair?.value ?? 0) + 1;
      const requests = [put(last, `${id}`), putTask(this.keys, owner, { ...fields, id })];
      return { growth: sizeOf(fields), requests };
    });
    return revision === undefined ? undefined : { ...fields, id, revision };
  }

  async update(owner: string, task: Task, changes: Partial<TaskFields>) {
    const changed = { ...task, ...changes };
    const change = {
      growth: sizeOf(changed) - sizeOf(task),
      requests: [putTask(this.keys, owner, changed)],
    };
    const revision = await this.#replace(owner, task, change);
    return revision === undefined ? undefined : { ...changed, revision };
  }

  async remove(owner: string, task: Task): Promise<boolean> {
    const requests = [remove(this.keys.task(owner, task.id))];
    return await this.#replace(owner, task, { growth: -sizeOf(task), requests }) !== undefined;
  }

  /** Writes a change of a task if the task is as it was read. */
  #replace(owner: string, { id, revision }: Task, change: Change) {
    const key = this.keys.task(owner, id);
    return this.#change(
      owner,
      owner,
      key,
      (now) => now?.revision === revision ? change : undefined,
    );
  }

  /**
   * Reads a list's size and one more key, plans a change, and writes it; again if another server
   * was quicker. Returns the revision; undefined if the list is gone, or nothing is planned.
   */
  #change(line: string, owner: string, key: string, plan: (now?: Pair) => Change | undefined) {
    const by = soon();
    const { late } = this.keys;
    const list = this.keys.list(owner);
    const ranges = [range(list), range(key)];
    return this.#inTurn(line, async () => {
      for (let read = await this.cluster.read(by, ...ranges);;) {
        const [was, now] = read.found.map(({ pairs: [pair] }) => pair);
        const change = was && plan(now);
        if (was === undefined || change === undefined) return {};
        const size = Number(was.value) + change.growth;
        if (change.growth > 0 && size > MOST_IN_LIST) throw new ListFull();
        const start = performance.now();
        read = await this.writes.write({
          compare: [unchanged(list, was.revision), unchanged(key, now?.revision)],
          success: [put(list, `${size}`), ...change.requests, range(late)],
          failure: [put(late, ""), ...ranges],
        }, by);
        if (!read.succeeded) continue;
        const { revision, found: [lost] } = read;
        const contended = (lost?.pairs[0]?.revision ?? 0) > was.revision;
        const end = performance.now();
        return { revision, rest: contended ? Math.min(2 * (end - start), by - end) : 0 };
      }
    });
  }

  /**
   * Does work when the work before it in the same line is done: at the same time they would only
   * compete. Each piece ends at its deadline, so the next one begins before its own. Without a rest
   * after a race, the server that is nearest to the leader of the cluster would win every race.
   */
  async #inTurn(line: string, work: () => Promise<{ revision?: number; rest?: number }>) {
    const done = (this.#lines.get(line) ?? Promise.resolve()).then(work);
    const over = done.then(({ rest }) => rest ? setTimeout(rest) : undefined, () => {});
    this.#lines.set(line, over);
    over.then(() => this.#lines.get(line) === over && this.#lines.delete(line));
    return (await done).revision;
  }
}
