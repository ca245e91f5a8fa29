// A task's rules, and the tutorial's five handlers.

import { readMembers, type Rules } from "../http/body.ts";
import { HttpError, type Reply } from "../http/reply.ts";
import { type Call, path } from "../http/router.ts";
import type { Store, Task, TaskFields } from "../store/store.ts";

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

type OneTask = Call<{ readonly id: number }>;

/** The tutorial's get_tasks: 200 with the whole list of who is asking. */
export async function getTasks(store: Store, { user, origin }: Call): Promise<Reply> {
  const tasks = await store.list(user);
  return { status: 200, content: { tasks: tasks.map((task) => publicTask(task, origin)) } };
}

/** get_task: 200, or 404. */
export async function getTask(store: Store, { user, origin, params }: OneTask): Promise<Reply> {
  const task = found(await store.get(user, params.id));
  return { status: 200, content: { task: publicTask(task, origin) } };
}

/** create_task: 201, and where the task is; 400 without a title. A new task is never done. */
export async function createTask(store: Store, { user, origin, json }: Call): Promise<Reply> {
  const { title, description = "" } = readMembers(await json(), NEW_TASK, "title");
  const task = publicTask(await store.add(user, { title, description, done: false }), origin);
  return { status: 201, content: { task }, fields: { Location: task.uri } };
}

/** update_task, for PUT and PATCH: 200, what was sent is changed and the rest stays; 404, 400. */
export async function updateTask(store: Store, call: OneTask): Promise<Reply> {
  const { user, origin, params, json } = call;
  found(await store.get(user, params.id)); // 404 comes before 400
  const content = await json();
  const changes = readMembers(content, CHANGES);
  if (Object.keys(Object(content)).length === 0) {
    throw new HttpError(400, "send title, description or done: there is nothing to change");
  }
  const task = found(await store.update(user, params.id, changes)); // it may be gone by now
  return { status: 200, content: { task: publicTask(task, origin) } };
}

/** delete_task: 200, or 404. */
export async function deleteTask(store: Store, { user, params }: OneTask): Promise<Reply> {
  if (!await store.remove(user, params.id)) throw new HttpError(404);
  return { status: 200, content: { result: true } };
}

/** The tutorial's make_public_task: an absolute `uri` in the place of `id`. */
function publicTask({ id, title, done, description }: Task, origin: string) {
  return { title, done, description, uri: origin + TASK.build({ id }) };
}

function found(task: Task | undefined): Task {
  if (task === undefined) throw new HttpError(404);
  return task;
}
