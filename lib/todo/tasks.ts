// A task's rules, and the tutorial's five handlers.

import { readMembers, type Rules } from "../http/body.ts";
import { entityTag } from "../http/conditional.ts";
import { change, type Later, when } from "../http/later.ts";
import { type Fields, HttpError, printJson, type Reply } from "../http/reply.ts";
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
export function getTasks(store: Store, call: Call): Later<Reply> {
  const { user, origin } = call;
  const query = readListQuery(call.query);
  const { number: page, size: limit } = query.page ?? { number: 1, size: SLICE };
  return when(store.list(user, query.filter, (page - 1) * limit, limit), (part) => {
    const ETag = entityTag(store.epoch, part.revision);
    if (call.unchanged(ETag)) return { status: 304, fields: { ETag } };
    const pages = links(origin + TASKS.build({}), query, part.total);
    const fields = { ETag, "X-Total-Count": `${part.total}`, ...pages };
    if (query.page === undefined && part.total > SLICE) {
      return { status: 200, fields, chunks: printSlices(store.walk(user, query.filter), origin) };
    }
    return { status: 200, fields, text: printTasks(part.tasks, origin) };
  });
}

/** get_task: 200, or 404. */
export function getTask(store: Store, call: OneTask): Later<Reply> {
  return when(find(store, call), (task) => {
    const ETag = entityTag(store.epoch, task.revision);
    return call.unchanged(ETag)
      ? { status: 304, fields: { ETag } }
      : reply(200, task, { ETag }, call.origin);
  });
}

/** create_task: 201, and where the task is; 400 without a title. A new task is never done. */
export async function createTask(store: Store, call: Call): Promise<Reply> {
  const { title, description = "" } = readMembers(await call.json(), NEW_TASK, "title");
  return when(store.add(call.user, { title, description, done: false }), (added) => {
    if (added === undefined) throw new HttpError(404); // the user is gone, and the list with them
    const ETag = entityTag(store.epoch, added.revision);
    return reply(201, added, { ETag, Location: uriOf(added, call.origin) }, call.origin);
  });
}

/** update_task, for PUT and PATCH: 200, what was sent is changed and the rest stays. */
export function updateTask(store: Store, call: OneTask): Later<Reply> {
  return when(judged(store, call), async () => { // 404, 412 before 400
    const changes = readMembers(await call.json(), CHANGES);
    const changed = change(
      () => judged(store, call),
      (task) => store.update(call.user, task, changes),
    );
    return when(changed, (task) => {
      const ETag = entityTag(store.epoch, task.revision);
      return reply(200, task, { ETag }, call.origin);
    });
  });
}

/** delete_task: 200, or 404. */
export function deleteTask(store: Store, call: OneTask): Later<Reply> {
  const removed = change(() => judged(store, call), (task) => store.remove(call.user, task));
  return when(removed, (result) => ({ status: 200, text: printJson({ result }) }));
}

function reply(status: number, task: Task, fields: Fields, origin: string): Reply {
  return { status, fields, text: `{\n  "task": ${publicTask(task, origin, "  ")}\n}\n` };
}

const uriOf = ({ id }: Task, origin: string) => origin + TASK.build({ id });

/**
 * The tutorial's make_public_task: an absolute `uri` in the place of `id`. As JSON.stringify would
 * print it, written out because that takes three times as long.
 */
function publicTask(task: Task, origin: string, indent: string): string {
  return `{
${indent}  "title": ${JSON.stringify(task.title)},
${indent}  "done": ${task.done},
${indent}  "description": ${JSON.stringify(task.description)},
${indent}  "uri": "${uriOf(task, origin)}"
${indent}}`;
}

function find(store: Store, { user, params }: OneTask): Later<Task> {
  return when(store.get(user, params.id), (task) => {
    if (task === undefined) throw new HttpError(404);
    return task;
  });
}

/** The task, if the request's conditions hold. Throws 404, 412. */
function judged(store: Store, call: OneTask): Later<Task> {
  return when(find(store, call), (task) => {
    call.unchanged(entityTag(store.epoch, task.revision));
    return task;
  });
}

const [START, END, EMPTY] = ['{\n  "tasks": [', "\n  ]\n}\n", '{\n  "tasks": []\n}\n'];

const printItems = (tasks: readonly Task[], origin: string) =>
  tasks.map((task) => `\n    ${publicTask(task, origin, "    ")}`).join(",");

const printTasks = (tasks: readonly Task[], origin: string) =>
  tasks.length === 0 ? EMPTY : START + printItems(tasks, origin) + END;

/** A long list as it would be printed in one piece, a slice at a time. */
async function* printSlices(slices: AsyncIterable<readonly Task[]>, origin: string) {
  let before = START;
  for await (const slice of slices) {
    if (slice.length === 0) continue;
    yield before + printItems(slice, origin);
    before = ",";
  }
  yield before === START ? EMPTY : END;
}
