// Every order in which messages between a server and etcd can arrive, or not: the server's own code
// writes to a model of etcd, and a search tries all that can happen next, breadth first. Whatever
// happens, a write is done once or not at all, and its caller is told what is true.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test, type TestContext } from "node:test";
import { setImmediate } from "node:timers/promises";
import { Cluster } from "../../lib/store/etcd/cluster.ts";
import { keysUnder } from "../../lib/store/etcd/keys.ts";
import { LeaseEnded } from "../../lib/store/etcd/refusals.ts";
import type { Answer } from "../../lib/store/etcd/transaction.ts";
import { Users } from "../../lib/store/etcd/users.ts";
import { INITIAL, sizeOf, Unavailable } from "../../lib/store/store.ts";

const KEYS = keysUnder("todo/");
const OWNER = "owner";

/** What the server asks for, as JSON. */
interface Request {
  readonly compare?: readonly { readonly key: string; readonly mod_revision: string }[];
  readonly success?: readonly Operation[];
  readonly failure?: readonly Operation[];
}
interface Operation {
  readonly request_put?: { readonly key: string; readonly value: string; readonly lease: string };
  readonly request_range?: { readonly key: string };
  readonly request_delete_range?: { readonly key: string };
  readonly request_txn?: Request;
}

let clock = 0; // of the server, in ms

const text = (base64: string) => Buffer.from(base64, "base64").toString();
const isMark = (key: string) => key.startsWith(KEYS.mark(""));

/** A model of etcd: keys, revisions, transactions, leases. */
class Etcd {
  revision = 10;
  readonly keys = new Map<string, { value: string; revision: number; lease: string }>();
  readonly leases: string[] = [];
  granted = 0;
  /** Every value that was ever written, and in which revision. */
  readonly history: { readonly value: string; readonly revision: number }[] = [];
  checksMarks = true;

  /** Writes as another server does. */
  put(key: string, value: string, lease = "0"): void {
    this.keys.set(key, { value, lease, revision: ++this.revision });
  }

  /** Ends the oldest lease. */
  endLease(): void {
    const ended = this.leases.shift();
    for (const [key, { lease }] of this.keys) if (lease === ended) this.keys.delete(key);
    this.revision++;
  }

  /** Deletes all marks, as nobody should. */
  deleteMarks(): void {
    for (const key of this.keys.keys()) if (isMark(key)) this.keys.delete(key);
    this.revision++;
  }

  grant(): Answer {
    const ID = `${++this.granted}`;
    this.leases.push(ID);
    return { header: {}, ID };
  }

  /** Does a transaction. Throws as the server's own code does for etcd's message. */
  transact(request: Request): Answer {
    const before = this.revision;
    const marks: string[] = [];
    const answer = this.#part(request, before + 1, marks);
    const written = this.history.some(({ revision }) => revision > before) || marks.length > 0;
    if (written) this.revision++;
    return { header: { revision: `${this.revision}` }, ...answer };
  }

  holds({ key, mod_revision }: { readonly key: string; readonly mod_revision: string }): boolean {
    const name = text(key);
    if (isMark(name) && !this.checksMarks) return true;
    return (this.keys.get(name)?.revision ?? 0) === Number(mod_revision);
  }

  #part(request: Request, next: number, marks: string[]): Answer {
    const succeeded = (request.compare ?? []).every((one) => this.holds(one));
    const responses = (succeeded ? request.success : request.failure)?.map((operation) => {
      const { request_put: put, request_range: read, request_delete_range: gone } = operation;
      if (put !== undefined) {
        if (put.lease !== "0" && !this.leases.includes(put.lease)) throw new LeaseEnded();
        const [key, value] = [text(put.key), text(put.value)];
        this.keys.set(key, { value, lease: put.lease, revision: next });
        if (isMark(key)) marks.push(key);
        else this.history.push({ value, revision: next });
      } else if (gone !== undefined) this.keys.delete(text(gone.key));
      else if (operation.request_txn !== undefined) {
        return { response_txn: this.#part(operation.request_txn, next, marks) };
      } else {
        const found = this.keys.get(text(read?.key ?? ""));
        const kvs = found === undefined ? [] : [{
          value: Buffer.from(found.value).toString("base64"),
          mod_revision: `${found.revision}`,
        }];
        return { response_range: { kvs, count: `${kvs.length}` } };
      }
      return {};
    }) ?? [];
    return { succeeded, responses };
  }
}

