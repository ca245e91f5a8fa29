// Thousands of random requests of three users, each response compared with that of a plain model.
// SEED=7 runs others. A failure is shown by the shortest sequence of requests that still has it.

import assert from "node:assert/strict";
import { once } from "node:events";
import process from "node:process";
import { after, before, test } from "node:test";
import { inspect, isDeepStrictEqual } from "node:util";
import { createApp } from "../../lib/app.ts";
import { serve } from "../../lib/wire/server.ts";
import { boundTo } from "../../lib/wire/target.ts";
import { routes } from "../../lib/routes.ts";
import { MemoryStore } from "../../lib/store/memory.ts";
import type { Store } from "../../lib/store/store.ts";
import { Accounts } from "../../lib/todo/accounts.ts";
import { BASE } from "../tools/start.ts";

const COUNT = 4000;
const NAMES = ["ann", "bob", "cyd"];
const HASH = { password: "", email: "" };
const REPLAYS = 400; // at most, to shorten a sequence

// ---- Operations: data, so that they can be kept, printed and sent again.

/** A condition with an entity tag that the client saw: the first, the last, or any. */
interface Condition {
  readonly field: "If-Match" | "If-None-Match";
  readonly tag: "first" | "last" | "*";
}
interface Operation {
  readonly user: string;
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** The list, the user, or a task: the one that the POST with this number made. */
  readonly on: "list" | "user" | number;
  readonly number?: number;
  readonly query?: string;
  readonly content?: unknown;
  readonly condition?: Condition;
}

/** A text without case and accents. */
const plain = (text: string) => text.normalize("NFD").replaceAll("\u0301", "").toLowerCase();

const TITLES = ["a", "ab", "ba", "é", "e\u0301", "😀", "a%"];
const QUERIES = ["", "", "", "page=1", "page=2&per_page=3", "per_page=1", "page=9", "done=true"];
QUERIES.push("done=false&page=1&per_page=2", "title_prefix=a", "title_prefix=a&done=false");
QUERIES.push("q=B", "q=%C3%89&page=1", "q=a&done=true&title_prefix=a", "q=%25");
QUERIES.push("title_prefix=%C3%A9", "title_prefix=%F0%9F%98%80&page=1", "done=maybe", "page=0");

/** Makes operations out of a seed, by Park and Miller's random numbers. */
function operations(seed: number, count: number): Operation[] {
  const below = (n: number) => (seed = seed * 48271 % 2147483647) % n;
  const one = <T>(items: readonly T[]): T => items[below(items.length)] ?? assert.fail();
  const condition = (): Pick<Operation, "condition"> => {
    if (below(2) === 0) return {};
    const field = one(["If-Match", "If-None-Match"] as const);
    return { condition: { field, tag: one(["first", "last", "last", "last", "*"] as const) } };
  };
  const content = () => {
    const title = one(TITLES);
    const done = below(2) === 0;
    return one([{ title }, { title, done }, { done }, { description: title, id: 1 }]);
  };
  const wrong = () => one([{}, { title: " " }, { done: 1 }, { title: "a", done: "yes" }, [], "a"]);
  let number = 0;
  return Array.from({ length: count }, (): Operation => {
    const user = one(NAMES);
    const on = Math.max(1, number + 2 - below(30)); // a late one, or the next
    const kind = below(100);
    if (kind < 34) {
      const sent = kind < 30 ? { title: one(TITLES) } : kind < 32 ? content() : wrong();
      return { user, method: "POST", on: "list", content: sent, number: ++number };
    }
    if (kind < 50) return { user, method: "GET", on: "list", query: one(QUERIES), ...condition() };
    if (kind < 62) return { user, method: "GET", on, ...condition() };
    if (kind < 78) {
      const method = one(["PUT", "PATCH"] as const);
      return { user, method, on, content: content(), ...condition() };
    }
    if (kind < 80) return { user, method: "PUT", on, content: wrong(), ...condition() };
    if (kind < 99) return { user, method: "DELETE", on, ...condition() };
    return { user, method: "DELETE", on: "user" };
  });
}

