// What is the etcd store's own: what gets lost on the way, members that fail, the way to a page.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import { after, before, test, type TestContext } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { EtcdStore } from "../../lib/store/etcd/store.ts";
import { DEADLINE_MS } from "../../lib/store/etcd/cluster.ts";
import { type Store, type Task, Unavailable, type User } from "../../lib/store/store.ts";
import { type Cluster, freePorts, HOST, NO_ETCD, startCluster } from "../tools/etcd.ts";

const TASK = { title: "x", description: "", done: false };
const HASH = { password: "a hash", email: "" };

const skip = NO_ETCD;
let cluster: Cluster | undefined;
before(async () => skip || (cluster = await startCluster(1)));
after(() => cluster?.stop());

const nobody = async () => `${HOST}:${await freePorts(1)}`; // listens there
const memberOf = (cluster?: Cluster) => cluster?.members[0]?.address ?? assert.fail();

/** What becomes of a request: `pass` hands it to the member. */
type Fate = (pass: () => Promise<string>, response: ServerResponse) => unknown;

const answered: Fate = async (pass, response) => response.end(await pass());
const requestLost: Fate = (_, response) => response.destroy();
const answerLost: Fate = async (pass, response) => {
  await pass();
  response.destroy();
};
const sentTwice: Fate = async (pass, response) => {
  await pass();
  response.end(await pass());
};
const unanswered: Fate = () => {};
const refused = (status: number, message: string): Fate => (_, response) =>
  response.writeHead(status).end(JSON.stringify({ error: message, message }));

/** Opens a store with the user a, through a gateway that deals these fates to the next requests. */
async function open(t: TestContext) {
  const member = memberOf(cluster);
  const fates: Fate[] = [];
  const answers: string[] = [];
  const gateway = createServer(async (request, response) => {
    response.setHeader("Connection", "close"); // or Deno sends again what was lost
    const body = await text(request);
    const pass = async () => {
      const answer = await fetch(`http://${member}${request.url}`, { method: "POST", body });
      answers.push(await answer.text());
      if (!answer.ok) response.statusCode = answer.status;
      return answers.at(-1) ?? "";
    };
    await (fates.shift() ?? answered)(pass, response);
  });
  await once(gateway.listen(0, "127.0.0.1"), "listening");
  t.after(() => gateway.close().closeAllConnections());
  const address = gateway.address();
  const port = typeof address === "object" ? address?.port : undefined;
  const [url, prefix] = [`etcd://127.0.0.1:${port}`, `${randomUUID()}/`];
  const store = await EtcdStore.open(url, prefix);
  const user = await store.addUser("a", HASH) ?? assert.fail();
  return { store, user, fates, answers, url, prefix };
}

const WRITES: Record<string, (store: Store, task: Task, user: User) => unknown> = {
  add: (store, _, { id }) => store.add(id, TASK),
  update: (store, task, { id }) => store.update(id, task, { title: "y" }),
  finish: (store, task, { id }) => store.update(id, task, { done: true }),
  remove: (store, task, { id }) => store.remove(id, task),
  addUser: (store) => store.addUser("b", HASH),
  updateUser: (store, _, user) => store.updateUser(user, { email: "a@example.com" }),
  removeUser: (store, _, user) => store.removeUser(user),
};
const LOSSES: Record<string, Fate[]> = {
  "nothing is lost": [],
  "the request is lost": [requestLost],
  "the answer is lost": [answerLost],
  "the answer is lost, then a request": [answerLost, requestLost],
  "two answers are lost": [answerLost, answerLost],
  "the request is lost, then an answer": [requestLost, answerLost],
  "three requests are lost": [requestLost, requestLost, requestLost],
  "the request is sent twice": [sentTwice],
  "the leader changes": [refused(503, "etcdserver: leader changed")],
};

