// The bounds of content that is on its way.

import assert from "node:assert/strict";
import { once } from "node:events";
import { test, type TestContext } from "node:test";
import { serve } from "../../lib/wire/server.ts";
import { dial, statuses } from "../tools/start.ts";

const LENGTH = 64 * 1024;

/** Starts a server whose only handler reads the content. */
async function reading(t: TestContext): Promise<number> {
  const { server } = serve(async (_, read) => ({
    status: 200,
    text: `${(await read(LENGTH)).length}`,
  }));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  return address.port;
}

const head = (field: string) => `PUT / HTTP/1.1\r\nHost: localhost\r\n${field}\r\n\r\n`;

test("if much content waits for its last byte, the oldest is dropped: 503", async (t) => {
  const port = await reading(t);
  const most = 32 * 1024 * 1024 / LENGTH;
  const packet = head(`Content-Length: ${LENGTH}`) + " ".repeat(LENGTH - 1);
  const clients = await Promise.all(
    Array.from({ length: most + 1 }, () => dial(t, port, packet)),
  );
  const refused = await Promise.race(clients.map(async (client) => {
    await client.receives(/^HTTP[^]*}/);
    return client;
  }));
  assert.deepEqual(statuses(refused.text), [503]);
  assert.match(refused.text, /^Retry-After: 5\r$/m);
  const [other, ...others] = clients.filter((client) => client !== refused);
  other?.socket.end(" ");
  assert.deepEqual(statuses(await other?.closed ?? ""), [200]);
  assert.deepEqual(others.filter(({ text }) => text !== ""), []);
});

test("content of a thousand pieces is read; a client that sends more is cut off", async (t) => {
  const port = await reading(t);
  for (const [pieces, expected] of [[1000, [200]], [1001, []]] as const) {
    const chunks = `${"1\r\nx\r\n".repeat(pieces)}0\r\n\r\n`;
    const client = await dial(t, port, head("Transfer-Encoding: chunked") + chunks);
    client.socket.end();
    assert.deepEqual(statuses(await client.closed), expected);
  }
});
