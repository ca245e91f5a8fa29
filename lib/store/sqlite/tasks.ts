// Tasks in a SQLite file: their columns, and how one is changed. A function that writes must be
// called within a transaction.

import type { Database, Row } from "./database.ts";
import { renew } from "./users.ts";
import { type List, ListFull, MOST_IN_LIST, sizeOf } from "../store.ts";
import type { Task, TaskFields } from "../store.ts";

/** The fields that a client may set: each has a column. */
const FIELDS = ["title", "done", "description"] as const;

const TASK = `SELECT id, revision, ${FIELDS.join(", ")} FROM tasks`;
const LIST = `SELECT listRevision, (SELECT count(*) FROM tasks WHERE owner = users.id) AS total
  FROM users WHERE id = ?`;
const INSERT = `INSERT INTO tasks (owner, revision, ${FIELDS.join(", ")})
  VALUES (?, ?, ${FIELDS.map(() => "?").join(", ")}) RETURNING id`;
const UPDATE = `UPDATE tasks SET revision = ?, ${FIELDS.map((name) => `${name} = ?`).join(", ")}
  WHERE id = ?`;

const toTask = ({ id, revision, title, done, description }: Row): Task => ({
  id: Number(id),
  revision: Number(revision),
  title: `${title}`,
  done: done === 1,
  description: `${description}`,
});

/** An owner's list, or its first `most` tasks. A limit of -1 is none. */
export function listOf(db: Database, owner: number, most = -1): List {
  return db.read(() => {
    const { listRevision, total } = db.get(LIST, owner) ?? {};
    const tasks = db.all(`${TASK} WHERE owner = ? ORDER BY id LIMIT ?`, owner, most).map(toTask);
    return { tasks, total: Number(total ?? 0), revision: Number(listRevision ?? 0) };
  });
}

/** Those of these tasks that an owner has, in the order of `ids`. */
export function readTasks(db: Database, owner: number, ids: readonly number[]): Task[] {
  const sql = `${TASK} WHERE owner = ? AND id IN (SELECT value FROM json_each(?))`;
  const tasks = db.all(sql, owner, JSON.stringify(ids)).map(toTask);
  const found = new Map(tasks.map((task) => [task.id, task]));
  return ids.flatMap((id) => found.get(id) ?? []);
}

/** Undefined if there is no such task of this owner. */
export function getTask(db: Database, owner: number, id: number): Task | undefined {
  const row = db.get(`${TASK} WHERE id = ? AND owner = ?`, id, owner);
  return row && toTask(row);
}

/** Undefined if there is no such owner. Throws ListFull. */
export function addTask(db: Database, owner: number, fields: TaskFields): Task | undefined {
  const revision = revise(db, owner, sizeOf(fields));
  if (revision === undefined) return undefined;
  const row = db.get(INSERT, owner, revision, ...FIELDS.map((name) => fields[name]));
  return { id: Number(row?.["id"]), revision, ...fields };
}

/** Undefined if the task is not as it was read. Throws ListFull. */
export function updateTask(
  db: Database,
  owner: number,
  task: Task,
  changes: Partial<TaskFields>,
): Task | undefined {
  if (!holds(db, owner, task)) return undefined;
  const changed = { ...task, ...changes };
  const revision = revise(db, owner, sizeOf(changed) - sizeOf(task));
  if (revision === undefined) return undefined;
  db.all(UPDATE, revision, ...FIELDS.map((name) => changed[name]), task.id);
  return { ...changed, revision };
}

/** False if the task is not as it was read. */
export function removeTask(db: Database, owner: number, task: Task): boolean {
  if (!holds(db, owner, task)) return false;
  revise(db, owner, -sizeOf(task));
  db.all("DELETE FROM tasks WHERE id = ?", task.id);
  return true;
}

/** Whether a task is in an owner's list as it was read. */
function holds(db: Database, owner: number, { id, revision }: Task): boolean {
  const sql = "SELECT 1 FROM tasks WHERE id = ? AND revision = ? AND owner = ?";
  return db.get(sql, id, revision, owner) !== undefined;
}

/**
 * Renews the revision of a list that grows by `size`, and returns it. Undefined if there is no such
 * owner. Throws ListFull before anything is written.
 */
function revise(db: Database, owner: number, size: number): number | undefined {
  const { listSize } = db.get("SELECT listSize FROM users WHERE id = ?", owner) ?? {};
  if (listSize === undefined) return undefined;
  if (size > 0 && Number(listSize) + size > MOST_IN_LIST) throw new ListFull();
  const revision = renew(db);
  const sql = "UPDATE users SET listRevision = ?, listSize = listSize + ? WHERE id = ?";
  db.all(sql, revision, size, owner);
  return revision;
}
