// The queue of slow work: which job is next, which one is refused, and that no flood keeps others out.

import assert from "node:assert/strict";
import { performance } from "node:perf_hooks";
import { test, type TestContext } from "node:test";
import type { Client } from "../../lib/http/call.ts";
import { HttpError } from "../../lib/http/reply.ts";
import { FairQueue, MOST, MOST_ERRED, networkOf } from "../../lib/todo/queue.ts";
import { PATIENCE_MS, REST_MS } from "../../lib/todo/queue.ts";

const at = (address: string): Client => ({ address, until: Infinity, gone: false });

/** A queue whose work ends when the test says so, under a clock that the test sets. */
function queue(t: TestContext) {
  let now = 1000;
  t.mock.method(performance, "now", () => now);
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const queue = new FairQueue();
  const begun: string[] = [];
  const refused: string[] = [];
  let end: (wasted: boolean) => void = () => {};
  return {
    begun,
    refused,
    /** Adds jobs by name. The first two letters of a name stand for the address. */
    async add(...jobs: (string | [name: string, client: Client])[]) {
      for (const job of jobs) {
        const [name, client] = typeof job === "string" ? [job, at(job.slice(0, 2))] : job;
        const work = () => {
          begun.push(name);
          return new Promise<boolean>((resolve) => end = resolve);
        };
        queue.take(client, work, (wasted) => !wasted).catch((error) => {
          assert.ok(error instanceof HttpError && error.status === 429, String(error));
          assert.equal(error.fields["Retry-After"], "5");
          refused.push(name);
        });
      }
      await settled();
    },
    /** Ends the work under way. */
    async end(how: "wasted" | "useful" = "useful") {
      end(how === "wasted");
      await settled();
    },
    async pass(ms: number) {
      now += ms;
      t.mock.timers.tick(ms);
      await settled();
    },
  };
}

/** Resolves when everything that promises have led to is done. */
const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

test("one job at a time, and no rest after useful work", async (t) => {
  const { add, end, begun } = queue(t);
  await add("A 1", "A 2", "A 3");
  assert.deepEqual(begun, ["A 1"]);
  await end();
  assert.deepEqual(begun, ["A 1", "A 2"]);
  await end();
  assert.deepEqual(begun, ["A 1", "A 2", "A 3"]);
});

test("addresses take turns, however many jobs each has", async (t) => {
  const { add, end, begun } = queue(t);
  await add("A 1", "A 2", "A 3", "A 4", "B 1", "B 2", "C 1");
  for (let i = 0; i < 6; i++) await end();
  assert.deepEqual(begun, ["A 1", "B 1", "C 1", "A 2", "B 2", "A 3", "A 4"]);
});

test("a job that arrives during a turn comes before the next of the same address", async (t) => {
  const { add, end, begun } = queue(t);
  await add("A 1", "A 2", "A 3");
  await end();
  await add("B 1");
  await end();
  assert.deepEqual(begun, ["A 1", "A 2", "B 1"]);
});

test("after an error a network rests; others need not wait for that", async (t) => {
  const { add, end, pass, begun } = queue(t);
  await add("A 1", "A 2");
  await end("wasted");
  assert.deepEqual(begun, ["A 1"]);
  await add("B 1");
  assert.deepEqual(begun, ["A 1", "B 1"]);
  await end();
  await pass(REST_MS - 1);
  assert.deepEqual(begun, ["A 1", "B 1"]);
  await pass(1);
  assert.deepEqual(begun, ["A 1", "B 1", "A 2"]);
});

test("after an error, the CPU rests for as long as the work took", async (t) => {
  const { add, end, pass, begun } = queue(t);
  await add("A 1", "B 1");
  await pass(400);
  await end("wasted");
  await pass(399);
  assert.deepEqual(begun, ["A 1"]);
  await pass(1);
  assert.deepEqual(begun, ["A 1", "B 1"]);
  await add("C 1");
  await pass(400);
  await end(); // after useful work there is no rest
  assert.deepEqual(begun, ["A 1", "B 1", "C 1"]);
});

test("a right password makes up for an error", async (t) => {
  const { add, end, pass, begun } = queue(t);
  for (const [job, how] of [["A 1", "wasted"], ["B 1", "wasted"], ["B 2", "useful"]] as const) {
    await add(job);
    await pass(REST_MS);
    await end(how);
  }
  await add("E 1"); // holds the others back until both have come
  await add("A 2", "B 3");
  await end();
  assert.deepEqual(begun.slice(3), ["E 1", "B 3"]);
});

