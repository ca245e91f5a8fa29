// The rooms of the house, and the tests that should notice when a file of the room is broken.

import { readdirSync } from "node:fs";

// Quick ones first.
const TESTS = {
  http: `router reply credentials app contract body conditional list users openapi serve hostile
    careful`,
  wire: `client log content serve hostile careful ends stop fuzz target body cors tls command
    terminal`,
  todo: `accounts passwords queue filter lists contract conditional list users identity
    options`,
  store: "memory filter change list contract store database",
  "store/sqlite": "sqlite store database",
  "store/etcd": "store etcd etcd-setup",
  // server.ts, the files directly in lib, the routes of the page and of the description
  "": "app options contract cors openapi body command running",
};

const FILES = readdirSync(new URL("..", import.meta.url), { recursive: true, encoding: "utf8" })
  .map((name) => `test/${name.replaceAll("\\", "/")}`)
  .filter((file) => /^test\/(unit|service|wire|store)\//.test(file));

/** The test files of each room. */
export const ROOMS: ReadonlyMap<string, readonly string[]> = new Map(
  Object.entries(TESTS).map(([room, names]) => [
    room,
    names.split(/\s+/).map((name) => {
      const file = FILES.find((file) => file.endsWith(`/${name}.test.ts`));
      if (file === undefined) throw new Error(`test/mutate/rooms.ts: there is no ${name}.test.ts`);
      return file;
    }),
  ]),
);

/** The room of a file: its folder in lib, or "". */
export function roomOf(file: string): string {
  const folder = file.split("/").slice(1, -1).join("/");
  return ROOMS.has(folder) ? folder : "";
}
