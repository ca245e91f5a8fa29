// The list of tasks: filters, pages, the links between them, and lists too long for one piece.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { printJson } from "../../lib/http/reply.ts";
import { INITIAL } from "../../lib/store/store.ts";
import { type Filter, FILTERS } from "../../lib/todo/filter.ts";
import { links, printList, readListQuery } from "../../lib/todo/list.ts";
import {
  ask,
  BASE,
  BEHIND,
  bytes,
  dial,
  MIGUEL,
  type Received,
  type Server,
  type ServerProcess,
  start,
  startBehind,
  startProcess,
} from "../tools/start.ts";

test("a query gives a filter, and a page if it asks for one", () => {
  const rows: [query: string, filter: Filter, page?: [offset: number, limit: number]][] = [
    ["", {}],
    ["&&", {}],
    ["_=1763848177000", {}],
    ["_=%2B&_=again", {}],
    ["done=true", { done: "true" }],
    ["done=false&", { done: "false" }],
    ["%64one=%74rue", { done: "true" }],
    ["title_prefix=", { title_prefix: "" }],
    ["title_prefix=a+b%2Bc%20d%26e=f", { title_prefix: "a b+c d&e=f" }],
    ["title_prefix=%C3%9C%F0%9F%9B%92", { title_prefix: "Ü🛒" }],
    ["title_prefix=%EF%BB%BF%00", { title_prefix: "\uFEFF\0" }],
    ["q=", { q: "" }],
    ["q=Milk+%26+%F0%9F%9B%92", { q: "Milk & \u{1F6D2}" }],
    ["page=1", {}, [0, 30]],
    ["page=2", {}, [30, 30]],
    ["page=999999999999999", {}, [30 * 999_999_999_999_998, 30]],
    ["per_page=1", {}, [0, 1]],
    ["per_page=100&done=true&page=2&title_prefix=A", { done: "true", title_prefix: "A" }, [
      100,
      100,
    ]],
  ];
  for (const [query, filter, page = [0, Infinity]] of rows) {
    const read = readListQuery(query);
    assert.deepEqual(read.filter, filter, query);
    assert.deepEqual([read.offset, read.limit], page, query);
  }
});

const NAMES = [...Object.keys(FILTERS), "order", "page", "per_page"];
const UNKNOWN = `is unknown; there are ${NAMES.join(", ")}`;
const FIT = Math.floor(400 / JSON.stringify(["a", UNKNOWN]).length); // into a short response
const ONCE = "may be given only once";
const DONE = "must be true or false";
const PAGE = "must be a number from 1 up";
const ORDER = "must be one of id, -id, title, -title";
const PER_PAGE = "must be a number from 1 to 100";
const TEXT = "must be at most 100 characters";
const WRONG: [query: string, fields: Record<string, string>][] = [
  ["don=true", { don: UNKNOWN }],
  ["Done=true", { Done: UNKNOWN }],
  ["toString", { toString: UNKNOWN }],
  ["__proto__=1", { ["__proto__"]: UNKNOWN }],
  ["=", { "": UNKNOWN }],
  ["done=yes", { done: DONE }],
  ["done=", { done: DONE }],
  ["done", { done: DONE }],
  ["done=TRUE", { done: DONE }],
  ["done=true%0A", { done: DONE }],
  ["order=", { order: ORDER }],
  ["order=Title", { order: ORDER }],
  ["order=toString", { order: ORDER }],
  ["order=title,id", { order: ORDER }],
  ["page=0", { page: PAGE }],
  ["page=-1", { page: PAGE }],
  ["page=1.5", { page: PAGE }],
  ["page=01", { page: PAGE }],
  ["page=1e1", { page: PAGE }],
  ["page=1000000000000000", { page: PAGE }],
  ["page=%D9%A1", { page: PAGE }], // a digit, but not of ASCII
  ["page=", { page: PAGE }],
  ["per_page=0", { per_page: PER_PAGE }],
  ["per_page=101", { per_page: PER_PAGE }],
  ["per_page=1000", { per_page: PER_PAGE }],
  ["per_page=ten", { per_page: PER_PAGE }],
  [`q=${"%C3%BC".repeat(101)}`, { q: TEXT }],
  [`title_prefix=${"a".repeat(101)}`, { title_prefix: TEXT }],
  ["done=true&done=true", { done: ONCE }],
  ["q=a&q=b", { q: ONCE }],
  ["page=1&per_page=2&page=2", { page: ONCE }],
  [`${"n".repeat(51)}=1`, { ["n".repeat(50)]: UNKNOWN }],
  ["a&b&c&d&e&f", Object.fromEntries([..."abcdef"].slice(0, FIT).map((name) => [name, UNKNOWN]))],
  ["done=yes&page=0&per_page=0&x=1", { done: DONE, page: PAGE, per_page: PER_PAGE, x: UNKNOWN }],
];

