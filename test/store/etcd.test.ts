// The etcd store alone: requests and answers that get lost, members that fail, long lists.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import { after, before, test, type TestContext } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { CALL_MS, Cluster as Members, soon } from "../../lib/store/etcd/cluster.ts";
import { Leases } from "../../lib/store/etcd/leases.ts";
import { EtcdStore } from "../../lib/store/etcd/store.ts";
import {
  Full,
  INITIAL,
  ListFull,
  MOST_IN_LIST,
  sizeOf,
  type Store,
  type Task,
  TooLarge,
  Unavailable,
  Unusable,
  type User,
} from "../../lib/store/store.ts";
import { type Cluster, freePorts, HOST, NO_ETCD, startCluster } from "../tools/etcd.ts";

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

const isWrite = (path: string, body: string) =>
  path.endsWith("grant") || body.includes("request_put") || body.includes("request_delete_range");

/**
 * Opens a store with the user a, through a gateway that deals these fates to the next requests, or
 * to the next ones that write.
 */
async function open(t: TestContext) {
  const member = memberOf(cluster);
  const fates: Fate[] = [];
  const writeFates: Fate[] = [];
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
    const ofWrites = isWrite(request.url ?? "", body) ? writeFates.shift() : undefined;
    await (ofWrites ?? fates.shift() ?? answered)(pass, response);
  });
  await once(gateway.listen(0, "127.0.0.1"), "listening");
  t.after(() => gateway.close().closeAllConnections());
  const address = gateway.address();
  const port = typeof address === "object" ? address?.port : undefined;
  const [url, prefix] = [`etcd://127.0.0.1:${port}`, `${randomUUID()}/`];
  const store = await EtcdStore.open(url, prefix);
  const user = await store.addUser("a", HASH) ?? assert.fail();
  return { store, user, fates, writeFates, answers, url, prefix };
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
      for (const which of ["of all", "of writes"]) {
        const { store, user, fates, writeFates } = await open(t);
        const task = await store.add(user.id, TASK) ?? assert.fail();
        (which === "of all" ? fates : writeFates).push(...lost);
        const written = await write(store, task, user);
        fates.length = 0;
        assert.deepEqual(writeFates, []);
        const { tasks } = await store.list(user.id);
        const there = [...tasks, await store.user("a"), await store.user("b")];
        if (typeof written === "object") assert.deepEqual(there.filter(equals(written)), [written]);
        const state = { written: unrevised(written), there: there.map(unrevised) };
        assert.deepEqual(state, expected ??= state, `${name}, ${loss} ${which}`);
      }
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
    const { store, user, writeFates, answers } = await open(t);
    const task = await store.add(user.id, TASK) ?? assert.fail();
    let late: Parameters<Fate>[0] = assert.fail;
    const delayed: Fate = (pass, response) => {
      late = pass;
      response.destroy();
    };
    writeFates.push(delayed, answered, refused(429, "etcdserver: mvcc: database space exceeded"));
    await assert.rejects(async () => await write(store, task, user), Unavailable, name);
    await late();
    assert.ok(!answers.at(-1)?.includes("succeeded"), name);
    const there = [...(await store.list(user.id)).tasks, await store.user("a")];
    assert.deepEqual([...there, await store.user("b")], [task, user, undefined], name);
  }
});

test("a registration that was refused adds nobody later", { skip }, async (t) => {
  const { store, user, writeFates } = await open(t);
  let late: Parameters<Fate>[0] = assert.fail;
  writeFates.push(async (pass, response) => {
    response.end(await pass());
    late = pass; // a second copy of the request
  });
  assert.equal(await store.addUser("a", { ...HASH, password: "another" }), undefined);
  assert.equal(await store.removeUser(user), true);
  await late();
  assert.equal(await store.user("a"), undefined);
});

test("a request that etcd refuses is not repeated, and the error says why", { skip }, async (t) => {
  const { store, user, writeFates, answers } = await open(t);
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
    writeFates.push(refused(status, says));
    const before = answers.length;
    await assert.rejects(store.add(user.id, TASK), (thrown: Error) => {
      assert.ok(thrown instanceof error, says);
      assert.match(thrown.message, message);
      return true;
    });
    assert.equal(answers.length, before + 1, says); // a read
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
  assert.equal((await third.list(user.id)).total, 1);
  assert.equal(fates.length, 1); // it stays with the one that answers
});

