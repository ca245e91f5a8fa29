// The router table: everything the service offers, at a glance.

import { path, type Route, route } from "./http/router.ts";
import type { Store } from "./store/store.ts";
import type { Accounts } from "./todo/accounts.ts";
import * as tasks from "./todo/tasks.ts";
import * as users from "./todo/users.ts";

/** Where the contract for machines is: all that the table below offers, as OpenAPI. */
export const DOCUMENT = path("/todo/api/v1.0/openapi.json");

/** Method, path, who may call, handler: a row each, in the order of the tutorial's table. */
export const routes = (store: Store, accounts: Accounts): Route[] => [
  route("GET", tasks.TASKS, "user", (call) => tasks.getTasks(store, call)),
  route("GET", tasks.TASK, "user", (call) => tasks.getTask(store, call)),
  route("POST", tasks.TASKS, "user", (call) => tasks.createTask(store, call)),
  route("PUT", tasks.TASK, "user", (call) => tasks.updateTask(store, call)),
  route("PATCH", tasks.TASK, "user", (call) => tasks.updateTask(store, call)),
  route("DELETE", tasks.TASK, "user", (call) => tasks.deleteTask(store, call)),
  route("POST", users.USERS, "anyone", (call) => users.createUser(accounts, call)),
  route("GET", users.USER, "user", (call) => users.getUser(accounts, call)),
  route("PUT", users.USER, "user", (call) => users.updateUser(accounts, call)),
  route("DELETE", users.USER, "user", (call) => users.deleteUser(accounts, call)),
  route("GET", DOCUMENT, "anyone", async (call) => {
    const { getFile } = await import("./http/file.ts");
    return await getFile(new URL("openapi/openapi.json", import.meta.url), call);
  }),
];

const SCRIPTS = ["api", "app", "form", "list", "outbox", "poll", "status", "sweep", "task", "undo"];
const PAGE = ["index.html", "style.css", "icon.svg", ...SCRIPTS.map((name) => `${name}.js`)];

/** The page for people, a row for each of its files. Who never asks for it never loads it. */
export const pageRoutes: readonly Route[] = PAGE.map((name) =>
  route("GET", path(name === "index.html" ? "/" : `/page/${name}`), "anyone", async (call) => {
    const { getPage } = await import("./page/page.ts");
    return await getPage(name, call);
  })
);