test("whatever is lost on the way, a write is done once", { skip }, async (t) => {
  for (const [name, write] of Object.entries(WRITES)) {
    let expected: unknown;
    for (const [loss, lost] of Object.entries(LOSSES)) {
      const { store, user, fates } = await open(t);
      const task = await store.add(user.id, TASK) ?? assert.fail();
      fates.push(...lost);
      const written = await write(store, task, user);
      assert.deepEqual(fates, []);
      const { tasks } = await store.list(user.id, {}, 0, 9);
      const there = [...tasks, await store.user("a"), await store.user("b")];
      if (typeof written === "object") assert.deepEqual(there.filter(equals(written)), [written]);
      const state = { written: unrevised(written), there: there.map(unrevised) };
      assert.deepEqual(state, expected ??= state, `${name}, ${loss}`);
    }
  }
});

const equals = (one: unknown) => (other: unknown) => isDeepStrictEqual(one, other);
const unrevised = (one: unknown) =>
  typeof one === "object" && one !== null
    ? { ...one, ...("id" in one && typeof one.id === "string" ? { id: "" } : {}), revision: 0 }
    : one;

test("what was refused and arrives late does nothing", { skip }, async (t) => {
  for (const [name, write] of Object.entries(WRITES)) {
    const { store, user, fates, answers } = await open(t);
    const task = await store.add(user.id, TASK) ?? assert.fail();
    let late: Parameters<Fate>[0] = assert.fail;
    const delayed: Fate = (pass, response) => {
      late = pass;
      response.destroy();
    };
    fates.push(delayed, answered, refused(429, "etcdserver: mvcc: database space exceeded"));
    await assert.rejects(async () => await write(store, task, user), Unavailable, name);
    await late();
    assert.ok(!answers.at(-1)?.includes("succeeded"), name);
    const there = [...(await store.list(user.id, {}, 0, 9)).tasks, await store.user("a")];
    assert.deepEqual([...there, await store.user("b")], [task, user, undefined], name);
  }
});

test("what etcd refuses is not asked again, and says why", { skip }, async (t) => {
  const { store, user, fates, answers } = await open(t);
  for (
    const message of ["etcdserver: mvcc: database space exceeded", "etcdserver: too many requests"]
  ) {
    fates.push(refused(429, message));
    const before = answers.length;
    await assert.rejects(store.add(user.id, TASK), {
      name: "Error",
      message: `etcd says: ${message}`,
    });
    assert.equal(answers.length, before);
  }
  assert.equal((await store.add(user.id, TASK))?.id, 1);
});

test("a member that does not answer is given up, and the next one asked", { skip }, async (t) => {
  const { url, prefix, fates, store, user } = await open(t);
  const other = await EtcdStore.open(`etcd://${await nobody()},${memberOf(cluster)}`, prefix);
  assert.equal(other.epoch, store.epoch);
  const third = await EtcdStore.open(`${url},${memberOf(cluster)}`, prefix);
  fates.push(unanswered, unanswered);
  assert.equal((await third.add(user.id, TASK))?.id, 1);
  assert.equal((await third.list(user.id, {}, 0, 9)).total, 1);
  assert.equal(fates.length, 1); // it stays with the one that answers
});

test("nothing takes longer than its deadline", { skip }, async (t) => {
  const { store, user, fates } = await open(t);
  fates.push(...Array.from({ length: 99 }, () => unanswered));
  const start = performance.now();
  const asked = [store.get(user.id, 1), store.user("a"), store.list(user.id, {}, 0, 9)];
  asked.push(store.add(user.id, TASK), store.add(user.id, TASK), store.addUser("b", HASH));
  const answers = await Promise.allSettled(asked);
  const took = performance.now() - start;
  for (const one of answers) {
    assert.ok(one.status === "rejected" && one.reason instanceof Unavailable);
  }
  assert.ok(took < DEADLINE_MS + 500, `${took} ms`);
});

