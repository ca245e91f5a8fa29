// The in-memory array: the default store, and the reference for any other. Ends with the process.

import type { Store, Task, TaskFields } from "./store.ts";

/** A store that starts empty. */
export class MemoryStore implements Store {
  readonly #lists = new Map<string, Task[]>();
  #lastId = 0; // only rises, so that no id ever names a second task

  list(owner: string): Promise<readonly Task[]> {
    return Promise.resolve([...this.#tasks(owner)]);
  }

  get(owner: string, id: number): Promise<Task | undefined> {
    const tasks = this.#tasks(owner);
    return Promise.resolve(tasks[indexOf(tasks, id)]);
  }

  add(owner: string, fields: TaskFields): Promise<Task> {
    const task = { id: ++this.#lastId, ...fields };
    this.#tasks(owner).push(task);
    return Promise.resolve(task);
  }

  update(owner: string, id: number, changes: Partial<TaskFields>): Promise<Task | undefined> {
    const tasks = this.#tasks(owner);
    const index = indexOf(tasks, id);
    const task = tasks[index];
    if (task === undefined) return Promise.resolve(undefined);
    return Promise.resolve(tasks[index] = { ...task, ...changes });
  }

  remove(owner: string, id: number): Promise<boolean> {
    const tasks = this.#tasks(owner);
    const index = indexOf(tasks, id);
    return Promise.resolve(index >= 0 && tasks.splice(index, 1).length > 0);
  }

  #tasks(owner: string): Task[] {
    const tasks = this.#lists.get(owner) ?? [];
    this.#lists.set(owner, tasks);
    return tasks;
  }
}

/** Where the task with this id stands, or -1. Ids only rise, so the array is in their order. */
function indexOf(tasks: readonly Task[], id: number): number {
  let low = 0;
  let high = tasks.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const found = tasks[middle]?.id ?? 0;
    if (found === id) return middle;
    if (found < id) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}
