// Passwords and their hashes, and their queue: which job is next, and which one is refused.

import assert from "node:assert/strict";
import { performance } from "node:perf_hooks";
import process from "node:process";
import { test, type TestContext } from "node:test";
import type { Client } from "../../lib/http/call.ts";
import { HttpError } from "../../lib/http/reply.ts";
import { TUTORIAL } from "../../lib/todo/first.ts";
import { Passwords } from "../../lib/todo/passwords.ts";
import { FairQueue, MOST, MOST_EACH, MOST_SUSPECTS, networkOf } from "../../lib/todo/queue.ts";
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
        queue.take(client, work, (wasted) => wasted).catch((error) => {
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

const CLIENT = at("127.0.0.1");
const CHEAP = "scrypt$8$8$1";
const REAL = "scrypt$17$8$1";
const KEY = String.raw`\$[A-Za-z0-9+/]{22}==\$[A-Za-z0-9+/]{43}=$`; // and its salt

test("a hash fits one password only, and a salt makes each hash different", async () => {
  const passwords = new Passwords(CHEAP);
  const hash = await passwords.hash("correct horse", CLIENT);
  assert.match(hash, new RegExp(String.raw`^scrypt\$8\$8\$1${KEY}`));
  assert.notEqual(await passwords.hash("correct horse", CLIENT), hash);
  assert.equal(await passwords.verify("correct horse", hash, CLIENT), hash);
  assert.equal(await passwords.verify("correct horsf", hash, CLIENT), undefined);
  const others = ["", "$", `${CHEAP}$$`, hash.slice(0, -1), `${hash}=`, undefined];
  for (const [i, other] of others.entries()) { // each network rests after a wrong password
    assert.equal(await passwords.verify("", other, at(`127.0.1.${i}`)), undefined, `${other}`);
  }
});

test("a hash costs what OWASP advises, and the tutorial's hash is one", async () => {
  const passwords = new Passwords();
  const { password, hash } = TUTORIAL;
  assert.match(hash, new RegExp(String.raw`^scrypt\$17\$8\$1${KEY}`));
  assert.equal(await passwords.verify(password, hash, CLIENT), hash);
  assert.ok(passwords.isUsual(hash) && passwords.isUsual(await passwords.hash("x", CLIENT)));
  const old = hash.replace(`${REAL}$`, ""); // before a hash told its cost
  assert.equal(await passwords.verify(password, old, CLIENT), old);
});

test("a hash of another cost is still right, and comes back with today's cost", async () => {
  const passwords = new Passwords(CHEAP);
  for (const cost of ["scrypt$4$8$1", "scrypt$9$8$1", "scrypt$8$4$1", "scrypt$8$8$2"]) {
    const old = await new Passwords(cost).hash("correct horse", CLIENT);
    assert.ok(old.startsWith(`${cost}$`) && !passwords.isUsual(old));
    const kept = await passwords.verify("correct horse", old, CLIENT) ?? "";
    assert.ok(passwords.isUsual(kept), kept);
    assert.equal(await passwords.verify("correct horse", kept, CLIENT), kept);
    assert.equal(await passwords.verify("correct horsf", old, at(cost)), undefined);
  }
});

test("an unknown name takes as long as a wrong password", async () => {
  const passwords = new Passwords("scrypt$16$8$1");
  const hash = await passwords.hash("correct horse", CLIENT);
  const costOf = async (hash: string | undefined, address: string) => {
    const before = process.cpuUsage(); // of all threads; a busy machine does not change it
    assert.equal(await passwords.verify("", hash, at(address)), undefined);
    return process.cpuUsage(before).user;
  };
  const [unknown, wrong] = [await costOf(undefined, "a"), await costOf(hash, "b")];
  assert.ok(unknown > wrong / 2 && wrong > unknown / 2, `${unknown} and ${wrong} µs`);
});

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

test("after wasted work the same address rests; others need not wait for that", async (t) => {
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

test("all addresses that sent wrong passwords rest together", async (t) => {
  const { add, end, pass, begun } = queue(t);
  await add("A 1", "B 1", "C 1");
  await end("wasted"); // A 1
  await pass(REST_MS / 2);
  await end("wasted"); // B 1
  await end("useful"); // C 1
  await add("A 2");
  await pass(REST_MS - 1);
  await add("B 2");
  assert.deepEqual(begun, ["A 1", "B 1", "C 1"]);
  await pass(1);
  await end("wasted"); // A 2
  await pass(REST_MS);
  assert.deepEqual(begun, ["A 1", "B 1", "C 1", "A 2", "B 2"]);
});

test("only the latest suspects are kept, so that memory has a bound", async (t) => {
  const { add, end, begun } = queue(t);
  await add("A 1");
  await end("wasted");
  for (let i = 0; i < MOST_SUSPECTS; i++) {
    await add([`${i}`, at(`192.0.2.${i}`)]);
    await end("wasted");
  }
  await add(["99 again", at("192.0.2.99")], "A 2");
  assert.equal(begun.at(-1), "A 2");
  assert.equal(begun.length, MOST_SUSPECTS + 2);
});

test("an address has so many places, and the newest job too many is refused", async (t) => {
  const { add, refused } = queue(t);
  await add("A 0");
  for (let i = 1; i <= MOST_EACH; i++) await add(`A ${i}`);
  assert.deepEqual(refused, []);
  await add("A x", "A y");
  assert.deepEqual(refused, ["A x", "A y"]);
  await add("B 1");
  assert.deepEqual(refused, ["A x", "A y"]);
});

test("in a full queue, a new job replaces the newest of the address with most jobs", async (t) => {
  const { add, end, begun, refused } = queue(t);
  await add("X 0");
  const [a, b] = [8, 8];
  assert.equal(a + b, MOST);
  for (let i = 1; i <= a; i++) await add(`A ${i}`);
  for (let i = 1; i <= b; i++) await add(`B ${i}`);
  await add("C 1");
  assert.deepEqual(refused, ["A 8"]);
  await add("C 2", "D 1");
  assert.deepEqual(refused, ["A 8", "B 8", "A 7"]);
  await add("A 9"); // B has 7 and A would have 7: no reason to prefer A
  assert.deepEqual(refused.at(-1), "A 9");
  for (let i = 0; i < 4; i++) await end();
  assert.deepEqual(begun, ["X 0", "A 1", "B 1", "C 1", "D 1"]);
});

test("if every waiting job is from a different address, new jobs are refused", async (t) => {
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
  for (let i = 0; i < MOST_EACH; i++) await add([`gone ${i}`, gone]);
  gone.gone = true;
  await add("A 2", "A 3");
  assert.equal(refused.length, MOST_EACH);
  await end();
  await end();
  assert.deepEqual(begun, ["A 1", "A 2", "A 3"]);
});

test("a job that has waited too long is refused", async (t) => {
  const { add, end, pass, begun, refused } = queue(t);
  await add("A 1", "B 1");
  await pass(PATIENCE_MS - 1);
  await add("C 1");
  await pass(1);
  await end();
  assert.deepEqual([begun, refused], [["A 1", "C 1"], ["B 1"]]);
});

test("the failure of a job goes to its caller, and the next job begins", async () => {
  const queue = new FairQueue();
  const failed = queue.take(at("A"), () => Promise.reject(new Error("no memory")));
  const next = queue.take(at("A"), () => Promise.resolve(1));
  await assert.rejects(failed, /no memory/);
  assert.equal(await next, 1);
});

test("an IPv4 address is a network, and so is the /64 of an IPv6 address", () => {
  const rows: [address: string, network: string][] = [
    ["192.0.2.1", "192.0.2.1"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["::FFFF:192.0.2.1", "192.0.2.1"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2"],
    ["2001:db8:1:2::", "2001:db8:1:2"],
    ["2001:db8::1", "2001:db8:0:0"],
    ["2001:db8::1:2:3:4:5", "2001:db8:0:1"],
    ["fe80::1%eth0", "fe80:0:0:0"],
    ["unknown", "unknown"],
    ["", ""],
  ];
  for (const [address, network] of rows) assert.equal(networkOf(address), network, address);
  assert.equal(networkOf("::1"), networkOf("::2"));
  assert.notEqual(networkOf("::1"), networkOf("1::1"));
});