test(
  "every call ends in its time, however many wait, without a lease, too",
  { skip },
  async (t) => {
    for (const which of ["of all", "of writes"]) {
      const { user, url, prefix, fates, writeFates } = await open(t);
      const store = await EtcdStore.open(url, prefix); // it has no lease yet
      const lost = which === "of all" ? fates : writeFates;
      lost.push(...Array.from({ length: 99 }, () => unanswered));
      const start = performance.now();
      const took: number[] = [];
      const writes = [
        ...Array.from({ length: 4 }, () => store.add(user.id, TASK)),
        store.addUser("b", HASH),
        store.updateUser(user, { email: "a@example.com" }),
        store.removeUser(user),
      ];
      const reads = [store.get(user.id, 1), store.user("a"), store.list(user.id)];
      const asked: Promise<unknown>[] = which === "of all" ? [...writes, ...reads] : writes;
      for (const one of asked) {
        one.catch(() => took.push(performance.now() - start));
      }
      for (const one of await Promise.allSettled(asked)) {
        assert.ok(one.status === "rejected" && one.reason instanceof Unavailable);
      }
      assert.ok(Math.max(...took) < CALL_MS + 500, `${took.map(Math.round)} ms`);
    }
  },
);

test("a member that is slow is not asked again and again", { skip }, async (t) => {
  const { store, user, fates } = await open(t);
  let asked = 0;
  const slow: Fate = async (pass, response) => {
    asked++;
    const answer = await pass();
    setTimeout(() => response.end(answer), 1200);
  };
  fates.push(...Array.from({ length: 99 }, () => slow));
  await store.user("a"); // learns that it is slow
  asked = 0;
  for (let i = 0; i < 3; i++) await store.user("a");
  assert.equal(asked, 3);
  assert.equal((await store.add(user.id, TASK))?.id, 1);
  assert.equal(asked, 5); // it reads, then it writes
});

test("the end of an old token leaves the new one", async (t) => {
  let tokens = 0;
  let held: (() => void) | undefined;
  const member = createServer(async (request, response) => {
    const { name } = JSON.parse(await text(request));
    const { authorization } = request.headers;
    if (request.url?.endsWith("authenticate")) {
      response.end(JSON.stringify({ header: {}, token: `token ${++tokens}` }));
    } else if (authorization !== "token 1") {
      response.end(JSON.stringify({ header: {} }));
    } else {
      const refuse = () => refused(401, "etcdserver: invalid auth token")(assert.fail, response);
      if (name === "late") held = refuse;
      else refuse();
    }
  });
  await once(member.listen(0, "127.0.0.1"), "listening");
  t.after(() => member.close().closeAllConnections());
  const address = member.address();
  const url = `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
  const one = new Members([url], { name: "todo", password: "open sesame" });
  const late = one.ask("kv/txn", { name: "late" }, soon());
  while (held === undefined) await new Promise(setImmediate);
  await one.ask("kv/txn", { name: "early" }, soon());
  held();
  await late;
  assert.equal(tokens, 2);
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
  const { prefix, user } = await open(t);
  const url = cluster?.url ?? assert.fail();
  const stores = await Promise.all([1, 2, 3].map(() => EtcdStore.open(url, prefix)));
  assert.equal(new Set(stores.map(({ epoch }) => epoch)).size, 1);
  const tasks = (await Promise.all(stores.flatMap((store) =>
    Array.from({ length: 10 }, async () =>
      await store.add(user.id, TASK) ?? assert.fail())
  ))).sort((a, b) =>
    a.id - b.id
  );
  assert.deepEqual(tasks.map(({ id }) => id), Array.from({ length: 30 }, (_, i) => i + 1));
  for (const store of stores) assert.deepEqual((await store.list(user.id)).tasks, tasks);
  const [task = assert.fail()] = tasks;
  const changes = await Promise.all(
    stores.map((store) => store.update(user.id, task, { done: true })),
  );
  assert.equal(changes.filter((changed) => changed !== undefined).length, 1);
});

test("a long list is as it was at one moment", { skip }, async (t) => {
  const { store, user, fates, prefix } = await open(t);
  await store.add(user.id, TASK);
  await fill(prefix, user.id, 2500);
  const before = await store.list(user.id);
  assert.deepEqual([before.total, before.tasks.at(-1)?.id], [2501, 2501]);
  const other = await EtcdStore.open(`etcd://${memberOf(cluster)}`, prefix);
  const change = async () => {
    const last = await other.get(user.id, 2501) ?? assert.fail();
    await other.update(user.id, last, { done: !last.done });
  };
  const changed: Fate = async (pass, response) => {
    await change();
    response.end(await pass());
  };
  fates.push(answered, changed);
  assert.deepEqual(await store.list(user.id), before);
  assert.equal(fates.length, 0);

  // If etcd is compacted meanwhile, that moment can no longer be read, so another one is.
  const compacted: Fate = async (pass, response) => {
    await change();
    const { revision } = await other.list(user.id);
    const body = JSON.stringify({ revision: `${revision}` });
    await fetch(`http://${memberOf(cluster)}/v3/kv/compaction`, { method: "POST", body });
    response.end(await pass());
  };
  fates.push(answered, compacted);
  const after = await store.list(user.id);
  assert.deepEqual(after, await other.list(user.id));
  assert.ok(after.revision > before.revision);
});

