// Clusters with other setups: with TLS, with users, full, or not a cluster at all.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { test, type TestContext } from "node:test";
import { EtcdStore } from "../../lib/store/etcd/store.ts";
import { Full, INITIAL, Unavailable } from "../../lib/store/store.ts";
import { selfSigned } from "../tools/certificate.ts";
import { freePorts, HOST, NO_ETCD, type Setup, startCluster } from "../tools/etcd.ts";
import { newFile } from "../tools/files.ts";
import { ask, start, startProcess } from "../tools/start.ts";

const skip = NO_ETCD;
const TASK = { ...INITIAL, title: "x" };
const HASH = { password: "a hash", email: "" };
const LOGIN = { name: "todo", password: "open sesame" };

/** Starts a cluster of one member. */
async function startOne(t: TestContext, setup?: Setup) {
  const cluster = await startCluster(1, setup);
  t.after(() => cluster.stop());
  const [member = assert.fail()] = cluster.members;
  return { ...cluster, member };
}

/** Sends etcd a request that no store sends. */
async function etcd(address: string, path: string, content: object) {
  const body = JSON.stringify(content);
  const response = await fetch(`http://${address}/v3/${path}`, { method: "POST", body });
  const text = await response.text();
  assert.ok(response.ok, text);
  return text;
}

/** Gives a cluster a root, and a user who may use the keys that begin with `todo/`. */
async function addUsers(address: string): Promise<void> {
  const run = (path: string, content: object) => etcd(address, `auth/${path}`, content);
  const [key, range_end] = ["todo/", "todo0"].map(btoa);
  await run("user/add", { name: "root", password: "root's" });
  await run("role/add", { name: "root" });
  await run("user/grant", { user: "root", role: "root" });
  await run("user/add", LOGIN);
  await run("role/add", { name: "todo" });
  await run("role/grant", { name: "todo", perm: { permType: "READWRITE", key, range_end } });
  await run("user/grant", { user: LOGIN.name, role: "todo" });
  await run("enable", {});
}

async function certificate(t: TestContext) {
  const [cert, key] = [await newFile(t), await newFile(t)];
  const made = selfSigned();
  await writeFile(cert, made.cert);
  await writeFile(key, made.key);
  return { cert, key };
}

test("a server uses a cluster with TLS and users", { skip }, async (t) => {
  const plain = await startOne(t);
  await addUsers(plain.member.address);
  const env = { TODO_ETCD_USER: LOGIN.name, TODO_ETCD_PASSWORD: LOGIN.password };
  const one = await start(t, ["--db", plain.url], env);
  assert.equal((await ask(one, "POST /tasks", { content: { title: "x" } })).status, 201);

  const tls = await certificate(t);
  const secured = await startOne(t, { tls });
  const db = secured.url.replace("etcds", "ETCDS");
  const two = await startProcess(t, ["--db", db], { NODE_EXTRA_CA_CERTS: tls.cert });
  assert.equal((await ask(two, "POST /tasks", { content: { title: "x" } })).status, 201);
});

test("a token that has ended is renewed", { skip }, async (t) => {
  const { url, member } = await startOne(t);
  await addUsers(member.address);
  const store = await EtcdStore.open(url, undefined, LOGIN);
  const { id } = await store.addUser("a", HASH) ?? assert.fail();
  await member.kill();
  await member.start(); // it has forgotten its tokens by then
  assert.equal((await store.add(id, TASK))?.id, 1);
  await member.kill();
  await member.start();
  assert.equal((await store.list(id)).total, 1);
});

test("the message about a wrong setup names it, and the fix", { skip }, async (t) => {
  const [plain, users, gateless, secured] = await Promise.all([
    startOne(t),
    startOne(t),
    startOne(t, { flags: ["--enable-grpc-gateway=false"] }),
    startOne(t, { tls: await certificate(t) }),
  ]);
  await addUsers(users.member.address);
  const web = createServer((_, response) => response.writeHead(404).end("<h1>Not found</h1>"));
  await once(web.listen(0, "127.0.0.1"), "listening");
  t.after(() => web.close().closeAllConnections());
  const address = web.address();
  const page = `etcd://127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
  const wrong = { ...LOGIN, password: "open says me" };
  const rows: [db: string, login: typeof LOGIN | undefined, says: RegExp, prefix?: string][] = [
    [`etcd://${HOST}:${await freePorts(1)}`, undefined, /no member of etcd answers: .*refused/i],
    [secured.url.replace("etcds", "etcd"), undefined, /TLS are written etcds:\/\//],
    [plain.url.replace("etcd", "etcds"), undefined, /TLS are written etcds:\/\/, others etcd:/],
    [secured.url, undefined, /NODE_EXTRA_CA_CERTS/],
    [page, undefined, /no client port of etcd/],
    [`etcd://${plain.member.peer}`, undefined, /no client port of etcd/],
    [gateless.url, undefined, /--enable-grpc-gateway is off/],
    [users.url, undefined, /set TODO_ETCD_USER and TODO_ETCD_PASSWORD/],
    [users.url, wrong, /refuses TODO_ETCD_USER or TODO_ETCD_PASSWORD: check both/],
    [users.url, LOGIN, /TODO_ETCD_USER may not/, "other/"],
    [plain.url, LOGIN, /unset TODO_ETCD_USER/],
  ];
  await Promise.all(rows.map(async ([db, login, says, prefix]) => {
    await assert.rejects(EtcdStore.open(db, prefix, login), (error: Error) => {
      assert.ok(error instanceof Unavailable);
      assert.match(error.message, says);
      assert.doesNotMatch(error.message, /\n/);
      return true;
    });
  }));
});

test("a full cluster can be read; a write says that it is full", { skip }, async (t) => {
  const { url, member } = await startOne(t, { flags: ["--quota-backend-bytes", `${2 ** 20}`] });
  const first = await EtcdStore.open(url);
  const user = await first.addFirst("a", HASH, [TASK]) ?? assert.fail();
  const large = { ...TASK, description: "x".repeat(100_000) };
  await assert.rejects(async () => {
    for (let i = 0; i < 30; i++) await first.add(user.id, large);
  }, Full);
  assert.match(await etcd(member.address, "maintenance/alarm", {}), /NOSPACE/);
  const store = await EtcdStore.open(url);
  assert.deepEqual(await store.user("a"), user);
  assert.equal(await store.addFirst("b", HASH, [TASK]), undefined);
  assert.equal(
    (await store.list(user.id)).tasks[0]?.title,
    "x",
  );
  await assert.rejects(store.add(user.id, TASK), Full);
  await assert.rejects(store.addUser(randomUUID(), HASH), Full);
});
