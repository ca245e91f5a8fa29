// What `npm run mutate` changes in a file, and which tests it runs.

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { API } from "typescript/unstable/sync";
import { mutantsOf } from "../mutate/mutants.ts";
import { roomOf, ROOMS } from "../mutate/rooms.ts";
import { newFolder } from "../tools/files.ts";

const ROOT = new URL("../..", import.meta.url);

test("a mutant is another operator or constant, or leaves out a call, a branch, a member", async (t) => {
  const rows: [line: string, mutants: string[]][] = [
    ["a < 1", ["a <= 1", "a < 2"]],
    ["a === b", ["a !== b"]],
    ["a ?? b", ["a"]],
    ["!a", ["a"]],
    ["a++", ["a--"]],
    ["5000", ["10000"]],
    ["true", ["false"]],
    ["`a${b}`", ['""']],
    ['""', []],
    ["a ? b : c", ["(a) && Boolean(0) ? b : c", "(a) || Boolean(1) ? b : c"]],
    ["/^a+$/u", ["/a+$/u", "/^a+/u", "/^a*$/u", "/^a+$/"]],
    ["/a{1,8}/", ["/a{1,9}/"]],
    ["f(a, b)", ["f(a, )"]],
    ["{ a, b: c }", ["{ b: c }", "{ a,  }"]],
    ["[a, b]", ["[b]", "[a, ]"]],
    ["await a", ["a"]],
    ['"SELECT a AND b"', ['""', '"SELECT a OR b"']],
    ["a as 1", []], // a type
  ];
  const statements: [line: string, mutants: string[]][] = [
    ["if (a) b;", ["if ((a) && Boolean(0)) b;", "if ((a) || Boolean(1)) b;", "if (a) ;"]],
    ["while (a) break;", ["while ((a) && Boolean(0)) break;", "while (a) ;"]],
    ["throw a;", [";"]],
    ['import a from "b";', []],
  ];
  const folder = await newFolder(t);
  const all = [
    ...statements,
    ...rows.map(([line, mutants]): [string, string[]] => [
      `export default ${line};`,
      mutants.map((text) => `export default ${text};`),
    ]),
  ];
  await writeFile(join(folder, "tsconfig.json"), "{}");
  await Promise.all(all.map(([line], i) => writeFile(join(folder, `${i}.ts`), line)));
  const api = new API({ cwd: folder });
  t.after(() => api.close());
  const openProjects = [join(folder, "tsconfig.json")];
  const [project] = api.updateSnapshot({ openProjects }).getProjects();
  all.forEach(([line, expected], i) => {
    const source = project?.program.getSourceFile(join(folder, `${i}.ts`)) ?? assert.fail(line);
    const mutants = mutantsOf(source);
    const texts = mutants.map(({ start, end, text }) =>
      line.slice(0, start) + text + line.slice(end)
    );
    assert.deepEqual(texts.sort(), expected.sort(), line);
  });
});

test("each folder of lib has its tests", () => {
  const files = readdirSync(new URL("lib", ROOT), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts")).map((name) => `lib/${name.replaceAll("\\", "/")}`);
  assert.deepEqual([...new Set(files.map(roomOf))].sort(), [...ROOMS.keys()].sort());
});
