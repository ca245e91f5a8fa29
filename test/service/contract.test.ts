// The contract with clients, row by row, over a real server.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test, type TestContext } from "node:test";
import { type Answer, type Ask, ask, type Server, start } from "../tools/start.ts";

const GROCERIES = {
  title: "Buy groceries",
  done: false,
  description: "Milk, Cheese, Pizza, Fruit, Tylenol",
};
const PYTHON = {
  title: "Learn Python",
  done: false,
  description: "Need to find a good Python tutorial on the web",
};
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
      everyAnswer(line, got);
      if (expected !== undefined) assert.deepEqual(got.json, expected);
      for (const [field, value] of Object.entries(fields)) assert.equal(got.headers[field], value);
    });
  }
}

/** What holds for every answer that there is. */
function everyAnswer(line: string, { status, headers, text, json }: Answer): void {
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
const bad = (message: string) => error("Bad request", message);
const NOT_FOUND = error("Not found");

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
      { task: { title: "Read a book", done: false, description: "", uri: three } },
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
      { task: { title: "Read a book", done: false, description: "Ulysses", uri: three } },
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
      { task: { title: "Next", done: false, description: "d", uri: uri(server, 4) } },
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
  const title = "title must be a string that is not blank";
  const object = bad("the content must be a JSON object");
  const rows: [content: unknown, post: unknown, put: unknown][] = [
    [
      {},
      bad("title is missing"),
      bad("send one of title, description, done"),
    ],
    [{ title: 1 }, bad(title), bad(title)],
    [{ title: null }, bad(title), bad(title)],
    [{ title: " \t\n" }, bad(title), bad(title)],
    [
      { title: "t", description: 1 },
      bad("description must be a string"),
      bad("description must be a string"),
    ],
    [
      { title: [], description: {}, done: 0 },
      bad(`${title}; description must be a string`),
      bad(`${title}; description must be a string; done must be true or false`),
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
  // Nothing of all that has taken effect.
  await walk(t, server, [
    ["GET /tasks/1", {}, 200, { task: { ...GROCERIES, uri: uri(server, 1) } }],
    ["GET /tasks/3", {}, 404, NOT_FOUND],
  ]);
});

test("strings come back exactly as they were sent", async (t) => {
  const server = await start(t, ["--quiet"]);
  for (
    const text of ["Ünïcödé ☃ 🛒", "e\u0301", "\u0000\u2028\uFEFF", "\uD800", ' "\\/ ', "__proto__"]
  ) {
    const made = await ask(server, "POST /tasks", {
      content: { title: `t${text}`, description: text },
    });
    const location = made.headers.location ?? "";
    const got = await ask(server, `GET ${location.slice(location.indexOf("/tasks/"))}`);
    const expected = { title: `t${text}`, done: false, description: text, uri: location };
    assert.deepEqual(got.json, { task: expected });
  }
});

test("the order of judgement: path, method, credentials, task, content", async (t) => {
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

test("methods: HEAD, OPTIONS and 405 fall out of the table", async (t) => {
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
    ["PROPFIND /tasks/1", {}, 405, undefined, one],
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
    "Basic /w==",
    "Bearer bWlndWVsOnB5dGhvbg==",
    "bWlndWVsOnB5dGhvbg==",
    `Basic realm=x, ${basic("miguel:python")}`,
  ];
  const script = [{ "X-Requested-With": "XMLHttpRequest" }, { "Sec-Fetch-Dest": "empty" }];
  for (const authorization of wrong) {
    await walk(t, server, [
      ["GET /tasks", { authorization }, 401, denied, challenge],
      ...script.map((
        headers,
      ): Row => ["GET /tasks", { authorization, headers }, 403, denied, none]),
    ]);
  }
  await walk(t, server, [
    ["GET /tasks", { authorization: basic("miguel:python").replace("Basic", "bASIC") }, 200],
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
  const from = async (server: Server, host: string) => {
    const { json } = await ask(server, "GET /tasks/1", { headers: { Host: host } });
    return JSON.stringify(json).match(/"uri":"([^"]*)"/)?.[1];
  };
  assert.equal(
    await from(server, "todo.example"),
    `${server.scheme}://todo.example/todo/api/v1.0/tasks/1`,
  );
  assert.equal(await from(server, "[::1]:80"), `${server.scheme}://[::1]:80/todo/api/v1.0/tasks/1`);
  const behind = await start(t, ["--quiet", "--public-url", "https://todo.example/here/"]);
  assert.equal(await from(behind, "x"), "https://todo.example/here/todo/api/v1.0/tasks/1");
  const made = await ask(behind, "POST /tasks", { content: { title: "t" } });
  assert.equal(made.headers.location, "https://todo.example/here/todo/api/v1.0/tasks/3");
});

test("one bad request never ends the server", async (t) => {
  const server = await start(t, ["--quiet"]);
  await walk(t, server, [
    ["POST /tasks", { content: "{bad" }, 400],
    ["GET //%", {}, 404],
    ["GET ///", {}, 404],
    ["GET /tasks/1", {}, 200],
  ]);
  assert.equal(server.err, "");
});