/** A message on its way to etcd. The server waits for an answer as long as `settle` is there. */
interface Message {
  readonly name: string;
  readonly path: string;
  readonly content: Request;
  settle?: { resolve(answer?: Answer): void; reject(error: Error): void } | undefined;
}

/** The members of a cluster: messages to them stay on their way until the search delivers them. */
class Wire extends Cluster {
  readonly messages: Message[] = [];
  readonly seen: string[] = []; // all that the server has learned: its state follows from this
  sent = 0;

  constructor() {
    super(Array.from({ length: 99 }, () => "")); // a server pauses when it has asked all
  }

  override once(path: string, content: Request): Promise<Answer | undefined> {
    return new Promise((resolve, reject) => {
      const name = `message ${++this.sent}`;
      this.messages.push({ name, path, content, settle: { resolve, reject } });
    });
  }
}

/** What a caller asks the store for, and the text by which the write can be found in etcd. */
interface Call {
  readonly text: string;
  run(store: Users): Promise<{ readonly revision: number } | undefined>;
}

/** What may happen, how often it may, and how often anything may that is no plain progress. */
interface Scene {
  readonly calls: readonly Call[];
  prepare(etcd: Etcd): unknown;
  /** Whether the keys agree. */
  agrees?(etcd: Etcd, done: (text: string) => boolean): boolean;
  /** What others do to etcd, or time does, each once at most. */
  readonly others: Readonly<Record<string, (etcd: Etcd) => unknown>>;
  readonly faults: number;
  readonly copies: number;
  readonly checksMarks?: boolean;
}

/** One course of events, which the search chooses. */
class Course {
  readonly etcd = new Etcd();
  readonly wire = new Wire();
  readonly #scene: Scene;
  readonly #told = new Map<Call, { readonly revision: number } | Error | undefined>();
  readonly #done = new Set<string>(); // of the others' deeds
  #faults = 0;
  #copies = 0;
  #next = 0; // call

  constructor(scene: Scene) {
    clock = 0;
    this.#scene = scene;
    scene.prepare(this.etcd);
    this.etcd.checksMarks = scene.checksMarks ?? true;
    this.#start();
  }

  /** Starts the server, which goes on with the next call. */
  #start(): void {
    const store = new Users(this.wire, KEYS);
    const life = this.#life = {};
    const work = async () => {
      for (; this.#next < this.#scene.calls.length;) {
        const call = this.#scene.calls[this.#next++] ?? assert.fail();
        const told = await call.run(store).catch((error: Error) => error);
        if (life !== this.#life) return; // nobody hears it: the server was killed
        assert.ok(!(told instanceof Error) || told instanceof Unavailable, `${told}`);
        this.#told.set(call, told);
        this.wire.seen.push("told");
      }
    };
    work();
  }
  #life = {};

