// Tasks in a SQLite file: their columns, and what changes one. Each function is a part of a
// transaction.

import type { Database, Row } from "./database.ts";
import { renew } from "./users.ts";
import type { Task, TaskFields } from "../store.ts";

/** What a client may set of a task: each has a column. */
const FIELDS = ["done", "title", "description"] as const;

/** What `toTask` makes a task of. */
export const TASK = `SELECT id, revision, ${FIELDS.join(", ")} FROM tasks`;

export const toTask = ({ id, title, description, done, revision }: Row): Task => ({
  id: Number(id),
  title: `${title}`,
  description: `${description}`,
  done: done === 1,
  revision: Number(revision),
});

/** The id of an owner who is still there, in a statement. */
export const OWNER = "(SELECT id FROM users WHERE id = ? AND username IS NOT NULL)";

const INSERT = `INSERT INTO tasks (owner, revision, ${FIELDS.join(", ")})
  VALUES (?, ?, ${FIELDS.map(() => "?").join(", ")}) RETURNING id`;
const UPDATE = `UPDATE tasks SET revision = ?, ${FIELDS.map((name) => `${name} = ?`).join(", ")}
  WHERE id = ?`;

/** Undefined if there is no such task of this owner. */
export function getTask(db: Database, owner: number, id: number): Task | undefined {
  const row = db.get(`${TASK} WHERE id = ? AND owner = ${OWNER}`, id, owner);
  return row && toTask(row);
}

/** Undefined if there is no such owner. */
export function addTask(db: Database, owner: number, fields: TaskFields): Task | undefined {
  if (db.get(`SELECT 1 WHERE ${OWNER} IS NOT NULL`, owner) === undefined) return undefined;
  const revision = revise(db, owner, 1, Number(fields.done));
  const row = db.get(INSERT, owner, revision, ...FIELDS.map((name) => fields[name]));
  return { ...fields, id: Number(row?.["id"]), revision };
}

/** Undefined if the task is not as it was read. */
export function updateTask(
  db: Database,
  owner: number,
  task: Task,
  changes: Partial<TaskFields>,
): Task | undefined {
  if (!holds(db, owner, task)) return undefined;
  const changed = { ...task, ...changes };
  const revision = revise(db, owner, 0, Number(changed.done) - Number(task.done));
  db.all(UPDATE, revision, ...FIELDS.map((name) => changed[name]), task.id);
  return { ...changed, revision };
}

/** False if the task is not as it was read. */
export function removeTask(db: Database, owner: number, task: Task): boolean {
  if (!holds(db, owner, task)) return false;
  revise(db, owner, -1, -Number(task.done));
  db.all("DELETE FROM tasks WHERE id = ?", task.id);
  return true;
}

/** Whether a task is in an owner's list as it was read. */
function holds(db: Database, owner: number, { id, revision }: Task): boolean {
  const sql = `SELECT 1 FROM tasks WHERE id = ? AND revision = ? AND owner = ${OWNER}`;
  return db.get(sql, id, revision, owner) !== undefined;
}

/** Renews an owner's list, which has so many tasks more, and so many more that are done. */
function revise(db: Database, owner: number, tasks: number, finished: number): number {
  const revision = renew(db);
  const sql = `UPDATE users SET listRevision = ?, tasks = tasks + ?, finished = finished + ?
    WHERE id = ?`;
  db.all(sql, revision, tasks, finished, owner);
  return revision;
}
