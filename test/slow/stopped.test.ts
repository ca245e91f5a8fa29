// A process that is told to end does so within its 10 s, whatever its clients are doing, and leaves
// no socket open. SEED=… repeats a run.

import assert from "node:assert/strict";
import { once } from "node:events";
import * as net from "node:net";
import { performance } from "node:perf_hooks";
import process from "node:process";
import { test, type TestContext } from "node:test";
import { setTimeout } from "node:timers/promises";
import { BASE, bytes, dial, type ServerProcess, startProcess, statuses } from "../tools/start.ts";

const STOP_MS = 10_000;
const SLOWER_MS = 5000; // for a busy machine
const FUZZ_MS = 30_000;
const AT_ONCE = 30; // clients of one process

const seed = Number(process.env["SEED"] ?? Date.now() % 1e6);
let state = seed;
/** A whole number below `limit` (a linear congruential generator). */
function random(limit: number): number {
  state = (state * 1664525 + 1013904223) % 2 ** 32;
  return Math.floor(state / 2 ** 32 * limit);
}
const pick = (of: readonly string[]) => of[random(of.length)] ?? "";

const JSON_TYPE = "Content-Type: application/json";
const PUT = (...fields: string[]) => bytes(`PUT ${BASE}/tasks/1`, [JSON_TYPE, ...fields]);
const TEXT = JSON.stringify({ title: "long", description: "\u0001".repeat(10_000) });
const POST = (...fields: string[]) => bytes(`POST ${BASE}/tasks`, [JSON_TYPE, ...fields], TEXT);
const LONG = bytes(`GET ${BASE}/tasks`); // see `started`

const PACKETS: Readonly<Record<string, string>> = {
  "nothing": "",
  "an empty line": "\r\n",
  "a request": bytes(`GET ${BASE}/tasks/1`),
  "a write": bytes(`POST ${BASE}/tasks`, [JSON_TYPE], '{"title": "new"}'),
  "a long response": LONG,
  "a wrong password": bytes(`GET ${BASE}/tasks`).replace(/(Basic )\w/, "$1x"),
  "half a header section": "GET / HTTP/1.1\r\nHo",
  "half of the content": PUT("Content-Length: 9") + "{",
  "half of a chunk": PUT("Transfer-Encoding: chunked") + "5\r\n{",
  "a broken chunk": PUT("Transfer-Encoding: chunked") + "zz\r\n",
  "an expectation": PUT("Content-Length: 9", "Expect: 100-continue"),
  "CONNECT": "CONNECT x:1 HTTP/1.1\r\nHost: x:1\r\n\r\n",
  "an upgrade": bytes(`GET ${BASE}/tasks/1`, ["Connection: Upgrade", "Upgrade: h2c"]),
  "malformed bytes": "NOT HTTP\r\n\r\n",
  "a TLS handshake": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
};

/** A client that sends these bytes, and reads nothing unless it is told to. */
async function client(t: TestContext, { port }: ServerProcess, packet: string) {
  const socket = net.connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  socket.on("error", () => {});
  t.after(() => socket.destroy());
  await once(socket, "connect").catch(() => {}); // it is refused while the server stops
  socket.write(packet, "latin1");
  return socket;
}

/** Starts a process with a list of 9 MB, which no socket takes as long as nobody reads it. */
async function started(t: TestContext): Promise<ServerProcess> {
  const server = await startProcess(t, ["--quiet"]);
  const packet = POST().repeat(150) + POST("Connection: close");
  const text = await (await dial(t, server.port, packet)).closed;
  assert.deepEqual(statuses(text), Array(151).fill(201));
  return server;
}

/** Ends the process with a signal, and checks how it ends. */
async function endsInTime(server: ServerProcess): Promise<void> {
  const before = performance.now();
  server.child.kill("SIGTERM");
  const ended = await server.ended;
  const took = performance.now() - before;
  assert.deepEqual(ended, { code: 0, signal: null }, server.err);
  assert.ok(took < STOP_MS + SLOWER_MS, `${took} ms`);
  assert.equal(server.err, "");
}

test("a process ends in time, whatever its clients have sent", async (t) => {
  const server = await started(t);
  for (const packet of Object.values(PACKETS)) {
    await client(t, server, packet);
    await client(t, server, LONG + packet);
  }
  await endsInTime(server);
});

test(`a process ends in time whenever it is told to (SEED=${seed})`, async (t) => {
  const begun = performance.now();
  const round = async () => {
    const server = await started(t);
    const sent: string[] = [];
    let over = false;
    const attacker = async () => {
      while (!over) {
        const names = Array.from({ length: 1 + random(4) }, () => pick(Object.keys(PACKETS)));
        const way = pick(["stays", "stays", "reads", "ends", "resets"]);
        sent.push(`${names.join(" + ")}: ${way}`);
        const socket = await client(t, server, names.map((name) => PACKETS[name]).join(""));
        if (way === "reads") socket.resume();
        if (way === "ends") socket.end();
        await setTimeout(random(100));
        if (way === "resets") socket.resetAndDestroy();
      }
    };
    const attackers = Promise.all(Array.from({ length: AT_ONCE }, attacker));
    await setTimeout(random(2000));
    try {
      await endsInTime(server);
    } catch (cause) {
      throw new Error(`${cause}\nSEED=${seed}, sent ${sent.slice(-AT_ONCE).join("; ")}`, { cause });
    } finally {
      over = true;
      await attackers;
    }
  };
  while (performance.now() - begun < FUZZ_MS) await Promise.all([round(), round()]);
});
