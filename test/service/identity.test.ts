// Whose request it is: credentials are checked with the header, and again before the request takes
// effect. A name that is registered again is a new account.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { test, type TestContext } from "node:test";
import { ask, BASE, bytes, dial, MIGUEL, open, type Server, start } from "../tools/start.ts";
import { statuses } from "../tools/start.ts";

const [OLD, NEW, THEIRS] = ["the old password", "the new password", "their password"];
const as = (password: string) => ({ authorization: `Basic ${btoa(`susan:${password}`)}` });

async function register(server: Server, password: string): Promise<void> {
  const options = { authorization: undefined, content: { username: "susan", password } };
  assert.equal((await ask(server, "POST /users", options)).status, 201);
}

/** Deletes the account of susan, and registers the name again for another person. */
async function replaceAccount(server: Server): Promise<void> {
  assert.equal((await ask(server, "DELETE /users/susan", as(OLD))).status, 200);
  await register(server, NEW);
}

/** The statuses of susan's list for these passwords. */
async function signIn(server: Server, ...passwords: string[]): Promise<number[]> {
  const answers = [];
  for (const password of passwords) answers.push(await ask(server, "GET /tasks", as(password)));
  return answers.map(({ status }) => status);
}

/**
 * Sends the header of a request as susan and waits until the server asks for the content: then it
 * has checked the credentials. Returns a function that sends the content and returns the status.
 */
async function hold(t: TestContext, { port }: Server, line: string, sent: object) {
  const content = JSON.stringify(sent);
  const fields = [`Content-Length: ${content.length}`, "Content-Type: application/json"];
  fields.push("Expect: 100-continue", "Connection: close");
  const head = bytes(line.replace(" ", ` ${BASE}`), fields);
  const held = await dial(t, port, head.replace(MIGUEL, as(OLD).authorization));
  await held.receives(/^HTTP\/1\.1 100 Continue\r\n\r\n/);
  return async (): Promise<number | undefined> => {
    held.socket.write(content);
    return statuses(await held.closed).at(-1);
  };
}

test("a request that waits for its content cannot change a new account of that name", async (t) => {
  const server = await start(t, ["--quiet"]);
  await register(server, OLD);
  const requests = [
    await hold(t, server, "PUT /users/susan", { password: THEIRS }),
    await hold(t, server, "PUT /users/susan", { email: "old@example.com" }),
    await hold(t, server, "POST /tasks", { title: "not yours" }),
  ];
  await replaceAccount(server);
  for (const send of requests) assert.equal(await send(), 401);
  assert.deepEqual(await signIn(server, NEW, THEIRS), [200, 401]);
  const { json } = await ask(server, "GET /users/susan", as(NEW));
  const uri = `${server.origin}${BASE}/users/susan`;
  assert.deepEqual(json, { user: { username: "susan", email: "", uri } });
  assert.deepEqual((await ask(server, "GET /tasks", as(NEW))).json, { tasks: [] });
});

test("a request that waits for its content is refused once the password has changed", async (t) => {
  const server = await start(t, ["--quiet"]);
  await register(server, OLD);
  const { headers } = await ask(server, "POST /tasks", { ...as(OLD), content: { title: "mine" } });
  const task = String(headers.location).replace(server.origin + BASE, "");
  const requests = [
    await hold(t, server, "PUT /users/susan", { password: THEIRS }),
    await hold(t, server, "PUT /users/susan", { email: "thief@example.com" }),
    await hold(t, server, "POST /tasks", { title: "a thief's" }),
    await hold(t, server, `PUT ${task}`, { title: "a thief's" }),
    await hold(t, server, `PATCH ${task}`, { done: true }),
  ];
  const before = await ask(server, "GET /tasks", as(OLD));
  const changed = await ask(server, "PUT /users/susan", { ...as(OLD), content: { password: NEW } });
  assert.equal(changed.status, 200);
  for (const send of requests) assert.equal(await send(), 401);
  assert.deepEqual(await signIn(server, NEW, THEIRS), [200, 401]);
  assert.deepEqual((await ask(server, "GET /users/susan", as(NEW))).json, changed.json);
  assert.deepEqual((await ask(server, "GET /tasks", as(NEW))).json, before.json);
});

test("of two new passwords at once, the one that is hashed second is refused", async (t) => {
  const server = await start(t, ["--quiet"]);
  await register(server, OLD);
  const requests = [
    await hold(t, server, "PUT /users/susan", { password: NEW }),
    await hold(t, server, "PUT /users/susan", { password: THEIRS }),
  ];
  const statuses = await Promise.all(requests.map((send) => send()));
  assert.ok(statuses.includes(200), `${statuses}`);
  // On a slow machine the second hash may come too late: 429.
  assert.ok(statuses.some((status) => status === 401 || status === 429), `${statuses}`);
  const [won, lost] = statuses[0] === 200 ? [NEW, THEIRS] : [THEIRS, NEW];
  assert.deepEqual(await signIn(server, won, lost), [200, 401]);
});

test("a list that is read slowly ends when its account is deleted", async (t) => {
  const server = await start(t, ["--quiet"]);
  await register(server, OLD);
  // 3.2 million characters, which a list may have: 9.6 MB, more than sockets and kernels buffer.
  const description = "日".repeat(20_000);
  for (let i = 0; i < 160; i += 20) {
    const content = { title: "before", description };
    const asked = Array.from(
      { length: 20 },
      () => ask(server, "POST /tasks", { ...as(OLD), content }),
    );
    for (const { status } of await Promise.all(asked)) assert.equal(status, 201);
  }
  const { socket } = await open(t, server.port);
  const request = bytes(`GET ${BASE}/tasks`, ["Connection: close"]);
  socket.write(request.replace(MIGUEL, as(OLD).authorization));
  await once(socket, "readable"); // the response begins, and nobody reads on
  // After so many requests, all buffers between the server and this socket are full.
  for (let i = 0; i < 100; i++) await ask(server, "GET /tasks/1");
  await replaceAccount(server);
  const content = { title: "hers" };
  assert.equal((await ask(server, "POST /tasks", { ...as(NEW), content })).status, 201);
  const list = await text(socket);
  const count = list.split('"title": "before"').length - 1;
  assert.ok(count > 0 && count < 160, `${count} tasks`);
  assert.ok(!list.includes('"title": "hers"'));
});

test("a password is the same, however its characters are composed", async (t) => {
  const server = await start(t, ["--quiet"]);
  const [composed, decomposed] = ["pässwörd é", "pa\u0308sswo\u0308rd e\u0301"] as const;
  const utf8 = (password: string) => ({
    authorization: `Basic ${Buffer.from(`susan:${password}`).toString("base64")}`,
  });
  const status = async (password: string) =>
    (await ask(server, "GET /tasks", utf8(password))).status;
  await register(server, composed);
  assert.deepEqual([await status(decomposed), await status(composed)], [200, 200]);
  const content = { password: decomposed };
  assert.equal((await ask(server, "PUT /users/susan", { ...utf8(composed), content })).status, 200);
  assert.deepEqual([await status(composed), await status(decomposed)], [200, 200]);
  assert.equal(await status("passwo\u0308rd e\u0301"), 401);
  // Both are too short: the second is the first in another form.
  for (const password of ["\u00e9".repeat(7), "e\u0301".repeat(7)]) {
    const options = { authorization: undefined, content: { username: "b", password } };
    assert.equal((await ask(server, "POST /users", options)).status, 400, password);
  }
});