test("a cluster that is not there, or is written otherwise, is named", async () => {
  await assert.rejects(EtcdStore.open(`etcd://${await nobody()}`), (error: Error) => {
    assert.ok(error instanceof Unavailable);
    assert.match(error.message, /^no member of etcd answers: .*refused/i);
    return true;
  });
  const rows = ["etcd:", "etcd://", "etcd://a", "etcd://a:1/", "etcd://a:1,", "etcd://a:1,b"];
  rows.push("etcd://a:1 ,b:1", "etcd://a@b:1", "etcd://a:123456", "http://a:1", "etcd://::1:1");
  for (const url of rows) {
    await assert.rejects(EtcdStore.open(url), (error: Error) => {
      assert.ok(!(error instanceof Unavailable) && error.message.endsWith(`not ${url}`), url);
      return true;
    });
  }
});

test("servers that share a cluster share ids, revisions and what was read", { skip }, async (t) => {
  const { url, prefix, user } = await open(t);
  const stores = await Promise.all([1, 2, 3].map(() => EtcdStore.open(url, prefix)));
  assert.equal(new Set(stores.map(({ epoch }) => epoch)).size, 1);
  const tasks = (await Promise.all(stores.flatMap((store) =>
    Array.from({ length: 20 }, async () =>
      await store.add(user.id, TASK) ?? assert.fail())
  ))).sort((a, b) =>
    a.id - b.id
  );
  assert.deepEqual(tasks.map(({ id }) => id), Array.from({ length: 60 }, (_, i) => i + 1));
  for (const store of stores) assert.deepEqual((await store.list(user.id, {}, 0, 99)).tasks, tasks);
  const [task = assert.fail()] = tasks;
  const changes = await Promise.all(
    stores.map((store) => store.update(user.id, task, { done: true })),
  );
  assert.equal(changes.filter((changed) => changed !== undefined).length, 1);
});

test("a page is read without the rest of the list", { skip }, async (t) => {
  const { store, user, answers } = await open(t);
  const description = "d".repeat(1000);
  for (let i = 0; i < 300; i++) {
    const task = await store.add(user.id, { title: `${i}`, description, done: i % 3 === 0 });
    if (i % 7 === 0) await store.remove(user.id, task ?? assert.fail());
  }
  for (const done of ["true", "false", undefined]) {
    const all = (await store.list(user.id, { done }, 0, 300)).tasks;
    for (const offset of [0, 5, 40, all.length - 5]) {
      answers.length = 0;
      const { tasks, total } = await store.list(user.id, { done }, offset, 5);
      assert.deepEqual([tasks, total], [all.slice(offset, offset + 5), all.length]);
      const read = answers.join().split('"kvs"').length - 1;
      assert.ok(answers.length <= 5, `${answers.length} round trips`);
      assert.ok(answers.join().length < 40_000, `${read} reads`);
    }
  }
});

test(
  "a task may be as large as the content of a request; what is too large is refused",
  { skip },
  async (t) => {
    const { store, user } = await open(t);
    const description = "ü".repeat(512 * 1024);
    const task = await store.add(user.id, { ...TASK, description }) ?? assert.fail();
    assert.deepEqual(await store.get(user.id, 1), task);
    const larger = store.update(user.id, task, { title: description });
    await assert.rejects(larger, Unavailable);
    assert.deepEqual(await store.get(user.id, 1), task);
  },
);

test("a mark that is lost is replaced", { skip }, async (t) => {
  const { store, user, prefix } = await open(t);
  const [key, range_end] = [`${prefix}mark/`, `${prefix}mark0`].map((key) => btoa(key));
  await fetch(`http://${memberOf(cluster)}/v3/kv/deleterange`, {
    method: "POST",
    body: JSON.stringify({ key, range_end }),
  });
  assert.equal((await store.add(user.id, TASK))?.id, 1);
  assert.equal((await store.add(user.id, TASK))?.id, 2);
});
