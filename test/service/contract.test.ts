// The contract with clients, row by row, over a real server.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test, type TestContext } from "node:test";
import { FIELDS } from "../../lib/todo/task.ts";
import { bad, wrong } from "../tools/errors.ts";
import {
  type Ask,
  ask,
  BASE,
  BEHIND,
  dial,
  type Received,
  type Server,
  start,
  startBehind,
} from "../tools/start.ts";
import { GROCERIES, PYTHON, task } from "../tools/task.ts";

const uri = (server: Server, id: number) => `${server.origin}/todo/api/v1.0/tasks/${id}`;

/** One row: what is asked, the status, and what else must hold. */
type Row = [
  line: string,
  ask: Ask,
  status: number,
  expected?: unknown,
  fields?: Record<string, string | undefined>,
];

async function walk(t: TestContext, server: Server, rows: Row[]): Promise<void> {
  for (const [line, options, status, expected, fields = {}] of rows) {
    const name = `${line} ${JSON.stringify(options)} → ${status}`;
    await t.test(name, async () => {
      const got = await ask(server, line, options);
      assert.equal(got.status, status, got.text);
      everyResponse(line, got);
      if (expected !== undefined) assert.deepEqual(got.json, expected);
      for (const [field, value] of Object.entries(fields)) assert.equal(got.headers[field], value);
    });
  }
}

/** Asserts what holds for every response. */
function everyResponse(line: string, { status, headers, text, json }: Received): void {
  const reading = /^(GET|HEAD) /.test(line) && status < 400;
  assert.equal(headers["cache-control"], reading ? "private, no-cache" : "no-store");
  assert.equal(headers["x-content-type-options"], "nosniff");
  assert.equal(headers["server"], undefined);
  assert.equal(headers["x-powered-by"], undefined);
  if (line.startsWith("HEAD ") || status === 204) return assert.equal(text, "");
  assert.equal(headers["content-type"], "application/json");
  assert.equal(headers["content-length"], String(Buffer.byteLength(text)));
  assert.equal(text, `${JSON.stringify(json, null, 2)}\n`);
}

const error = (error: string, message?: string) =>
  message === undefined ? { error } : { error, message };
const NOT_FOUND = error("Not found");
const must = (rules: Record<string, string>) =>
  wrong(Object.fromEntries(Object.entries(rules).map(([name, rule]) => [name, `must be ${rule}`])));

test("tasks: the table of requests, in the tutorial's order", async (t) => {
  const server = await start(t, ["--quiet"]);
  const [one, two, three] = [uri(server, 1), uri(server, 2), uri(server, 3)];
  await walk(t, server, [
    ["GET /tasks", {}, 200, { tasks: [{ ...GROCERIES, uri: one }, { ...PYTHON, uri: two }] }],
    ["GET /tasks/2", {}, 200, { task: { ...PYTHON, uri: two } }],
    ["GET /tasks/3", {}, 404, NOT_FOUND],
    [
      "POST /tasks",
      { content: { title: "Read a book" } },
      201,
      { task: { ...task({ title: "Read a book" }), uri: three } },
      { location: three },
    ],
    [
      "PUT /tasks/2",
      { content: { done: true } },
      200,
      { task: { ...PYTHON, done: true, uri: two } },
    ],
    [
      "PATCH /tasks/3",
      {
        content: { description: "Ulysses", uri: "ignored", id: 9 },
        headers: { "Content-Type": "application/merge-patch+json" },
      },
      200,
      { task: { ...task({ description: "Ulysses" }), uri: three } },
    ],
    ["DELETE /tasks/1", {}, 200, { result: true }],
    ["DELETE /tasks/1", {}, 404, NOT_FOUND],
    ["PUT /tasks/1", { content: { done: true } }, 404, NOT_FOUND],
    ["DELETE /tasks/3", {}, 200, { result: true }],
    ["DELETE /tasks/2", {}, 200, { result: true }],
    ["GET /tasks", {}, 200, { tasks: [] }],
    // Ids are never used again, not even when every task is gone.
    [
      "POST /tasks",
      { content: { title: "Next", description: "d", done: true } },
      201,
      { task: { ...task({ title: "Next", description: "d" }), uri: uri(server, 4) } },
    ],
  ]);
});

