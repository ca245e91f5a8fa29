// The in-memory array: the default store, and the reference for any other.
// deno-lint-ignore-file require-await -- the interface asks for promises

import { randomUUID } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import { Turns } from "./change.ts";
import { type Filter, passes, usesOnly } from "./filter.ts";
import { Room, sizeOf } from "./room.ts";
import { indexAfter, indexOf, search } from "./search.ts";
import { type Deadline, SLICE, sliceOf, type Store, type Task } from "./store.ts";
import type { TaskFields, User, UserFields } from "./store.ts";

/** A user, their tasks in the order of their ids, and the revision of the last change to these. */
interface Account {
  user: User;
  readonly tasks: Task[];
  revision: number;
}

/** A store that starts empty. One account may take `share` of the room in it. */
export class MemoryStore implements Store {
  readonly epoch = randomUUID().slice(0, 8);
  readonly turns = new Turns();
  readonly #byName = new Map<string, Account>();
  readonly #byId = new Map<string, Account>();
  readonly #room: Room;
  #accounts = 0; // these three only grow, so that no number is given twice
  #lastId = 0;
  #revision = 0;

  constructor(share = 1, room = new Room(share)) {
    this.#room = room;
  }

  async list(owner: string, filter: Filter, offset: number, limit: number, by?: Deadline) {
    const { tasks = [], revision = 0 } = this.#byId.get(owner) ?? {};
    const found = usesOnly(filter) ? tasks : await search(tasks, filter, by);
    return { tasks: sliceOf(found, offset, limit), total: found.length, revision };
  }

  async *walk(owner: string, filter: Filter, after: number, by?: Deadline) {
    const test = passes(filter);
    for (let last = after;;) {
      const tasks = this.#byId.get(owner)?.tasks ?? [];
      const slice = sliceOf(tasks, indexAfter(tasks, last), SLICE.tasks);
      const end = slice.at(-1);
      if (end === undefined || by?.gone) return;
      yield slice.filter(test);
      last = end.id;
      await setImmediate(); // other requests go on
    }
  }

  async get(owner: string, id: number): Promise<Task | undefined> {
    const tasks = this.#byId.get(owner)?.tasks ?? [];
    return tasks[indexOf(tasks, id)];
  }

  async add(owner: string, fields: TaskFields): Promise<Task | undefined> {
    const account = this.#byId.get(owner);
    if (account === undefined) return undefined;
    this.#room.take(owner, sizeOf(fields));
    account.revision = ++this.#revision;
    const task = { id: ++this.#lastId, revision: account.revision, ...fields };
    account.tasks.push(task);
    return task;
  }

  async update(owner: string, task: Task, changes: Partial<TaskFields>) {
    const changed = { ...task, ...changes, revision: this.#revision + 1 };
    return this.#replace(owner, task, changed) ? changed : undefined;
  }

  async remove(owner: string, task: Task): Promise<boolean> {
    return this.#replace(owner, task);
  }

  async user(username: string): Promise<User | undefined> {
    return this.#byName.get(username)?.user;
  }

  async addUser(username: string, fields: UserFields): Promise<User | undefined> {
    if (this.#byName.has(username)) return undefined;
    const id = `${++this.#accounts}`;
    this.#room.take(id, 1500); // with the longest e-mail address
    const user = { ...fields, id, username, revision: ++this.#revision };
    const account = { user, tasks: [], revision: user.revision };
    this.#byName.set(username, account);
    this.#byId.set(id, account);
    return user;
  }

  async addFirst(username: string, fields: UserFields, tasks: readonly TaskFields[]) {
    if (this.#accounts > 0) return undefined;
    const user = this.addUser(username, fields); // takes effect before it returns, as add() does
    await Promise.all(tasks.map((task) => this.add(`${this.#accounts}`, task)));
    return await user;
  }

  async updateUser(user: User, changes: Partial<UserFields>): Promise<User | undefined> {
    const account = this.#byId.get(user.id);
    if (account?.user.revision !== user.revision) return undefined;
    account.user = { ...user, ...changes, revision: ++this.#revision };
    return account.user;
  }

  async removeUser({ id, username, revision }: User): Promise<boolean> {
    if (this.#byId.get(id)?.user.revision !== revision) return false;
    this.#room.leave(id);
    this.#byName.delete(username);
    return this.#byId.delete(id);
  }

  close(): void {}

  /** Replaces a task by `next`, or removes it, if it is still as it was read. */
  #replace(owner: string, task: Task, ...next: Task[]): boolean {
    const account = this.#byId.get(owner);
    const index = indexOf(account?.tasks ?? [], task.id);
    if (account?.tasks[index]?.revision !== task.revision) return false;
    const size = next.reduce((sum, task) => sum + sizeOf(task), -sizeOf(task));
    this.#room.take(owner, size);
    account.revision = ++this.#revision;
    account.tasks.splice(index, 1, ...next);
    return true;
  }
}
