// A flood of wrong passwords, from its own loopback addresses: honest users still get in.

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { performance } from "node:perf_hooks";
import process from "node:process";
import { test, type TestContext } from "node:test";
import { connect as connectTls } from "node:tls";
import { createApp } from "../../lib/app.ts";
import { basic } from "../../lib/http/credentials.ts";
import { routes } from "../../lib/routes.ts";
import { MemoryStore } from "../../lib/store/memory.ts";
import { Accounts } from "../../lib/todo/accounts.ts";
import { addFirstUser } from "../../lib/todo/first.ts";
import { Passwords } from "../../lib/todo/passwords.ts";
import { serve } from "../../lib/wire/server.ts";
import {
  ask,
  BASE,
  bytes,
  dial,
  MIGUEL,
  OVER_TLS,
  startProcess,
  statuses,
} from "../tools/start.ts";

const EACH_MS = 20; // 50 a second
const MOST_OPEN = 300; // connections of the flood; then the oldest is reset
const LONGEST_MS = 5000;
const SLOW_MS = 600; // a hash on a machine that is busy with something else
const skip = process.platform === "darwin" && "macOS has no loopback address but 127.0.0.1";

/** Sends wrong passwords from so many addresses, and never reads a response. */
function flood(t: TestContext, port: number, addresses: number) {
  const sockets: Socket[] = [];
  let sent = 0;
  const timer = setInterval(() => {
    const localAddress = `127.0.0.${2 + sent % addresses}`;
    const to = { host: "127.0.0.1", port, localAddress };
    const socket = OVER_TLS ? connectTls({ ...to, rejectUnauthorized: false }) : connect(to);
    const authorization = basic({ username: "miguel", password: `wrong ${sent++}` });
    socket.on("error", () => {});
    socket.write(
      `GET ${BASE}/tasks HTTP/1.1\r\nHost: test\r\nAuthorization: ${authorization}\r\n\r\n`,
    );
    if (sockets.push(socket) > MOST_OPEN) sockets.shift()?.destroy();
  }, EACH_MS);
  t.after(() => {
    clearInterval(timer);
    for (const socket of sockets) socket.destroy();
  });
  return { sent: () => sent };
}

/** Checks that a response is as expected and comes in time, as far as the machine has time. */
async function inTime(status: number, asked: ReturnType<typeof ask>): Promise<void> {
  const begin = performance.now();
  const got = await asked;
  const ms = performance.now() - begin;
  assert.equal(got.status, status, got.text);
  if (ms < LONGEST_MS) return;
  const again = performance.now();
  await new Passwords().hash("", { address: "", until: Infinity, gone: false });
  const hash = performance.now() - again;
  assert.ok(hash > SLOW_MS && ms < 8 * hash, `${ms} ms, where a hash takes ${hash} ms`);
}

const rows: [addresses: number, rounds: number][] = [[1, 10], [8, 3]];

for (const [addresses, rounds] of rows) {
  const name =
    `a flood from ${addresses}: ${rounds} sign-ins, as many new passwords, and new users`;
  test(name, { skip }, async (t) => {
    const server = await startProcess(t, ["--quiet"]);
    const { sent } = flood(t, server.port, addresses);
    while (sent() < 100) await ask(server, "OPTIONS /tasks");
    let authorization = MIGUEL;
    for (let round = 0; round < rounds; round++) {
      const password = `correct horse ${round}`;
      await inTime(200, ask(server, "PUT /users/miguel", { authorization, content: { password } }));
      authorization = basic({ username: "miguel", password });
      await inTime(200, ask(server, "GET /tasks", { authorization })); // new here, so verified
      if (round >= 3) continue;
      const content = { username: `user${round}`, password };
      await inTime(201, ask(server, "POST /users", { authorization: undefined, content }));
    }
    assert.equal(server.err, "");
  });
}

test(
  "in a flood, a user who mistypes gets 401, and gets in at the next try",
  { skip },
  async (t) => {
    const server = await startProcess(t, ["--quiet"]);
    const { sent } = flood(t, server.port, 1);
    while (sent() < 100) await ask(server, "OPTIONS /tasks");
    const authorization = basic({ username: "miguel", password: "pyhton" });
    await inTime(401, ask(server, "GET /tasks", { authorization }));
    await inTime(200, ask(server, "GET /tasks"));
  },
);

test("a flood gets 429, but a user who is signed in at its address stays in", async (t) => {
  const server = await startProcess(t, ["--quiet"]);
  assert.equal((await ask(server, "GET /tasks")).status, 200);
  let waiting = 100;
  const answers = Promise.all(Array.from({ length: waiting }, async (_, i) => {
    const username = i % 2 ? "miguel" : "nobody";
    const authorization = basic({ username, password: `wrong ${i}` });
    const answer = await ask(server, "GET /tasks", { authorization });
    waiting--;
    return answer;
  }));
  while (waiting > 0) assert.equal((await ask(server, "GET /tasks")).status, 200);
  const got = await answers;
  const refused = got.filter(({ status }) => status === 429);
  assert.ok(refused.length >= 90, `${refused.length}`);
  assert.ok(got.every(({ status }) => status === 401 || status === 429));
  for (const { headers, json } of refused) {
    assert.equal(headers["retry-after"], "5");
    const message = "many passwords wait to be checked; try again";
    assert.deepEqual(json, { error: "Too many requests", message });
  }
});

test("after a restart, 30 requests at once with one right password cost one hash", async (t) => {
  const verify = t.mock.method(Passwords.prototype, "verify");
  const store = new MemoryStore();
  await addFirstUser(new Accounts(store), { user: "miguel", password: "python" });
  const accounts = new Accounts(store); // has verified nobody yet
  const { server } = serve(createApp(routes(store, accounts, "anyone"), accounts));
  t.after(() => server.close());
  await once(server.listen(0, "127.0.0.1"), "listening");
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  const request = bytes(`GET ${BASE}/tasks`, ["Connection: close"]);
  const lines = await Promise.all(
    Array.from({ length: 30 }, () => dial(t, address.port, request)),
  );
  const texts = await Promise.all(lines.map(({ closed }) => closed));
  assert.deepEqual(texts.flatMap(statuses), Array(30).fill(200));
  assert.equal(verify.mock.callCount(), 1);
});