test("next comes the network that erred longest ago", async (t) => {
  const { add, end, pass, begun } = queue(t);
  await add("A 1", "B 1", "C 1", "D 1");
  for (const how of ["wasted", "wasted", "wasted", "useful"] as const) {
    await pass(1);
    await end(how);
    await pass(1);
  }
  await pass(REST_MS);
  await add("E 1"); // holds the others back until all have come
  await add("C 2", "B 2", "A 2", "D 2");
  for (let i = 0; i < 4; i++) await end(); // D never erred
  assert.deepEqual(begun.slice(4), ["E 1", "D 2", "A 2", "B 2", "C 2"]);
});

test("only the latest errors are kept, so that memory has a bound", async (t) => {
  const { add, end, begun } = queue(t);
  await add("A 1");
  await end("wasted");
  for (let i = 0; i < MOST_ERRED; i++) {
    await add([`${i}`, at(`10.0.${i >> 8}.${i & 255}`)]);
    await end("wasted");
  }
  await add("A 2", ["again", at("10.0.0.9")]);
  await end();
  assert.equal(begun.at(-1), "A 2");
  assert.equal(begun.length, MOST_ERRED + 2);
});

test("a full queue refuses the newest job of the network with most of them", async (t) => {
  const { add, end, begun, refused } = queue(t);
  await add("X 0");
  for (let i = 1; i <= MOST / 2; i++) await add(`A ${i}`, `B ${i}`);
  await add("C 1");
  assert.deepEqual(refused, ["B 8"]);
  await add("C 2", "D 1");
  assert.deepEqual(refused, ["B 8", "A 8", "B 7"]);
  for (let i = 0; i < 5; i++) await end();
  assert.deepEqual(begun, ["X 0", "A 1", "B 1", "C 1", "D 1", "A 2"]);
});

test("a full queue refuses first who erred last", async (t) => {
  const { add, end, pass, refused } = queue(t);
  await add("A 1", "B 1");
  await end("wasted");
  await pass(1);
  await end("wasted");
  await pass(1);
  await add("X 1", "A 2", "B 2");
  for (let i = 3; i <= MOST; i++) await add([`${i}`, at(`192.0.2.${i}`)]);
  assert.deepEqual(refused, []);
  await add("D 1", "B 3", "E 1", "A 3");
  assert.deepEqual(refused, ["B 2", "B 3", "A 2", "A 3"]);
});

test("if every waiting job is from a different network, new jobs are refused", async (t) => {
  const { add, end, begun, refused } = queue(t);
  const names = Array.from({ length: MOST + 1 }, (_, i) => `${String.fromCharCode(65 + i)} 1`);
  await add(...names, "x 1", "y 1");
  assert.deepEqual(refused, ["x 1", "y 1"]);
  for (const _ of names) await end();
  assert.deepEqual(begun, names);
  await add("z 1"); // and the queue goes on
  assert.equal(begun.at(-1), "z 1");
});

test("a client that has gone gets no work, and its place is free", async (t) => {
  const { add, end, begun, refused } = queue(t);
  const gone = { address: "A ", until: Infinity, gone: false };
  await add("A 1");
  for (let i = 0; i < MOST; i++) await add([`gone ${i}`, gone]);
  gone.gone = true;
  await add("A 2", "A 3");
  assert.equal(refused.length, MOST);
  await end();
  await end();
  assert.deepEqual(begun, ["A 1", "A 2", "A 3"]);
});

test("a job is refused at the end of its patience, and not later", async (t) => {
  const { add, end, pass, begun, refused } = queue(t);
  await add("A 1", "B 1");
  await pass(PATIENCE_MS - 1);
  await add("C 1");
  assert.deepEqual(refused, []);
  await pass(1);
  assert.deepEqual(refused, ["B 1"]);
  await end();
  assert.deepEqual(begun, ["A 1", "C 1"]);
});

test("the failure of a job goes to its caller, and the next job begins", async () => {
  const queue = new FairQueue();
  const failed = queue.take(at("A"), () => Promise.reject(new Error("no memory")));
  const next = queue.take(at("A"), () => Promise.resolve(1));
  await assert.rejects(failed, /no memory/);
  assert.equal(await next, 1);
});

