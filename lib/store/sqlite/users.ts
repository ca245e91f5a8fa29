// Users in a SQLite file. A function that writes must be called within a transaction; a read of one
// statement needs none.

import type { Database } from "./database.ts";
import type { User, UserFields } from "../store.ts";

const USER = "SELECT id, revision, password, email FROM users WHERE username = ?";

/** Returns a new revision. */
export function renew(db: Database): number {
  const row = db.get("UPDATE store SET revision = revision + 1 RETURNING revision");
  return Number(row?.["revision"]);
}

/** Returns the user with this name, if there is one. */
export function findUser(db: Database, username: string): User | undefined {
  const row = db.get(USER, username);
  if (row === undefined) return undefined;
  const { id, password, email, revision } = row;
  const fields = { password: `${password}`, email: `${email}` };
  return { id: `${id}`, username, ...fields, revision: Number(revision) };
}

/** Undefined if the name is taken. */
export function addUser(
  db: Database,
  username: string,
  { password, email }: UserFields,
): User | undefined {
  if (findUser(db, username) !== undefined) return undefined;
  const revision = renew(db);
  const sql = `INSERT INTO users (username, password, email, revision, listRevision, listSize)
    VALUES (?, ?, ?, ?, ?, 0) RETURNING id`;
  const row = db.get(sql, username, password, email, revision, revision);
  return { id: `${row?.["id"]}`, username, password, email, revision };
}

/** Undefined if the user is not as they were read. */
export function updateUser(
  db: Database,
  user: User,
  changes: Partial<UserFields>,
): User | undefined {
  if (!holds(db, user)) return undefined;
  const changed = { ...user, ...changes, revision: renew(db) };
  const sql = "UPDATE users SET password = ?, email = ?, revision = ? WHERE id = ?";
  db.all(sql, changed.password, changed.email, changed.revision, Number(user.id));
  return changed;
}

/** Removes a user and their tasks. False if they are not as they were read. */
export function removeUser(db: Database, user: User): boolean {
  if (!holds(db, user)) return false;
  db.all("DELETE FROM tasks WHERE owner = ?", Number(user.id));
  db.all("DELETE FROM users WHERE id = ?", Number(user.id));
  return true;
}

/** Whether a user is as they were read. */
const holds = (db: Database, { id, revision }: User) =>
  db.get("SELECT 1 FROM users WHERE id = ? AND revision = ?", Number(id), revision) !== undefined;
