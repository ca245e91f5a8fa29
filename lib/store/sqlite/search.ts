// Searches a list in a SQLite file for the tasks that pass a filter.

import { performance } from "node:perf_hooks";
import type { Database } from "./database.ts";
import { countsOf, pause, readSlice, within } from "./lists.ts";
import { TASK, toTask } from "./tasks.ts";
import { type Filter, passes } from "../filter.ts";
import type { Deadline, Part } from "../store.ts";

const TURN_MS = 4; // for which other requests wait
const MOST = 400; // tasks that are read at once; fewer if that takes long

/** See `list` in TaskStore. Takes any filter. `view` must see one moment. */
export async function search(
  view: Database,
  owner: number,
  filter: Filter,
  offset: number,
  limit: number,
  by?: Deadline,
): Promise<Part> {
  const ids: number[] = [];
  let turnBegan = performance.now();
  for (const found of steps(view, owner, filter)) {
    ids.push(...found);
    if (by?.gone || performance.now() - turnBegan > TURN_MS) {
      await pause(by);
      turnBegan = performance.now();
    }
  }
  const { revision } = countsOf(view, owner, filter);
  const tasks = readSlice(limit, ({ length }, count) => {
    const page = ids.slice(offset + length, offset + length + count);
    return page.flatMap((id) => view.all(`${TASK} WHERE id = ?`, id).map(toTask));
  });
  return { tasks, total: ids.length, revision };
}

/** Finds the ids of the tasks that pass, in short steps. */
function* steps(view: Database, owner: number, filter: Filter) {
  const list = `${within(filter)} AND id > ?`;
  const end = `SELECT max(id) AS id FROM
    (SELECT id FROM tasks WHERE ${list} ORDER BY id LIMIT ?)`;
  // SQLite is fast at skipping titles that begin otherwise. What is left, `passes` decides.
  const sql = `${TASK} WHERE ${list} AND id <= ? AND substr(title, 1, length(?)) = ? ORDER BY id`;
  const test = passes(filter);
  const start = beginning(filter.title_prefix ?? "");
  for (let [after, count] = [0, 10];;) {
    const started = performance.now();
    const last = view.get(end, owner, after, count)?.["id"];
    if (typeof last !== "number") return;
    const tasks = view.all(sql, owner, after, last, start, start).map(toTask);
    const found = tasks.filter(test).map(({ id }) => id);
    const isShort = performance.now() - started < TURN_MS / 2;
    count = isShort ? Math.min(2 * count, MOST) : Math.ceil(count / 2);
    after = last;
    yield found;
  }
}

/** Cuts half a surrogate pair off the end, because SQLite compares whole characters. */
const beginning = (text: string) => text.replace(/[\ud800-\udbff]$/, "");