/** A queue with work of 350 ms under a clock that the test sets; and who got in. */
function crowd(t: TestContext) {
  let now = 1000;
  t.mock.method(performance, "now", () => now);
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const queue = new FairQueue();
  const work = () => new Promise<void>((resolve) => setTimeout(resolve, 350));
  const attempt = (address: string, right: boolean) =>
    queue.take(at(address), work, () => right).then(() => true, () => false);
  /** Sends right passwords from an address, as Retry-After says. Resolves with the time. */
  const signIn = async (address: string): Promise<number> => {
    const begin = now;
    while (!await attempt(address, true)) await new Promise((resolve) => setTimeout(resolve, 5000));
    return now - begin;
  };
  /** Sends wrong passwords from each address, for ever. */
  const flood = (addresses: string[]) => {
    const again = async (address: string) => {
      for (;;) {
        await attempt(address, false);
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    };
    for (const address of addresses) void again(address);
  };
  const pass = async (ms: number) => {
    for (let i = 0; i < ms; i += 50) {
      now += 50;
      t.mock.timers.tick(50);
      await settled();
    }
  };
  /** Lets time pass until the promise is settled. */
  const until = async <T>(promise: Promise<T>): Promise<T> => {
    let done = false;
    const mark = () => void (done = true);
    promise.then(mark, mark);
    while (!done) await pass(50);
    return await promise;
  };
  return { attempt, signIn, flood, pass, until };
}

const ipv4 = (count: number) => Array.from({ length: count }, (_, i) => `203.0.113.${i}`);
const slash56 = Array.from(
  { length: 256 },
  (_, i) => `2001:db8:0:ff${i.toString(16).padStart(2, "0")}::1`,
);

for (
  const [name, networks, ms] of [["40 networks", ipv4(40), 30_000], [
    "an IPv6 /56",
    slash56,
    2000,
  ]] as const
) {
  test(`a flood from ${name} keeps nobody out, once each has erred`, async (t) => {
    const { signIn, flood, pass, until } = crowd(t);
    flood([...networks]);
    await pass(ms);
    for (let i = 0; i < 5; i++) {
      const ms = await until(signIn(`192.0.2.${i}`));
      assert.ok(ms < 1500, `${ms} ms`);
    }
  });
}

for (const count of [1, 2, 4, 8]) {
  test(`whoever mistypes once while ${count} networks flood gets in soon`, async (t) => {
    const { attempt, signIn, flood, pass, until } = crowd(t);
    flood(ipv4(count));
    await pass(10_000);
    for (let i = 0; i < 3; i++) {
      const address = `192.0.2.${i}`;
      assert.equal(await until(attempt(address, false)), true);
      const ms = await until(signIn(address));
      assert.ok(ms < 10_000, `${ms} ms`);
      assert.ok(await until(signIn(address)) < 1500); // the right password made up for it
    }
  });
}

test("30 accounts behind one address all get in within 20 s", async (t) => {
  const { signIn, until } = crowd(t);
  const times = await until(Promise.all(Array.from({ length: 30 }, () => signIn("192.0.2.1"))));
  assert.ok(Math.max(...times) < 20_000, `${times}`);
});

test("new passwords from one network do not hold up another", async (t) => {
  const { pass, until } = crowd(t);
  const queue = new FairQueue();
  const work = () => new Promise<void>((resolve) => setTimeout(resolve, 350));
  const hash = (address: string) => queue.take(at(address), work).then(() => true, () => false);
  for (let i = 0; i < 50; i++) void hash("203.0.113.1");
  await pass(100);
  let done = false;
  void hash("192.0.2.1").then((ok) => done = ok);
  await until(pass(700));
  assert.ok(done);
});

test("an IPv4 address is a network, and so is the /56 of an IPv6 address", () => {
  const rows: [address: string, network: string][] = [
    ["192.0.2.1", "192.0.2.1"],
    ["2001:db8:1:2:3:4:5:6", "20010db8000100"],
    ["2001:db8:1:ff::", "20010db8000100"],
    ["2001:db8:1:1ff::", "20010db8000101"],
    ["2001:db8::1", "20010db8000000"],
    ["2001:db8::1:2:3:4:5", "20010db8000000"],
    ["fe80::1%eth0", "fe800000000000"],
    ["unknown", "unknown"],
    ["", ""],
  ];
  for (const [address, network] of rows) assert.equal(networkOf(address), network, address);
  assert.equal(networkOf("::1"), networkOf("::2"));
  assert.notEqual(networkOf("::1"), networkOf("1::1"));
});
