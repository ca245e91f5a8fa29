// Tasks in a SQLite file: one machine, and what was answered is still there after a crash.

import type { Database } from "./database.ts";
import { list, OWNER, TASK, toTask, walk } from "./lists.ts";
import { openDatabase } from "./schema.ts";
import { addUser, clearSome, findUser, renew, updateUser } from "./users.ts";
import { Turns } from "../change.ts";
import type { Filter } from "../filter.ts";
import type { Deadline, Part, Store, Task, TaskFields, User, UserFields } from "../store.ts";

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

  /** Opens a file, made where there is none. Throws an error whose message names the mend. */
  static async open(file: string): Promise<SqliteStore> {
    const store = new SqliteStore(await openDatabase(file));
    store.#clear(); // an earlier server may have ended before it had done so
    return store;
  }

  list(owner: string, filter: Filter, offset: number, limit: number, by?: Deadline): Promise<Part> {
    return list(this.#db, owner, filter, offset, limit, by);
  }

  walk(
    owner: string,
    filter: Filter,
    after: number,
    by?: Deadline,
  ): AsyncIterable<readonly Task[]> {
    return walk(this.#db, owner, filter, after, by);
  }

  get(owner: string, id: number): Promise<Task | undefined> {
    const sql = `${TASK} WHERE id = ? AND owner = ${OWNER}`;
    return this.#db.read(() => this.#db.all(sql, id, Number(owner)).map(toTask)[0]);
  }

  add(owner: string, fields: TaskFields): Promise<Task | undefined> {
    return this.#db.write(() => this.#add(Number(owner), fields));
  }

  update(owner: string, task: Task, changes: Partial<TaskFields>): Promise<Task | undefined> {
    return this.#db.write(() => {
      if (!this.#holds(owner, task)) return undefined;
      const { title, description, done } = { ...task, ...changes };
      const revision = this.#revise(Number(owner), 0, Number(done) - Number(task.done));
      const sql = `UPDATE tasks SET done = ?, revision = ?, title = ?, description = ?
        WHERE id = ?`;
      this.#db.all(sql, done, revision, title, description, task.id);
      return { id: task.id, title, description, done, revision };
    });
  }

  remove(owner: string, task: Task): Promise<boolean> {
    return this.#db.write(() => {
      if (!this.#holds(owner, task)) return false;
      this.#revise(Number(owner), -1, -Number(task.done));
      this.#db.all("DELETE FROM tasks WHERE id = ?", task.id);
      return true;
    });
  }

  user(username: string): Promise<User | undefined> {
    return this.#db.read(() => findUser(this.#db, username));
  }

  addUser(username: string, fields: UserFields): Promise<User | undefined> {
    return this.#db.write(() => addUser(this.#db, username, fields));
  }

  addFirst(username: string, fields: UserFields, tasks: readonly TaskFields[]) {
    return this.#db.write(() => {
      const row = this.#db.get("SELECT revision FROM store");
      if (row?.["revision"] !== 0) return undefined; // something was written
      const user = addUser(this.#db, username, fields);
      for (const task of tasks) this.#add(Number(user?.id), task);
      return user;
    });
  }

  updateUser(user: User, changes: Partial<UserFields>): Promise<User | undefined> {
    return this.#db.write(() => updateUser(this.#db, user, changes));
  }

  async removeUser({ id, revision }: User): Promise<boolean> {
    const sql = `UPDATE users SET username = NULL, password = '', email = ''
      WHERE id = ? AND revision = ? AND username IS NOT NULL RETURNING id`;
    const gone = await this.#db.write(() => this.#db.get(sql, Number(id), revision));
    if (gone === undefined) return false;
    this.#clear();
    return true;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#clearing;
    this.#db.close();
  }

  #add(owner: number, { title, description, done }: TaskFields): Task | undefined {
    if (this.#db.get(`SELECT 1 WHERE ${OWNER} IS NOT NULL`, owner) === undefined) return undefined;
    const revision = this.#revise(owner, 1, Number(done));
    const sql = `INSERT INTO tasks (owner, done, revision, title, description)
      VALUES (?, ?, ?, ?, ?) RETURNING id`;
    const row = this.#db.get(sql, owner, done, revision, title, description);
    return { id: Number(row?.["id"]), title, description, done, revision };
  }

  /** Whether a task is in an owner's list as it was read. */
  #holds(owner: string, { id, revision }: Task): boolean {
    const sql = `SELECT 1 FROM tasks WHERE id = ? AND revision = ? AND owner = ${OWNER}`;
    return this.#db.get(sql, id, revision, Number(owner)) !== undefined;
  }

  /** Renews an owner's list, which has so many tasks more, and so many of them finished. */
  #revise(owner: number, tasks: number, finished: number): number {
    const revision = renew(this.#db);
    const sql = `UPDATE users SET listRevision = ?, tasks = tasks + ?, finished = finished + ?
      WHERE id = ?`;
    this.#db.all(sql, revision, tasks, finished, owner);
    return revision;
  }

  /** Clears away what is left of users who are gone, behind everything else. */
  #clear(): void {
    const clear = async () => {
      while (!this.#closed && await this.#db.write(() => clearSome(this.#db)));
    };
    // If the file cannot be written now, the next removal or start goes on with it.
    this.#clearing = this.#clearing.then(clear).catch(() => {});
  }
}