test("ids: one or more digits and nothing else", async (t) => {
  const server = await start(t, ["--quiet"]);
  const found: Row[] = ["1", "01", "%31", "1?x=y"].map((id) => [
    `GET /tasks/${id}`,
    {},
    200,
    { task: { ...GROCERIES, uri: uri(server, 1) } },
  ]);
  const none = [
    "-1",
    "+1",
    "1.0",
    "1e0",
    "abc",
    "",
    "1/",
    "1%2F",
    "%",
    "%FF",
    "²",
    "9007199254740993",
  ];
  const missing: Row[] = none.map((id) => [`GET /tasks/${encodeNonAscii(id)}`, {}, 404, NOT_FOUND]);
  const paths = [
    "///",
    "//todo/api/v1.0/",
    "//todo/api/v1.0/Tasks",
    "//todo//api/v1.0/tasks",
  ];
  const elsewhere: Row[] = paths.map((path) => [`GET ${path}`, {}, 404, NOT_FOUND]);
  await walk(t, server, [...found, ...missing, ...elsewhere]);
});

const encodeNonAscii = (text: string) => text.replace(/[^\0-~]/g, encodeURIComponent);

test("content: every rule of POST and PUT, all wrong members named at once", async (t) => {
  const server = await start(t, ["--quiet"]);
  const TITLE = { title: FIELDS.title[0] };
  const DESCRIPTION = { description: FIELDS.description[0] };
  const DONE = { done: FIELDS.done[0] };
  const object = bad("the content must be a JSON object");
  const names = Object.keys(FIELDS).join(", ");
  const rows: [content: unknown, post: unknown, put: unknown][] = [
    [{}, wrong({ title: "is missing" }), bad(`send one of ${names}`)],
    [{ title: 1 }, must(TITLE), must(TITLE)],
    [{ title: null }, must(TITLE), must(TITLE)],
    [{ title: " \t\n" }, must(TITLE), must(TITLE)],
    [{ title: "t", description: 1 }, must(DESCRIPTION), must(DESCRIPTION)],
    [
      { title: [], description: {}, done: 0 },
      must({ ...TITLE, ...DESCRIPTION }),
      must({ ...TITLE, ...DONE, ...DESCRIPTION }),
    ],
    [
      { description: 1 },
      wrong({ title: "is missing", description: "must be a string" }),
      must(
        DESCRIPTION,
      ),
    ],
    [[], object, object],
    [null, object, object],
    ['"text"', object, object],
    [7, object, object],
  ];
  for (const [content, post, put] of rows) {
    await walk(t, server, [
      ["POST /tasks", { content }, 400, post],
      ["PUT /tasks/1", { content }, 400, put],
      ["PATCH /tasks/1", { content }, 400, put],
    ]);
  }
  // None of these requests has taken effect.
  await walk(t, server, [
    ["GET /tasks/1", {}, 200, { task: { ...GROCERIES, uri: uri(server, 1) } }],
    ["GET /tasks/3", {}, 404, NOT_FOUND],
  ]);
});

test("the order of checks: path, method, credentials, task, content", async (t) => {
  const server = await start(t, ["--quiet"]);
  const stranger = {
    authorization: undefined,
    content: "{",
    headers: { "Content-Type": "text/plain" },
  };
  const allowed = "GET, HEAD, PUT, PATCH, DELETE, OPTIONS";
  await walk(t, server, [
    ["POST /nowhere", stranger, 404, NOT_FOUND],
    [
      "POST /tasks/9",
      stranger,
      405,
      error("Method not allowed", `send one of ${allowed}`),
      { allow: allowed },
    ],
    ["PUT /tasks/9", stranger, 401, error("Unauthorized access")],
    ["PUT /tasks/9", { content: "{", headers: { "Content-Type": "text/plain" } }, 404, NOT_FOUND],
    ["PUT /tasks/1", { content: "{", headers: { "Content-Type": "text/plain" } }, 400],
  ]);
});

test("methods: HEAD, OPTIONS, 405 and 501 follow from the table", async (t) => {
  const server = await start(t, ["--quiet"]);
  const list = { allow: "GET, HEAD, POST, OPTIONS" };
  const one = { allow: "GET, HEAD, PUT, PATCH, DELETE, OPTIONS" };
  const length = (await ask(server, "GET /tasks")).headers["content-length"];
  await walk(t, server, [
    ["HEAD /tasks", {}, 200, undefined, {
      "content-length": length,
      "content-type": "application/json",
    }],
    ["HEAD /tasks/3", {}, 404],
    ["HEAD /tasks", { authorization: undefined }, 401],
    ["OPTIONS /tasks", { authorization: undefined }, 204, undefined, list],
    ["OPTIONS /tasks/99", { authorization: undefined }, 204, undefined, one],
    ["OPTIONS /nowhere", {}, 404, NOT_FOUND],
    ["DELETE /tasks", {}, 405, undefined, list],
    ["PUT /tasks", { content: {} }, 405, undefined, list],
    ["POST /tasks/1", { content: {} }, 405, undefined, one],
    // A method that no path has.
    ["PROPFIND /tasks/1", {}, 501, error("Not implemented", `send one of ${one.allow}`), one],
    ["LOCK /tasks", { authorization: undefined }, 501, undefined, list],
    ["LOCK /nowhere", {}, 404, NOT_FOUND],
  ]);
});

