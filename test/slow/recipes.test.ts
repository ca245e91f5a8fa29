// The recipes in lib/recipes.md: their blocks are applied to a copy of the project, and its tests run.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import process from "node:process";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { newFolder, NO_SQLITE } from "../tools/files.ts";
import { blocksOf, table } from "../tools/pages.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** A change to one place: lines before and after. For a new file, `before` is empty. */
interface Place {
  readonly file: string;
  readonly before: string;
  readonly after: string;
}

/** The places that a recipe changes. */
function recipe(heading: string): Place[] {
  const blocks = blocksOf("lib/recipes.md").filter((block) => block.heading === heading);
  const places = blocks.flatMap(({ language, text }) => {
    const [, file = ""] = /^(?:--- |\/\/ )(\S+)\n/.exec(text) ?? [];
    const rest = text.slice(text.indexOf("\n") + 1);
    if (language === "ts") return [{ file, before: "", after: rest }];
    return rest.split("@@\n").map((part) => ({
      file,
      before: side(part, "+"),
      after: side(part, "-"),
    }));
  });
  assert.ok(places.length > 2, heading);
  return places;
}

/** The lines of a place without those that begin with a sign. */
const side = (part: string, without: string) =>
  part.split("\n").filter((line) => !line.startsWith(without)).map((line) => line.slice(1)).join(
    "\n",
  );

/** Makes a copy of the project with these changes. */
async function changed(t: TestContext, places: readonly Place[]): Promise<string> {
  const folder = await newFolder(t);
  for (const name of await readdir(ROOT)) {
    if (name === "node_modules" || name === ".git") continue;
    await cp(ROOT + name, `${folder}/${name}`, { recursive: true });
  }
  await symlink(`${ROOT}node_modules`, `${folder}/node_modules`, "junction");
  for (const { file, before, after } of places) {
    const path = `${folder}/${file}`;
    if (before === "") {
      await writeFile(path, after);
      continue;
    }
    const text = `\n${await readFile(path, "utf8")}`;
    const advice = "If you have followed the recipe here, delete it, and its tests in this file.";
    assert.ok(text.includes(`\n${before}`), `${file} lacks these lines. ${advice}\n${before}`);
    await writeFile(path, text.replaceAll(`\n${before}`, () => `\n${after}`).slice(1));
  }
  return folder;
}

/** Runs a command in the copy. Resolves with its output, and whether it succeeded. */
function run(cwd: string, file: string, args: string[]): Promise<{ passed: boolean; out: string }> {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  return new Promise((resolve) => {
    execFile(
      file,
      args,
      { cwd, env, maxBuffer: 2 ** 26 },
      (error, out, err) => resolve({ passed: error === null, out: out + err }),
    );
  });
}

const FIELDS = ["--test-name-pattern", "^(Memory|Sqlite|My)Store: the field"];

/** Checks the types, then runs the tests, command by command until one fails. */
async function check(folder: string, ...commands: string[][]) {
  let result = await run(folder, `${ROOT}node_modules/.bin/tsc`, []);
  for (const args of commands) {
    if (result.passed) {
      result = await run(folder, process.execPath, [
        "--import",
        "./test/tools/types.js",
        "--test",
        ...args,
      ]);
    }
  }
  return result;
}

/** The tests that a recipe needs. */
const NEEDED: Readonly<Record<string, string[][]>> = {
  "Add a field": [
    ["--test-name-pattern", "fields|schema|example", "test/service/openapi.test.ts"],
    [...FIELDS, "test/store/store.test.ts"],
    ["test/service/priority.test.ts"],
  ],
  "Add a filter": [
    ["test/service/has_description.test.ts"],
    [
      "--test-name-pattern",
      "filter|parameter|schema|row|examples are",
      "test/service/openapi.test.ts",
    ],
    ["test/unit/filter.test.ts", "test/service/list.test.ts"],
    ["--test-name-pattern", "errors|transcripts", "test/service/readme.test.ts"],
  ],
  "Add a resource": [
    ["test/service/labels.test.ts"],
    [
      "--test-name-pattern",
      "^(each row|an operation|every|a response)",
      "test/service/openapi.test.ts",
    ],
    ["test/unit/pages.test.ts", "test/unit/house.test.ts"],
    ["--test-name-pattern", "router table", "test/service/readme.test.ts"],
  ],
  "Add a store": [
    ["--test-name-pattern", "^MyStore", "test/store/store.test.ts"],
    ["test/unit/pages.test.ts", "test/unit/house.test.ts"],
  ],
};

for (const [heading, commands] of Object.entries(NEEDED)) {
  const skip = heading === "Add a field" && NO_SQLITE;
  test(`${heading}: with all of its changes, its tests pass`, { skip }, async (t) => {
    const folder = await changed(t, recipe(heading));
    const { passed, out } = await check(folder, ...commands);
    assert.ok(passed, out.slice(-5000));
  });
}

test(
  "if one place of a new field is forgotten, a test fails and names it",
  { skip: NO_SQLITE },
  async (t) => {
    const places = recipe("Add a field").filter(({ before }) => before !== "");
    const tests = recipe("Add a field").filter(({ before }) => before === "");
    for (const forgotten of places) {
      await t.test(`${forgotten.file}: ${forgotten.after.trim().split("\n")[0]}`, async (t) => {
        const others = places.filter((place) => place !== forgotten);
        const folder = await changed(t, [...tests, ...others]);
        const { passed, out } = await check(folder, ...NEEDED["Add a field"] ?? []);
        assert.ok(!passed, "every test passed");
        assert.match(out, /priority/i);
        const [, room = ""] = /(sqlite|openapi|store|todo)/i.exec(forgotten.file) ?? [];
        assert.match(out, new RegExp(room, "i"));
      });
    }
  },
);

test("what is left out: the types lead to the places that a guide names, and to no others", async (t) => {
  const pathsIn = (cell = "") => cell.split(", ");
  for (const [part, deleted, left] of table("lib/recipes.md", "part")) {
    const folder = await changed(t, []);
    for (const path of pathsIn(deleted)) await rm(`${folder}/${path}`, { recursive: true });
    const { out } = await run(folder, `${ROOT}node_modules/.bin/tsc`, [
      "--noUnusedLocals",
      "false",
    ]);
    const named = [...out.matchAll(/^([\w/.-]+\.ts)\(/gm)].map(([, file]) => file);
    assert.deepEqual([...new Set(named)].sort(), pathsIn(left), `${part}: ${out}`);
  }
});