  /** Everything that can happen next, by name. */
  events(): Map<string, () => void> {
    const events = new Map<string, () => void>();
    const { etcd, wire } = this;
    const fault = (name: string, happens: () => void) => {
      if (this.#faults >= this.#scene.faults) return;
      events.set(name, () => {
        this.#faults++;
        happens();
      });
    };
    for (const message of wire.messages) {
      const { name, path, content, settle } = message;
      const arrive = () => {
        wire.messages.splice(wire.messages.indexOf(message), 1);
        return path === "kv/txn" ? etcd.transact(content) : etcd.grant();
      };
      const settled = (what: string, how: (settle: NonNullable<Message["settle"]>) => void) => {
        wire.seen.push(`${name} ${what}`);
        for (const other of wire.messages) if (other.name === name) other.settle = undefined;
        if (settle !== undefined) how(settle);
      };
      const isWrite = path === "kv/txn" && content.compare !== undefined;
      if (settle === undefined) {
        events.set(`${name} arrives late`, () => {
          try {
            arrive();
          } catch { /* nobody hears it */ }
        });
        continue;
      }
      events.set(`${name} arrives and is answered`, () => {
        try {
          const answer = arrive();
          settled(JSON.stringify(answer), ({ resolve }) => resolve(answer));
        } catch (error) {
          settled(`${error}`, ({ reject }) => reject(error as Error));
        }
      });
      fault(`${name} gets no answer`, () => {
        settled("times out", ({ resolve }) => resolve(undefined));
        message.settle = undefined; // it may still be on its way
      });
      if (!isWrite) continue;
      fault(`${name} arrives, its answer is lost`, () => {
        try {
          arrive();
        } catch { /* nobody hears it */ }
        if (!wire.messages.some((other) => other.name === name)) {
          settled("times out", ({ resolve }) => resolve(undefined));
        }
      });
      fault(`the time of ${name} is over`, () => {
        settled("is too late", ({ reject }) => reject(new Unavailable()));
        message.settle = undefined;
      });
      if (this.#copies < this.#scene.copies) {
        events.set(`${name} is sent twice`, () => {
          this.#copies++;
          wire.messages.push({ ...message });
        });
      }
    }
    if (this.#next > 0 && wire.messages.some(({ settle }) => settle)) {
      fault("the server is killed, and starts again", () => {
        wire.seen.push("killed");
        for (const message of wire.messages) message.settle = undefined;
        this.#start();
      });
    }
    for (const [name, deed] of Object.entries(this.#scene.others)) {
      if (this.#done.has(name)) continue;
      events.set(name, () => {
        this.#done.add(name);
        deed(etcd);
      });
    }
    return events;
  }

  /** Drops messages that nobody waits for and that can no longer do anything. */
  tidy(): void {
    const { etcd, wire } = this;
    const live = wire.messages.filter(({ settle, content: { compare: [mark] = [] } }) => {
      if (settle !== undefined) return true;
      if (mark === undefined) return false;
      const now = etcd.keys.get(text(mark.key))?.revision ?? 0;
      return etcd.holds(mark) || now < Number(mark.mod_revision) && now > 0;
    });
    wire.messages.splice(0, Infinity, ...live);
  }

  /** What is wrong, if anything is. */
  fault(): string | undefined {
    for (const call of this.#scene.calls) {
      const done = this.etcd.history.filter(({ value }) => value.includes(call.text));
      if (done.length > 1) return `${call.text} is done ${done.length} times`;
      if (!this.#told.has(call)) continue;
      const told = this.#told.get(call);
      if (told === undefined && done.length > 0) return `told no, but ${call.text} is done`;
      if (told === undefined || told instanceof Error) continue;
      if (done[0]?.revision !== told.revision) {
        return `told ${told.revision}, but ${call.text} is not`;
      }
    }
    const { agrees = () => true } = this.#scene;
    const done = (text: string) => this.etcd.history.some(({ value }) => value.includes(text));
    return agrees(this.etcd, done) ? undefined : "the keys do not agree";
  }

  /** Equal for courses that differ in nothing that matters. */
  key(): string {
    const { etcd, wire } = this;
    const messages = wire.messages.map(({ settle, ...rest }) => [rest, settle !== undefined]);
    const names = new Map<string, string>(); // random ones
    return JSON.stringify([
      [...etcd.keys],
      etcd.revision,
      messages,
      wire.seen,
      [...this.#done].sort(),
      this.#faults,
      this.#copies,
    ]).replaceAll(/[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}|dG9kby9tYXJr[\w+/=]*/g, (name) => {
      if (!names.has(name)) names.set(name, `name ${names.size}`);
      return names.get(name) ?? "";
    });
  }
}

/** Lets the events happen, one after the other. */
async function follow(scene: Scene, names: readonly string[]): Promise<Course> {
  const course = new Course(scene);
  await setImmediate(); // the server does all that it can before the next event
  for (const name of names) {
    const event = course.events().get(name) ?? assert.fail(name);
    event();
    await setImmediate();
    course.tidy();
  }
  return course;
}

/** Tries everything that can happen. Returns the shortest course that goes wrong, and what does. */
async function search(t: TestContext, scene: Scene): Promise<string[] | undefined> {
  t.mock.method(performance, "now", () => clock);
  const known = new Set<string>();
  let courses: string[][] = [[]];
  while (courses.length > 0) {
    const longer: string[][] = [];
    for (const names of courses) {
      const course = await follow(scene, names);
      const fault = course.fault();
      if (fault !== undefined) return [...names, fault];
      const key = course.key();
      if (known.has(key)) continue;
      known.add(key);
      for (const name of course.events().keys()) longer.push([...names, name]);
    }
    courses = longer;
  }
  t.diagnostic(`${known.size} states`);
  return undefined;
}

const task = { ...INITIAL, id: 1, title: "before", revision: 12 };
const first = { ...INITIAL, title: "first" };
const second = { ...INITIAL, title: "second" };
const another = { ...INITIAL, title: "another" };
const CHANGES: Scene = {
  calls: [
    { text: "first", run: (store) => store.update(OWNER, task, first) },
    { text: "second", run: (store) => store.add(OWNER, second) },
  ],
  prepare(etcd) {
    etcd.put(KEYS.last, "1");
    etcd.put(KEYS.task(OWNER, 1), JSON.stringify({ ...task, revision: undefined }));
    etcd.put(KEYS.list(OWNER), `${sizeOf(task)}`);
  },
  others: {
    "another server adds to the list"(etcd) {
      const size = Number(etcd.keys.get(KEYS.list(OWNER))?.value);
      etcd.put(KEYS.list(OWNER), `${size + sizeOf(another)}`);
      etcd.history.push({ value: another.title, revision: etcd.revision });
    },
  },
  agrees(etcd, done) {
    const now = [done("first") ? first : task, ...(done("second") ? [second] : [])];
    if (done("another")) now.push(another);
    const size = now.reduce((sum, task) => sum + sizeOf(task), 0);
    return etcd.keys.get(KEYS.list(OWNER))?.value === `${size}`;
  },
  faults: 2,
  copies: 0,
};
const USERS: Scene = {
  calls: [
    { text: "first", run: (store) => store.addUser("a", { password: "first", email: "" }) },
    { text: "second", run: (store) => store.addUser("b", { password: "second", email: "" }) },
  ],
  prepare: (etcd) => etcd.put(KEYS.user("a"), "{}"),
  others: { "the name is free again": (etcd) => etcd.keys.delete(KEYS.user("a")) },
  faults: 2,
  copies: 0,
};
const LEASES: Scene = {
  ...USERS,
  others: {
    "the oldest lease ends": (etcd) => etcd.endLease(),
    "ten minutes pass": () => clock += 600_000,
  },
};
const SCENES: Readonly<Record<string, Scene>> = {
  "changes of tasks": CHANGES,
  "changes of tasks, of which one is sent twice,": { ...CHANGES, faults: 1, copies: 1 },
  "registrations": USERS,
  "registrations, of which one is sent twice,": { ...USERS, faults: 1, copies: 1 },
  "registrations while leases end": { ...LEASES, faults: 1 },
};
for (const [name, scene] of Object.entries(SCENES)) {
  test(`whatever happens, ${name} are done once, and callers are told`, async (t) => {
    const wrong = await search(t, scene);
    if (wrong !== undefined) assert.fail(wrong.join("\n"));
  });
}

test("the search notices a mark that is not compared, or is deleted", async (t) => {
  const others = { "the marks are deleted": (etcd: Etcd) => etcd.deleteMarks() };
  for (const scene of [{ checksMarks: false, copies: 1 }, { others }]) {
    const wrong = await search(t, { ...CHANGES, faults: 1, ...scene }) ?? assert.fail();
    t.diagnostic(wrong.join(", "));
    assert.match(wrong.at(-1) ?? "", /^told no, but first is done$/);
  }
});
