// Lists and walks in a SQLite file, long ones too, without keeping anybody else waiting.

import { setImmediate } from "node:timers/promises";
import { bytesOf, type Database, type Row, TEXT } from "./database.ts";
import { type Filter, type Part, passes, type Task } from "../store.ts";

const SLICE = 500; // tasks that are read in one go
const SCAN = 10_000; // tasks whose titles are compared in one go

/** The id of an owner, in a statement. */
export const OWNER = `(SELECT id FROM users WHERE username = ${TEXT})`;
/** What `toTask` makes a task of. */
export const TASK = `SELECT id, done, revision, ${bytesOf("title")}, ${bytesOf("description")}
  FROM tasks`;

export const toTask = ({ id, title, description, done, revision }: Row): Task => ({
  id: Number(id),
  title: `${title}`,
  description: `${description}`,
  done: done === 1,
  revision: Number(revision),
});

/** As the store's. */
export async function list(
  db: Database,
  owner: string,
  filter: Filter,
  offset: number,
  limit: number,
): Promise<Part> {
  const { done, titlePrefix } = filter;
  if (titlePrefix) return await listByTitle(db, owner, filter, offset, limit);
  return await db.read(() => {
    const { id, tasks, finished, revision } = listOf(db, owner);
    const total = done === undefined ? tasks : done ? finished : tasks - finished;
    const condition = done === undefined ? "" : `AND done = ${Number(done)}`;
    const end = Math.min(offset + limit, total);
    // What lies before a page is counted through, so from the nearer end.
    const backwards = offset > total / 2;
    const [order, skip] = backwards ? ["DESC", total - end] : ["ASC", offset];
    const sql = `${TASK} WHERE owner = ? ${condition} ORDER BY id ${order} LIMIT ? OFFSET ?`;
    const rows = db.all(sql, id, Math.max(0, end - offset), skip);
    return { tasks: (backwards ? rows.reverse() : rows).map(toTask), total, revision };
  });
}

// Bytes are compared as startsWith compares code units: no letter case, no wildcards.
const BY_TITLE = `SELECT json_group_array(id) FILTER (WHERE passes) AS ids,
    max(id) AS last, count(*) AS seen
  FROM (SELECT id, done IN (?, ?) AND substr(CAST(title AS BLOB), 1, length(?)) = ? AS passes
    FROM tasks WHERE owner = ? AND id > ? ORDER BY id LIMIT ${SCAN})`;

// Other requests have their turns meanwhile, so a connection of its own sees one moment.
async function listByTitle(
  store: Database,
  owner: string,
  { done, titlePrefix = "" }: Filter,
  offset: number,
  limit: number,
): Promise<Part> {
  const wanted = [done ?? false, done ?? true, titlePrefix, titlePrefix];
  const db = store.another();
  try {
    db.exec("BEGIN");
    const { id, revision } = listOf(db, owner);
    const ids: number[] = [];
    for (let after = 0, seen = SCAN; seen === SCAN; await setImmediate()) {
      const slice = db.get(BY_TITLE, ...wanted, id, after) ?? {};
      ids.push(...JSON.parse(`${slice["ids"]}`));
      [after, seen] = [Number(slice["last"]), Number(slice["seen"])];
    }
    const page = ids.slice(offset, offset + limit);
    const tasks = page.flatMap((id) => db.all(`${TASK} WHERE id = ?`, id).map(toTask));
    return { tasks, total: ids.length, revision };
  } finally {
    db.close();
  }
}

/** As the store's. */
export async function* walk(
  db: Database,
  owner: string,
  filter: Filter,
): AsyncIterable<readonly Task[]> {
  const sql = `${TASK} WHERE owner = ${OWNER} AND id > ? ORDER BY id LIMIT ${SLICE}`;
  const after = (id: number) => db.all(sql, owner, id).map(toTask);
  let slice = after(0);
  for (let last = slice.at(-1); last !== undefined; last = slice.at(-1)) {
    yield slice.filter((task) => passes(filter, task));
    await setImmediate();
    slice = after(last.id);
  }
}

function listOf(db: Database, owner: string) {
  const { id = 0, tasks = 0, finished = 0, listRevision = 0 } = db.get(
    `SELECT id, tasks, finished, listRevision FROM users WHERE username = ${TEXT}`,
    owner,
  ) ?? {};
  return {
    id: Number(id),
    tasks: Number(tasks),
    finished: Number(finished),
    revision: Number(listRevision),
  };
}
