// A task, described once: its fields in the order of its JSON, and what each must be.

import { BOOLEAN, NOT_BLANK, type Rules, STRING } from "../http/members.ts";
import { path } from "../http/router.ts";
import type { Task, TaskFields } from "../store/store.ts";

export const TASKS = path("/todo/api/v1.0/tasks");
export const TASK = path("/todo/api/v1.0/tasks/<int:id>");

/** The fields that a client may change. */
export const FIELDS: Rules<TaskFields> = {
  title: NOT_BLANK,
  done: BOOLEAN,
  description: STRING,
};

const { done: _, ...rest } = FIELDS;
/** The fields that a client may set in a new task, which is never done. */
export const NEW_FIELDS = rest;

/** The address of a task. */
export const uriOf = ({ id }: Task, origin: string) => origin + TASK.build({ id });

/** The tutorial's make_public_task: the fields, and an absolute `uri` in place of the id. */
export function publicTask(task: Task, origin: string) {
  const { id: _, revision: __, ...fields } = task;
  return { ...fields, uri: uriOf(task, origin) };
}
