// What readTarget makes of request lines and Host fields that come over a socket.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { test, type TestContext } from "node:test";
import { HttpError } from "../../lib/http/reply.ts";
import { answersFor, boundTo, readTarget } from "../../lib/wire/target.ts";
import { dial } from "../tools/start.ts";

/** A server that responds with the target it was asked for, and a function to send it lines. */
async function listen(t: TestContext, isOurs: (name: string) => boolean = () => true) {
  const server = createServer({ requireHostHeader: false, joinDuplicateHeaders: true });
  server.maxHeadersCount = 0;
  server.on("request", (request, response) => {
    response.setHeader("Connection", "close");
    try {
      response.end(JSON.stringify(readTarget(request, isOurs)));
    } catch (error) {
      response.writeHead(error instanceof HttpError ? error.status : 500).end();
    }
  });
  server.listen(0, "127.0.0.1");
  t.after(() => server.close());
  await once(server, "listening");
  const here = boundTo(server.address());
  const port = Number(here.split(":").at(-1));
  const ask = async (...lines: string[]): Promise<unknown> => {
    const client = await dial(t, port, `${lines.join("\r\n")}\r\n\r\n`);
    const [head = "", content = ""] = (await client.closed).split("\r\n\r\n");
    return head.includes(" 200 ") ? JSON.parse(content) : Number(head.split(" ")[1]);
  };
  return { ask, here };
}

const HERE = "http://here";

test("a target is an origin, a path in normal form and a query", async (t) => {
  const { ask } = await listen(t);
  const rows: [line: string, origin: string, path: string, query: string][] = [
    ["GET /", HERE, "/", ""],
    ["GET /tasks/1", HERE, "/tasks/1", ""],
    ["GET /tasks?done=true&page=2", HERE, "/tasks", "done=true&page=2"],
    ["GET /tasks?", HERE, "/tasks", ""],
    ["GET /tasks?a?b", HERE, "/tasks", "a?b"],
    ["GET /tasks?title=%41%2F+%zz", HERE, "/tasks", "title=%41%2F+%zz"], // as it was sent
    ["GET //tasks//1/", HERE, "//tasks//1/", ""],
    ["GET /tasks/%31%32", HERE, "/tasks/12", ""],
    ["GET /v1%2E0/t%61sks", HERE, "/v1.0/tasks", ""],
    ["GET /tasks%2F1", HERE, "/tasks%2F1", ""],
    ["GET /tasks%2f1", HERE, "/tasks%2F1", ""],
    ["GET /tasks/%253", HERE, "/tasks/%253", ""], // decoded once only
    ["GET /%E2%82%AC/%00", HERE, "/%E2%82%AC/%00", ""],
    ["OPTIONS *", HERE, "*", ""],
    ["GET http://there:81/tasks/1?q", "http://there:81", "/tasks/1", "q"],
    ["GET HTTP://there/%31", "http://there", "/1", ""],
    ["GET http://[::1]:81/", "http://[::1]:81", "/", ""],
    ["GET http://there", "http://there", "/", ""],
    ["GET http://there?q=/", "http://there", "/", "q=/"],
    ["OPTIONS http://there", "http://there", "*", ""],
    ["OPTIONS http://there/", "http://there", "/", ""],
  ];
  for (const [line, origin, path, query] of rows) {
    assert.deepEqual(await ask(`${line} HTTP/1.1`, "Host: here"), { origin, path, query }, line);
  }
});

test("a path that cannot be decoded is 404, and a malformed target is 400", async (t) => {
  const { ask } = await listen(t);
  const rows: [line: string, status: number][] = [
    ["GET /%", 404],
    ["GET /tasks/%zz", 404],
    ["GET /tasks/%FF", 404], // not UTF-8
    ["GET /tasks/%ED%A0%80", 404], // half of a surrogate pair
    ["GET http://there/%", 404],
    ["GET tasks", 400],
    ["GET ftp://there/", 400],
    ["GET http://", 400],
    ["GET http:///tasks", 400],
    ["GET http://me:secret@there/", 400],
    ["GET http://there,here/", 400],
    ["GET http://there#part", 400],
    ["GET http://there/#part", 400],
    ["GET /tasks#part", 400],
    ["GET /tasks?q=#part", 400],
    ["GET /#", 400],
    ["GET *", 400],
    ["DELETE *", 400],
    ["OPTIONS *#", 400],
    ["OPTIONS *?", 400],
    ["OPTIONS **", 400],
  ];
  for (const [line, status] of rows) {
    assert.equal(await ask(`${line} HTTP/1.1`, "Host: here"), status, line);
  }
});

