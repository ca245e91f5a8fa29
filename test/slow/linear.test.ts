// Whether several servers that share a cluster behave like one: every history of one task must be
// explained by a task that changes at one moment within each request. Requests and answers of etcd
// get lost. Wing and Gong's search looks for an explanation.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import process from "node:process";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { after, before, test, type TestContext } from "node:test";
import { EtcdStore } from "../../lib/store/etcd/store.ts";
import { INITIAL, type Store, type Task, Unavailable } from "../../lib/store/store.ts";
import { type Cluster, NO_ETCD, startCluster } from "../tools/etcd.ts";

const skip = NO_ETCD;
const TASKS = 30;
const CLIENTS = 5;
const REQUESTS = 10; // of each client
const GONE = "gone";

let cluster: Cluster | undefined;
before(async () => skip || (cluster = await startCluster(1)));
after(() => cluster?.stop());

/**
 * A request of one client. It read a title, or it was to change the title `expected` to `next`. It
 * did so, or did not, or that is unknown. Each title is used once.
 */
interface Operation {
  readonly start: number;
  readonly end: number;
  readonly expected: string;
  readonly next?: string;
  readonly done: boolean | undefined;
}

/** Whether some order of the operations explains them all. */
function explains(history: readonly Operation[], first: string): boolean {
  const tried = new Set<string>();
  const search = (left: readonly Operation[], title: string): boolean => {
    if (left.every(({ done }) => done === undefined)) return true; // these may never take effect
    const key = `${title} ${left.map((operation) => history.indexOf(operation))}`;
    if (tried.has(key)) return false;
    tried.add(key);
    // The next one is one that began before any other had ended.
    const end = Math.min(...left.map(({ end }) => end));
    return left.filter(({ start }) => start <= end).some((operation) => {
      const { expected, next = title, done } = operation;
      const rest = left.filter((other) => other !== operation);
      if (done === false) return expected !== title && search(rest, title);
      return expected === title && search(rest, next);
    });
  };
  return search(history, first);
}

const at = (start: number, end: number, expected: string, next?: string, done?: boolean) => ({
  ...{ start, end, expected, done: next === undefined || done },
  ...(next === undefined ? {} : { next }),
});

test("a history is explained, or it is not", () => {
  const rows: [explained: boolean, history: Operation[]][] = [
    [true, [at(0, 1, "0"), at(2, 3, "0", "1", true), at(4, 5, "1")]],
    [false, [at(0, 1, "0", "1", true), at(2, 3, "0")]], // a lost write
    [true, [at(0, 3, "0", "1", true), at(1, 2, "0"), at(2, 4, "1")]],
    [false, [at(0, 9, "0", "1", true), at(1, 2, "1"), at(3, 4, "0")]], // back in time
    [false, [at(0, 1, "0", "1", true), at(0, 1, "0", "2", true)]], // both changed the same
    [true, [at(0, 1, "0", "1", true), at(0, 1, "0", "2", false)]],
    [false, [at(0, 1, "0", "1", false)]], // refused for no reason
    [true, [at(0, Infinity, "0", "1"), at(2, 3, "1")]], // it took effect later
    [true, [at(0, Infinity, "0", "1"), at(2, 3, "0")]],
    [false, [at(0, Infinity, "0", "1"), at(2, 3, "1"), at(4, 5, "0")]],
  ];
  for (const [explained, history] of rows) {
    assert.equal(explains(history, "0"), explained, JSON.stringify(history));
  }
});

/** Park and Miller's random numbers below 1: the same ones for the same seed. */
function random(seed: number) {
  return () => (seed = seed * 48271 % 2147483647) / 2147483647;
}

