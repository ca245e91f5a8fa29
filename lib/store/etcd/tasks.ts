// Writes tasks to etcd. A task is written only if its owner's list exists.

import { setTimeout } from "node:timers/promises";
import type { Deadline, Task, TaskFields } from "../store.ts";
import { soon } from "./cluster.ts";
import type { Keys } from "./keys.ts";
import { exists, put, range, remove, unchanged } from "./transaction.ts";
import type { Writes } from "./writes.ts";

const REST_MS = 500; // at most, while another server adds tasks, too

/** The request to write a task. Its list's key must be written, too, for the list's revision. */
export function putTask(keys: Keys, owner: string, task: Omit<Task, "revision">): object {
  const value = JSON.stringify({ ...task, revision: undefined }); // the key has a revision
  return put(keys.task(owner, task.done, task.id), value);
}

/** Writes tasks for one server. */
export class Tasks {
  readonly #keys: Keys;
  readonly #writes: Writes;
  #last = { id: 0, revision: 0 }; // as this server knows it; another may have gone on
  #adding: Promise<unknown> = Promise.resolve(); // until the last add is done
  #rest: Promise<void> | undefined; // before the next add

  constructor(keys: Keys, writes: Writes) {
    this.#keys = keys;
    this.#writes = writes;
  }

  /** See TaskStore. */
  add(owner: string, fields: TaskFields, by = soon()): Promise<Task | undefined> {
    // One after the other: adds at the same time would only compete for the next id.
    const added = this.#adding.then(() => this.#add(owner, fields, by));
    this.#adding = added.catch(() => {});
    return added;
  }

  async #add(owner: string, fields: TaskFields, by: Deadline): Promise<Task | undefined> {
    await this.#rest;
    const { last: lastKey, late: lateKey } = this.#keys;
    const listKey = this.#keys.list(owner);
    for (;;) {
      const start = performance.now();
      const task = { ...fields, id: this.#last.id + 1 };
      const { succeeded, revision, found: [late, last, list] } = await this.#writes.write({
        compare: [unchanged(lastKey, this.#last.revision), exists(listKey)],
        success: [
          put(lastKey, `${task.id}`),
          put(listKey, ""),
          putTask(this.#keys, owner, task),
          range(lateKey),
        ],
        failure: [put(lateKey, ""), range(lateKey), range(lastKey), range(listKey)],
      }, by);
      if (succeeded) {
        // Without a rest, the server that is nearest to the leader would win every race for an id.
        const contended = (late?.pairs[0]?.revision ?? 0) > this.#last.revision;
        const rest = Math.min(2 * (performance.now() - start), REST_MS);
        if (contended) this.#rest = setTimeout(rest);
        this.#last = { id: task.id, revision };
        return { ...task, revision };
      }
      const [{ value, revision: renewed } = { value: "0", revision: 0 }] = last?.pairs ?? [];
      this.#last = { id: Number(value), revision: renewed }; // another server was quicker
      if (list?.count === 0) return undefined;
    }
  }

  /** See TaskStore. */
  async update(owner: string, task: Task, changes: Partial<TaskFields>, by?: Deadline) {
    const changed = { ...task, ...changes };
    const [key, listKey] = [this.#keys.task(owner, task.done, task.id), this.#keys.list(owner)];
    const moved = changed.done === task.done ? [] : [remove(key)];
    const { succeeded, revision } = await this.#writes.write({
      compare: [unchanged(key, task.revision), exists(listKey)],
      success: [...moved, putTask(this.#keys, owner, changed), put(listKey, "")],
    }, by);
    return succeeded ? { ...changed, revision } : undefined;
  }

  /** See TaskStore. */
  async remove(owner: string, { id, done, revision }: Task, by?: Deadline): Promise<boolean> {
    const [key, listKey] = [this.#keys.task(owner, done, id), this.#keys.list(owner)];
    const { succeeded } = await this.#writes.write({
      compare: [unchanged(key, revision), exists(listKey)],
      success: [remove(key), put(listKey, "")],
    }, by);
    return succeeded;
  }
}
