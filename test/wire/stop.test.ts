// A graceful stop: it answers what is under way, and nothing that clients sent holds it up.

import assert from "node:assert/strict";
import { once } from "node:events";
import { performance } from "node:perf_hooks";
import { test, type TestContext } from "node:test";
import { setTimeout } from "node:timers/promises";
import type { Respond } from "../../lib/wire/connection.ts";
import { serve } from "../../lib/wire/server.ts";
import { boundTo } from "../../lib/wire/target.ts";
import { dial, open, statuses } from "../tools/start.ts";

const LONG = "x".repeat(16 * 1024 * 1024); // no socket takes all of it at once
const SLOW_MS = 4000; // more than a stop waits for a client

const respond: Respond = async ({ url }) => {
  if (url === "/slow") await setTimeout(SLOW_MS);
  return { status: 200, text: url === "/long" ? LONG : "short" };
};

async function started(t: TestContext) {
  const { server, stop } = serve(respond);
  t.after(() => server.closeAllConnections());
  await once(server.listen(0, "127.0.0.1"), "listening");
  return { server, stop, port: Number(boundTo(server.address()).split(":")[1]) };
}

const get = (path: string, field = "Accept: */*") =>
  `GET ${path} HTTP/1.1\r\nHost: localhost\r\n${field}\r\n\r\n`;
const CONNECT = "CONNECT x:1 HTTP/1.1\r\nHost: x:1\r\n\r\n";

test("CONNECT behind responses that nobody reads ends its connection", async (t) => {
  const { server, port, stop } = await started(t);
  const begun = once(server, "connection");
  const { socket } = await open(t, port); // never reads
  const [served] = await begun;
  const closed = once(served, "close");
  socket.write(get("/long") + CONNECT);
  await closed;
  await stop();
});

const HELD: [name: string, packet: string][] = [
  ["CONNECT, alone", CONNECT],
  ["CONNECT behind a handler at work", get("/slow") + CONNECT],
  ["an upgrade behind an unread response", get("/long") + get("/", "Upgrade: h2c")],
  ["malformed bytes behind an unread response", `${get("/long")}NOT HTTP\r\n\r\n`],
  ["half a header section", "GET / HTTP/1.1\r\nHo"],
  ["half of the content", "PUT / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{"],
];

for (const [name, packet] of HELD) {
  test(`a stop ends within 10 s in spite of ${name}, and no socket stays`, async (t) => {
    const { server, port, stop } = await started(t);
    const begun = once(server, "connection");
    const { socket } = await open(t, port);
    const [served] = await begun;
    await new Promise((resolve) => socket.write(packet, resolve));
    await dial(t, port, get("/", "Connection: close")).then(({ closed }) => closed); // it has arrived
    const before = performance.now();
    await stop();
    assert.ok(performance.now() - before < 10_000);
    assert.ok(served.destroyed);
  });
}

test("a stop waits for a handler that works longer than a client may stall", async (t) => {
  const { server, port, stop } = await started(t);
  const begun = once(server, "request");
  const client = await dial(t, port, get("/slow"));
  await begun;
  await stop();
  assert.deepEqual(statuses(await client.closed), [200]);
});