// ---- The model: how the service behaves, in a simple form.

interface Fields {
  title: string;
  done: boolean;
  description: string;
}
interface Expected {
  readonly status: number;
  readonly content?: unknown;
  readonly total?: string;
  readonly location?: string;
  /** The thing that has the response's entity tag. */
  readonly tagOf?: string;
}

class Model {
  readonly tasks = new Map<number, Fields & { readonly owner: string }>();
  lastId = 0;
  /** How often each thing with an entity tag has changed, and its tags that were seen. */
  readonly #changes = new Map<string, number>();
  readonly #seen = new Map<string, { readonly tag: string; readonly change: number }[]>();
  readonly #ids = new Map<number | undefined, number>(); // by the number of the POST
  readonly #origin: string;

  constructor(origin: string) {
    this.#origin = origin;
  }

  /** The id that the POST with this number gave; the next one, if it gave none. */
  idOf = (number: number) => this.#ids.get(number) ?? this.lastId + 1;

  /** The target of an operation: `ann's list`, `/tasks/3`. */
  thing({ user, on }: Operation): string {
    return typeof on === "number" ? `/tasks/${this.idOf(on)}` : `${user}'s ${on}`;
  }

  /** The tag that a condition stands for: one that was seen, or none of ours. */
  tagFor(operation: Operation): string | undefined {
    const { tag } = operation.condition ?? {};
    if (tag === undefined || tag === "*") return tag;
    return this.#seen.get(this.thing(operation))?.at(tag === "first" ? 0 : -1)?.tag ?? '"none"';
  }

  /** Returns the response that must come, and changes the model as the service must change. */
  expect(operation: Operation): Expected {
    const { user, method, on, query = "" } = operation;
    if (on === "user") return this.#leave(user);
    if (on === "list") {
      return method === "GET" ? this.#list(operation, query) : this.#add(operation);
    }
    const id = this.idOf(on);
    const task = this.tasks.get(id);
    if (task?.owner !== user) return { status: 404 };
    const tagOf = this.thing(operation);
    const refused = this.#judge(operation);
    if (refused !== undefined) return refused === 304 ? { status: 304, tagOf } : { status: 412 };
    if (method === "DELETE") {
      this.tasks.delete(id);
      this.#change(`${user}'s list`, tagOf);
      return { status: 200, content: { result: true } };
    }
    if (method !== "GET") {
      const changes = readFields(operation.content);
      if (changes === undefined) return { status: 400 };
      Object.assign(task, changes);
      this.#change(`${user}'s list`, tagOf);
    }
    return { status: 200, content: { task: this.#shown(id, task) }, tagOf };
  }

  /** What is wrong with a tag: it must be that of the last change, and differ from earlier ones. */
  wrongTag(thing: string, tag: string | undefined): string | undefined {
    if (tag === undefined) return "no ETag";
    const change = this.#changes.get(thing) ?? 0;
    const seen = this.#seen.get(thing) ?? [];
    const last = seen.at(-1);
    if (last?.change === change) return last.tag === tag ? undefined : `${tag} without a change`;
    if (seen.some((earlier) => earlier.tag === tag)) return `${tag} still, after a change`;
    this.#seen.set(thing, [...seen, { tag, change }]);
    return undefined;
  }

  #list(operation: Operation, query: string): Expected {
    if (query === "done=maybe" || query === "page=0") return { status: 400 };
    const tagOf = this.thing(operation);
    const refused = this.#judge(operation);
    if (refused !== undefined) return refused === 304 ? { status: 304, tagOf } : { status: 412 };
    const given = new URLSearchParams(query);
    const [done, prefix] = [given.get("done"), given.get("title_prefix")];
    const text = plain(given.get("q") ?? "");
    const passing = [...this.tasks].filter(([, task]) =>
      task.owner === operation.user && `${task.done}` === (done ?? `${task.done}`) &&
      task.title.startsWith(prefix ?? "") &&
      [task.title, task.description].some((one) => plain(one).includes(text))
    );
    const [number, size] = [Number(given.get("page") ?? 1), Number(given.get("per_page") ?? 30)];
    const paged = given.has("page") || given.has("per_page");
    const part = paged ? passing.slice((number - 1) * size, number * size) : passing;
    const content = { tasks: part.map(([id, task]) => this.#shown(id, task)) };
    return { status: 200, content, total: `${passing.length}`, tagOf };
  }

  #add({ user, content, number }: Operation): Expected {
    const { title, description = "" } = readFields(content, ["title", "description"]) ?? {};
    if (title === undefined) return { status: 400 };
    const task = { owner: user, title, done: false, description };
    this.tasks.set(++this.lastId, task);
    this.#ids.set(number, this.lastId);
    this.#change(`${user}'s list`);
    const shown = this.#shown(this.lastId, task);
    const tagOf = `/tasks/${this.lastId}`;
    return { status: 201, content: { task: shown }, location: shown.uri, tagOf };
  }

  #leave(user: string): Expected {
    for (const [id, { owner }] of this.tasks) if (owner === user) this.tasks.delete(id);
    this.#change(`${user}'s list`);
    return { status: 200, content: { result: true } };
  }

  #judge(operation: Operation): 304 | 412 | undefined {
    const { method, condition } = operation;
    if (condition === undefined) return undefined;
    const thing = this.thing(operation);
    const tag = this.tagFor(operation);
    const change = this.#seen.get(thing)?.find((seen) => seen.tag === tag)?.change;
    const holds = tag === "*" || change === (this.#changes.get(thing) ?? 0);
    if (condition.field === "If-Match") return holds ? undefined : 412;
    if (!holds) return undefined;
    return method === "GET" ? 304 : 412;
  }

  #change(...things: string[]): void {
    for (const thing of things) this.#changes.set(thing, (this.#changes.get(thing) ?? 0) + 1);
  }

