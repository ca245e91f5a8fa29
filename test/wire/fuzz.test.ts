// Thousands of connections that pipeline requests and then are cut, reset or half closed at any
// byte. SEED=… repeats a run.

import assert from "node:assert/strict";
import { once } from "node:events";
import * as net from "node:net";
import process from "node:process";
import { test } from "node:test";
import {
  ask,
  BASE,
  BY_COMMAND,
  bytes,
  descriptors,
  ON_NODE,
  OVER_TLS,
  startProcess,
} from "../tools/start.ts";

const CONNECTIONS = BY_COMMAND ? 6000 : 1000; // many where a command is tested
const AT_ONCE = 12;
const JSON_TYPE = "Content-Type: application/json";
const CHUNKED = "Transfer-Encoding: chunked";

const REQUESTS = [
  bytes(`GET ${BASE}/tasks`),
  bytes(`GET ${BASE}/tasks/1`, ["Connection: close"]),
  bytes("GET /nowhere"),
  bytes("OPTIONS *"),
  bytes(`PUT ${BASE}/tasks/1`, [JSON_TYPE], '{"title": "put"}'),
  bytes(`PUT ${BASE}/tasks/1`, [JSON_TYPE, "Expect: 100-continue"], '{"title": "awaited"}'),
  bytes(`PUT ${BASE}/tasks/2`, [JSON_TYPE, CHUNKED]) + "2\r\n{}\r\n0\r\n\r\n",
  bytes("PUT /nowhere", [CHUNKED]) + "2\r\n{}\r\n0\r\n\r\n",
  bytes("PUT /nowhere", [], "x".repeat(900)),
  bytes(`PUT ${BASE}/tasks/1`, [JSON_TYPE, CHUNKED]) + "zz\r\n",
  bytes(`POST ${BASE}/users`, [JSON_TYPE], "{"),
  "CONNECT x:1 HTTP/1.1\r\nHost: x:1\r\n\r\n",
  "NOT HTTP\r\n\r\n",
];

/** Park and Miller's random numbers below `n`: the same ones for the same seed. */
function random(seed: number): (n: number) => number {
  return (n) => (seed = seed * 48271 % 2147483647) % n;
}

/** One connection: what it sends, at which byte it stops, and how. Resolves when it is closed. */
async function attack(port: number, below: (n: number) => number): Promise<void> {
  let packet = "";
  for (let i = 1 + below(6); i > 0; i--) packet += REQUESTS[below(REQUESTS.length)] ?? "";
  const cut = packet.slice(0, below(3) === 0 ? packet.length : below(packet.length));
  const end = below(4);
  const socket = net.connect(port, "127.0.0.1");
  const closed = new Promise((resolve) => socket.once("close", resolve));
  socket.on("error", () => {});
  socket.once("connect", () => {
    if (below(2) === 0) socket.resume(); // otherwise it never reads
    socket.write(cut, "latin1");
    if (end === 0) socket.resetAndDestroy();
    else if (end === 1) socket.end(() => socket.resetAndDestroy());
    else if (end === 2) socket.once("readable", () => socket.destroy()).end();
    else socket.once("readable", () => socket.resetAndDestroy());
  });
  const timer = setTimeout(() => { // half a request gets no response
    // Node 20 never closes a socket that is reset while it still ends its side.
    if (socket.connecting || socket.writableEnded) socket.destroy();
    else socket.resetAndDestroy();
  }, 50);
  await closed;
  clearTimeout(timer);
}

const skip = !ON_NODE ? "other runtimes parse HTTP in their own way" : OVER_TLS && "bytes of HTTP";

test(
  "after connections that were cut at any byte, the server responds, and nothing is left open",
  { skip },
  async (t) => {
    const seed = Number(process.env["SEED"] ?? 1 + Date.now() % 2147483646);
    t.diagnostic(`SEED=${seed}`);
    const below = random(seed);
    const server = await startProcess(t, ["--quiet"]);
    await ask(server, "GET /tasks/1");
    const before = await descriptors(t, server);
    let left = CONNECTIONS;
    await Promise.all(Array.from({ length: AT_ONCE }, async () => {
      while (left-- > 0 && server.child.exitCode === null) await attack(server.port, below);
    }));
    assert.equal(server.child.exitCode, null, server.err);
    assert.equal((await ask(server, "GET /tasks/1")).status, 200);
    assert.ok(await descriptors(t, server, before) <= before);
    // A slow machine may keep a list waiting for too long.
    assert.equal(server.err.replaceAll(/^too many long lists.*\n/gm, ""), "");
    server.child.kill("SIGTERM"); // a request that still waited would hold it up
    await once(server.child, "close");
    assert.equal(server.child.exitCode, 0);
  },
);
