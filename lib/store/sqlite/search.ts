// Looks through a list of a SQLite file for the tasks that pass a filter.

import { performance } from "node:perf_hooks";
import type { Database } from "./database.ts";
import { countsOf, pause, readSlice, within } from "./lists.ts";
import { TASK, toTask } from "./tasks.ts";
import { type Filter, passes } from "../filter.ts";
import type { Deadline, Part } from "../store.ts";

const STEP = { ms: 4, tasks: 10_000 }; // how long others wait, and the most tasks in that time

/** As the store's `list`, with any filter. The view has to see one moment. */
export async function search(
  view: Database,
  owner: number,
  filter: Filter,
  offset: number,
  limit: number,
  by?: Deadline,
): Promise<Part> {
  const ids: number[] = [];
  for (const found of steps(view, owner, filter)) {
    ids.push(...found);
    await pause(by);
  }
  const { revision } = countsOf(view, owner, filter);
  const tasks = readSlice(limit, ({ length }, count) => {
    const page = ids.slice(offset + length, offset + length + count);
    return page.flatMap((id) => view.all(`${TASK} WHERE id = ?`, id).map(toTask));
  });
  return { tasks, total: ids.length, revision };
}

/** The ids of the tasks that pass, in steps that are about equally long for all kinds of tasks. */
function* steps(view: Database, owner: number, filter: Filter) {
  const list = `${within(filter)} AND id > ?`;
  const end = `SELECT max(id) AS id FROM
    (SELECT id FROM tasks WHERE ${list} ORDER BY id LIMIT ?)`;
  // SQLite leaves out at once what begins otherwise. `passes` decides.
  const sql = `${TASK} WHERE ${list} AND id <= ? AND substr(title, 1, length(?)) = ? ORDER BY id`;
  const test = passes(filter);
  const start = beginning(filter.title_prefix ?? "");
  for (let [after, size] = [0, 10];;) {
    const started = performance.now();
    const last = view.get(end, owner, after, size)?.["id"];
    if (typeof last !== "number") return;
    const tasks = view.all(sql, owner, after, last, start, start).map(toTask);
    yield tasks.filter(test).map(({ id }) => id);
    after = last;
    const isShort = performance.now() - started < STEP.ms;
    size = isShort ? Math.min(2 * size, STEP.tasks) : Math.ceil(size / 2);
  }
}

/** Whole characters, as SQLite compares them: the first half of one may have any second half. */
const beginning = (text: string) => text.replace(/[\ud800-\udbff]$/, "");
