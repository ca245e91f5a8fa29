// The router table: everything the service offers, at a glance.

import { type Route, route } from "./http/router.ts";
import type { Store } from "./store/store.ts";
import type { Accounts } from "./todo/accounts.ts";
import { Lists } from "./todo/lists.ts";
import { TASK, TASKS } from "./todo/task.ts";
import * as tasks from "./todo/tasks.ts";
import * as users from "./todo/users.ts";

/** Method, path, who may call, handler: a row each, in the order of the tutorial's table. */
export function routes(store: Store, accounts: Accounts, whoRegisters: Route["access"]): Route[] {
  const lists = new Lists(store);
  return [
    route("GET", TASKS, "user", (call) => tasks.getTasks(lists, call)),
    route("GET", TASK, "user", (call) => tasks.getTask(store, call)),
    route("POST", TASKS, "user", (call) => tasks.createTask(store, call)),
    route("PUT", TASK, "user", (call) => tasks.updateTask(store, call)),
    route("PATCH", TASK, "user", (call) => tasks.updateTask(store, call)),
    route("DELETE", TASK, "user", (call) => tasks.deleteTask(store, call)),
    route("POST", users.USERS, whoRegisters, (call) => users.createUser(accounts, call)),
    // The account that the path names is the caller's own, with all of its fields.
    route("GET", users.USER, "user", (call: users.OneUser) => users.getUser(accounts, call)),
    route("PUT", users.USER, "user", (call: users.OneUser) => users.updateUser(accounts, call)),
    route("DELETE", users.USER, "user", (call: users.OneUser) => users.deleteUser(accounts, call)),
  ];
}
