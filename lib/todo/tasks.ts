// The tutorial's five handlers.

import type { Call } from "../http/call.ts";
import { entityTag } from "../http/conditional.ts";
import { readMembers } from "../http/members.ts";
import { type Fields, HttpError, jsonReply, notModified, type Reply } from "../http/reply.ts";
import { change } from "../store/change.ts";
import { INITIAL, type Task, type TaskStore } from "../store/store.ts";
import { links, printList, readListQuery } from "./list.ts";
import type { Lists } from "./lists.ts";
import { FIELDS, NEW_FIELDS, publicTask, TASKS, uriOf } from "./task.ts";

type OneTask = Call<{ readonly id: number }>;

/** get_tasks: 200 with the user's list, filtered, ordered and in pages if the query says so. */
export async function getTasks(lists: Lists, call: Call): Promise<Reply> {
  const { user, origin } = call;
  const query = readListQuery(call.query); // 400
  const { tasks, total, revision } = await lists.read(user.id, query, call.client);
  const ETag = entityTag(lists.store.epoch, revision);
  if (call.clientHas(ETag)) return notModified(ETag); // 412
  const pages = links(origin + TASKS.build({}), query, total);
  const fields = { ETag, "X-Total-Count": `${total}`, ...pages };
  const read = (ids: readonly number[]) => lists.store.read(user.id, ids);
  return { status: 200, fields, ...printList(tasks, read, origin) };
}

/** get_task: 200, or 404. */
export async function getTask(store: TaskStore, call: OneTask): Promise<Reply> {
  const task = await store.get(call.user.id, call.params.id) ?? notFound();
  const ETag = entityTag(store.epoch, task.revision);
  return call.clientHas(ETag) ? notModified(ETag) : reply(200, task, { ETag }, call.origin);
}

/** create_task: 201 and the address of the new task; 400 without a title. */
export async function createTask(store: TaskStore, call: Call): Promise<Reply> {
  const fields = readMembers(await call.json(), NEW_FIELDS, "title"); // 400
  const task = await store.add(call.user.id, { ...INITIAL, ...fields });
  if (task === undefined) throw new HttpError(404); // the account was deleted a moment ago
  const ETag = entityTag(store.epoch, task.revision);
  return reply(201, task, { ETag, Location: uriOf(task, call.origin) }, call.origin);
}

/** update_task, for PUT and PATCH: 200; the fields that were sent change, the others stay. */
export async function updateTask(store: TaskStore, call: OneTask): Promise<Reply> {
  const { user, client } = call;
  const before = await findIfMatching(store, call); // 404 and 412 come before 400
  const changes = readMembers(await call.json(), FIELDS); // 400
  const task = await change(
    before,
    () => findIfMatching(store, call),
    (now) => store.update(user.id, now, changes),
    client,
  );
  return reply(200, task, { ETag: entityTag(store.epoch, task.revision) }, call.origin);
}

/** delete_task: 200, or 404. */
export async function deleteTask(store: TaskStore, call: OneTask): Promise<Reply> {
  const { user, client } = call;
  const result = await change(
    await findIfMatching(store, call), // 404, 412
    () => findIfMatching(store, call),
    (now) => store.remove(user.id, now),
    client,
  );
  return jsonReply(200, { result });
}

/** The task that the path names, if the request's conditions hold. Throws 404, 412. */
async function findIfMatching(store: TaskStore, call: OneTask): Promise<Task> {
  const task = await store.get(call.user.id, call.params.id) ?? notFound();
  call.checkConditions(entityTag(store.epoch, task.revision));
  return task;
}

function notFound(): never {
  throw new HttpError(404);
}

function reply(status: number, task: Task, fields: Fields, origin: string): Reply {
  return jsonReply(status, { task: publicTask(task, origin) }, fields);
}
