// How `serve` treats a handler that misbehaves, and a client that sends faster than it reads.

import assert from "node:assert/strict";
import type { Buffer } from "node:buffer";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { readFileSync } from "node:fs";
import * as net from "node:net";
import process from "node:process";
import { setImmediate } from "node:timers/promises";
import { test, type TestContext } from "node:test";
import type { Reply } from "../../lib/http/reply.ts";
import type { Respond } from "../../lib/wire/connection.ts";
import { type Limits, serve } from "../../lib/wire/server.ts";
import { newFile } from "../tools/files.ts";
import {
  ask,
  bytes,
  dial,
  ON_NODE,
  open,
  OVER_TLS,
  startProcess,
  statuses,
} from "../tools/start.ts";

/** Serves `respond` on a free port, in this process. Returns the port and the statuses logged. */
async function serving(t: TestContext, respond: Respond, keepAlive?: number, limits?: Limits) {
  const logged: number[] = [];
  const log = (_: unknown, __: unknown, status: number) => logged.push(status);
  const { server, stop } = serve(respond, { log, keepAlive, limits });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(stop);
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  return { port: address.port, logged };
}

const BAD: [name: string, reply: Reply][] = [
  ["content", { status: 200, text: "{}\n", fields: { "X-Bad": "a\nb" } }],
  ["a field name that is none", { status: 200, text: "{}\n", fields: { "X Bad": "a" } }],
];

for (const [name, bad] of BAD) {
  test(`a field that node refuses, beside ${name}, is a logged 500, and the connection lives`, {
    skip: OVER_TLS && "the server is this process",
  }, async (t) => {
    const stacks = t.mock.method(console, "error", () => {});
    const replies: Reply[] = [bad, { status: 200, text: '{"good": true}\n' }];
    const { port, logged } = await serving(
      t,
      () => Promise.resolve(replies.shift() ?? assert.fail()),
    );
    const client = await dial(t, port, bytes("GET /") + bytes("GET /", ["Connection: close"]));
    const text = await client.closed;
    assert.deepEqual(statuses(text), [500, 200]);
    assert.match(text, /"error": "Internal server error"[^]*"good": true/);
    assert.deepEqual(logged, [500, 200]);
    assert.equal(stacks.mock.callCount(), 1);
  });
}

test("a field that node refuses beside no content ends the connection with a 500", {
  skip: OVER_TLS && "the server is this process",
}, async (t) => {
  t.mock.method(console, "error", () => {});
  const { port } = await serving(t, () => Promise.resolve({ status: 304, fields: { ETag: "\n" } }));
  const client = await dial(t, port, bytes("GET /"));
  assert.deepEqual(statuses(await client.closed), [500]);
});

test("a thrown value that is not an Error is a logged 500 too", {
  skip: OVER_TLS && "the server is this process",
}, async (t) => {
  const stacks = t.mock.method(console, "error", () => {});
  const { port } = await serving(t, () => Promise.reject("no error"));
  const client = await dial(t, port, bytes("GET /", ["Connection: close"]));
  assert.deepEqual(statuses(await client.closed), [500]);
  assert.equal(stacks.mock.callCount(), 1);
});

for (const counts of [true, false]) {
  test(`a connection ends when it was idle for so long${counts ? "" : ", as Bun counts bytes"}`, {
    skip: OVER_TLS && "the server is this process",
  }, async (t) => {
    t.mock.timers.enable({ apis: ["setInterval"] });
    const seconds = (count: number) => {
      for (let i = 0; i < count; i++) t.mock.timers.tick(1000);
    };
    let last: IncomingMessage | undefined;
    const { port, logged } = await serving(t, async (request) => {
      last = request;
      if (request.url === "/slow") await setImmediate(seconds(9));
      return { status: 200, text: "{}\n" };
    }, 3);
    const client = await dial(t, port);
    seconds(9); // before its first request node's own limits count
    for (const path of ["/", "/slow", "/", "/"]) {
      client.text = "";
      client.socket.write(bytes(`GET ${path}`));
      await client.receives(/^HTTP[^]*\nKeep-Alive: timeout=3\r\n[^]*{}/);
      const { socket } = last ?? assert.fail();
      if (!counts) Object.defineProperty(socket, "bytesRead", { value: 0 });
      seconds(3);
      const before = socket.bytesRead;
      client.socket.write("\r\n"); // may come before a request (RFC 9112 §2.2)
      while (counts && socket.bytesRead === before) await setImmediate();
      seconds(counts ? 3 : 0);
      assert.ok(!socket.destroyed);
    }
    seconds(counts ? 12 : 2); // a header section may have begun
    await client.closed;
    assert.deepEqual(logged, [200, 200, 200, 200]);
  });
}

test("after a long response, the time for reading it does not end the idle connection", {
  skip: OVER_TLS && "the server is this process",
}, async (t) => {
  const limits: (number | undefined)[] = [];
  const { port } = await serving(t, ({ socket }) => {
    limits.push(socket.timeout);
    const chunks = (async function* () {
      yield "[\n";
      limits.push(socket.timeout);
      yield "]\n";
    })();
    return Promise.resolve({ status: 200, chunks });
  });
  const client = await dial(t, port, bytes("GET /"));
  await client.receives(/\r\n0\r\n/);
  client.socket.write(bytes("GET /", ["Connection: close"]));
  await client.closed;
  assert.deepEqual(limits.map((limit) => limit || 0), [0, 30_000, 0, 30_000]);
});

