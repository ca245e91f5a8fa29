// The rules for lib: which folder may import which, short files, and that an import does nothing.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { promisify } from "node:util";

const ROOT = new URL("../..", import.meta.url);

/**
 * Each folder of lib, and the folders that it may import. Files directly in lib may import all, and
 * store/open.ts may import any store.
 */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  http: [],
  store: [],
  "store/sqlite": ["store"],
  "store/etcd": ["store"],
  wire: ["http"],
  openapi: ["http"],
  page: ["http"],
  todo: ["http", "store"],
};

const MAX_LINES = 150;
const MAX_COLUMNS = 100;

/** How much there is to read in the first and the second sitting. */
const SITTINGS: [lines: number, files: (name: string) => boolean][] = [
  [445, (name) => /^server|^lib\/(service|app|routes|todo\/tasks?|store\/memory)\.ts/.test(name)],
  [520, (name) => folderOf(name) === "http"],
];

/** A limit with some slack: whoever adds a feature of their own may need more. */
const RAISE = "To raise the limit, as a fork may, change it in test/unit/house.test.ts";

const IMPORT = /^(?:import|export)\b[^;="'`]*?(?:\bfrom\s+)?"([^"]+)";|\bimport\("([^"]+)"\)/gm;

const read = (file: string) => readFileSync(new URL(file, ROOT), "utf8");

const FILES = readdirSync(new URL("lib", ROOT), { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts"))
  .map((name) => `lib/${name.replaceAll("\\", "/")}`)
  .sort();

/** What a file imports: `node:…`, or a path from the root such as `lib/app.ts`. */
function importsOf(file: string): string[] {
  return [...read(file).matchAll(IMPORT)].map(([, from, dynamic]) => {
    const name = from ?? dynamic ?? "";
    const path = new URL(name, new URL(file, ROOT)).href;
    return name.startsWith(".") ? path.slice(ROOT.href.length) : name;
  });
}

/** The folder of a file: `http` for `lib/http/log.ts`, "" for `lib/app.ts`. */
const folderOf = (file: string) => file.split("/").slice(1, -1).join("/");

test("these tests see every import", () => {
  for (const file of ["server.ts", ...FILES]) {
    const words =
      read(file).match(/^import\b|^export .* from "|\bimport\(|\brequire\(|^} from "/gm) ?? [];
    const lines = words.filter((word) => !word.startsWith("}"));
    assert.equal(importsOf(file).length, lines.length, file);
  }
  assert.deepEqual(importsOf("lib/http/file.ts"), [
    "node:crypto",
    "lib/http/call.ts",
    "lib/http/reply.ts",
  ]);
});

test("lib imports only Node's modules and files of lib", () => {
  for (const file of ["server.ts", ...FILES]) {
    for (const name of importsOf(file)) assert.match(name, /^(node:|lib\/.*\.ts$)/, file);
  }
});

test("each folder imports only from folders below it", () => {
  for (const file of FILES) {
    const folder = folderOf(file);
    if (folder === "" || file === "lib/store/open.ts") continue;
    const may = MAY_IMPORT[folder];
    assert.ok(may, `${folder} has no row in the table`);
    for (const name of importsOf(file).filter((name) => name.startsWith("lib/"))) {
      assert.ok([folder, ...may].includes(folderOf(name)), `${file} imports ${name}`);
    }
  }
  const todo = FILES.filter((file) => folderOf(file) === "todo").flatMap(importsOf).map(folderOf);
  assert.ok(todo.includes("http") && todo.includes("store"));
});

test("a script of the page imports only those below it in the table of its guide", () => {
  const table = [...read("lib/page/README.md").matchAll(/^\| \[(\w+\.js)\].*\| ([^|]*)\|$/gm)];
  const scripts = table.map(([, name]) => `lib/page/${name}`);
  const all = readdirSync(new URL("lib/page/", ROOT)).filter((name) => name.endsWith(".js"));
  assert.deepEqual(scripts.toSorted(), all.map((name) => `lib/page/${name}`).sort());
  for (const [i, [, name, events = ""]] of table.entries()) {
    const below = scripts.slice(i + 1);
    for (const file of importsOf(`lib/page/${name}`)) {
      assert.ok(below.includes(file), `${name} imports ${file}`);
    }
    const told = [...read(`lib/page/${name}`).matchAll(/\btell\b.*?"(\w+)"/g)];
    const names = new Set(told.map(([, event]) => `\`${event}\``));
    assert.equal(events.trim(), [...names].join(", "), `the events of ${name}`);
  }
});

test("importing a file of lib does nothing", async () => {
  const program = `for (const file of ${JSON.stringify(FILES)}) await import("./" + file);`;
  const args = ["--import", "tsx", "--input-type=module", "--eval", program];
  // Anything left open would keep the process from ending.
  const ended = await promisify(execFile)(process.execPath, args, { cwd: ROOT, timeout: 120_000 });
  assert.deepEqual(ended, { stdout: "", stderr: "" });
});

test("a file of lib is short, and so are its lines", () => {
  for (const file of ["server.ts", ...FILES]) {
    const lines = read(file).trimEnd().split("\n");
    const size = `${file} has ${lines.length} lines, more than ${MAX_LINES}`;
    assert.ok(lines.length <= MAX_LINES, `${size}. Split it. ${RAISE} (MAX_LINES).`);
    for (const line of lines) assert.ok(line.length <= MAX_COLUMNS, `${file}: ${line}`);
  }
});

test("the service can be read in one sitting, the framework in another", () => {
  for (const [most, isRead] of SITTINGS) {
    const files = ["server.ts", ...FILES].filter(isRead);
    const lines = files.flatMap((file) => read(file).trimEnd().split("\n")).length;
    const size = `${files.join(", ")} have ${lines} lines, more than ${most}`;
    assert.ok(files.length > 5 && lines <= most, `${size}. ${RAISE} (SITTINGS).`);
  }
});