test("tasks are read by their ids, near or far", { skip }, async (t) => {
  const { store, user, answers, prefix } = await open(t);
  await store.add(user.id, TASK);
  await fill(prefix, user.id, 2000);
  const some = (count: number, step: number) =>
    Array.from({ length: count }, (_, i) => 1 + i * step);
  for (const ids of [some(350, 1), some(350, 3), some(220, 9), [7, 2000, 1, 9999, 8], [5], []]) {
    answers.length = 0;
    const tasks = await store.read(user.id, ids);
    assert.deepEqual(tasks.map(({ id }) => id), ids.filter((id) => id <= 2001));
    assert.ok(answers.length <= 4, `${answers.length} answers for ${ids}`);
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
    for (const title of [description, description.repeat(2)]) {
      const update = () => store.update(user.id, task, { title });
      let error: unknown;
      do error = await update().catch((error) => error); while (error instanceof Unavailable); // a slow machine may need longer than a call may take
      assert.ok(error instanceof TooLarge, `${error}`);
    }
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
  await assert.rejects(store.add(user.id, TASK), Unavailable); // it may have been done
  assert.equal((await store.add(user.id, TASK))?.id, 1);
  assert.equal((await store.add(user.id, TASK))?.id, 2);
});

/** How many keys there are that begin with a prefix. */
async function count(prefix: string): Promise<number> {
  const [key, range_end] = [prefix, prefix.slice(0, -1) + "0"].map((key) => btoa(key)); // 0 comes after /
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
      put(`task/${owner}/${`${task.id}`.padStart(16, "0")}`, JSON.stringify(task))
    );
    const body = JSON.stringify({ success: [...puts, put("last", `${last + 100}`)] });
    const url = `http://${memberOf(cluster)}/v3/kv/txn`;
    assert.ok((await fetch(url, { method: "POST", body })).ok);
  }
}

test("a removed user's tasks are gone, and their space is free", { skip }, async (t) => {
  const { store, user, prefix } = await open(t);
  const task = await store.add(user.id, TASK) ?? assert.fail();
  await fill(prefix, user.id, 3000);
  assert.equal(await count(`${prefix}task/`), 3001);
  assert.equal(await store.removeUser(user), true);
  assert.equal(await count(`${prefix}task/`), 0);
  assert.equal(await store.get(user.id, task.id), undefined);
  assert.deepEqual(await store.list(user.id), { tasks: [], total: 0, revision: 0 });
  assert.equal(await store.add(user.id, TASK), undefined);
  assert.equal(await store.update(user.id, task, { title: "y" }), undefined);
  assert.equal(await store.remove(user.id, task), false);
  assert.equal(await count(`${prefix}task/`) + await count(`${prefix}list/`), 0);
});

