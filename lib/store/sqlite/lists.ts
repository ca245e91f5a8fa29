// Reads lists in a SQLite file, long ones too, without making other requests wait.

import { setImmediate } from "node:timers/promises";
import { performance } from "node:perf_hooks";
import type { Database } from "./database.ts";
import { OWNER, TASK, toTask } from "./tasks.ts";
import { type Filter, passes } from "../filter.ts";
import { type Deadline, type Part, SLICE, sliceOf, type Task, Unavailable } from "../store.ts";

const STEP = 50_000; // tasks that are counted at once
const FEW = 100; // tasks that are read at once, because each may be long

/** A condition that an index answers: all tasks of an owner, only the done, or only the open. */
export const within = ({ done }: Filter) =>
  `owner = ${OWNER}${done === undefined ? "" : ` AND done = ${Number(done === "true")}`}`;

/** Reads a part of a list, filtered only by `done`. Undefined if it begins far from both ends. */
export function nearPage(
  db: Database,
  owner: number,
  filter: Filter,
  offset: number,
  limit: number,
): Part | undefined {
  const { total, revision } = countsOf(db, owner, filter);
  if (offset >= total) return { tasks: [], total, revision };
  const { value, done } = seek(db, owner, filter, offset, total).next();
  if (!done) return undefined;
  return { tasks: sliceFrom(db, owner, filter, Number(value), limit), total, revision };
}

/** Like `nearPage`, wherever the part begins. */
export async function farPage(
  view: Database,
  owner: number,
  filter: Filter,
  offset: number,
  limit: number,
  by?: Deadline,
): Promise<Part> {
  const { total, revision } = countsOf(view, owner, filter);
  const steps = seek(view, owner, filter, offset, total);
  let step = steps.next();
  for (; !step.done; step = steps.next()) await pause(by);
  return { tasks: sliceFrom(view, owner, filter, step.value, limit), total, revision };
}

/** See `walk` in TaskStore. */
export async function* walk(
  db: Database,
  owner: number,
  filter: Filter,
  after: number,
  by?: Deadline,
): AsyncIterable<readonly Task[]> {
  const test = passes(filter);
  for (let last = after; !by?.gone;) {
    const slice = sliceFrom(db, owner, filter, last + 1, SLICE.tasks);
    const end = slice.at(-1);
    if (end === undefined) return;
    yield slice.filter(test);
    last = end.id;
    await setImmediate();
  }
}

/** Lets other requests run. Throws Unavailable if nobody waits for the result any more. */
export async function pause(by: Deadline | undefined): Promise<void> {
  await setImmediate();
  if (by === undefined || (!by.gone && performance.now() < by.until)) return;
  throw new Unavailable("a search in a long list took too long");
}

/** Finds the id of the task at an index of the list, step by step from the nearer end. */
function* seek(db: Database, owner: number, filter: Filter, index: number, total: number) {
  const forwards = index < total / 2;
  const sql = `SELECT id FROM tasks WHERE ${within(filter)}
    AND id ${forwards ? "> ? ORDER BY id" : "< ? ORDER BY id DESC"} LIMIT 1 OFFSET ?`;
  let id = forwards ? 0 : Number.MAX_SAFE_INTEGER;
  for (let left = forwards ? index : total - 1 - index;; left -= STEP) {
    id = Number(db.get(sql, owner, id, Math.min(left, STEP - 1))?.["id"]);
    if (left < STEP) return id;
    yield;
  }
}

/** Reads the slice of a list that begins with the id `first`. */
function sliceFrom(db: Database, owner: number, filter: Filter, first: number, limit: number) {
  const sql = `${TASK} WHERE ${within(filter)} AND id >= ? ORDER BY id LIMIT ?`;
  return readSlice(limit, (tasks, count) => {
    const id = (tasks.at(-1)?.id ?? first - 1) + 1;
    return db.all(sql, owner, id, count).map(toTask);
  });
}

/** Calls `read` for the tasks after those that it has read so far, until they fill a slice. */
export function readSlice(
  limit: number,
  read: (tasks: readonly Task[], count: number) => Task[],
): Task[] {
  const most = Math.min(limit, SLICE.tasks);
  const tasks: Task[] = [];
  for (;;) {
    const more = read(tasks, Math.min(FEW, most - tasks.length));
    tasks.push(...more);
    const slice = sliceOf(tasks, 0, most);
    if (more.length < FEW || slice.length < tasks.length || slice.length === most) return slice;
  }
}

/** Returns how many of an owner's tasks pass the filter `done`, and the list's revision. */
export function countsOf(db: Database, owner: number, { done }: Filter) {
  const row = db.get(`SELECT tasks, finished, listRevision FROM users WHERE id = ${OWNER}`, owner);
  const [tasks, finished] = [Number(row?.["tasks"] ?? 0), Number(row?.["finished"] ?? 0)];
  const total = done === undefined ? tasks : done === "true" ? finished : tasks - finished;
  return { total, revision: Number(row?.["listRevision"] ?? 0) };
}
