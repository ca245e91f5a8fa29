// The router table: everything the service offers, at a glance.

import { type Route, route } from "./http/router.ts";
import type { Store } from "./store/store.ts";
import {
  createTask,
  deleteTask,
  getTask,
  getTasks,
  TASK,
  TASKS,
  updateTask,
} from "./todo/tasks.ts";

/** Method, path, who may call, handler: a row each, in the order of the tutorial's table. */
export const routes = (store: Store): Route[] => [
  route("GET", TASKS, "user", (call) => getTasks(store, call)),
  route("GET", TASK, "user", (call) => getTask(store, call)),
  route("POST", TASKS, "user", (call) => createTask(store, call)),
  route("PUT", TASK, "user", (call) => updateTask(store, call)),
  route("PATCH", TASK, "user", (call) => updateTask(store, call)),
  route("DELETE", TASK, "user", (call) => deleteTask(store, call)),
];