/** A proxy to etcd that loses or delays requests and answers. */
async function lossy(t: TestContext, chance: () => number): Promise<string> {
  const member = cluster?.members[0]?.address ?? assert.fail();
  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    response.setHeader("Connection", "close");
    const body = await text(request);
    const pass = async () => {
      const answer = await fetch(`http://${member}${request.url}`, { method: "POST", body });
      return [answer.status, await answer.text()] as const;
    };
    const fate = chance();
    if (fate < 0.05) return void response.destroy();
    if (fate < 0.1) await new Promise((resolve) => setTimeout(resolve, 50 * chance()));
    const [status, answer] = await pass();
    if (fate > 0.95) return void response.destroy();
    if (fate > 0.92) await pass(); // twice
    response.writeHead(status).end(answer);
  };
  // The store may give up a request while it comes.
  const gateway = createServer((request, response) => {
    handle(request, response).catch(() => response.destroy());
  });
  await once(gateway.listen(0, "127.0.0.1"), "listening");
  t.after(() => gateway.close().closeAllConnections());
  const address = gateway.address();
  return `etcd://127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
}

/** Lets clients read and change one task through several stores. */
async function historyOf(
  stores: readonly Store[],
  owner: string,
  chance: () => number,
): Promise<Operation[]> {
  const [store = assert.fail()] = stores;
  const { id } = await again(() => store.add(owner, { ...INITIAL, title: "0" })) ?? assert.fail();
  const history: Operation[] = [];
  const client = async (number: number) => {
    const store = stores[number % stores.length] ?? assert.fail();
    let read: Task | undefined;
    for (let i = 0; i < REQUESTS; i++) {
      const start = performance.now();
      const note = (expected: string, done: boolean | undefined, next?: string) => {
        const end = done === undefined ? Infinity : performance.now();
        history.push({ start, end, expected, done, ...(next === undefined ? {} : { next }) });
      };
      if (read === undefined || chance() < 0.3) {
        const task: Task | undefined | Error = await inTime(store.get(owner, id));
        if (task instanceof Error) continue;
        note(task?.title ?? GONE, true);
        read = task ?? read;
      } else {
        const next = chance() < 0.03 ? GONE : `${number}.${i}`;
        const changes = { title: next, done: chance() < 0.5 };
        const { title } = read;
        const written: Task | boolean | undefined | Error = await inTime<
          Task | boolean | undefined
        >(
          next === GONE ? store.remove(owner, read) : store.update(owner, read, changes),
        );
        note(title, written instanceof Error ? undefined : Boolean(written), next);
        if (typeof written === "object" && !(written instanceof Error)) {
          read = written;
        }
      }
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, (_, i) => client(i)));
  return history;
}

/** What a client is told, or an error: it does not wait for long. */
async function inTime<T>(request: Promise<T>): Promise<T | Unavailable> {
  const late = delay(300, undefined, { ref: false }).then(() => new Unavailable());
  return await Promise.race([request.catch(unavailable), late]);
}

/** Tries what does not belong to a history until it is done. */
async function again<T>(attempt: () => Promise<T> | undefined): Promise<T | undefined> {
  for (;;) {
    const done = await attempt()?.catch(unavailable);
    if (!(done instanceof Unavailable)) return done;
  }
}

function unavailable(error: unknown): Unavailable {
  if (error instanceof Unavailable) return error;
  throw error;
}

/** Makes stores that share a list, and counts the histories that nothing explains. */
async function unexplained(
  t: TestContext,
  make: (url: string, prefix: string) => Promise<Store>,
): Promise<number> {
  const seed = Number(process.env["TODO_SEED"] ?? 1 + Math.floor(Math.random() * 1e9));
  t.diagnostic(`TODO_SEED=${seed}`);
  const chance = random(seed);
  const prefix = `${randomUUID()}/`;
  const stores = await Promise.all(Array.from({ length: 3 }, async () => {
    const url = await lossy(t, chance);
    return await again(() => make(url, prefix)) ?? assert.fail();
  }));
  const fields = { password: "a hash", email: "" };
  const { id } = await again(() => stores[0]?.addUser(randomUUID(), fields)) ?? assert.fail();
  let failed = 0;
  let unknown = 0;
  for (let i = 0; i < TASKS; i++) {
    const history = await historyOf(stores, id, chance);
    unknown += history.filter(({ done }) => done === undefined).length;
    if (explains(history, "0")) continue;
    if (failed++ === 0) t.diagnostic(JSON.stringify(history));
  }
  t.diagnostic(`${TASKS} histories, ${unknown} unknown outcomes, ${failed} that nothing explains`);
  for (const store of stores) await store.close();
  return failed;
}

test("servers that share a cluster behave like one", { skip }, async (t) => {
  const open = (url: string, prefix: string) => EtcdStore.open(url, prefix);
  assert.equal(await unexplained(t, open), 0);
});

test("the test notices a store that ignores revisions", { skip }, async (t) => {
  const open = async (url: string, prefix: string) => {
    const store = await EtcdStore.open(url, prefix);
    const update = store.update.bind(store);
    store.update = async (owner, task, changes) => {
      const now = await store.get(owner, task.id);
      return now && await update(owner, now, changes);
    };
    return store;
  };
  assert.ok(await unexplained(t, open) > 0);
});