test("credentials: 401 with a challenge for programs, 403 without for a browser's script", async (t) => {
  const server = await start(t, ["--quiet"]);
  const denied = error("Unauthorized access");
  const challenge = {
    "www-authenticate": 'Basic realm="Authentication Required", charset="UTF-8"',
  };
  const none = { "www-authenticate": undefined };
  const basic = (pair: string) => `Basic ${Buffer.from(pair).toString("base64")}`;
  const wrong = [
    undefined,
    basic("miguel:wrong"),
    basic("miguel:pythonx"),
    basic("miguel:"),
    basic("Miguel:python"),
    basic("nobody:python"),
    basic("miguelpython"),
    "Basic",
    "Basic ",
    "Basic ####",
    basic("miguel:python\0"), // for scrypt, a NUL at the end is the same as nothing
    basic("miguel\0:python"),
    basic("miguel:python\n"),
    basic("miguel:python\x7f"),
    basic("miguel:python\x85"),
    "Bearer bWlndWVsOnB5dGhvbg==",
    "bWlndWVsOnB5dGhvbg==",
    `Basic realm=x, ${basic("miguel:python")}`,
  ];
  await walk(
    t,
    server,
    wrong.map((authorization) => ["GET /tasks", { authorization }, 401, denied, challenge]),
  );
  const scripts = [{ "X-Requested-With": "XMLHttpRequest" }, { "Sec-Fetch-Dest": "empty" }];
  for (const authorization of [undefined, "Basic ####", basic("miguel:wrong")]) {
    await walk(
      t,
      server,
      scripts.map((headers) => ["GET /tasks", { authorization, headers }, 403, denied, none]),
    );
  }
  const utf8 = "the credentials are not UTF-8; let your client encode them as UTF-8";
  const latin1 = { authorization: "Basic bWlndWVsOnB5dGjzbg==" }; // miguel:pythón
  await walk(t, server, [
    ["GET /tasks", latin1, 401, error("Unauthorized access", utf8), challenge],
    [
      "GET /tasks",
      { ...latin1, headers: { "Sec-Fetch-Dest": "empty" } },
      403,
      error("Unauthorized access", utf8),
      none,
    ],
    ["GET /tasks", { authorization: basic("miguel:python").replace("Basic", "bASIC") }, 200],
    ["GET /tasks", { authorization: basic("miguel:python").replace(" ", "   ") }, 200],
    ["GET /tasks", { authorization: basic("miguel:python").replace(/=+$/, "") }, 200],
    ["GET /tasks", { authorization: ` ${basic("miguel:python")} ` }, 200],
    ["GET /tasks", { headers: { "Sec-Fetch-Dest": "document" }, authorization: undefined }, 401],
    ["GET /tasks", { headers: { "Sec-Fetch-Dest": "empty" } }, 200],
  ]);
});

test("credentials: another first user, with colons and Unicode in the password", async (t) => {
  const env = { TODO_USER: "ana", TODO_PASSWORD: "p:ä:☃" };
  const server = await start(t, ["--quiet"], env);
  const field = (password: string) => `Basic ${Buffer.from(`ana:${password}`).toString("base64")}`;
  await walk(t, server, [
    ["GET /tasks/1", { authorization: field("p:ä:☃") }, 200],
    ["GET /tasks/1", { authorization: field("p") }, 401],
    ["GET /tasks/1", {}, 401],
  ]);
});

test("uri: from Host, or from --public-url, which wins", async (t) => {
  const server = await start(t, ["--quiet"]);
  const from = async (server: Server, host: string, options: Ask = {}) => {
    const { json } = await ask(server, "GET /tasks/1", { ...options, headers: { Host: host } });
    return JSON.stringify(json).match(/"uri":"([^"]*)"/)?.[1];
  };
  for (const host of ["todo.localhost", "[::1]:80", "203.0.113.7:8080", "LOCALHOST"]) {
    const uri = `${server.scheme}://${host}/todo/api/v1.0/tasks/1`;
    assert.equal(await from(server, host), uri);
  }
  const behind = await startBehind(t, "https://todo.example/here/");
  for (const host of ["localhost", "todo.example", "TODO.example:8080"]) {
    const uri = "https://todo.example/here/todo/api/v1.0/tasks/1";
    assert.equal(await from(behind, host, BEHIND), uri);
  }
  const made = await ask(behind, "POST /tasks", { ...BEHIND, content: { title: "t" } });
  assert.equal(made.headers.location, "https://todo.example/here/todo/api/v1.0/tasks/3");
});