/** The size of a list, as etcd has it; with a new one, writes that first. */
async function sizeIn(prefix: string, owner: string, size?: number): Promise<number> {
  const key = btoa(`${prefix}list/${owner}`);
  const ask = async (path: string, content: object) => {
    const body = JSON.stringify({ key, ...content });
    return await (await fetch(`http://${memberOf(cluster)}/v3/kv/${path}`, {
      method: "POST",
      body,
    }))
      .json() as { readonly kvs?: readonly { readonly value: string }[] };
  };
  if (size !== undefined) await ask("put", { value: btoa(`${size}`) });
  return Number(atob((await ask("range", {})).kvs?.[0]?.value ?? ""));
}

test(
  "changes of one list at the same time all succeed, and its size is right",
  { skip },
  async (t) => {
    const { prefix, user } = await open(t);
    const url = cluster?.url ?? assert.fail();
    const stores = await Promise.all([1, 2, 3].map(() => EtcdStore.open(url, prefix)));
    const some = Array.from({ length: 30 }, (_, i) => stores[i % 3] ?? assert.fail());
    const tasks = await Promise.all(some.map((store) => store.add(user.id, TASK)));
    const changed = await Promise.all(some.map((store, i) => {
      const task = tasks[i] ?? assert.fail();
      if (i % 5 === 0) return store.remove(user.id, task);
      return store.update(user.id, task, i % 2 === 0 ? { done: true } : { title: "x".repeat(i) });
    }));
    assert.ok(changed.every(Boolean));
    const left = (await stores[0]?.list(user.id))?.tasks ?? assert.fail();
    assert.equal(left.length, 24);
    const size = left.reduce((sum, task) => sum + sizeOf(task), 0);
    assert.equal(await sizeIn(prefix, user.id), size);
  },
);

test("a list takes no more than its room, however many servers add", { skip }, async (t) => {
  const { prefix, user, store } = await open(t);
  const url = cluster?.url ?? assert.fail();
  const task = await store.add(user.id, TASK) ?? assert.fail();
  await sizeIn(prefix, user.id, MOST_IN_LIST - 5 * sizeOf(TASK));
  const stores = await Promise.all([1, 2, 3].map(() => EtcdStore.open(url, prefix)));
  const added = await Promise.allSettled(
    stores.flatMap((store) => [1, 2, 3, 4].map(() => store.add(user.id, TASK))),
  );
  assert.equal(added.filter(({ status }) => status === "fulfilled").length, 5);
  for (const one of added) assert.ok(one.status === "fulfilled" || one.reason instanceof ListFull);
  assert.equal(await sizeIn(prefix, user.id), MOST_IN_LIST);
  await assert.rejects(store.update(user.id, task, { title: "xy" }), ListFull);
  const shorter = await store.update(user.id, task, { title: "y" }) ?? assert.fail();
  assert.equal(await store.remove(user.id, shorter), true);
  assert.ok(await store.add(user.id, TASK));
});

test("a call waits for the lease of another one only if it has as much time", () => {
  const asked: number[] = [];
  class Silent extends Members {
    override ask(_: string, __: object, by: number): Promise<never> {
      asked.push(by);
      return new Promise(() => {});
    }
  }
  const leases = new Leases(new Silent([]));
  for (const by of [1e9 + 1, 1e9 + 2, 1e9, 1e9 + 3]) leases.current(by);
  assert.deepEqual(asked, [1e9 + 1, 1e9]);
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

test(
  "a cluster of another version is refused, in a line that says what to do",
  { skip },
  async () => {
    for (const key of ["epoch", "users"]) {
      const prefix = `${randomUUID()}/`;
      const content = { key: btoa(prefix + key), value: btoa("old") };
      const url = `http://${memberOf(cluster)}/v3/kv/put`;
      assert.ok((await fetch(url, { method: "POST", body: JSON.stringify(content) })).ok);
      await assert.rejects(EtcdStore.open(cluster?.url ?? "", prefix), (error: Error) => {
        assert.ok(error instanceof Unusable);
        assert.match(error.message, /^another version .*: start that version, and move .*$/);
        return true;
      });
      assert.equal(await count(prefix), 1);
    }
  },
);