/** The content of a 400 about parameters of a query. */
const refusal = (fields: Record<string, string>) => ({
  error: "Bad request",
  message: Object.entries(fields).map((fault) => fault.join(" ")).join("; "),
  fields,
});

test("a wrong query is 400: a message and `fields` name every wrong parameter", () => {
  for (const [query, fields] of WRONG) {
    const expected = { status: 400, text: printJson(refusal(fields)) };
    assert.throws(() => readListQuery(query), expected, query);
  }
});

const NOT_ENCODED = {
  error: "Bad request",
  message: 'the query is not percent-encoded UTF-8 (curl: -G --data-urlencode "q=é")',
};

test("a query that is not percent-encoded UTF-8 is 400", () => {
  // The last is what a terminal sends that does not encode, as node:http reads it.
  for (
    const query of ["title_prefix=%", "title_prefix=%FF", "_=%zz", "q=%ED%A0%80", "q=\xC3\x9C"]
  ) {
    const expected = { status: 400, text: printJson(NOT_ENCODED) };
    assert.throws(() => readListQuery(query), expected, query);
  }
});

test("a page links to the first, previous, next and last page", () => {
  const rows: [query: string, total: number, link: string | undefined][] = [
    ["", 1000, undefined],
    ["done=true", 1000, undefined],
    ["page=1", 0, undefined],
    ["page=1", 30, undefined],
    ["page=9", 30, undefined],
    ["page=1", 31, "page=1 first, page=2 next, page=2 last"],
    ["page=2", 31, "page=1 first, page=1 prev, page=2 last"],
    ["page=2", 61, "page=1 first, page=1 prev, page=3 next, page=3 last"],
    ["page=9", 61, "page=1 first, page=3 prev, page=3 last"], // past the end
    ["per_page=1", 2, "per_page=1&page=1 first, per_page=1&page=2 next, per_page=1&page=2 last"],
    [
      "order=-title&page=2",
      31,
      "order=-title&page=1 first, order=-title&page=1 prev, order=-title&page=2 last",
    ],
    ["page=1&_=7", 31, "page=1 first, page=2 next, page=2 last"],
    [
      "title_prefix=a%2Cb%3E%22+%C3%9C&page=2&done=true&per_page=20",
      40,
      ["1 first", "1 prev", "2 last"].map((page) => {
        const [number, rel] = page.split(" ");
        return `title_prefix=a%2Cb%3E%22+%C3%9C&page=${number}&done=true&per_page=20 ${rel}`;
      }).join(", "),
    ],
  ];
  for (const [query, total, link] of rows) {
    const { Link } = links("http://t/tasks", readListQuery(query), total);
    const short = Link?.replaceAll("<http://t/tasks?", "").replaceAll(/>; rel="(\w+)"/g, " $1");
    assert.equal(short, link, `${query} of ${total}`);
  }
});

test("a long Link leaves out the first and the last page, to fit the buffer of a proxy", () => {
  const long = encodeURIComponent("日".repeat(100));
  const { Link = "" } = links("http://t/tasks", readListQuery(`q=${long}&page=5`), 1000);
  assert.deepEqual([...Link.matchAll(/rel="(\w+)"/g)].map(([, rel]) => rel), ["prev", "next"]);
});

interface Listed {
  readonly title: string;
  readonly uri: string;
}
const isTask = (value: unknown): value is Listed =>
  typeof value === "object" && value !== null && "title" in value && "uri" in value &&
  typeof value.title === "string" && typeof value.uri === "string";

function tasksIn(json: unknown): Listed[] {
  assert.ok(typeof json === "object" && json !== null && "tasks" in json);
  assert.ok(Array.isArray(json.tasks) && json.tasks.every(isTask));
  return json.tasks;
}

const titles = ({ json }: Received) => tasksIn(json).map(({ title }) => title);

/** The targets of a Link field by their relation, for `ask`. */
function linksOf(server: Server, { headers: { link = "" } }: Received): Map<string, string> {
  const found = String(link).matchAll(/<([^>]*)>; rel="(\w+)"/g);
  return new Map([...found].map(([, uri = "", rel = ""]) => {
    assert.ok(uri.startsWith(`${server.origin}${BASE}/tasks?`), uri);
    return [rel, uri.slice(server.origin.length + BASE.length)];
  }));
}

