// Tasks in a SQLite file: one machine, and what was answered is still there after a crash.

import { bytesOf, type Database, type Row, TEXT } from "./database.ts";
import { list, OWNER, TASK, toTask, walk } from "./lists.ts";
import { openDatabase } from "./schema.ts";
import type { Filter, Part, Store, Task, TaskFields, User, UserFields } from "../store.ts";

const USER = `SELECT revision, ${bytesOf("password")}, ${bytesOf("email")} FROM users
  WHERE username = ${TEXT}`;

/** A store in a file, which several servers on a machine may share. */
export class SqliteStore implements Store {
  readonly epoch: string;
  readonly #db: Database;

  private constructor(db: Database) {
    this.#db = db;
    this.epoch = String(db.get("SELECT epoch FROM store")?.["epoch"]);
  }

  /** Opens a file, made where there is none. Throws an error whose message names the mend. */
  static async open(file: string): Promise<SqliteStore> {
    const store = new SqliteStore(await openDatabase(file));
    const gone = store.#db.all("SELECT id FROM users WHERE username IS NULL");
    for (const user of gone) await store.#clear(user); // the server ended before it had done so
    return store;
  }

  list(owner: string, filter: Filter, offset: number, limit: number): Promise<Part> {
    return list(this.#db, owner, filter, offset, limit);
  }

  walk(owner: string, filter: Filter): AsyncIterable<readonly Task[]> {
    return walk(this.#db, owner, filter);
  }

  get(owner: string, id: number): Promise<Task | undefined> {
    const sql = `${TASK} WHERE id = ? AND owner = ${OWNER}`;
    return this.#db.read(() => this.#db.all(sql, id, owner).map(toTask)[0]);
  }

  add(owner: string, { title, description, done }: TaskFields): Promise<Task | undefined> {
    return this.#db.write(() => {
      if (this.#user(owner) === undefined) return undefined;
      const revision = this.#revise(owner, 1, Number(done));
      const sql = `INSERT INTO tasks (owner, done, revision, title, description)
        VALUES (${OWNER}, ?, ?, ${TEXT}, ${TEXT}) RETURNING id`;
      const row = this.#db.get(sql, owner, done, revision, title, description);
      return { id: Number(row?.["id"]), title, description, done, revision };
    });
  }

  update(owner: string, task: Task, changes: Partial<TaskFields>): Promise<Task | undefined> {
    return this.#db.write(() => {
      if (!this.#holds(owner, task)) return undefined;
      const { title, description, done } = { ...task, ...changes };
      const revision = this.#revise(owner, 0, Number(done) - Number(task.done));
      const sql = `UPDATE tasks SET done = ?, revision = ?, title = ${TEXT}, description = ${TEXT}
        WHERE id = ?`;
      this.#db.all(sql, done, revision, title, description, task.id);
      return { id: task.id, title, description, done, revision };
    });
  }

  remove(owner: string, task: Task): Promise<boolean> {
    return this.#db.write(() => {
      if (!this.#holds(owner, task)) return false;
      this.#revise(owner, -1, -Number(task.done));
      this.#db.all("DELETE FROM tasks WHERE id = ?", task.id);
      return true;
    });
  }

  user(username: string): Promise<User | undefined> {
    return this.#db.read(() => this.#user(username));
  }

  addUser(username: string, { password, email }: UserFields): Promise<User | undefined> {
    return this.#db.write(() => {
      if (this.#user(username) !== undefined) return undefined;
      const revision = this.#renew();
      const sql = `INSERT INTO users (username, password, email, revision, listRevision)
        VALUES (${TEXT}, ${TEXT}, ${TEXT}, ?, ?)`;
      this.#db.all(sql, username, password, email, revision, revision);
      return { username, password, email, revision };
    });
  }

  updateUser(user: User, changes: Partial<UserFields>): Promise<User | undefined> {
    return this.#db.write(() => {
      if (this.#user(user.username)?.revision !== user.revision) return undefined;
      const { username, password, email } = { ...user, ...changes };
      const revision = this.#renew();
      const sql = `UPDATE users SET password = ${TEXT}, email = ${TEXT}, revision = ?
        WHERE username = ${TEXT}`;
      this.#db.all(sql, password, email, revision, username);
      return { username, password, email, revision };
    });
  }

  async removeUser({ username, revision }: User): Promise<boolean> {
    const sql = `UPDATE users SET username = NULL, password = '', email = ''
      WHERE username = ${TEXT} AND revision = ? RETURNING id`;
    const gone = await this.#db.write(() => this.#db.get(sql, username, revision));
    if (gone === undefined) return false;
    await this.#clear(gone).catch(() => {}); // the next start goes on with it
    return true;
  }

  close(): void {
    this.#db.close();
  }

  #user(username: string): User | undefined {
    const row = this.#db.get(USER, username);
    if (row === undefined) return undefined;
    const { password, email, revision } = row;
    return { username, password: `${password}`, email: `${email}`, revision: Number(revision) };
  }

  /** Whether a task is in an owner's list as it was read. */
  #holds(owner: string, { id, revision }: Task): boolean {
    const sql = `SELECT 1 FROM tasks WHERE id = ? AND revision = ? AND owner = ${OWNER}`;
    return this.#db.get(sql, id, revision, owner) !== undefined;
  }

  /** A revision that never was before. */
  #renew(): number {
    const row = this.#db.get("UPDATE store SET revision = revision + 1 RETURNING revision");
    return Number(row?.["revision"]);
  }

  /** Renews an owner's list, which has so many tasks more, and so many of them finished. */
  #revise(owner: string, tasks: number, finished: number): number {
    const revision = this.#renew();
    const sql = `UPDATE users SET listRevision = ?, tasks = tasks + ?, finished = finished + ?
      WHERE username = ${TEXT}`;
    this.#db.all(sql, revision, tasks, finished, owner);
    return revision;
  }

  /** Deletes the tasks of a user who is gone, and then what is left of the user. */
  async #clear({ id }: Row): Promise<void> {
    const some = `DELETE FROM tasks WHERE id IN
      (SELECT id FROM tasks WHERE owner = ? LIMIT 500) RETURNING id`;
    const clear = (sql: string) => this.#db.write(() => this.#db.all(sql, Number(id)).length);
    while (await clear(some) > 0);
    await clear("DELETE FROM users WHERE id = ?");
  }
}
