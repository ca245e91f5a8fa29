// Tasks in a SQLite file: their columns, and how one is changed. A function that writes must be
// called within a transaction; a read of one statement needs none.

import type { Database, Row } from "./database.ts";
import { renew } from "./users.ts";
import type { Task, TaskFields } from "../store.ts";

/** The fields that a client may set: each has a column. */
const FIELDS = ["done", "title", "description"] as const;

/** Selects the columns that `toTask` needs. */
export const TASK = `SELECT id, revision, ${FIELDS.join(", ")} FROM tasks`;

export const toTask = ({ id, title, description, done, revision }: Row): Task => ({
  id: Number(id),
  title: `${title}`,
  description: `${description}`,
  done: done === 1,
  revision: Number(revision),
});

/** A part of a statement: the id of an owner, or null if they were removed. */
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
  const revision = revise(db, owner, 1, Number(fields.done));
  if (revision === undefined) return undefined;
  const row = db.get(INSERT, owner, revision, ...FIELDS.map((name) => fields[name]));
  return { id: Number(row?.["id"]), revision, ...fields };
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
  if (revision === undefined) return undefined;
  db.all(UPDATE, revision, ...FIELDS.map((name) => changed[name]), task.id);
  return { ...changed, revision };
}

/** False if the task is not as it was read. */
export function removeTask(db: Database, owner: number, task: Task): boolean {
  if (!holds(db, owner, task)) return false;
  if (revise(db, owner, -1, -Number(task.done)) === undefined) return false;
  db.all("DELETE FROM tasks WHERE id = ?", task.id);
  return true;
}

/** Whether a task is in an owner's list as it was read. The owner may have been removed. */
function holds(db: Database, owner: number, { id, revision }: Task): boolean {
  const sql = "SELECT 1 FROM tasks WHERE id = ? AND revision = ? AND owner = ?";
  return db.get(sql, id, revision, owner) !== undefined;
}

/**
 * Renews a list's revision and returns it. Adds to its counts of tasks, and of done tasks.
 * Undefined if there is no such owner.
 */
function revise(
  db: Database,
  owner: number,
  tasks: number,
  finished: number,
): number | undefined {
  const revision = renew(db);
  const sql = `UPDATE users SET listRevision = ?, tasks = tasks + ?, finished = finished + ?
    WHERE id = ? AND username IS NOT NULL RETURNING id`;
  return db.get(sql, revision, tasks, finished, owner) && revision;
}