async function add(server: Server, ...titles: string[]): Promise<void> {
  for (const title of titles) {
    assert.equal((await ask(server, "POST /tasks", { content: { title } })).status, 201);
  }
}

test("filters: done, the beginning of a title, and text in a task", async (t) => {
  const server = await start(t, ["--quiet"]);
  await add(server, "Über", "über", "a+b", "a b", "A%20b", "☃ 🛒", "e\u0301");
  await ask(server, "PUT /tasks/4", { content: { done: true } });
  const [groceries, python] = ["Buy groceries", "Learn Python"];
  const rows: [query: string, titles: string[]][] = [
    ["done=true", ["über"]],
    ["done=false&title_prefix=a", ["a+b", "a b"]],
    ["done=true&title_prefix=a", []],
    ["title_prefix=a%2B", ["a+b"]],
    ["title_prefix=a+", ["a b"]],
    ["title_prefix=a%20", ["a b"]],
    ["title_prefix=A%2520", ["A%20b"]],
    ["title_prefix=%C3%9C", ["Über"]],
    ["title_prefix=%C3%BC", ["über"]],
    ["title_prefix=%E2%98%83+%F0%9F%9B%92", ["☃ 🛒"]],
    ["title_prefix=%C3%A9", []], // the same letter, another text
    ["title_prefix=e", ["e\u0301"]],
    ["title_prefix=buy", []],
    ["title_prefix=groceries", []],
    ["title_prefix=Buy+groceries", [groceries]],
    ["title_prefix=Buy+groceries+", []],
    ["title_prefix=.*", []],
    ["title_prefix=&per_page=2", [groceries, python]],
    ["q=milk", [groceries]], // in the description
    ["q=LEARN", [python]],
    ["q=P%C3%BC", []],
    ["q=%C3%9Cber", ["Über", "über"]],
    ["q=%C3%BCBER&done=true", ["über"]],
    ["q=a+b", ["a b"]],
    ["q=a%2Bb", ["a+b"]],
    ["q=%2520", ["A%20b"]],
    ["q=py&title_prefix=L", [python]],
    ["q=py&title_prefix=l", []],
    ["q=%F0%9F%9B%92", ["☃ 🛒"]],
    ["q=.*", []],
    ["q=&per_page=2", [groceries, python]],
  ];
  for (const [query, expected] of rows) {
    const got = await ask(server, `GET /tasks?${query}`);
    assert.deepEqual(titles(got), expected, query);
    const total = query.includes("per_page") ? 9 : expected.length;
    assert.equal(got.headers["x-total-count"], String(total), query);
  }
});

test("pages: from the first to the last and back, each task once", async (t) => {
  const server = await start(t, ["--quiet"]);
  const wanted = Array.from({ length: 8 }, (_, i) => `A & B, ${i}`);
  await add(server, ...wanted.flatMap((title) => [title, "something else"]), "A & B, done");
  await ask(server, "PUT /tasks/19", { content: { done: true } });
  let target = "/tasks?title_prefix=A+%26+B,&done=false&per_page=3";
  const seen: string[][] = [];
  for (const rel of ["next", "prev"]) {
    for (;;) {
      const got = await ask(server, `GET ${target}`);
      assert.equal(got.headers["x-total-count"], "8");
      seen.push(titles(got));
      const to = linksOf(server, got);
      assert.match(to.get("first") ?? "", /page=1$/);
      assert.match(to.get("last") ?? "", /page=3$/);
      const next = to.get(rel);
      if (next === undefined) break;
      target = next;
    }
  }
  const pages = [wanted.slice(0, 3), wanted.slice(3, 6), wanted.slice(6)];
  assert.deepEqual(seen, [...pages, ...pages.toReversed()]);
});

test("order: by number or by title, from either end, in pages too", async (t) => {
  const server = await start(t, ["--quiet"]);
  await add(server, "b", "B", "Learn Python", "é");
  const byTitle = ["B", "Buy groceries", "Learn Python", "Learn Python", "b", "é"];
  const byId = ["Buy groceries", "Learn Python", "b", "B", "Learn Python", "é"];
  const rows: [query: string, titles: string[]][] = [
    ["order=id", byId],
    ["order=-id", byId.toReversed()],
    ["order=title", byTitle],
    ["order=-title", byTitle.toReversed()],
    ["order=title&q=L&per_page=1&page=2", ["Learn Python"]],
    ["order=-title&per_page=4&page=2", ["Buy groceries", "B"]],
  ];
  for (const [query, expected] of rows) {
    assert.deepEqual(titles(await ask(server, `GET /tasks?${query}`)), expected, query);
  }
  const { json } = await ask(server, "GET /tasks?order=title&title_prefix=Learn");
  assert.deepEqual(tasksIn(json).map(({ uri }) => /\d+$/.exec(uri)?.[0]), ["2", "5"]);
  const { headers } = await ask(server, "GET /tasks?order=-title&per_page=5");
  assert.match(String(headers["link"]), /\?order=-title&per_page=5&page=2>; rel="next"/);
});