test("a client that wants the connection closed is not told how long it stays open", {
  skip: OVER_TLS && "the server is this process",
}, async (t) => {
  const { port } = await serving(t, () => Promise.resolve({ status: 200, text: "{}\n" }));
  const requests = [bytes("GET /", ["Connection: close"]), bytes("GET /").replace("/1.1", "/1.0")];
  for (const request of requests) {
    const client = await dial(t, port, request);
    const text = await client.closed;
    assert.match(text, /^Connection: close\r$/m);
    assert.doesNotMatch(text, /^Keep-Alive/m);
  }
});

const PIPELINED = 26_000_000; // bytes
const MORE = 100; // MiB that they may take; a server that reads on takes seven times as much

for (const reads of [true, false]) {
  const client = reads ? "reads" : "never reads";
  test(`26 MB of pipelined requests stay with the kernel when the client ${client}`, {
    skip: process.platform !== "linux" ? "memory is read from /proc" : !ON_NODE && "node's memory",
  }, async (t) => {
    const server = await startProcess(t, ["--quiet"]);
    await ask(server, "GET /tasks"); // the first hash is made
    const rss = () => {
      const status = readFileSync(`/proc/${server.child.pid}/status`, "utf8");
      return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
    };
    const before = rss();
    const { socket } = await open(t, server.port);
    if (reads) socket.resume();
    const block = bytes("GET /todo/api/v1.0/tasks?done=false").repeat(500);
    let most = 0;
    for (let sent = 0; sent < PIPELINED; sent += block.length) {
      const full = !socket.write(block);
      // A client that never reads is not read from either: then nothing more happens.
      const stuck = full && await Promise.race([
        once(socket, "drain").then(() => false),
        stalled(socket),
      ]);
      most = Math.max(most, rss());
      if (stuck) break;
    }
    assert.ok(most - before < MORE, `${most - before} MiB more than ${before}`);
    assert.equal((await ask(server, "GET /tasks/1")).status, 200);
  });
}

/** Resolves with true when no byte has left the socket for a second. */
async function stalled(socket: { readonly bytesWritten: number; readonly writableLength: number }) {
  for (let last = -1; last !== socket.writableLength;) {
    last = socket.writableLength;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  return true;
}

test("of too many long responses, the one that has taken nothing for longest ends", {
  skip: process.platform === "win32" && "the clients connect to a file",
}, async (t) => {
  const endless = async function* () {
    for (;;) yield await Promise.resolve("x".repeat(100_000));
  };
  const { server, stop } = serve(() => Promise.resolve({ status: 200, chunks: endless() }));
  const accepted: net.Socket[] = [];
  server.on("connection", (socket: net.Socket) => accepted.push(socket));
  // TCP would keep megabytes for each client, and take them from all others on this machine.
  const path = await newFile(t);
  await once(server.listen(path), "listening");
  t.after(async () => {
    server.closeAllConnections();
    await stop();
  });
  const begin = async () => {
    const socket = net.connect(path).on("error", () => {});
    t.after(() => socket.destroy());
    socket.write(bytes("GET /"));
    await once(socket, "readable"); // and then it reads nothing
    return socket;
  };
  const reader = await begin();
  for (let others = 0; others < 400; others++) {
    await begin();
    if (others % 50 > 0) continue;
    let read = 0;
    while (read < 1_000_000) {
      assert.ok(!reader.destroyed, `the reader was closed after ${others} others`);
      const chunk: Buffer | null = reader.read();
      if (chunk === null) await Promise.race([once(reader, "readable"), once(reader, "close")]);
      else read += chunk.length;
    }
  }
  const open = accepted.filter((socket) => !socket.destroyed);
  assert.equal(accepted.length, 401);
  assert.equal(open.length, 200);
  assert.deepEqual([open[0], open[199]], [accepted[0], accepted[400]]); // the reader, the latest
});

test("a header section that has begun gets its 408, however short idle connections live", {
  skip: OVER_TLS && "the server is this process",
}, async (t) => {
  const limits = { headersTimeout: 3000, connectionsCheckingInterval: 100 };
  const { port } = await serving(t, () => Promise.resolve({ status: 204 }), 1, limits);
  const client = await dial(t, port, bytes("GET /"));
  await client.receives(/\r\n\r\n/);
  client.socket.write("GET / HTTP/1.1\r\nHo");
  assert.deepEqual(statuses(await client.closed), [204, 408]);
});

test("a response without content does not wait for content that nobody reads", {
  skip: OVER_TLS && "the server is this process",
}, async (t) => {
  const { port } = await serving(t, () => Promise.resolve({ status: 204 }));
  const before = performance.now();
  const client = await dial(t, port, bytes("OPTIONS /", ["Transfer-Encoding: chunked"]));
  await client.receives(/\r\n\r\n/);
  const took = performance.now() - before;
  assert.ok(took < 900, `${took} ms`); // the connection lingers for a second
});
