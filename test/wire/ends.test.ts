// Connections end when they have to, and are forgotten then. All in this process.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, IncomingMessage, ServerResponse } from "node:http";
import { connect, Socket } from "node:net";
import { test, type TestContext } from "node:test";
import { RequestClient } from "../../lib/wire/client.ts";
import type { Respond } from "../../lib/wire/connection.ts";
import { Connections } from "../../lib/wire/connections.ts";
import { serve } from "../../lib/wire/server.ts";
import { boundTo } from "../../lib/wire/target.ts";
import { dial, statuses } from "../tools/start.ts";

const MOST_OPEN = 2000;
const HEAD = "GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n";

/** Serves on a free port. */
async function started(t: TestContext, respond: Respond) {
  const { server } = serve(respond);
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return { server, port: Number(boundTo(server.address()).split(":")[1]) };
}

/** A handler whose response begins at once and ends after a call of `finish`. */
function slow() {
  let finish = () => {};
  const respond: Respond = () => {
    const chunks = (async function* () {
      yield "begun";
      await new Promise<void>((resolve) => finish = resolve);
    })();
    return Promise.resolve({ status: 200, chunks });
  };
  return { respond, finish: () => finish() };
}

test("connections that have been closed do not count: the limit holds after thousands", async () => {
  const server = createServer();
  server.removeAllListeners("connection");
  new Connections(server);
  const opened = () => {
    const socket = new Socket();
    server.emit("connection", socket);
    return socket;
  };
  for (let i = 0; i < MOST_OPEN; i++) opened().destroy();
  await new Promise(setImmediate); // they are closed
  const sockets = Array.from({ length: MOST_OPEN }, opened);
  assert.ok(sockets.every((socket) => !socket.destroyed));
  opened();
  assert.deepEqual(sockets.map((socket) => socket.destroyed).indexOf(true), 0);
});

test("a stop gives a client that holds it up three seconds, and a handler all its time", async (t) => {
  const server = createServer();
  const connections = new Connections(server);
  await once(server.listen(0, "127.0.0.1"), "listening");
  const limits: (number | undefined)[] = [];
  const rows = [[true, true, 0], [false, false, 0], [true, false, 1], [true, false, 0]] as const;
  for (const [complete, headersSent, writableLength] of rows) {
    const socket = Object.defineProperty(new Socket(), "writableLength", { value: writableLength });
    server.emit("connection", socket);
    const request = Object.assign(new IncomingMessage(socket), { complete });
    const response = Object.defineProperty(new ServerResponse(request), "headersSent", {
      value: headersSent,
    });
    connections.of(socket)?.begin({ request, response, client: new RequestClient(request) });
    t.mock.method(socket, "setTimeout", (ms: number) => limits.push(ms));
    t.after(() => socket.destroy());
  }
  const stopped = connections.stop();
  assert.deepEqual(limits, [3000, 3000, 3000]);
  await stopped;
});

test("content that breaks after the response began ends the connection, once", async (t) => {
  const { respond, finish } = slow();
  const { server, port } = await started(t, respond);
  const begun = once(server, "request");
  const client = await dial(t, port, HEAD);
  const [, response] = await begun;
  await client.receives(/begun/);
  const failed = once(server, "clientError");
  client.socket.end("{"); // the rest never comes, so this is not a whole request
  const [error, socket] = await failed;
  const count = () => response.listenerCount("finish") + socket.listenerCount("error");
  const before = count();
  for (let packets = 0; packets < 20; packets++) server.emit("clientError", error, socket);
  assert.equal(count(), before); // node may report it with every packet
  finish();
  assert.match(await client.closed, /^HTTP[/]1.1 200 [^]*begun\r\n0\r\n\r\n$/); // it is whole
});

test("a client that is refused, and neither reads nor stops sending, is cut off", async (t) => {
  const { server, port } = await started(t, () => Promise.reject());
  const begun = once(server, "connection");
  const client = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  t.after(() => client.destroy());
  client.on("error", () => {});
  const [socket] = await begun;
  const more = () => {
    while (client.write("NOT HTTP\r\n".repeat(1000)));
  };
  client.on("drain", more);
  more();
  await once(socket, "close");
});

test("what is malformed is told from what is unknown, first and behind other requests", async (t) => {
  const { port } = await started(t, () => Promise.resolve({ status: 204 }));
  const good = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
  const rows: [packet: string, status: number][] = [
    ["BREW / HTTP/1.1\r\n\r\n", 501],
    ["GET\n BREW / HTTP/1.1\r\n\r\n", 400],
    ["GET / HTTP/3.0\r\n\r\n", 505],
    ["GET / HTTP/1.1x\r\n\r\n", 400],
    ["GET / HTTP/\n1.1\r\n\r\n", 400],
  ];
  for (const [packet, status] of rows) {
    for (const before of [[], [204], [204, 204]]) {
      const client = await dial(t, port, good.repeat(before.length) + packet);
      assert.deepEqual(statuses(await client.closed), [...before, status], packet);
    }
  }
});