test("pages: thirty tasks unless said otherwise, and nothing past the end", async (t) => {
  const server = await start(t, ["--quiet"]);
  await add(server, ...Array.from({ length: 30 }, () => "t"));
  const rows: [query: string, tasks: number, links: string][] = [
    ["", 32, ""],
    ["?page=1", 30, "first next last"],
    ["?page=2", 2, "first prev last"],
    ["?page=3", 0, "first prev last"],
    ["?page=999999999999999", 0, "first prev last"],
    ["?per_page=31", 31, "first next last"],
    ["?per_page=32", 32, ""],
    ["?per_page=100&page=2", 0, ""],
    ["?_=1", 32, ""],
  ];
  for (const [query, count, rels] of rows) {
    const got = await ask(server, `GET /tasks${query}`);
    assert.equal(tasksIn(got.json).length, count, query);
    assert.equal([...linksOf(server, got).keys()].join(" "), rels, query);
    assert.equal("link" in got.headers, rels !== "", query);
    assert.equal(got.headers["x-total-count"], "32", query);
    const head = await ask(server, `HEAD /tasks${query}`);
    for (const name of ["link", "x-total-count", "content-length", "etag"]) {
      assert.equal(head.headers[name], got.headers[name], `${name} of ${query}`);
    }
  }
});

test("links begin with the origin that clients see", async (t) => {
  const server = await startBehind(t, "https://todo.example/here");
  const { headers } = await ask(server, "GET /tasks?per_page=1", BEHIND);
  assert.match(
    String(headers["link"]),
    /^<https:\/\/todo\.example\/here\/todo\/api\/v1\.0\/tasks\?/,
  );
});

test("a wrong query is 400 after authentication; other resources ignore a query", async (t) => {
  const server = await start(t, ["--quiet"]);
  for (const [query, fields] of WRONG) {
    const got = await ask(server, `GET /tasks?${query}`);
    assert.deepEqual([got.status, got.json], [400, refusal(fields)], query);
  }
  const got = await ask(server, "GET /tasks?title_prefix=%FF");
  assert.deepEqual([got.status, got.json], [400, NOT_ENCODED]);
  const rows: [line: string, content: unknown, status: number][] = [
    ["HEAD /tasks?don=true", undefined, 400],
    ["POST /tasks?don=true", { title: "t" }, 201],
    ["POST /tasks?%", { title: "t" }, 201],
    ["GET /tasks/1?x", undefined, 200],
    ["PUT /tasks/1?page=0", { done: true }, 200],
    ["DELETE /tasks/1?%FF", undefined, 200],
    ["GET /users/miguel?page=0", undefined, 200],
    ["OPTIONS /tasks?page=0", undefined, 204],
  ];
  for (const [line, content, status] of rows) {
    assert.equal((await ask(server, line, { content })).status, status, line);
  }
  const nobody = await ask(server, "GET /tasks?don=true", { authorization: undefined });
  assert.equal(nobody.status, 401);
});

const MANY = 2000;

/** A server with a list that is long in tasks and, with a description, in bytes. */
async function startLong(t: Parameters<typeof start>[0], description = ""): Promise<ServerProcess> {
  const server = await startProcess(t, ["--quiet"]);
  for (let i = 3; i <= MANY; i++) {
    await ask(server, "POST /tasks", { content: { title: `${i % 2}, ${i}`, description } });
  }
  return server;
}