test("Host is a host, perhaps with a port; anything else is 400", async (t) => {
  const { ask } = await listen(t);
  const good = ["here", "HERE.example", "a_b-c~d.example", "127.0.0.1", "127.0.0.1:5000", "h:1"];
  for (const host of [...good, "[::1]", "[::1]:5000", "[::ffff:127.0.0.1]:80"]) {
    const expected = { origin: `http://${host}`, path: "/", query: "" };
    assert.deepEqual(await ask("GET / HTTP/1.1", `Host: ${host}`), expected, host);
  }
  const bad = ["", "a b", "a,b", "a, b", "me@here", "me:secret@here", "here/path", "here?q", "h#f"];
  const ports = ["h:x", "h:65536", "h:123456", "h:1:2"];
  for (const host of [...bad, ...ports, "::1", "[::1", "[]", "[h]", "<b>", '"']) {
    assert.equal(await ask("GET / HTTP/1.1", `Host: ${host}`), 400, host);
    assert.equal(await ask("GET http://there/ HTTP/1.1", `Host: ${host}`), 400, host);
  }
  assert.equal(await ask("GET / HTTP/1.1", "Host: a", "Host: a"), 400);
  assert.equal(await ask("GET / HTTP/1.1"), 400);
});

test("for HTTP/1.0 without Host, the origin is the address that the request came to", async (t) => {
  const { ask, here } = await listen(t);
  const expected = { origin: `http://${here}`, path: "/tasks", query: "" };
  assert.deepEqual(await ask("GET /tasks HTTP/1.0"), expected);
  assert.deepEqual(await ask("GET /tasks HTTP/1.0", "Host: here"), { ...expected, origin: HERE });
  assert.equal(await ask("GET /tasks HTTP/1.0", "Host: a b"), 400);
});

test("other versions and transfer codings, and too many fields, are refused", async (t) => {
  const { ask } = await listen(t);
  const fields = (count: number) => Array.from({ length: count }, (_, i) => `X-${i}: y`);
  const coded = (coding: string) => [`Transfer-Encoding: ${coding}`, "", "0"];
  const rows: [version: string, fields: string[], status: number | undefined][] = [
    ["1.1", coded("chunked"), undefined],
    ["1.1", coded("Chunked"), undefined],
    ["1.1", coded("gzip, chunked"), 501],
    ["1.0", coded("chunked"), 400],
    ["1.1", fields(99), undefined], // and Host
    ["1.1", fields(100), 431],
    ["2.0", [], 505],
    ["0.9", [], 400], // what node makes of a request line without a version
  ];
  const expected = { origin: HERE, path: "/", query: "" };
  for (const [version, fields, status = expected] of rows) {
    const got = await ask(`POST / HTTP/${version}`, "Host: here", ...fields);
    assert.deepEqual(got, status, `${version} ${fields[0]}`);
  }
});

test("the authority of an IPv6 address has brackets", () => {
  assert.equal(boundTo({ address: "127.0.0.1", family: "IPv4", port: 80 }), "127.0.0.1:80");
  assert.equal(boundTo({ address: "::1", family: "IPv6", port: 80 }), "[::1]:80");
  for (const none of [null, "/run/todo.sock", {}]) assert.equal(boundTo(none), "localhost");
});

test("on a loopback address, the server accepts only its own names; elsewhere any name", () => {
  const rows: [host: string, publicUrl: string | undefined, ours: string[], not: string[]][] = [
    ["127.0.0.1", undefined, [], ["todo.example"]],
    ["localhost", undefined, [], ["todo.example"]],
    ["localhost", "https://todo.example", ["todo.example.", "todo.example.:443"], [
      "todo.example..",
    ]],
    ["::1", undefined, [], ["todo.example"]],
    ["127.0.0.1", "https://todo.example:8443/here", ["todo.example", "TODO.Example"], [
      "www.todo.example",
      "todo.example.evil",
      "todo-example",
    ]],
    ["0.0.0.0", undefined, ["todo.example", "evil.example"], []],
    ["192.0.2.1", "https://todo.example", ["todo.example", "evil.example"], []],
  ];
  const always = [
    "127.0.0.1",
    "[::1]",
    "203.0.113.7",
    "[2001:db8::1]",
    "localhost",
    "localhost.",
    "a.b.localhost",
  ];
  const never = ["localhost.evil", "xlocalhost", ".localhost", "127.0.0.1.evil", "x", "", "evil.7"];
  for (const [host, publicUrl, ours, not] of rows) {
    const isOurs = answersFor(host, publicUrl);
    for (const name of [...always, "LocalHost", ...ours]) assert.ok(isOurs(name), name);
    const strangers = host.startsWith("0") || host.startsWith("192") ? not : [...never, ...not];
    for (const name of strangers) assert.ok(!isOurs(name), name);
  }
});

test("the name that counts is the one in the target, with or without a port", async (t) => {
  const { ask } = await listen(t, answersFor("127.0.0.1", "http://here"));
  const rows: [line: string, host: string, ours: boolean][] = [
    ["GET /", "here", true],
    ["GET /", "here:81", true],
    ["GET /", "here:", true],
    ["GET /", "there", false],
    ["OPTIONS *", "there", false],
    ["GET /%", "there", false],
    ["GET http://here/", "there", true],
    ["GET http://there/", "here", false],
    ["GET http://there:81/", "here", false],
  ];
  for (const [line, host, ours] of rows) {
    const got = await ask(`${line} HTTP/1.1`, `Host: ${host}`);
    assert.equal(typeof got === "number" ? got : 200, ours ? 200 : 421, `${line} ${host}`);
  }
});
