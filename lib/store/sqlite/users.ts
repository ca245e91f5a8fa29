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
  return {
    id: `${id}`,
    username,
    password: `${password}`,
    email: `${email}`,
    revision: Number(revision),
  };
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
  const now = findUser(db, user.username);
  if (now?.id !== user.id || now.revision !== user.revision) return undefined;
  const { password, email } = { ...now, ...changes };
  const revision = renew(db);
  const sql = `UPDATE users SET password = ?, email = ?, revision = ? WHERE id = ?`;
  db.all(sql, password, email, revision, Number(user.id));
  return { ...now, password, email, revision };
}

/** Removes a user and their tasks. False if they are not as they were read. */
export function removeUser(db: Database, { id, revision }: User): boolean {
  const sql = "SELECT 1 FROM users WHERE id = ? AND revision = ?";
  if (db.get(sql, Number(id), revision) === undefined) return false;
  db.all("DELETE FROM tasks WHERE owner = ?", Number(id));
  db.all("DELETE FROM users WHERE id = ?", Number(id));
  return true;
}
