// A store in a SQLite file, for one machine. What a client was told is still there after a crash.
// deno-lint-ignore-file require-await -- the interface asks for promises

import type { Database } from "./database.ts";
import { farPage, nearPage, walk } from "./lists.ts";
import { openDatabase } from "./open.ts";
import { search } from "./search.ts";
import { addTask, getTask, removeTask, updateTask } from "./tasks.ts";
import { addUser, clearSome, findUser, hasRemovedUsers, removeUser, updateUser } from "./users.ts";
import { Turns } from "../change.ts";
import { type Filter, usesOnly } from "../filter.ts";
import type { Deadline, Store, Task, TaskFields, User, UserFields } from "../store.ts";

/** A store in a file, which several servers on a machine may share. */
export class SqliteStore implements Store {
  readonly epoch: string;
  readonly turns = new Turns();
  readonly #db: Database;
  #clearing = Promise.resolve();
  #closed = false;

  private constructor(db: Database) {
    this.#db = db;
    this.epoch = String(db.get("SELECT epoch FROM store")?.["epoch"]);
  }

  /** Opens or creates a file. Throws an error whose message names the fix. */
  static async open(file: string): Promise<SqliteStore> {
    const store = new SqliteStore(await openDatabase(file));
    store.#clear(); // an earlier server may have ended before it was done with that
    return store;
  }

  async list(owner: string, filter: Filter, offset: number, limit: number, by?: Deadline) {
    const page = [Number(owner), filter, offset, limit] as const;
    if (!usesOnly(filter, "done")) {
      return await this.#db.view((view) => search(view, ...page, by), by);
    }
    return await this.#db.read((db) => nearPage(db, ...page)) ??
      await this.#db.view((view) => farPage(view, ...page, by), by);
  }

  walk(
    owner: string,
    filter: Filter,
    after: number,
    by?: Deadline,
  ): AsyncIterable<readonly Task[]> {
    return walk(this.#db, Number(owner), filter, after, by);
  }

  async get(owner: string, id: number): Promise<Task | undefined> {
    return getTask(this.#db, Number(owner), id);
  }

  add(owner: string, fields: TaskFields, by?: Deadline): Promise<Task | undefined> {
    return this.#db.write((db) => addTask(db, Number(owner), fields), by);
  }

  update(owner: string, task: Task, changes: Partial<TaskFields>, by?: Deadline) {
    return this.#db.write((db) => updateTask(db, Number(owner), task, changes), by);
  }

  remove(owner: string, task: Task, by?: Deadline): Promise<boolean> {
    return this.#db.write((db) => removeTask(db, Number(owner), task), by);
  }

  async user(username: string): Promise<User | undefined> {
    return findUser(this.#db, username);
  }

  addUser(username: string, fields: UserFields, by?: Deadline): Promise<User | undefined> {
    return this.#db.write((db) => addUser(db, username, fields), by);
  }

  addFirst(username: string, fields: UserFields, tasks: readonly TaskFields[]) {
    return this.#db.write((db) => {
      // The revision is 0 until the first write.
      if (db.get("SELECT revision FROM store")?.["revision"] !== 0) return undefined;
      const user = addUser(db, username, fields);
      for (const task of tasks) addTask(db, Number(user?.id), task);
      return user;
    });
  }

  updateUser(user: User, changes: Partial<UserFields>, by?: Deadline): Promise<User | undefined> {
    return this.#db.write((db) => updateUser(db, user, changes), by);
  }

  async removeUser(user: User, by?: Deadline): Promise<boolean> {
    const removed = await this.#db.write((db) => removeUser(db, user), by);
    if (removed) this.#clear();
    return removed;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#clearing;
    this.#db.close();
  }

  /** Deletes in the background what is left of removed users. */
  #clear(): void {
    const clear = async () => {
      while (!this.#closed && await this.#db.read(hasRemovedUsers)) await this.#db.write(clearSome);
    };
    // If the file cannot be written now, the next removal or start continues.
    this.#clearing = this.#clearing.then(clear).catch(() => {});
  }
}
