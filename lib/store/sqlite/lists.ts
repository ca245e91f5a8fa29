// Lists and walks in a SQLite file, long ones too, without keeping anybody else waiting.

import { setImmediate } from "node:timers/promises";
import type { Database, Row } from "./database.ts";
import { type Filter, passes, usesOnly } from "../filter.ts";
import { type Deadline, type Part, SLICE, sliceOf, type Task } from "../store.ts";

/** The id of an owner who is still there, in a statement. */
export const OWNER = "(SELECT id FROM users WHERE id = ? AND username IS NOT NULL)";
/** What `toTask` makes a task of. */
export const TASK = "SELECT id, done, revision, title, description FROM tasks";

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
  by?: Deadline,
): Promise<Part> {
  const { done } = filter;
  if (!usesOnly(filter, "done")) return await search(db, owner, filter, offset, limit, by);
  return await db.read(() => {
    const { id, tasks, finished, revision } = listOf(db, owner);
    const total = done === undefined ? tasks : done === "true" ? finished : tasks - finished;
    const condition = done === undefined ? "" : `AND done = ${done}`;
    const end = Math.min(offset + Math.min(limit, SLICE.tasks), total);
    // What lies before a page is counted through, so from the nearer end.
    const backwards = offset > total / 2;
    const [order, skip] = backwards ? ["DESC", total - end] : ["ASC", offset];
    const sql = `${TASK} WHERE owner = ? ${condition} ORDER BY id ${order} LIMIT ? OFFSET ?`;
    const rows = db.all(sql, id, Math.max(0, end - offset), skip);
    const found = (backwards ? rows.reverse() : rows).map(toTask);
    return { tasks: sliceOf(found, 0, limit), total, revision };
  });
}

// Other requests have their turns meanwhile, so a connection of its own sees one moment.
async function search(
  store: Database,
  owner: string,
  filter: Filter,
  offset: number,
  limit: number,
  by?: Deadline,
): Promise<Part> {
  const db = store.another();
  try {
    db.exec("BEGIN");
    const { revision } = listOf(db, owner);
    const ids: number[] = [];
    for await (const slice of walk(db, owner, filter, 0, by)) {
      ids.push(...slice.map(({ id }) => id));
    }
    const page = ids.slice(offset, offset + Math.min(limit, SLICE.tasks));
    const tasks = page.flatMap((id) => db.all(`${TASK} WHERE id = ?`, id).map(toTask));
    return { tasks: sliceOf(tasks, 0, limit), total: ids.length, revision };
  } finally {
    db.close();
  }
}

/** As the store's. */
export async function* walk(
  db: Database,
  owner: string,
  filter: Filter,
  after: number,
  by?: Deadline,
): AsyncIterable<readonly Task[]> {
  const test = passes(filter);
  const sql = `${TASK} WHERE owner = ${OWNER} AND id > ? ORDER BY id LIMIT ${SLICE.tasks}`;
  for (let last = after; !by?.gone;) {
    const slice = sliceOf(db.all(sql, Number(owner), last).map(toTask), 0, Infinity);
    const end = slice.at(-1);
    if (end === undefined) return;
    yield slice.filter(test);
    last = end.id;
    await setImmediate();
  }
}

function listOf(db: Database, owner: string) {
  const { id = 0, tasks = 0, finished = 0, listRevision = 0 } = db.get(
    "SELECT id, tasks, finished, listRevision FROM users WHERE id = ? AND username IS NOT NULL",
    Number(owner),
  ) ?? {};
  return {
    id: Number(id),
    tasks: Number(tasks),
    finished: Number(finished),
    revision: Number(listRevision),
  };
}
