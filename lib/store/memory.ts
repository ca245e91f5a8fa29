// The in-memory array: the default store, and the reference for any other. Ends with the process.

import { setImmediate } from "node:timers/promises";
import { Blocks } from "./blocks.ts";
import {
  type Filter,
  type Later,
  type Part,
  passes,
  type Store,
  type Task,
  type TaskFields,
  type User,
  type UserFields,
} from "./store.ts";

/** A user, their tasks, and the revision of the last change to these. */
interface Account {
  user: User;
  readonly tasks: Blocks;
  revision: number;
}

const NOBODY = { tasks: new Blocks(), revision: 0 }; // of whom nothing is ever kept

/** A store that starts empty. */
export class MemoryStore implements Store {
  readonly epoch = crypto.randomUUID().slice(0, 8);
  readonly #accounts = new Map<string, Account>();
  #lastId = 0; // only rises, so that no id ever names a second task
  #revision = 0;

  list(owner: string, filter: Filter, offset: number, limit: number): Later<Part> {
    const account = this.#accounts.get(owner) ?? NOBODY;
    if (filter.done !== undefined || filter.titlePrefix !== undefined) {
      return filtered(account, filter, offset, limit);
    }
    const { tasks, revision } = account;
    return { tasks: tasks.slice(offset, limit), total: tasks.length, revision };
  }

  async *walk(owner: string, filter: Filter): AsyncIterable<readonly Task[]> {
    const after = (id: number) => this.#accounts.get(owner)?.tasks.after(id) ?? [];
    let slice = after(0);
    for (let last = slice.at(-1); last !== undefined; last = slice.at(-1)) {
      yield slice.filter((task) => passes(filter, task));
      await setImmediate();
      slice = after(last.id);
    }
  }

  get(owner: string, id: number): Task | undefined {
    return this.#accounts.get(owner)?.tasks.get(id);
  }

  add(owner: string, { title, description, done }: TaskFields): Task | undefined {
    const account = this.#accounts.get(owner);
    if (account === undefined) return undefined;
    const revision = account.revision = ++this.#revision;
    const task = { id: ++this.#lastId, title, description, done, revision };
    account.tasks.push(task);
    return task;
  }

  update(owner: string, task: Task, changes: Partial<TaskFields>): Task | undefined {
    const account = this.#accountWith(owner, task);
    if (account === undefined) return undefined;
    const revision = account.revision = ++this.#revision;
    const { title, description, done } = { ...task, ...changes };
    const changed = { id: task.id, title, description, done, revision };
    account.tasks.replace(changed);
    return changed;
  }

  remove(owner: string, task: Task): boolean {
    const account = this.#accountWith(owner, task);
    if (account === undefined) return false;
    account.revision = ++this.#revision;
    account.tasks.remove(task.id);
    return true;
  }

  user(username: string): User | undefined {
    return this.#accounts.get(username)?.user;
  }

  addUser(username: string, fields: UserFields): User | undefined {
    if (this.#accounts.has(username)) return undefined;
    const revision = ++this.#revision;
    const user = { username, ...fields, revision };
    this.#accounts.set(username, { user, tasks: new Blocks(), revision });
    return user;
  }

  updateUser(user: User, changes: Partial<UserFields>): User | undefined {
    const account = this.#accounts.get(user.username);
    if (account?.user.revision !== user.revision) return undefined;
    account.user = { ...user, ...changes, revision: ++this.#revision };
    return account.user;
  }

  removeUser(user: User): boolean {
    const current = this.#accounts.get(user.username)?.user.revision === user.revision;
    return current && this.#accounts.delete(user.username);
  }

  close(): void {}

  /** The owner's account, if the task is in it as it was read. */
  #accountWith(owner: string, { id, revision }: Task): Account | undefined {
    const account = this.#accounts.get(owner);
    return account?.tasks.get(id)?.revision === revision ? account : undefined;
  }
}

async function filtered(
  { tasks, revision }: Pick<Account, "tasks" | "revision">,
  filter: Filter,
  offset: number,
  limit: number,
): Promise<Part> {
  const part: Task[] = [];
  let total = 0;
  for (const block of tasks.snapshot()) {
    for (const task of block.filter((task) => passes(filter, task))) {
      if (total >= offset && part.length < limit) part.push(task);
      total++;
    }
    await setImmediate(); // other requests have their turn
  }
  return { tasks: part, total, revision };
}