  #shown(id: number, { title, done, description }: Fields) {
    return { title, done, description, uri: `${this.#origin}${BASE}/tasks/${id}` };
  }
}

/** The fields in a content; undefined if one is wrong, or if there is no content. */
function readFields(
  content: unknown,
  names = ["title", "done", "description"],
): Partial<Fields> | undefined {
  if (typeof content !== "object" || content === null || Array.isArray(content)) return undefined;
  if (Object.keys(content).length === 0) return undefined;
  const sent = new Map<string, unknown>(Object.entries(content));
  const fields: Partial<Fields> = {};
  for (const name of names) {
    const value = sent.get(name);
    if (value === undefined) continue;
    if (name === "title" && typeof value === "string" && value.trim() !== "") fields.title = value;
    else if (name === "done" && typeof value === "boolean") fields.done = value;
    else if (name === "description" && typeof value === "string") fields.description = value;
    else return undefined;
  }
  return fields;
}

// ---- The service, and its responses.

/** The Authorization field is the name itself: no password is hashed. */
class Named extends Accounts {
  override async authenticate(name: string | undefined) {
    return await this.store.user(name ?? "");
  }
}

let makeStore: () => Store = () => new MemoryStore();
let store = makeStore();
let app = createApp([], new Named(store));
let origin = "";
const { server, stop } = serve((...all) => app(...all));

before(async () => {
  await once(server.listen(0, "127.0.0.1"), "listening");
  origin = `http://${boundTo(server.address())}`;
});
after(stop);

/** Sends operations to a new service. Returns at which one it stopped, and what was wrong then. */
async function replay(
  sequence: readonly Operation[],
): Promise<{ lines: string[]; wrong?: string }> {
  store = makeStore();
  const accounts = new Named(store);
  app = createApp(routes(store, accounts, "anyone"), accounts);
  for (const name of NAMES) await store.addUser(name, HASH);
  const model = new Model(origin);
  const lines: string[] = [];
  for (const operation of sequence) {
    const { line, wrong } = await perform(operation, model);
    lines.push(line);
    if (wrong !== undefined) return { lines, wrong };
  }
  return { lines };
}

