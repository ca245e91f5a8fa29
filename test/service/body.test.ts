// What may be sent as content: its type, coding and size, and the members of its object.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { readMembers, type Rules } from "../../lib/http/members.ts";
import { printJson } from "../../lib/http/reply.ts";
import { ask, BASE, bytes, dial, ON_NODE, start, startProcess } from "../tools/start.ts";
import { task } from "../tools/task.ts";

interface Book {
  readonly title: string;
  readonly read: boolean;
}
const BOOK: Rules<Book> = {
  title: ["a string", (value) => typeof value === "string"],
  read: ["true or false", (value) => typeof value === "boolean"],
};

const LIMIT = 64 * 1024;
const CREATE = `POST ${BASE}/tasks`;
const TASK = JSON.stringify({ title: "Read a book" });

/** The message of an error's content. */
function messageOf(json: unknown): string {
  const ok = typeof json === "object" && json !== null && "message" in json;
  return ok ? String(json.message) : "";
}

test("members that have a rule are read, and all others are ignored", () => {
  const rows: [json: string, members: Partial<Book>][] = [
    ['{"title": "Emma"}', { title: "Emma" }],
    ['{"title": "", "read": false}', { title: "", read: false }],
    ['{"uri": 1, "read": true, "id": null}', { read: true }],
    ['{"title": "a", "title": "b"}', { title: "b" }], // as JSON.parse does
    ['{"__proto__": {"title": "Emma"}}', {}],
    ['{"__proto__": null, "constructor": 1, "toString": 2}', {}],
  ];
  for (const [json, members] of rows) {
    assert.deepEqual(readMembers(JSON.parse(json), BOOK), members, json);
  }
  assert.equal(Object.hasOwn(Object.prototype, "title"), false);
});

test("one message names every member that is wrong or missing", () => {
  const rows: [json: string, fields: Record<string, string>][] = [
    ["{}", { title: "is missing", read: "is missing" }],
    ['{"title": "Emma"}', { read: "is missing" }],
    ['{"read": 1}', { title: "is missing", read: "must be true or false" }],
    ['{"title": null, "read": "yes"}', {
      title: "must be a string",
      read: "must be true or false",
    }],
    ['{"title": ["Emma"], "read": true}', { title: "must be a string" }],
    ['{"__proto__": {"title": "Emma"}, "read": true}', { title: "is missing" }],
  ];
  for (const [json, fields] of rows) {
    const read = () => readMembers(JSON.parse(json), BOOK, "title", "read");
    const message = Object.entries(fields).map((fault) => fault.join(" ")).join("; ");
    const text = printJson({ error: "Bad request", message, fields });
    assert.throws(read, { status: 400, text }, json);
  }
});

test("if no member is required, any one of them is", () => {
  const text = printJson({ error: "Bad request", message: "send one of title, read" });
  assert.throws(() => readMembers({}, BOOK), { status: 400, text });
});

test("content that is not a JSON object is refused", () => {
  for (const json of ["[]", '[{"title": "Emma"}]', "null", '"title"', "1", "true"]) {
    assert.throws(() => readMembers(JSON.parse(json), BOOK), { status: 400 }, json);
  }
  assert.throws(() => readMembers(undefined, BOOK), { status: 400 });
});

test("content must be marked as JSON, and the message says how", async (t) => {
  const server = await start(t);
  const rows: [type: string, status: number][] = [
    ["application/json", 201],
    ["application/json; charset=utf-8", 201],
    ["application/json;charset=utf-8", 201],
    ["APPLICATION/JSON", 201],
    ["application/merge-patch+json", 201],
    ["application/vnd.todo.v1+json; q=1", 201],
    ["text/plain", 400],
    ["application/x-www-form-urlencoded", 400],
    ["application/jsonp", 400],
    ["application/xml; like=application/json", 400],
    ["text/plain, application/json", 400],
    ["json", 400],
    ["+json", 400],
  ];
  for (const [type, status] of rows) {
    const headers = { "Content-Type": type };
    const got = await ask(server, "POST /tasks", { headers, content: TASK });
    assert.equal(got.status, status, type);
    if (status === 201) continue;
    const said = type.includes(",")
      ? "send one Content-Type field, not several"
      : `Content-Type is ${type}; send it as application/json (curl: -H "Content-Type: application/json")`;
    assert.equal(messageOf(got.json), said);
  }
  const client = await dial(t, server.port, bytes(CREATE, ["Connection: close"], TASK));
  const text = await client.closed;
  assert.match(text, / 400 [^]*Content-Type is missing; send it as application\/json/);
});

test("content must be sent without a content coding", async (t) => {
  const server = await start(t);
  const rows: [coding: string, status: number][] = [
    ["identity", 201],
    ["Identity", 201],
    ["gzip", 415],
    ["br", 415],
    ["identity, gzip", 415],
  ];
  for (const [coding, status] of rows) {
    const headers = { "Content-Encoding": coding };
    const got = await ask(server, "POST /tasks", { headers, content: TASK });
    assert.equal(got.status, status, coding);
  }
});

