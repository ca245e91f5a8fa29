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

const NAMES = Object.keys(FIELDS) as (keyof TaskFields)[];

/** Prints the tutorial's make_public_task: the fields, and an absolute `uri` in place of the id. */
export function printTask(task: Task, origin: string, indent: string): string {
  let members = "";
  for (const name of NAMES) members += `${indent}  "${name}": ${JSON.stringify(task[name])},\n`;
  return `{\n${members}${indent}  "uri": "${uriOf(task, origin)}"\n${indent}}`;
}
