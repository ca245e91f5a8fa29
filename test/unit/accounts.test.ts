// Who is signed in: when a password is verified, when that is not needed, and what is remembered.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { test, type TestContext } from "node:test";
import { createApp } from "../../lib/app.ts";
import type { Client } from "../../lib/http/call.ts";
import { basic } from "../../lib/http/credentials.ts";
import { HttpError } from "../../lib/http/reply.ts";
import { routes } from "../../lib/routes.ts";
import { MemoryStore } from "../../lib/store/memory.ts";
import { Accounts } from "../../lib/todo/accounts.ts";
import { Passwords } from "../../lib/todo/passwords.ts";
import { RequestClient } from "../../lib/wire/client.ts";

const client: Client = { address: "127.0.0.1", until: Infinity, gone: false };
const python = basic({ username: "miguel", password: "python" });

/** Accounts whose passwords are in the store in clear, and what was verified so far. */
async function fixture(t: TestContext, ...usernames: string[]) {
  const verified: string[] = [];
  let verify = (password: string, hash = "") =>
    Promise.resolve(password === hash ? hash : undefined);
  t.mock.method(Passwords.prototype, "hash", (password: string) => Promise.resolve(password));
  t.mock.method(Passwords.prototype, "verify", (password: string, hash?: string, by?: Client) => {
    verified.push(password);
    clients.push(by ?? client);
    return verify(password, hash);
  });
  const clients: Client[] = [];
  const store = new MemoryStore();
  for (const username of usernames) {
    await store.addUser(username, { password: "python", email: "" });
  }
  const accounts = new Accounts(store);
  const name = async (field: string, by = client) =>
    (await accounts.authenticate(field, by))?.username;
  /** From now on, every verification waits until the returned function is called. */
  const hold = () => {
    let go: (right: boolean | Error | HttpError) => void = () => {};
    verify = (_, hash) =>
      new Promise((resolve, reject) =>
        go = (right) =>
          typeof right === "boolean" ? resolve(right ? hash : undefined) : reject(right)
      );
    return (right: boolean | Error | HttpError) => go(right);
  };
  return { store, accounts, name, verified, clients, hold };
}

const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

test("a right password is verified once, whatever the spelling of the field", async (t) => {
  const { name, verified } = await fixture(t, "miguel");
  for (let i = 0; i < 3; i++) assert.equal(await name(python), "miguel");
  const spellings = [python.replace("Basic", "bAsIc"), python.replace(" ", "   ")];
  for (const field of spellings) assert.equal(await name(field), "miguel");
  assert.deepEqual(verified, ["python"]);
});

test("a right password is verified for each network, and for ten of them not again", async (t) => {
  const { name, verified } = await fixture(t, "miguel");
  const from = (i: number) => name(python, { ...client, address: `192.0.2.${i}` });
  for (const i of [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]) assert.equal(await from(i), "miguel");
  assert.equal(verified.length, 10);
  for (const i of [10, 1, 5]) assert.equal(await from(i), "miguel");
  assert.equal(verified.length, 10);
  for (const i of [11, 1, 11]) assert.equal(await from(i), "miguel"); // 11 takes the place of 1
  assert.equal(verified.length, 12);
});

test("a wrong password and a wrong name are verified each time", async (t) => {
  const { name, verified } = await fixture(t, "miguel");
  const wrong = basic({ username: "miguel", password: "cobra" });
  const nobody = basic({ username: "nobody", password: "python" });
  for (const field of [wrong, wrong, nobody, nobody]) assert.equal(await name(field), undefined);
  assert.deepEqual(verified, ["cobra", "cobra", "python", "python"]);
});

test("a user who registers is signed in", async (t) => {
  const { accounts, name, verified } = await fixture(t);
  assert.ok(await accounts.add("susan", { password: "correct horse", email: "" }, client));
  assert.equal(await name(basic({ username: "susan", password: "correct horse" })), "susan");
  assert.deepEqual(verified, []);
});

test("after a change of the password the old one is verified anew, and is wrong", async (t) => {
  const { store, name, verified } = await fixture(t, "miguel");
  assert.equal(await name(python), "miguel");
  const user = await store.user("miguel");
  assert.ok(user);
  await store.updateUser(user, { password: "cobra" });
  assert.equal(await name(python), undefined);
  assert.equal(await name(basic({ username: "miguel", password: "cobra" })), "miguel");
  assert.deepEqual(verified, ["python", "python", "cobra"]);
});

test("an account that is deleted or changes its password is forgotten at once", async (t) => {
  const { store, accounts, name, verified } = await fixture(t, "miguel");
  const app = createApp(routes(store, accounts, "anyone"), accounts);
  const user = await store.user("miguel");
  assert.ok(user);
  // The store keeps the account as it was, so that a password that is still known would count.
  t.mock.method(store, "removeUser", () => Promise.resolve(true));
  t.mock.method(store, "updateUser", () => Promise.resolve(user));
  for (const [method, content] of [["DELETE", ""], ["PUT", '{"password":"correct horse"}']]) {
    const request = new IncomingMessage(new Socket());
    const read = () => Promise.resolve(Buffer.from(content ?? ""));
    const headers = {
      host: "localhost",
      authorization: python,
      "content-type": "application/json",
    };
    const url = "/todo/api/v1.0/users/miguel";
    Object.assign(request, { method, url, httpVersionMajor: 1, httpVersionMinor: 1, headers });
    assert.equal((await app(request, read, new RequestClient(request))).status, 200);
    assert.equal(await name(python, { ...client, address: "" }), "miguel");
  }
  assert.deepEqual(verified, ["python", "python", "python"]);
});