test("on a loopback address, a host name that is not the server's is 421", async (t) => {
  const server = await start(t, ["--quiet"]);
  const behind = await startBehind(t, "https://todo.example");
  const refused = (name: string) =>
    error(
      "Misdirected request",
      `the server does not answer for ${name}; if it is a name of this server, start it with --public-url`,
    );
  const row = (Host: string, line = "GET /tasks/1"): Row => [
    line,
    { authorization: undefined, headers: { Host } },
    421,
    refused(Host),
    { "www-authenticate": undefined },
  ];
  const names = ["evil.example", "evil.example:5000", "localhost.evil.example", "xlocalhost", "x"];
  await walk(t, server, names.map((name) => row(name)));
  await walk(t, server, [
    row("todo.example"),
    row("evil.example", "POST /users"),
    row("evil.example", "OPTIONS /tasks"),
    row("evil.example", "GET /nowhere"),
  ]);
  await walk(t, behind, [row("evil.example"), row("www.todo.example"), row("todo.example.evil")]);
});

test("a title without a visible character is blank", async (t) => {
  const server = await start(t, ["--quiet"]);
  for (
    const title of ["", " \t\n", "\u00a0", "\u200b\u200d", "\u00ad", "\u3164", "\u2800 \u1160"]
  ) {
    const { status, text } = await ask(server, "POST /tasks", { content: { title } });
    assert.equal(status, 400, JSON.stringify(title));
    assert.match(text, /title must be a string that is not blank/);
  }
  for (const title of ["\u200bx", "👩‍👧", "ㅤㄱ"]) {
    assert.equal((await ask(server, "POST /tasks", { content: { title } })).status, 201, title);
  }
});

test("a 400 stays under 1 kB, whatever was sent", async (t) => {
  const server = await start(t, ["--quiet"]);
  const long = "x".repeat(8000);
  const names = (name: string) => Array.from({ length: 9 }, (_, i) => `${i}${name}`).join("&");
  const encoded = encodeURIComponent("日".repeat(100));
  const sent: [line: string, options: Ask][] = [
    [`GET /tasks?${long}`, {}],
    [`GET /tasks?${names(long.slice(0, 900))}`, {}],
    [`GET /tasks?${names(encoded)}`, {}],
    [`GET /tasks?${names("%01".repeat(100))}`, {}], // a control character takes six bytes in JSON
    [`GET /tasks?done=${long}`, {}],
    [`GET /tasks?${"done=no&".repeat(1000)}`, {}],
    ["POST /tasks", { content: long }],
    ["POST /tasks", { content: `{"title": ${"日".repeat(10_000)}` }],
    ["POST /tasks", { content: { [long]: 1, description: 1 } }],
    ["POST /tasks", { content: "{}", headers: { "Content-Type": long } }],
    ["POST /tasks", { content: "{}", headers: { "Content-Type": "\xe9".repeat(8000) } }],
    ["PUT /tasks/1", { content: "{}", headers: { "If-Match": long } }],
  ];
  for (const [line, options] of sent) {
    const name = `${line} ${JSON.stringify(options)}`.slice(0, 100);
    const { status, json, text } = await ask(server, line, options);
    assert.equal(status, 400, name);
    const message = typeof json === "object" && json !== null && "message" in json && json.message;
    assert.ok(typeof message === "string", `${name}: ${text}`);
    assert.doesNotMatch(message, /\p{Cs}|\ufffd/u, name); // cut between two characters
    assert.ok(Buffer.byteLength(text) < 1000, `${name}: ${text}`);
  }
});

test("a request line that names no resource of ours is 400", async (t) => {
  const server = await start(t, ["--quiet"]);
  const fields = "\r\nHost: localhost\r\nConnection: close\r\n\r\n";
  const lines = ["GET /", "GET", "GET / ", "GET  HTTP/1.1", "GET * HTTP/1.1", "POST * HTTP/1.1"];
  for (const line of [...lines, `GET ${BASE}/tasks#top HTTP/1.1`, "GET tasks HTTP/1.1"]) {
    const answer = await (await dial(t, server.port, `${line}${fields}`)).closed;
    assert.match(answer, /^HTTP\/1\.1 400 [^]*\n {2}"error": "Bad request",\n/, line);
  }
});

test("one bad request never ends the server", async (t) => {
  const logged = t.mock.method(console, "error");
  const server = await start(t, ["--quiet"]);
  await walk(t, server, [
    ["POST /tasks", { content: "{bad" }, 400],
    ["GET //%", {}, 404],
    ["GET ///", {}, 404],
    ["GET /tasks/1", {}, 200],
  ]);
  assert.equal(logged.mock.callCount(), 0);
});
