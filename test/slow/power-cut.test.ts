// Power cuts, replayed: the writes and syncs of a store are traced, and cut off at any point. Data
// that was not synced by then is on the disk or not, at random. CUTS says how often.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { spawnSync } from "node:child_process";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { SqliteStore } from "../../lib/store/sqlite/store.ts";
import { INITIAL } from "../../lib/store/store.ts";
import { all } from "../tools/stores.ts";
import { newFolder, NO_SQLITE } from "../tools/files.ts";

const CUTS = Number(process.env["CUTS"] ?? 60);
const SECTOR = 512; // what a disk writes as a whole

const seed = Number(process.env["SEED"] ?? Date.now() % 1_000_000 + 1);
let random = seed;
const below = (n: number) => (random = random * 48271 % 2147483647) % n;

/** A program that writes, and prints after each write all tasks by id and revision. */
const WRITER = `
  import { writeSync } from "node:fs";
  import { SqliteStore } from "./lib/store/sqlite/store.ts";
  const store = await SqliteStore.open(process.env.FILE);
  const tasks = new Map();
  const print = () => {
    const state = [...tasks.values()].map(({ id, revision }) => [id, revision]);
    writeSync(1, "\\n=" + JSON.stringify(state) + "\\n");
  };
  const fields = { title: "x", done: false, description: "" };
  await store.addFirst("miguel", { password: "a hash", email: "" }, [fields]);
  tasks.set(1, await store.get("1", 1));
  print();
  for (let i = 1; i <= 80; i++) {
    const task = await store.get("1", 1 + i % 13);
    const long = { ...fields, description: "long".repeat(10_000) }; // many pages of the file
    const now = i % 3 > 0 || !task
      ? await store.add("1", long)
      : i % 2 > 0
      ? await store.update("1", task, long)
      : await store.remove("1", task);
    if (now === true) tasks.delete(task.id);
    else tasks.set(now.id, now);
    print();
  }
  await store.close();
`;

/** A system call of the store, or what it had printed by then. */
type Step =
  | { readonly kind: "write"; readonly file: string; readonly bytes: Buffer; readonly at: number }
  | { readonly kind: "cut"; readonly file: string; readonly size: number }
  | { readonly kind: "sync" | "make" | "remove"; readonly file: string }
  | { readonly kind: "printed"; readonly state: string };

const bytesOf = (hex: string) => Buffer.from(hex.replaceAll("\\x", ""), "hex");
const nameOf = (hex: string) => bytesOf(hex).toString();

/** Reads a line of strace's. */
function readStep(line: string): Step | undefined {
  const [, call = "", rest = ""] = /^(\w+)\((.*)\) += (?!-1)/.exec(line) ?? [];
  const file = nameOf(/^(?:\d+|AT_FDCWD)<([^>]*)>/.exec(rest)?.[1] ?? "");
  const text = /"([^"]*)"/.exec(rest)?.[1] ?? "";
  const [last = 0] = (/(\d+)$/.exec(rest) ?? []).map(Number);
  if (call === "pwrite64") return { kind: "write", file, bytes: bytesOf(text), at: last };
  if (call === "ftruncate") return { kind: "cut", file, size: last };
  if (call === "fsync" || call === "fdatasync") return { kind: "sync", file };
  if (call === "unlink") return { kind: "remove", file: nameOf(text) };
  if (call === "openat" && rest.includes("O_CREAT")) return { kind: "make", file: nameOf(text) };
  const state = /^\n=(.*)\n$/.exec(nameOf(text))?.[1];
  return call === "write" && state !== undefined ? { kind: "printed", state } : undefined;
}

/** A file on the disk, and the data that the system has not yet written to it. */
class Inode {
  #room = Buffer.alloc(0);
  #size = 0;
  #pending: Step[] = [];

  ask(step: Step): void {
    this.#pending.push(step);
  }