test("a hash of an older cost is made anew at the next right sign-in, also by two at once", async () => {
  const store = new MemoryStore();
  const old = await new Passwords("scrypt$4$8$1").hash("python", client);
  const { revision = 0 } = await store.addUser("miguel", { password: old, email: "e" }) ?? {};
  const accounts = new Accounts(store, new Passwords("scrypt$5$8$1"));
  const name = async (field: string, by = client) =>
    (await accounts.authenticate(field, by))?.username;
  const others = { ...client, address: "127.0.0.2" };
  assert.equal(await name(basic({ username: "miguel", password: "cobra" }), others), undefined);
  assert.equal((await store.user("miguel"))?.password, old);
  const both = [name(python), name(python.replace("Basic", "basic")), name(python, others)];
  assert.deepEqual(await Promise.all(both), ["miguel", "miguel", "miguel"]);
  const now = await store.user("miguel");
  assert.match(now?.password ?? "", /^scrypt\$5\$8\$1\$/);
  assert.equal(now?.email, "e");
  assert.equal(now?.revision, revision + 1, "written once");
  assert.equal(await name(python), "miguel");
});

test("requests at the same time with the same credentials share a verification", async (t) => {
  const { name, verified, hold } = await fixture(t, "miguel");
  const go = hold();
  const asked = [name(python), name(python), name(python.replace("Basic", "basic"))];
  await settled();
  go(true);
  assert.deepEqual(await Promise.all(asked), ["miguel", "miguel", "miguel"]);
  assert.deepEqual(verified, ["python"]);
});

test("other networks share no verification: a right guess waits like a wrong one", async (t) => {
  const { name, verified, hold } = await fixture(t, "miguel");
  hold();
  void name(python);
  void name(python, { ...client, address: "192.0.2.1" });
  await settled();
  assert.deepEqual(verified, ["python", "python"]);
});

test("other names and other passwords share nothing", async (t) => {
  const { name, verified, hold } = await fixture(t, "miguel", "susan");
  hold();
  void name(python);
  void name(basic({ username: "miguel", password: "cobra" }));
  void name(basic({ username: "susan", password: "python" }));
  void name(basic({ username: "nobody", password: "python" }));
  await settled();
  assert.deepEqual(verified, ["python", "cobra", "python", "python"]);
});

test("a verification that fails, fails for all who share it, and the next one is new", async (t) => {
  const { name, verified, hold } = await fixture(t, "miguel");
  const go = hold();
  const asked = [name(python), name(python)];
  await settled();
  go(new HttpError(429));
  const results = await Promise.allSettled(asked);
  assert.deepEqual(results.map(({ status }) => status), ["rejected", "rejected"]);
  const again = name(python);
  await settled();
  go(true);
  assert.equal(await again, "miguel");
  assert.equal(verified.length, 2);
});

test("clients that share a verification are gone when the last of them is", async (t) => {
  const { name, clients, hold } = await fixture(t, "miguel");
  const go = hold();
  const [a, b] = [{ ...client, until: 1 }, { ...client, until: 2 }];
  const asked = [name(python, a), name(python, b)];
  await settled();
  const [all = client] = clients;
  assert.deepEqual([all.address, all.until, all.gone], ["127.0.0.1", 2, false]);
  a.gone = true;
  assert.equal(all.gone, false);
  b.gone = true;
  assert.equal(all.gone, true);
  go(true);
  await Promise.all(asked);
});

test("an account that changed while its password was verified is not let in", async (t) => {
  const { store, name, hold } = await fixture(t, "miguel");
  const go = hold();
  const asked = name(python);
  await settled();
  const user = await store.user("miguel");
  assert.ok(user);
  await store.removeUser(user);
  await store.addUser("miguel", { password: "python", email: "" });
  go(true);
  assert.equal(await asked, undefined);
});

test("of many accounts the least recently used is forgotten, whatever its spelling", async (t) => {
  const names = Array.from({ length: 1001 }, (_, i) => `user${i}`);
  const { name, verified } = await fixture(t, ...names);
  const field = (i: number) => basic({ username: `user${i}`, password: "python" });
  for (let i = 0; i < 1000; i++) assert.equal(await name(field(i)), `user${i}`);
  for (let spaces = 1; spaces < 50; spaces++) await name(field(5).replace(" ", " ".repeat(spaces)));
  assert.equal(await name(field(0)), "user0"); // used again: user1 is now the oldest
  assert.equal(verified.length, 1000);
  await name(field(1000));
  for (const i of [0, 2, 5, 999, 1000]) await name(field(i));
  assert.equal(verified.length, 1001);
  await name(field(1));
  assert.equal(verified.length, 1002);
});
