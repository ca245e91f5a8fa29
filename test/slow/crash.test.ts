// kill -9 at random moments under load: acknowledged writes are there, others are whole or absent.
// KILLS says how often; SCHEME is what --db has before the file, for a store of your own.

import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { newFile, NO_SQLITE } from "../tools/files.ts";
import { ask, type Server, startProcess } from "../tools/start.ts";

const KILLS = Number(process.env["KILLS"] ?? 5);
const SCHEME = process.env["SCHEME"] ?? ""; // a SQLite file
const CLIENTS = 8;
const MOST = 200; // responses between a start and a kill
const OWN = 30; // tasks of each client, so that the list is never full

/** A task as the client sees it, without its uri. */
interface Fields {
  readonly title: string;
  readonly done: boolean;
  readonly description: string;
}

/** A write without a response: the id of its task, if it had one, and the task as it would be. */
interface Doubt {
  readonly id: number | undefined;
  readonly leaves: Fields | undefined;
}

const seed = Number(process.env["SEED"] ?? Date.now() % 1_000_000 + 1);
let random = seed;
const below = (n: number) => (random = random * 48271 % 2147483647) % n;

const tasks = new Map<number, Fields>(); // as the responses showed them
const ids = new Set<number>(); // all that were ever given
const counts = { answered: 0, "without an answer": 0, "of these done": 0, "tasks left": 0 };
let written = 0;
let enough = { answers: 0, reached: () => {} };

/** Fields that no other write has, long enough to lie on several pages of the file. */
function fresh(done: boolean): Fields {
  const title = `write ${++written}`;
  return { title, done, description: `${title}, `.repeat(below(1000)) };
}

/** Writes to its own and to new tasks until the server is gone. Returns writes without response. */
async function client(server: Server, mine: number[]): Promise<Doubt> {
  for (;;) {
    const at = below(2) === 0 ? mine.length - 1 : below(mine.length + 1); // the newest, or any
    const id = below(3) === 0 && mine.length < OWN ? undefined : mine[at];
    const leaves = id === undefined ? fresh(false) : below(3) > 0 ? fresh(true) : undefined;
    const line = id === undefined
      ? "POST /tasks"
      : `${leaves === undefined ? "DELETE" : "PUT"} /tasks/${id}`;
    const sent = leaves === undefined ? {} : { content: leaves };
    const answer = await ask(server, line, sent).catch(() => undefined);
    if (answer === undefined) return { id, leaves };
    if (++counts.answered >= enough.answers) enough.reached();
    assert.equal(answer.status, id === undefined ? 201 : 200, answer.text);
    if (id === undefined) {
      const made = Number(answer.headers.location?.split("/").at(-1));
      mine.push(made);
      note(made, leaves);
    } else {
      if (leaves === undefined) mine.splice(at, 1);
      note(id, leaves);
    }
  }
}

/** Keeps a task as a response showed it. The id of a new task must be new. */
function note(id: number, fields: Fields | undefined): void {
  if (!tasks.has(id)) {
    assert.ok(!ids.has(id), `the id ${id} is there again`);
    ids.add(id);
  }
  if (fields === undefined) tasks.delete(id);
  else tasks.set(id, fields);
}

/** Every task that the server has, by its id. */
async function list(server: Server): Promise<Map<number, Fields>> {
  const { text } = await ask(server, "GET /tasks");
  const { tasks }: { tasks: (Fields & { uri: string })[] } = JSON.parse(text);
  return new Map(tasks.map(({ uri, ...fields }) => [Number(uri.split("/").at(-1)), fields]));
}

/** Compares the tasks with the responses, and decides which writes without response took effect. */
function judge(there: Map<number, Fields>, doubts: Doubt[]): void {
  for (const doubt of doubts) {
    counts["without an answer"]++;
    const { leaves } = doubt;
    const id = doubt.id ?? [...there].find(([, { title }]) => title === leaves?.title)?.[0];
    if (id === undefined) continue; // a task that was not made
    const now = there.get(id);
    if (now?.title !== leaves?.title) continue; // then it must be as it was before
    counts["of these done"]++;
    note(id, leaves);
  }
  const all = new Set([...there.keys(), ...tasks.keys()]);
  const wrong = [...all].filter((id) => !isDeepStrictEqual(there.get(id), tasks.get(id)));
  assert.deepEqual(wrong, [], "tasks that are not as they were left");
}

test("kill -9 under load, again and again", {
  skip: SCHEME === "" && NO_SQLITE,
  timeout: 60_000 + KILLS * 10_000,
}, async (t) => {
  t.diagnostic(`SEED=${seed}`);
  const args = ["--quiet", "--db", `${SCHEME}${await newFile(t)}`];
  let server = await startProcess(t, args);
  for (const [id, fields] of await list(server)) note(id, fields);
  for (let kill = 0; kill < KILLS; kill++) {
    const answers = counts.answered + 1 + below(MOST);
    const moment = new Promise<void>((reached) => enough = { answers, reached });
    const mine = (i: number) => [...tasks.keys()].filter((id) => id % CLIENTS === i);
    const doubts = Promise.all(Array.from({ length: CLIENTS }, (_, i) => client(server, mine(i))));
    await Promise.race([moment, doubts]);
    await setTimeout(below(10));
    server.child.kill("SIGKILL");
    const unanswered = await doubts;
    server = await startProcess(t, args);
    judge(await list(server), unanswered);
  }
  counts["tasks left"] = tasks.size;
  const told = Object.entries(counts).map(([what, n]) => `${n} ${what}`);
  t.diagnostic(`${KILLS} kills; writes: ${told.join(", ")}`);
  assert.ok(counts.answered > 0);
});