test("content that is not JSON in UTF-8 is 400, and the message says what is wrong", async (t) => {
  const server = await start(t);
  const rows: [content: string | Buffer, message: RegExp][] = [
    ["", /^there is no content; send a JSON object$/],
    [" ", /JSON.*\bend\b/],
    ['{"title": "a"', /position 13|end/],
    ['{"title": "a",}', /position 14/],
    ["{'title': 'a'}", /position 1\b/],
    ["title=a", /JSON.*title=a/],
    ['{"title": "a\nb"}', /position 12/],
    ['{"title": NaN}', /JSON.*NaN/],
    ["\uFEFF\uFEFF{}", /JSON/],
    [Buffer.from('{"title": "\xe9"}', "latin1"), /UTF-8/],
    [Buffer.from("\uFEFF{}", "utf16le"), /UTF-8/],
    [Buffer.from("{}", "utf16le"), /UTF-8/],
    [Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]), /UTF-8/], // half of a surrogate pair
  ];
  for (const [content, message] of rows) {
    const got = await ask(server, "POST /tasks", { content });
    assert.equal(got.status, 400, String(content));
    const expected = ON_NODE ? message : /JSON|UTF-8/; // other parsers use other words
    assert.match(messageOf(got.json), expected, String(content));
  }
  assert.equal((await ask(server, "POST /tasks", { content: `\uFEFF${TASK}` })).status, 201);
});

test("content of 64 KiB is read; one byte more is 413, before all of it is sent", async (t) => {
  const { port } = await start(t);
  const json = "Content-Type: application/json";
  const chunked = [json, "Transfer-Encoding: chunked"];
  const chunk = (size: number) =>
    `${size.toString(16)}\r\n${TASK.padStart(size).slice(0, size)}\r\n`;
  const rows: [name: string, bytes: string, status: number][] = [
    ["64 KiB", bytes(CREATE, [json], TASK.padStart(LIMIT)), 201],
    ["64 KiB in a chunk", `${bytes(CREATE, chunked)}${chunk(LIMIT)}0\r\n\r\n`, 201],
    ["more", bytes(CREATE, [json, `Content-Length: ${LIMIT + 1}`]), 413],
    ["more in a chunk", bytes(CREATE, chunked) + chunk(LIMIT + 1), 413],
    ["more in two chunks", bytes(CREATE, chunked) + chunk(LIMIT) + chunk(1), 413],
  ];
  for (const [name, sent, status] of rows) {
    const client = await dial(t, port, sent);
    const head = (await client.receives(/\r\n\r\n/)).split("\r\n")[0];
    assert.match(head ?? "", new RegExp(`^HTTP/1.1 ${status} `), name);
  }
});

test("a request without content is answered at once, even if it is marked as JSON", async (t) => {
  const { port } = await start(t, ["--quiet"]);
  const head = bytes(CREATE, ["Content-Type: application/json", "Connection: close"]);
  assert.match(await (await dial(t, port, head)).closed, / 400 [^]*there is no content; send/);
});

test("a client of HTTP/1.0 gets no 100, which it would take for the response", async (t) => {
  const { port } = await start(t, ["--quiet"]);
  const fields = ["Content-Type: application/json", "Expect: 100-continue"];
  const sent = bytes(CREATE, fields, TASK).replace("HTTP/1.1", "HTTP/1.0");
  assert.match(await (await dial(t, port, sent)).closed, /^HTTP\/1.1 201 /);
});

test("a client that goes away in the middle of its content leaves a line in the log", async (t) => {
  const server = await startProcess(t);
  const fields = ["Content-Type: application/json", "Expect: 100-continue", "Content-Length: 99"];
  const client = await dial(t, server.port, bytes(CREATE, fields));
  await client.receives(/ 100 Continue/); // it reads the content now
  client.socket.write(TASK);
  client.reset();
  await server.prints(/"POST \S*\/tasks HTTP\/1.1" 400 \d+\n/);
});

test("content that arrives in pieces, while a password is checked, is read whole", async (t) => {
  const server = await start(t, ["--quiet"]);
  await ask(server, "PUT /users/miguel", { content: { password: "battery staple" } });
  const authorization = `Basic ${btoa("miguel:battery staple")}`; // seen for the first time
  const content = TASK.padStart(LIMIT); // one read of node is shorter
  assert.equal((await ask(server, "POST /tasks", { authorization, content })).status, 201);
});

test("strings come back exactly as they were sent", async (t) => {
  const server = await start(t);
  const strings = [
    "Zażółć gęślą jaźń 日本語 עברית",
    "😀👩‍👩‍👧‍👦",
    "\ud800 lonely \udc00",
    "NUL\0, BEL\u0007, DEL\u007f, \u2028\u2029",
    '"quoted" \\ \r\n\t',
    "\ufeffmarked, \ufffd replaced",
    "e\u0301 is not \u00e9", // nothing is normalised
    "  spaces stay  ",
    "__proto__",
  ];
  for (const title of strings) {
    const made = await ask(server, "POST /tasks", { content: { title, description: title } });
    const uri = String(made.headers.location);
    const read = await ask(server, `GET ${uri.slice(uri.lastIndexOf("/tasks/"))}`);
    const expected = { task: { ...task({ title, description: title }), uri } };
    assert.deepEqual([made.json, read.json], [expected, expected]);
  }
});