async function perform(
  operation: Operation,
  model: Model,
): Promise<{ line: string; wrong?: string }> {
  const { user, method, on, query, content, condition } = operation;
  const path = on === "list" ? "/tasks" : on === "user" ? `/users/${user}` : model.thing(operation);
  const headers = new Headers({ Authorization: user });
  const body = content === undefined ? undefined : JSON.stringify(content);
  if (body !== undefined) headers.set("Content-Type", "application/json");
  const tag = model.tagFor(operation);
  if (condition !== undefined && tag !== undefined) headers.set(condition.field, tag);
  const target = `${path}${query ? `?${query}` : ""}`;
  const seen = condition?.tag === "*" ? "*" : `the ${condition?.tag} tag seen`;
  const line = [user, method, target, body, condition && `${condition.field}: ${seen}`]
    .filter((part) => part !== undefined).join(" ");

  const { tagOf, ...expected } = model.expect(operation);
  const init = body === undefined ? { method, headers } : { method, headers, body };
  const answer = await fetch(`${origin}${BASE}${target}`, init);
  const text = await answer.text();
  if (on === "user") await store.addUser(user, HASH); // and is back at once, with an empty list
  const got = {
    status: answer.status,
    ...(answer.ok ? { content: JSON.parse(text) } : {}),
    ...(answer.headers.has("x-total-count") && answer.ok
      ? { total: answer.headers.get("x-total-count") }
      : {}),
    ...(answer.headers.has("location") ? { location: answer.headers.get("location") } : {}),
  };
  if (!isDeepStrictEqual(got, expected)) {
    const show = (value: unknown) => inspect(value, { depth: 5, breakLength: 90 });
    return { line, wrong: `expected ${show(expected)}\ngot ${show(got)}` };
  }
  const etag = answer.headers.get("etag") ?? undefined;
  const wrong = tagOf === undefined ? etag && `an ETag: ${etag}` : model.wrongTag(tagOf, etag);
  return wrong ? { line, wrong } : { line };
}

/** Delta debugging: takes pieces out, ever smaller ones, as long as the rest still fails. */
async function shorten(sequence: readonly Operation[]): Promise<readonly Operation[]> {
  let replays = 0;
  for (let size = sequence.length; size >= 1; size = Math.floor(size / 2)) {
    for (let from = 0; from < sequence.length && replays < REPLAYS; replays++) {
      const rest = sequence.toSpliced(from, size);
      const { lines, wrong } = await replay(rest);
      if (wrong === undefined) from += size;
      else sequence = rest.slice(0, lines.length);
    }
  }
  return sequence;
}

/** The shortest sequence with a failure; undefined if all is as the model says. */
async function story(sequence: readonly Operation[]): Promise<string | undefined> {
  const { lines, wrong } = await replay(sequence);
  if (wrong === undefined) return undefined;
  const short = await shorten(sequence.slice(0, lines.length));
  const told = await replay(short);
  return [...told.lines, told.wrong, JSON.stringify(short)].join("\n");
}

test("every response to thousands of random requests is the model's", async (t) => {
  const seed = Number(process.env["SEED"] ?? Date.now() % 1_000_000 + 1);
  t.diagnostic(`SEED=${seed}`);
  const failure = await story(operations(seed, COUNT));
  assert.equal(failure, undefined, `SEED=${seed}\n${failure}`);
});

test("a failure is shown by a few requests", async () => {
  class Forgetful extends MemoryStore {
    override remove(): Promise<boolean> {
      return Promise.resolve(true);
    }
  }
  makeStore = () => new Forgetful();
  const lines = (await story(operations(1, 300)))?.split("\n") ?? [];
  makeStore = () => new MemoryStore();
  const requests = lines.filter((line) => /^(ann|bob|cyd) /.test(line));
  assert.match(requests.join("\n"), /^(\w+) POST .*\n\1 DELETE \/tasks\/1.*\n\1 \w+ \/tasks.*$/);
});
