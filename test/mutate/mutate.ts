// Changes lib in one small way at a time, and shows each change that no test notices:
//
//   npm run mutate -- [--sample N] [--seed N] [--log FILE] [FILE or folder…]
//
// It works on a copy of the project. `--sample` tries so many mutants of each file, always the same
// ones for a seed. `--log` keeps the results, so that a run that was stopped goes on where it was.

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setTimeout } from "node:timers";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { API } from "typescript/unstable/sync";
import { type Mutant, mutantsOf } from "./mutants.ts";
import { roomOf, ROOMS } from "./rooms.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    sample: { type: "string", default: "Infinity" },
    seed: { type: "string", default: "1" },
    log: { type: "string", default: "" },
  },
});

const COPY = fs.mkdtempSync(join(tmpdir(), "mutants-"));
process.on("exit", () => fs.rmSync(COPY, { recursive: true }));
process.on("SIGINT", () => process.exit(130)).on("SIGTERM", () => process.exit(143));
for (const name of fs.readdirSync(ROOT).filter((name) => !/^(\.git|node_modules)$/.test(name))) {
  fs.cpSync(join(ROOT, name), join(COPY, name), { recursive: true });
}
fs.symlinkSync(join(ROOT, "node_modules"), join(COPY, "node_modules"));
const original = (file: string) => fs.readFileSync(join(ROOT, file), "utf8");
const write = (file: string, text: string) => fs.writeFileSync(join(COPY, file), text);

const api = new API({ cwd: COPY });
const opened = api.updateSnapshot({ openProjects: [join(COPY, "tsconfig.json")] });

/** Whether the types of a file, as it is now, have no error. */
function isTyped(file: string): boolean {
  const changed = [join(COPY, file)];
  const [project] = api.updateSnapshot({ fileChanges: { changed } }).getProjects();
  return project?.program.getSemanticDiagnostics(join(COPY, file)).length === 0;
}

/** Runs a test file until a test fails, or until the time is over. True if all its tests pass. */
async function passes(test: string, limit: number): Promise<boolean> {
  const child = spawn(process.execPath, [...process.execArgv, "--test-reporter=tap", test], {
    cwd: COPY,
    detached: true, // so that `end` also ends the servers that the test started
    stdio: ["ignore", "pipe", "ignore"],
  });
  const end = () => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    } catch { /* all have ended */ }
  };
  process.on("exit", end);
  const timer = setTimeout(end, limit);
  let out = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
    if (/^ *not ok /m.test(out)) end();
  });
  const [code] = await once(child, "exit");
  clearTimeout(timer);
  end();
  process.off("exit", end);
  return code === 0;
}

/** How long each test file takes without a change, in milliseconds. */
const durations = new Map<string, number>();

/** Whether one of the tests fails, or hangs, when the file has this text. */
async function isKilled(file: string, mutated: string, tests: readonly string[]): Promise<boolean> {
  for (const test of tests) {
    if (!durations.has(test)) {
      write(file, original(file));
      const begun = performance.now();
      if (!await passes(test, 600_000)) throw new Error(`${test} fails without a change`);
      durations.set(test, performance.now() - begun);
    }
    write(file, mutated);
    if (!await passes(test, 30_000 + 4 * (durations.get(test) ?? 0))) return true;
  }
  return false;
}

/** The lines that a mutant changes, as a diff shows them. */
function diff(file: string, text: string, { start, end, text: other }: Mutant): string {
  const [from, to] = [text.lastIndexOf("\n", start) + 1, text.indexOf("\n", end)];
  const after = text.slice(from, start) + other + text.slice(end, to);
  const line = text.slice(0, start).split("\n").length;
  const removed = text.slice(from, to).replaceAll(/^/gm, "- ");
  return `${file}:${line}\n${removed}\n${after.replaceAll(/^/gm, "+ ")}\n`;
}

const hash = (text: string) => createHash("sha1").update(text).digest("hex");
const log = values.log !== "" && fs.existsSync(values.log)
  ? fs.readFileSync(values.log, "utf8")
  : "";
/** Earlier results, by the hash of what was tried. */
const known = new Map(log.trimEnd().split("\n").map((line) => [line.slice(0, 40), line.slice(41)]));

/** `killed`, `survived`, or `untyped`: the types do not allow it, so no test has to notice it. */
async function tryOne(file: string, mutated: string, tests: readonly string[]): Promise<string> {
  const id = hash(file + mutated);
  const before = known.get(id);
  if (before !== undefined) return before;
  write(file, mutated);
  const isKnown = isTyped(file);
  const result = !isKnown
    ? "untyped"
    : await isKilled(file, mutated, tests)
    ? "killed"
    : "survived";
  if (values.log !== "") fs.appendFileSync(values.log, `${id} ${result}\n`);
  return result;
}

/** Tries mutants of a file, in an order that follows from the seed. Returns the results. */
async function tryFile(file: string, tests: readonly string[]): Promise<string[]> {
  const source = opened.getProjects()[0]?.program.getSourceFile(join(COPY, file));
  if (source === undefined) throw new Error(`${file} is not part of the project`);
  const { text } = source;
  const mutants = mutantsOf(source).map((mutant) => {
    const mutated = text.slice(0, mutant.start) + mutant.text + text.slice(mutant.end);
    return { mutant, mutated, order: hash(values.seed + mutated) };
  });
  const results: string[] = [];
  for (const { mutant, mutated } of mutants.sort((a, b) => a.order < b.order ? -1 : 1)) {
    if (results.length >= Number(values.sample)) break;
    const result = await tryOne(file, mutated, tests);
    if (result !== "untyped") results.push(result);
    if (result === "survived") console.log(diff(file, text, mutant));
  }
  write(file, text);
  return results;
}

const names = fs.readdirSync(join(ROOT, "lib"), { recursive: true, encoding: "utf8" });
const files = [
  "server.ts",
  ...names.filter((name) => name.endsWith(".ts")).map((name) => `lib/${name}`),
]
  .filter((file) =>
    positionals.length === 0 || positionals.some((begin) => file.startsWith(begin))
  );
const table: Record<string, { tried: number; killed: number; score: string }> = {};
for (const [room, tests] of ROOMS) {
  const results: string[] = [];
  for (const file of files.filter((file) => roomOf(file) === room)) {
    results.push(...await tryFile(file, tests));
  }
  const [tried, killed] = [results.length, results.filter((result) => result === "killed").length];
  if (tried > 0) table[room] = { tried, killed, score: `${Math.round(100 * killed / tried)} %` };
}
api.close();
console.table(table);