  sync(): void {
    for (const step of this.#pending.splice(0)) this.#apply(step, () => true);
  }

  afterCut(): Buffer {
    for (const step of this.#pending) this.#apply(step, () => below(2) === 0);
    return this.#room.subarray(0, this.#size);
  }

  #apply(step: Step, reaches: () => boolean): void {
    if (step.kind === "cut" && reaches()) this.#resize(step.size);
    if (step.kind !== "write") return;
    for (let i = 0; i < step.bytes.length; i += SECTOR) {
      if (!reaches()) continue;
      const sector = step.bytes.subarray(i, i + SECTOR);
      this.#resize(Math.max(this.#size, step.at + i + sector.length));
      sector.copy(this.#room, step.at + i);
    }
  }

  #resize(size: number): void {
    if (size > this.#room.length) {
      const room = Buffer.alloc(2 * size);
      this.#room.copy(room);
      this.#room = room;
    }
    if (size < this.#size) this.#room.fill(0, size, this.#size);
    this.#size = size;
  }
}

/** The files that are there after these steps and a power cut. */
function filesAfter(steps: readonly Step[], folder: string): Map<string, Buffer> {
  const now = new Map<string, Inode>();
  let names = new Map<string, Inode>(); // on the disk
  const moments: Map<string, Inode>[] = []; // since then
  for (const step of steps) {
    if (step.kind === "printed" || !step.file.startsWith(folder)) continue;
    if (step.file === folder) names = new Map(now);
    else if (step.kind === "remove") now.delete(step.file);
    else if (step.kind === "make" && !now.has(step.file)) now.set(step.file, new Inode());
    else if (step.kind === "sync") now.get(step.file)?.sync();
    else now.get(step.file)?.ask(step);
    if (step.file === folder) moments.length = 0;
    else if (step.kind === "make" || step.kind === "remove") moments.push(new Map(now));
  }
  const left = [names, ...moments][below(moments.length + 1)] ?? names;
  return new Map([...left].map(([name, inode]) => [name, inode.afterCut()]));
}

/** Opens the files that are left, and returns their tasks. */
async function stateOf(folder: string, files: ReadonlyMap<string, Buffer>): Promise<string> {
  await mkdir(folder);
  for (const [name, bytes] of files) {
    if (!name.endsWith("-shm")) await writeFile(join(folder, basename(name)), bytes);
  }
  const store = await SqliteStore.open(join(folder, "tasks.sqlite"));
  const tasks = await all(store, "1");
  await store.addFirst("miguel", { password: "", email: "" }, []);
  assert.ok(await store.add("1", { ...INITIAL, title: "x" }), "it cannot go on");
  await store.close();
  await rm(folder, { recursive: true });
  return JSON.stringify(tasks.map(({ id, revision }) => [id, revision]));
}

const NO_STRACE = spawnSync("strace", ["true"]).status !== 0 && "this needs strace";

test("acknowledged writes are there after a power cut, whenever it comes", {
  skip: NO_SQLITE || NO_STRACE,
}, async (t) => {
  t.diagnostic(`SEED=${seed}`);
  const home = await newFolder(t);
  const folder = join(home, "traced");
  await mkdir(folder);
  const calls = "trace=openat,pwrite64,write,ftruncate,fsync,fdatasync,unlink";
  const traced = ["-y", "-xx", "-s", "100000", "-e", calls, "-o", join(home, "trace")];
  const node = ["--import", "./test/tools/types.js", "--input-type=module", "--eval", WRITER];
  const env = { ...process.env, FILE: join(folder, "tasks.sqlite") };
  const { status, stderr } = spawnSync("strace", [...traced, process.execPath, ...node], { env });
  assert.equal(status, 0, `${stderr}`);
  const lines = (await readFile(join(home, "trace"), "latin1")).split("\n");
  const steps = lines.map(readStep).filter((step) => step !== undefined);
  const isWrite = (step: Step) => "file" in step && step.file.startsWith(folder);
  const first = steps.findIndex(isWrite);
  const begun = steps.findIndex(({ kind }) => kind === "printed"); // every point before this one
  const points = Array.from({ length: begun + 1 - first }, (_, i) => first + i);
  for (let i = 0; i < CUTS; i++) points.push(begun + 1 + below(steps.length - begun));
  const states = steps.flatMap((step) => step.kind === "printed" ? [step.state] : []);
  for (const point of points) {
    const before = steps.slice(0, point);
    const printed = before.filter(({ kind }) => kind === "printed").length;
    const allowed = [printed === 0 ? "[]" : states[printed - 1], states[printed]];
    const what = `SEED=${seed}, cut at step ${point} of ${steps.length}`;
    const state = await stateOf(join(home, "left"), filesAfter(before, folder)).catch((error) => {
      // The log of a new file has nothing in it yet, and may be missing.
      if (printed > 0 || !/without its -wal/.test(`${error}`)) {
        throw new Error(what, { cause: error });
      }
      return rm(join(home, "left"), { recursive: true }).then(() => "[]");
    });
    assert.ok(allowed.includes(state), `${what}: ${state} is none of ${allowed.join(" and ")}`);
  }
  t.diagnostic(`${points.length} cuts, ${states.length} writes, ${steps.length} steps`);
});
