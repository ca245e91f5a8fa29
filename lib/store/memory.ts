// The in-memory array: the default store, and the reference for any other.
// deno-lint-ignore-file require-await -- the interface asks for promises

import { randomUUID } from "node:crypto";
import { Full, ListFull, MOST_IN_LIST, sizeOf } from "./store.ts";
import type { List, Store, Task, TaskFields, User, UserFields } from "./store.ts";

/** A user and their list. */
interface Owner {
  user: User;
  readonly tasks: Task[]; // in the order of their ids
  size: number; // of all tasks
  revision: number; // of the last change of a task
}

/** A store that starts empty. All users and tasks together may take `most`, as `sizeOf` counts. */
export class MemoryStore implements Store {
  readonly epoch = randomUUID().slice(0, 8);
  readonly #byName = new Map<string, Owner>();
  readonly #byId = new Map<string, Owner>();
  readonly #most: number;
  #size = 0; // of all users and tasks
  #lastId = 0; // of a task; both only grow, so that no number is given twice
  #revision = 0;

  constructor(most = Infinity) {
    this.#most = most;
  }

  async list(owner: string, most?: number): Promise<List> {
    const { tasks = [], revision = 0 } = this.#byId.get(owner) ?? {};
    return { tasks: tasks.slice(0, most), total: tasks.length, revision };
  }

  async read(owner: string, ids: readonly number[]): Promise<Task[]> {
    const wanted = new Set(ids);
    const tasks = this.#byId.get(owner)?.tasks.filter(({ id }) => wanted.has(id));
    const found = new Map(tasks?.map((task) => [task.id, task]));
    return ids.flatMap((id) => found.get(id) ?? []);
  }

  async get(owner: string, id: number): Promise<Task | undefined> {
    return this.#byId.get(owner)?.tasks.find((task) => task.id === id);
  }

  async add(ownerId: string, fields: TaskFields): Promise<Task | undefined> {
    const owner = this.#byId.get(ownerId);
    return owner && this.#add(owner, fields);
  }

  async update(ownerId: string, task: Task, changes: Partial<TaskFields>) {
    const { owner, at } = this.#find(ownerId, task);
    if (owner === undefined) return undefined;
    const changed = { ...task, ...changes, revision: this.#revision + 1 };
    this.#take(sizeOf(changed) - sizeOf(task), owner);
    owner.revision = ++this.#revision;
    return owner.tasks[at] = changed;
  }

  async remove(ownerId: string, task: Task): Promise<boolean> {
    const { owner, at } = this.#find(ownerId, task);
    if (owner === undefined) return false;
    this.#take(-sizeOf(task), owner);
    owner.revision = ++this.#revision;
    return owner.tasks.splice(at, 1).length > 0;
  }

  async user(username: string): Promise<User | undefined> {
    return this.#byName.get(username)?.user;
  }

  async addUser(username: string, fields: UserFields, tasks: readonly TaskFields[] = []) {
    if (this.#byName.has(username)) return undefined;
    const user = { ...fields, id: randomUUID(), username, revision: this.#revision + 1 };
    this.#take(sizeOf(user));
    const owner: Owner = { user, tasks: [], size: 0, revision: ++this.#revision };
    this.#byName.set(username, owner);
    this.#byId.set(user.id, owner);
    for (const task of tasks) this.#add(owner, task);
    return user;
  }

  async addFirst(username: string, fields: UserFields, tasks: readonly TaskFields[]) {
    return this.#revision > 0 ? undefined : await this.addUser(username, fields, tasks);
  }

  async updateUser(user: User, changes: Partial<UserFields>): Promise<User | undefined> {
    const owner = this.#byId.get(user.id);
    if (owner?.user.revision !== user.revision) return undefined;
    const changed = { ...user, ...changes, revision: this.#revision + 1 };
    this.#take(sizeOf(changed) - sizeOf(user));
    this.#revision++;
    return owner.user = changed;
  }

  async removeUser(user: User): Promise<boolean> {
    const owner = this.#byId.get(user.id);
    if (owner?.user.revision !== user.revision) return false;
    this.#take(-owner.size - sizeOf(user));
    this.#byName.delete(user.username);
    return this.#byId.delete(user.id);
  }

  close(): void {}

  #add(owner: Owner, fields: TaskFields): Task {
    this.#take(sizeOf(fields), owner);
    owner.revision = ++this.#revision;
    const task = { id: ++this.#lastId, revision: this.#revision, ...fields };
    owner.tasks.push(task);
    return task;
  }

  /** Where a task stands that is still as it was read. */
  #find(ownerId: string, { id, revision }: Task) {
    const owner = this.#byId.get(ownerId);
    const at = owner?.tasks.findIndex((task) => task.id === id) ?? -1;
    return { owner: owner?.tasks[at]?.revision === revision ? owner : undefined, at };
  }

  /** Counts what is added, or if it is negative, given back. Throws ListFull, Full. */
  #take(size: number, owner?: Owner): void {
    if (size > 0 && owner && owner.size + size > MOST_IN_LIST) throw new ListFull();
    if (size > 0 && this.#size + size > this.#most) {
      throw new Full("the memory of the server is full: tasks must be deleted first");
    }
    if (owner) owner.size += size;
    this.#size += size;
  }
}
