// The etcd store alone: requests and answers that get lost, members that fail, pages of long lists.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import { after, before, test, type TestContext } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { EtcdStore } from "../../lib/store/etcd/store.ts";
import {
  Full,
  INITIAL,
  type Store,
  type Task,
  TooLarge,
  Unavailable,
  type User,
} from "../../lib/store/store.ts";
import { type Cluster, freePorts, HOST, NO_ETCD, startCluster } from "../tools/etcd.ts";
import { readAndChange } from "../tools/stores.ts";

const TASK = { ...INITIAL, title: "x" };
const HASH = { password: "a hash", email: "" };

const skip = NO_ETCD;
let cluster: Cluster | undefined;
before(async () => skip || (cluster = await startCluster(1)));
after(() => cluster?.stop());

const nobody = async () => `${HOST}:${await freePorts(1)}`; // an address without a listener
const memberOf = (cluster?: Cluster) => cluster?.members[0]?.address ?? assert.fail();

/** What happens to a request. `pass` hands it to the member and returns the answer. */
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
    response.setHeader("Connection", "close"); // otherwise Deno sends a lost request again
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

test("whatever gets lost on the way, a write is done once", { skip }, async (t) => {
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

test("a write that was refused and arrives late does nothing", { skip }, async (t) => {
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

test("a request that etcd refuses is not repeated, and the error says why", { skip }, async (t) => {
  const { store, user, fates, answers } = await open(t);
  const rows: [status: number, says: string, error: typeof Unavailable, message: RegExp][] = [
    [429, "etcdserver: mvcc: database space exceeded", Full, /--quota-backend-bytes/],
    [
      429,
      "etcdserver: too many requests",
      Unavailable,
      /^etcd says: etcdserver: too many requests$/,
    ],
    [400, "etcdserver: request is too large", TooLarge, /1\.5 MB/],
    [429, "grpc: received message larger than max (3000018 vs. 2097152)", TooLarge, /1\.5 MB/],
    [400, "etcdserver: user name is empty", Unavailable, /set TODO_ETCD_USER/],
    [403, "etcdserver: permission denied", Unavailable, /TODO_ETCD_USER may not/],
    [404, "etcdserver: requested lease not found", Unavailable, /again/],
  ];
  for (const [status, says, error, message] of rows) {
    fates.push(refused(status, says));
    const before = answers.length;
    await assert.rejects(store.add(user.id, TASK), (thrown: Error) => {
      assert.ok(thrown instanceof error, says);
      assert.match(thrown.message, message);
      return true;
    });
    assert.equal(answers.length, before, says);
  }
  assert.equal((await store.add(user.id, TASK))?.id, 1);
});

test("if a member does not answer, the next one is asked", { skip }, async (t) => {
  const { url, prefix, fates, store, user } = await open(t);
  const other = await EtcdStore.open(
    `etcd://${await nobody()},${memberOf(cluster)}`,
    prefix,
  );
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
  const by = { until: start + 1500, gone: false };
  const asked = [
    store.get(user.id, 1, by),
    store.user("a", by),
    store.list(user.id, {}, 0, 9, by),
    store.list(user.id, { q: "x" }, 0, 9, by),
    store.add(user.id, TASK, by),
    store.add(user.id, TASK, by),
    store.addUser("b", HASH, by),
    store.updateUser(user, { email: "a@example.com" }, by),
    store.removeUser(user, by),
  ];
  const answers = await Promise.allSettled<unknown>(asked);
  const took = performance.now() - start;
  for (const one of answers) {
    assert.ok(one.status === "rejected" && one.reason instanceof Unavailable);
  }
  assert.ok(took < 2000, `${took} ms`);
});

test("the message names a cluster that is not there, or is written otherwise", async () => {
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
    const task = await store.add(user.id, {
      ...INITIAL,
      title: `${i}`,
      description,
      done: i % 3 === 0,
    });
    if (i % 7 === 0) await store.remove(user.id, task ?? assert.fail());
  }
  for (const done of ["true", "false", undefined]) {
    const all: Task[] = [];
    for await (const slice of store.walk(user.id, { done }, 0)) all.push(...slice);
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
    await assert.rejects(larger, TooLarge);
    await assert.rejects(store.update(user.id, task, { title: description.repeat(2) }), TooLarge);
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

/** How many keys there are that begin with a prefix. */
async function count(prefix: string): Promise<number> {
  const [key, range_end] = [prefix, prefix.slice(0, -1) + "0"].map(btoa); // 0 comes after /
  const response = await fetch(`http://${memberOf(cluster)}/v3/kv/range`, {
    method: "POST",
    body: JSON.stringify({ key, range_end, count_only: true }),
  });
  const { count = "0" } = await response.json() as { readonly count?: string };
  return Number(count);
}

/** Adds tasks after the first one, sooner than the store would. */
async function fill(prefix: string, owner: string, count: number): Promise<void> {
  const put = (key: string, value: string) => ({
    request_put: { key: btoa(prefix + key), value: btoa(value) },
  });
  for (let last = 1; last <= count; last += 100) {
    const tasks = Array.from({ length: 100 }, (_, i) => ({ ...TASK, id: last + 1 + i }));
    const puts = tasks.map((task) =>
      put(`task/${owner}/0/${`${task.id}`.padStart(16, "0")}`, JSON.stringify(task))
    );
    const body = JSON.stringify({ success: [...puts, put("last", `${last + 100}`)] });
    const url = `http://${memberOf(cluster)}/v3/kv/txn`;
    assert.ok((await fetch(url, { method: "POST", body })).ok);
  }
}

/** Asserts that a user's task cannot be seen. */
async function isGone(store: EtcdStore, owner: string, task: Task): Promise<void> {
  assert.equal(await store.get(owner, task.id), undefined);
  assert.equal((await store.list(owner, {}, 0, 9)).total, 0);
  assert.equal((await store.list(owner, { q: "x" }, 0, 9)).total, 0);
  for await (const slice of store.walk(owner, {}, 0)) assert.deepEqual(slice, []);
  assert.equal(await store.add(owner, TASK), undefined);
  assert.equal(await store.update(owner, task, { title: "y" }), undefined);
  assert.equal(await store.remove(owner, task), false);
}

test("a removed user's tasks are gone at once, their space later", { skip }, async (t) => {
  const { store, user, fates, answers, url, prefix } = await open(t);
  const member = `etcd://${memberOf(cluster)}`;
  const task = await store.add(user.id, TASK) ?? assert.fail();
  await fill(prefix, user.id, 3000);
  assert.equal(await count(`${prefix}task/`), 3001);
  const other = await EtcdStore.open(member, prefix);
  // The removal has been answered; the requests that free the space are not.
  fates.push(answered, ...Array.from({ length: 99 }, () => unanswered));
  assert.equal(await store.removeUser(user), true);
  await isGone(other, user.id, task);
  const again = await other.addUser("a", HASH) ?? assert.fail();
  assert.notEqual(again.id, user.id);
  await isGone(other, user.id, task);
  assert.equal(await count(`${prefix}task/`), 3001);
  const closed = store.close();
  fates.length = 0;
  await closed;
  const next = await EtcdStore.open(url, prefix); // continues the clearing
  while (await count(`${prefix}removed/`) > 0);
  assert.equal(await count(`${prefix}task/`), 0);
  await next.close();
  const pieces = answers.flatMap((answer) => [...answer.matchAll(/"deleted":"(\d+)"/g)])
    .map(([, deleted]) => Number(deleted));
  assert.ok(Math.max(...pieces) <= 1000, `${pieces}`);
});

test(
  "tasks that are so large that a member is slow are read a few at a time",
  { skip },
  async (t) => {
    const { store, user, fates } = await open(t);
    const description = "d".repeat(100_000);
    const tasks: Task[] = [];
    for (let i = 0; i < 30; i++) {
      tasks.push(await store.add(user.id, { ...TASK, description }) ?? assert.fail());
    }
    const slow: Fate = async (pass, response) => {
      const answer = await pass();
      if (answer.length < 1_000_000) response.end(answer);
    };
    fates.push(...Array.from({ length: 99 }, () => slow));
    const { tasks: first, total } = await store.list(user.id, {}, 0, Infinity);
    assert.deepEqual([first, total], [tasks.slice(0, first.length), 30]);
    assert.ok(first.length < 9, `${first.length} tasks in a slice`);
    const rest: Task[] = [];
    for await (const slice of store.walk(user.id, {}, first.at(-1)?.id ?? 0)) rest.push(...slice);
    assert.deepEqual([...first, ...rest], tasks);
  },
);

test("a list is read once, however long it is", { skip }, async (t) => {
  const { store, user, answers, prefix } = await open(t);
  await store.add(user.id, TASK);
  await fill(prefix, user.id, 20_000);
  answers.length = 0;
  let tasks = 0;
  for await (const slice of store.walk(user.id, {}, 0)) tasks += slice.length;
  // The keys that etcd has to count cost its time.
  const counted = answers.flatMap((answer) => [...answer.matchAll(/"count":"(\d+)"/g)])
    .reduce((sum, [, count]) => sum + Number(count), 0);
  assert.equal(tasks, 20_001);
  assert.ok(counted < 5 * tasks, `${counted} counted in ${answers.length} answers`);
});

test("a request ends at its deadline, however many change the same task", { skip }, async (t) => {
  const { store, user, fates } = await open(t);
  await store.add(user.id, TASK);
  const slow: Fate = async (pass, response) => {
    const answer = await pass();
    setTimeout(() => response.end(answer), 200);
  };
  fates.push(...Array.from({ length: 999 }, () => slow));
  const start = performance.now();
  const by = { until: start + 2000, gone: false };
  const changes = await Promise.allSettled(Array.from({ length: 40 }, (_, i) =>
    readAndChange(
      store,
      "task 1",
      async () => await store.get(user.id, 1, by) ?? assert.fail(),
      (task) => store.update(user.id, task, { title: `${i}` }, by),
    )));
  const took = performance.now() - start;
  const done = changes.filter(({ status }) => status === "fulfilled").length;
  for (const change of changes) {
    assert.ok(change.status === "fulfilled" || change.reason instanceof Unavailable);
  }
  assert.ok(took < 2500, `${took} ms`);
  assert.ok(done >= 3, `${done} done`); // one after the other, so they did not fail each other
});

test("work that nobody waits for any more is given up", { skip }, async (t) => {
  const { store, user, answers, prefix } = await open(t);
  await store.add(user.id, TASK);
  await fill(prefix, user.id, 1000);
  answers.length = 0;
  const by = { until: Infinity, gone: false };
  const searched = store.list(user.id, { q: "x" }, 0, 9, by);
  const walked = (async () => {
    for await (const _ of store.walk(user.id, {}, 0, by)) by.gone = true;
  })();
  for (const given of await Promise.allSettled([searched, walked])) {
    assert.ok(given.status === "rejected" && given.reason instanceof Unavailable);
  }
  assert.ok(answers.length < 6, `${answers.length} answers`);
});

test("marks belong to a lease, and a lease that is lost is replaced", { skip }, async (t) => {
  const { store, user, answers } = await open(t);
  await Promise.all([1, 2, 3].map((i) => store.addUser(`u${i}`, HASH)));
  const { ID } = JSON.parse(answers.find((answer) => answer.includes('"ID"')) ?? "{}");
  const ask = async (path: string, content: object) => {
    const body = JSON.stringify(content);
    const url = `http://${memberOf(cluster)}/v3/lease/${path}`;
    return await (await fetch(url, { method: "POST", body })).text();
  };
  const lease = JSON.parse(await ask("timetolive", { ID, keys: true }));
  assert.ok(Number(lease.grantedTTL) <= 3600 && lease.keys.length >= 3);
  await ask("revoke", { ID });
  await store.add(user.id, TASK).catch((error) => assert.ok(error instanceof Unavailable));
  assert.ok(await store.add(user.id, TASK));
});

test("users of an earlier version keep their tasks", { skip }, async () => {
  const { description: _, ...fields } = TASK; // this version had no such field yet
  const prefix = `${randomUUID()}/`;
  const old: [key: string, value: string][] = [
    ["epoch", "old"],
    ["last", "1"],
    ["user/a", JSON.stringify(HASH)],
    ["list/a", ""],
    ["task/a/0/0000000000000001", JSON.stringify({ id: 1, ...fields })],
  ];
  const success = old.map(([key, value]) => ({
    request_put: { key: btoa(prefix + key), value: btoa(value) },
  }));
  const url = `http://${memberOf(cluster)}/v3/kv/txn`;
  assert.ok((await fetch(url, { method: "POST", body: JSON.stringify({ success }) })).ok);
  const store = await EtcdStore.open(cluster?.url ?? "", prefix);
  assert.equal(store.epoch, "old");
  assert.equal(await store.addFirst("b", HASH, []), undefined);
  const user = await store.user("a") ?? assert.fail();
  const task = await store.get(user.id, 1) ?? assert.fail();
  assert.deepEqual(task, { ...TASK, id: 1, revision: task.revision });
  const updated = await store.update(user.id, task, { done: true });
  const changed = await store.updateUser(user, { email: "a@example.com" }) ?? assert.fail();
  assert.deepEqual([changed.id, await store.user("a")], [user.id, changed]);
  assert.deepEqual((await store.list(user.id, {}, 0, 9)).tasks, [updated]);
  assert.equal((await store.add(user.id, TASK))?.id, 2);
  assert.equal(await store.removeUser(changed), true);
  const again = await store.addUser("a", HASH) ?? assert.fail();
  assert.notEqual(again.id, user.id);
  for (const { id } of [user, again]) assert.equal((await store.list(id, {}, 0, 9)).total, 0);
  await store.close();
});
