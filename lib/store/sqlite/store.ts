// A store in a SQLite file, for one machine. What a client was told is still there after a crash.
// deno-lint-ignore-file require-await -- the interface asks for promises

import type { OpenFile } from "./file.ts";
import { openFile } from "./open.ts";
import type { Step } from "./tables.ts";
import { addTask, getTask, listOf, readTasks, removeTask, updateTask } from "./tasks.ts";
import { addUser, findUser, removeUser, updateUser } from "./users.ts";
import { Writes } from "./writes.ts";
import type { List, Store, Task, TaskFields, User, UserFields } from "../store.ts";

/** A store in a file, which several servers on a machine may share. */
export class SqliteStore implements Store {
  readonly epoch: string;
  readonly #file: OpenFile;
  readonly #writes: Writes;

  private constructor(file: OpenFile) {
    this.epoch = file.epoch;
    this.#file = file;
    this.#writes = new Writes(file);
  }

  /** Opens or creates a file. Throws an error whose message names the fix. */
  static async open(file: string, versions?: readonly Step[]): Promise<SqliteStore> {
    return new SqliteStore(await openFile(file, versions));
  }

  async list(owner: string, most?: number): Promise<List> {
    return listOf(this.#file.db, Number(owner), most);
  }

  async read(owner: string, ids: readonly number[]): Promise<Task[]> {
    return readTasks(this.#file.db, Number(owner), ids);
  }

  async get(owner: string, id: number): Promise<Task | undefined> {
    return getTask(this.#file.db, Number(owner), id);
  }

  add(owner: string, fields: TaskFields): Promise<Task | undefined> {
    return this.#writes.add((db) => addTask(db, Number(owner), fields));
  }

  update(owner: string, task: Task, changes: Partial<TaskFields>): Promise<Task | undefined> {
    return this.#writes.add((db) => updateTask(db, Number(owner), task, changes));
  }

  remove(owner: string, task: Task): Promise<boolean> {
    return this.#writes.add((db) => removeTask(db, Number(owner), task));
  }

  async user(username: string): Promise<User | undefined> {
    return findUser(this.#file.db, username);
  }

  addUser(username: string, fields: UserFields): Promise<User | undefined> {
    return this.#writes.add((db) => addUser(db, username, fields));
  }

  addFirst(username: string, fields: UserFields, tasks: readonly TaskFields[]) {
    return this.#writes.add((db) => {
      // The revision is 0 until the first write.
      if (db.get("SELECT revision FROM store")?.["revision"] !== 0) return undefined;
      const user = addUser(db, username, fields);
      for (const task of tasks) addTask(db, Number(user?.id), task);
      return user;
    });
  }

  updateUser(user: User, changes: Partial<UserFields>): Promise<User | undefined> {
    return this.#writes.add((db) => updateUser(db, user, changes));
  }

  removeUser(user: User): Promise<boolean> {
    return this.#writes.add((db) => removeUser(db, user));
  }

  close(): void {
    this.#file.close();
  }
}
