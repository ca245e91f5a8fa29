// A task's rules, and the tutorial's five handlers.

import { readMembers, type Rules } from "../http/body.ts";
import { entityTag } from "../http/conditional.ts";
import { HttpError, type Reply } from "../http/reply.ts";
import { type Call, path } from "../http/router.ts";
import type { Store, Task, TaskFields } from "../store/store.ts";
import { links, readListQuery } from "./list.ts";

export const TASKS = path("/todo/api/v1.0/tasks");
export const TASK = path("/todo/api/v1.0/tasks/<int:id>");

const isString = (value: unknown) => typeof value === "string";
const isTitle = (value: unknown): value is string => isString(value) && value.trim() !== "";
const isBoolean = (value: unknown) => typeof value === "boolean";

const NEW_TASK: Rules<Omit<TaskFields, "done">> = {
  title: ["a string that is not blank", isTitle],
  description: ["a string", isString],
};
const CHANGES: Rules<TaskFields> = { ...NEW_TASK, done: ["true or false", isBoolean] };

const SLICE = 500; // tasks that are printed in one go

type OneTask = Call<{ readonly id: number }>;

/** The tutorial's get_tasks: 200 with the list of who is asking, filtered and in pages if asked. */
export async function getTasks(store: Store, call: Call): Promise<Reply> {
  const { user, origin } = call;
  const query = readListQuery(call.query);
  const { number: page, size: limit } = query.page ?? { number: 1, size: SLICE };
  const part = await store.list(user, query.filter, (page - 1) * limit, limit);
  const ETag = entityTag(store.epoch, part.revision);
  if (call.unchanged(ETag)) return { status: 304, fields: { ETag } };
  const pages = links(origin + TASKS.build({}), query, part.total);
  const fields = { ETag, "X-Total-Count": `${part.total}`, ...pages };
  if (query.page === undefined && part.total > SLICE) {
    return { status: 200, fields, chunks: printed(store.walk(user, query.filter), origin) };
  }
  return {
    status: 200,
    fields,
    content: { tasks: part.tasks.map((task) => publicTask(task, origin)) },
  };
}

/** get_task: 200, or 404. */
export async function getTask(store: Store, call: OneTask): Promise<Reply> {
  const task = await find(store, call);
  const ETag = entityTag(store.epoch, task.revision);
  if (call.unchanged(ETag)) return { status: 304, fields: { ETag } };
  return { status: 200, fields: { ETag }, content: { task: publicTask(task, call.origin) } };
}

/** create_task: 201, and where the task is; 400 without a title. A new task is never done. */
export async function createTask(store: Store, call: Call): Promise<Reply> {
  const { title, description = "" } = readMembers(await call.json(), NEW_TASK, "title");
  const added = await store.add(call.user, { title, description, done: false });
  if (added === undefined) throw new HttpError(404); // the user is gone, and the list with them
  const ETag = entityTag(store.epoch, added.revision);
  const task = publicTask(added, call.origin);
  return { status: 201, fields: { ETag, Location: task.uri }, content: { task } };
}

/** update_task, for PUT and PATCH: 200, what was sent is changed and the rest stays. */
export async function updateTask(store: Store, call: OneTask): Promise<Reply> {
  call.unchanged(entityTag(store.epoch, (await find(store, call)).revision)); // 404, 412 before 400
  const changes = readMembers(await call.json(), CHANGES);
  const task = await change(store, call, (task) => store.update(call.user, task, changes));
  const ETag = entityTag(store.epoch, task.revision);
  return { status: 200, fields: { ETag }, content: { task: publicTask(task, call.origin) } };
}

/** delete_task: 200, or 404. */
export async function deleteTask(store: Store, call: OneTask): Promise<Reply> {
  await change(store, call, (task) => store.remove(call.user, task));
  return { status: 200, content: { result: true } };
}

/** The tutorial's make_public_task: an absolute `uri` in the place of `id`. */
function publicTask({ id, title, done, description }: Task, origin: string) {
  return { title, done, description, uri: origin + TASK.build({ id }) };
}

async function find(store: Store, { user, params }: OneTask): Promise<Task> {
  const task = await store.get(user, params.id);
  if (task === undefined) throw new HttpError(404);
  return task;
}

/** Writes to the task as it is now; if it has changed in between, looks and judges again. */
async function change<T>(
  store: Store,
  call: OneTask,
  write: (task: Task) => Promise<T>,
): Promise<NonNullable<T>> {
  for (;;) {
    const task = await find(store, call); // 404
    call.unchanged(entityTag(store.epoch, task.revision)); // 412
    const written = await write(task);
    if (written) return written;
  }
}

/** A long list as it would be printed in one piece, a slice at a time. */
async function* printed(slices: AsyncIterable<readonly Task[]>, origin: string) {
  const [start, end] = ['{\n  "tasks": [', "\n  ]\n}"];
  let before = start;
  for await (const slice of slices) {
    if (slice.length === 0) continue;
    const text = JSON.stringify({ tasks: slice.map((task) => publicTask(task, origin)) }, null, 2);
    yield before + text.slice(start.length, -end.length);
    before = ",";
  }
  yield before === start ? '{\n  "tasks": []\n}\n' : `${end}\n`;
}