test("a long list comes in chunks, and has the same content as in one piece", async (t) => {
  const server = await startLong(t);
  const rows: [query: string, tasks: number, chunked: boolean][] = [
    ["", MANY, true],
    ["?title_prefix=1", MANY / 2 - 1, true],
    ["?order=-title", MANY, true],
    ["?done=false", MANY, true],
    ["?done=true", 0, false],
    ["?title_prefix=0,+7", 55, false],
    ["?per_page=100&page=20", 100, false],
  ];
  for (const [query, count, chunked] of rows) {
    const got = await ask(server, `GET /tasks${query}`);
    assert.equal(got.text, `${JSON.stringify(got.json, null, 2)}\n`);
    assert.equal(new Set(tasksIn(got.json).map(({ uri }) => uri)).size, count, query);
    assert.equal(got.headers["transfer-encoding"], chunked ? "chunked" : undefined, query);
    assert.equal("content-length" in got.headers, !chunked, query);
    if (chunked) assert.equal(got.headers["x-total-count"], `${count}`);
    const tag = { "If-None-Match": got.headers.etag ?? "" };
    const again = await ask(server, `GET /tasks${query}`, { headers: tag });
    assert.deepEqual([again.status, again.text], [304, ""]);
  }
  const list = await ask(server, "GET /tasks", { headers: { Host: "localhost" } });
  const close = ["Connection: close"];

  // HEAD has no content, and the next bytes on the connection are the next response.
  const head = bytes(`HEAD ${BASE}/tasks`) + bytes(`GET ${BASE}/tasks/1`, close);
  const both = await (await dial(t, server.port, head)).closed;
  assert.match(both, /^HTTP\/1\.1 200 OK\r\n(\S+: .*\r\n)+\r\nHTTP\/1\.1 200 OK\r\n/);

  // HTTP/1.0 has no chunks: the end of the connection is the end of the list.
  const old = bytes(`GET ${BASE}/tasks`, ["Connection: keep-alive"]).replace("/1.1", "/1.0");
  const [fields = "", content] = (await (await dial(t, server.port, old)).closed).split("\r\n\r\n");
  assert.doesNotMatch(fields, /Transfer-Encoding|Content-Length/i);
  assert.equal(content, list.text);
});

test("a piece of a list has at most 128 KiB, whatever characters are in it", async () => {
  for (const text of ["x", "\u0001", '"', "\\", "é", "語", "😀", "\ud83d"]) {
    const fields = { ...INITIAL, title: text, description: text.repeat(5000) };
    const tasks = Array.from({ length: 100 }, (_, i) => ({ ...fields, id: i + 1, revision: 1 }));
    const read = async (ids: readonly number[]) =>
      await Promise.resolve(tasks.filter(({ id }) => ids.includes(id)));
    const { chunks = assert.fail() } = printList(tasks, read, "http://localhost:5000");
    let whole = "";
    for await (const chunk of chunks) {
      assert.ok(Buffer.byteLength(chunk) <= 128 * 1024, `${Buffer.byteLength(chunk)}: ${text}`);
      whole += chunk;
    }
    assert.equal(tasksIn(JSON.parse(whole)).length, 100);
  }
});

/** Begins to read the list, and stops reading. A busy database may say 503 first. */
async function stall({ port }: Server): Promise<IncomingMessage> {
  const headers = { Authorization: MIGUEL };
  for (;;) {
    const asked = request({
      host: "127.0.0.1",
      port,
      path: `${BASE}/tasks`,
      headers,
      agent: false,
    });
    const [response]: IncomingMessage[] = await once(asked.end(), "response");
    if (response?.statusCode === 200) return response;
    assert.equal(response?.resume().statusCode, 503);
  }
}

test("a long list and a slow reader, while others change tasks", async (t) => {
  // Printed, it is more than kernels buffer, and has three times as many bytes as characters.
  const server = await startLong(t, "日".repeat(1600));
  const slow = await stall(server);
  const gone = await stall(server);

  for (let id = 1; id <= MANY; id += 100) {
    const renamed = await ask(server, `PUT /tasks/${id}`, { content: { title: "new" } });
    assert.equal(renamed.status, 200);
    assert.equal((await ask(server, `DELETE /tasks/${id + 1}`)).status, 200);
  }
  gone.on("error", () => {}).destroy();
  assert.equal((await ask(server, "PUT /tasks/2000", { content: { title: "new" } })).status, 200);

  const json: unknown = JSON.parse(await text(slow));
  const found = new Map(tasksIn(json).map(({ uri, title }) => [Number(/\d+$/.exec(uri)), title]));
  assert.equal(found.size, tasksIn(json).length, "each task once");
  assert.deepEqual([...found.keys()], [...found.keys()].toSorted((a, b) => a - b));
  for (let id = 1; id <= MANY; id++) {
    const old = ["Buy groceries", "Learn Python"][id - 1] ?? `${id % 2}, ${id}`;
    const deleted = id % 100 === 2;
    const renamed = id % 100 === 1 || id === MANY;
    const title = found.get(id);
    const fits = title === old || (deleted && title === undefined) || (renamed && title === "new");
    assert.ok(fits, `${id}: ${title}`);
  }
  // The server writes at the pace of the reader, so it had not reached the end yet.
  assert.equal(found.get(1), "Buy groceries");
  assert.equal(found.get(MANY), "new");
  assert.doesNotMatch(server.err, /^ +at /m); // no stack
});
