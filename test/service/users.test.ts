// Users, row by row of the contract: who may register, read, change and delete an account.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { once } from "node:events";
import { Agent, type IncomingMessage, request } from "node:http";
import { test, type TestContext } from "node:test";
import { bad, wrong } from "../tools/errors.ts";
import {
  type Ask,
  ask,
  BASE,
  newAddress,
  type Received,
  type Server,
  start,
} from "../tools/start.ts";

const PASSWORD = "correct horse";
const basic = (username: string, password = PASSWORD) =>
  `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
const as = (username: string, password = PASSWORD) => ({
  authorization: basic(username, password),
});
const ANYONE = { authorization: undefined };

const user = ({ origin }: Server, username: string, email = "") => ({
  user: { username, email, uri: `${origin}${BASE}/users/${username}` },
});
const forbidden = { error: "Forbidden" };

const register = (server: Server, username: string, password = PASSWORD, email?: string) =>
  ask(server, "POST /users", { ...ANYONE, content: { username, password, email } });

type Row = [line: string, ask: Ask, status: number, content?: unknown];

/** Asks row by row. No response may hold anything of a password. */
async function walk(server: Server, rows: Row[]): Promise<void> {
  for (const [line, options, status, content] of rows) {
    const got = await ask(server, line, options);
    const name = `${line} ${JSON.stringify(options)}`;
    assert.equal(got.status, status, `${name}: ${got.text}`);
    if (content !== undefined) assert.deepEqual(got.json, content, name);
    keepsQuiet(got);
  }
}

function keepsQuiet({ text, headers, status }: Received): void {
  const all = `${JSON.stringify(headers)} ${text}`;
  assert.ok(!all.includes(PASSWORD) && !all.includes("battery"), all);
  if (status < 400) assert.doesNotMatch(text, /password|salt|hash/i);
}

test("registering: 201, the address of the user, and an empty list", async (t) => {
  const server = await start(t, ["--quiet"]);
  const made = await register(server, "susan", PASSWORD, "susan@todo.example");
  const susan = user(server, "susan", "susan@todo.example");
  assert.deepEqual([made.status, made.json], [201, susan]);
  assert.equal(made.headers.location, susan.user.uri);
  assert.equal(made.headers["cache-control"], "no-store");
  keepsQuiet(made);
  const got = await ask(server, "GET /users/susan", as("susan"));
  assert.deepEqual([got.status, got.json], [200, susan]);
  assert.equal(got.headers.etag, made.headers.etag);
  assert.equal(got.headers["cache-control"], "private, no-cache");
  keepsQuiet(got);
  await walk(server, [
    ["GET /tasks", as("susan"), 200, { tasks: [] }],
    ["GET /users/miguel", {}, 200, user(server, "miguel")],
    [
      "POST /users",
      { ...ANYONE, content: { username: "susan", password: "battery staple" } },
      409,
      {
        error: "Conflict",
        message: "there is a user susan already",
      },
    ],
    ["POST /users", { content: { username: "miguel", password: "battery staple" } }, 409],
    ["GET /users/susan", as("susan"), 200, susan],
    ["GET /users/susan", as("susan", "battery staple"), 401],
  ]);
});

const MISSING = "is missing";
const USERNAME = "must be 1 to 64 letters, digits, dots, hyphens or underscores, and not . or ..";
const LENGTH = "must be a string of 8 to 1024 characters, none of them a control character";
const EMAIL = "must be a string of at most 254 characters";

test("a malformed new user is 400, with all faults in one message", async (t) => {
  const server = await start(t, ["--quiet"]);
  const ana = { username: "ana", password: PASSWORD };
  const usernames = ["", "a b", "a/b", "a:b", "a%20b", "ä", "ana\n", "a".repeat(65), null, ["ana"]];
  const passwords = [
    "",
    "1234567",
    "é".repeat(7),
    "🛒".repeat(4),
    "x".repeat(1025),
    12345678,
    null,
  ];
  const controls = ["\0", "\n", "\t", "\x7f", "\x85"].map((one) => `correct${one}horse`);
  const object = bad("the content must be a JSON object");
  const rows: [content: unknown, expected: unknown][] = [
    [{}, wrong({ username: MISSING, password: MISSING })],
    [{ username: "ana" }, wrong({ password: MISSING })],
    [{ password: PASSWORD }, wrong({ username: MISSING })],
    [
      { username: 1, password: 2, email: 3 },
      wrong({ username: USERNAME, password: LENGTH, email: EMAIL }),
    ],
    [{ email: null }, wrong({ username: MISSING, password: MISSING, email: EMAIL })],
    ...[...usernames, ".", ".."].map((username): [unknown, unknown] => [
      { ...ana, username },
      wrong({ username: USERNAME }),
    ]),
    ...[...passwords, ...controls].map((password): [unknown, unknown] => [
      { ...ana, password },
      wrong({ password: LENGTH }),
    ]),
    ...[1, null, "e".repeat(255), "🛒".repeat(255)].map((email): [unknown, unknown] => [
      { ...ana, email },
      wrong({ email: EMAIL }),
    ]),
    [[], object],
    ["null", object],
  ];
  // The same rules hold for a change.
  const changes = rows.filter(([content, expected]) =>
    JSON.stringify(content).includes('"username":"ana"') &&
    !JSON.stringify(expected).includes(MISSING)
  );
  await walk(server, [
    ...rows.map(([content, expected]): Row => [
      "POST /users",
      { ...ANYONE, content },
      400,
      expected,
    ]),
    ...changes.map(([content, expected]): Row => ["PUT /users/miguel", { content }, 400, expected]),
    ["PUT /users/miguel", { content: {} }, 400, bad("send one of password, email")],
    ["GET /users/miguel", {}, 200, user(server, "miguel")],
    ["GET /users/ana", as("ana"), 401],
  ]);
});

test("the shortest and the longest name, password and e-mail address are accepted", async (t) => {
  const server = await start(t, ["--quiet"]);
  const longest = `.-_${"aZ9".repeat(20)}x`;
  const rows: [username: string, password: string, email: string][] = [
    ["7", "¶:🛒: :☃ ", ""],
    ["...", "\u00a0".repeat(8), "🛒".repeat(254)], // no control characters
    [longest, "x".repeat(1024), "e".repeat(254)],
  ];
  for (const [username, password, email] of rows) {
    assert.equal((await register(server, username, password, email)).status, 201);
    const got = await ask(server, `GET /users/${username}`, as(username, password));
    assert.deepEqual([got.status, got.json], [200, user(server, username, email)]);
  }
  await walk(server, [["GET /tasks", as("7", "¶"), 401]]);
});

test("registering takes 16 KiB of content and no more", async (t) => {
  const server = await start(t, ["--quiet"]);
  const content = (username: string) => JSON.stringify({ username, password: PASSWORD });
  const limit = 16 * 1024;
  await walk(server, [
    ["POST /users", { ...ANYONE, content: content("susan").padEnd(limit) }, 201],
    ["POST /users", { ...ANYONE, content: content("ana").padEnd(limit + 1) }, 413, {
      error: "Content too large",
      message: "send at most 16384 bytes",
    }],
    // A user may send more.
    ["PUT /users/miguel", { content: '{"email":""}'.padEnd(4 * limit) }, 200],
    ["PUT /users/miguel", { content: '{"email":""}'.padEnd(4 * limit + 1) }, 413],
  ]);
});

test("users see their own account; any other name, whether it exists or not, is 403", async (t) => {
  const server = await start(t, ["--quiet"]);
  await register(server, "susan");
  const rows = ["susan", "nobody", "MIGUEL", "miguel%20", "%2F", "__proto__"].flatMap((name) =>
    [
      [`GET /users/${name}`, {}, 403, forbidden],
      [`PUT /users/${name}`, { content: "{" }, 403, forbidden],
      [`DELETE /users/${name}`, {}, 403, forbidden],
    ] satisfies Row[]
  );
  await walk(server, [
    ...rows,
    ["GET /users/susan", ANYONE, 401],
    ["PUT /users/susan", ANYONE, 401],
    ["DELETE /users/susan", ANYONE, 401],
    ["GET /users/", {}, 404],
    ["GET /users/miguel/tasks", {}, 404],
    ["GET /users/%6Diguel", {}, 200, user(server, "miguel")],
    ["GET /users/susan", as("susan"), 200, user(server, "susan")],
  ]);
});

test("methods: HEAD, OPTIONS and 405 on both paths", async (t) => {
  const server = await start(t, ["--quiet"]);
  const rows: [line: string, status: number, allow?: string][] = [
    ["HEAD /users/miguel", 200],
    ["OPTIONS /users", 204, "POST, OPTIONS"],
    ["OPTIONS /users/nobody", 204, "GET, HEAD, PUT, DELETE, OPTIONS"],
    ["GET /users", 405, "POST, OPTIONS"],
    ["DELETE /users", 405, "POST, OPTIONS"],
    ["POST /users/miguel", 405, "GET, HEAD, PUT, DELETE, OPTIONS"],
    ["PATCH /users/miguel", 405, "GET, HEAD, PUT, DELETE, OPTIONS"],
  ];
  for (const [line, status, allow] of rows) {
    const got = await ask(server, line, status === 200 ? {} : ANYONE);
    assert.deepEqual([got.status, got.headers.allow], [status, allow], line);
    keepsQuiet(got);
  }
  const [got, head] = [
    await ask(server, "GET /users/miguel"),
    await ask(server, "HEAD /users/miguel"),
  ];
  assert.equal(head.text, "");
  assert.equal(head.headers["content-length"], String(Buffer.byteLength(got.text)));
});

test("each user has a list of their own, and no id is given twice", async (t) => {
  const server = await start(t, ["--quiet"]);
  await register(server, "susan");
  const task = (id: number, title: string) => ({
    title,
    done: false,
    description: "",
    uri: `${server.origin}${BASE}/tasks/${id}`,
  });
  const [hers, his] = [task(3, "hers"), task(4, "his")];
  const others: [path: string, who: Ask][] = [
    ["/tasks/3", {}],
    ["/tasks/4", as("susan")],
    ["/tasks/1", as("susan")],
  ];
  await walk(server, [
    ["POST /tasks", { ...as("susan"), content: { title: "hers" } }, 201, { task: hers }],
    ["POST /tasks", { content: { title: "his" } }, 201, { task: his }],
    ["GET /tasks", as("susan"), 200, { tasks: [hers] }],
    ["GET /tasks?title_prefix=h", {}, 200, { tasks: [his] }],
    ...others.flatMap(([path, who]): Row[] => [
      [`GET ${path}`, who, 404],
      [`HEAD ${path}`, who, 404],
      [`PUT ${path}`, { ...who, content: { done: true } }, 404],
      [`PATCH ${path}`, { ...who, content: { done: true } }, 404],
      [`DELETE ${path}`, who, 404],
    ]),
    ["GET /tasks/3", as("susan"), 200, { task: hers }],
    ["GET /tasks/4", {}, 200, { task: his }],
    // The tasks go with the user; the name is free again, the ids are not.
    ["DELETE /users/susan", as("susan"), 200, { result: true }],
    ["GET /tasks", as("susan"), 401],
    ["GET /tasks/3", {}, 404],
    ["POST /users", { content: { username: "susan", password: PASSWORD } }, 201],
    ["GET /tasks", as("susan"), 200, { tasks: [] }],
    ["GET /tasks/3", as("susan"), 404],
    ["POST /tasks", { ...as("susan"), content: { title: "again" } }, 201, {
      task: task(5, "again"),
    }],
  ]);
});

/** A function that asks for the list on a connection that stays open, and gives the status. */
function keepAlive(t: TestContext, { port }: Server) {
  const localAddress = newAddress();
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.after(() => agent.destroy());
  const used = new Set<number | undefined>();
  return async (authorization: string): Promise<number | undefined> => {
    const headers = { Authorization: authorization };
    const to = { host: "127.0.0.1", port, localAddress, path: `${BASE}/tasks`, headers, agent };
    const asked = request(to);
    const got = await new Promise<IncomingMessage>((resolve, reject) => {
      asked.on("error", reject).on("response", resolve).end();
    });
    used.add(got.socket.localPort);
    assert.equal(used.size, 1, "one connection");
    await once(got.resume(), "end");
    return got.statusCode;
  };
}

test("a new password is needed from the next request on, on every open connection", async (t) => {
  const server = await start(t, ["--quiet"]);
  const get = [keepAlive(t, server), keepAlive(t, server)];
  const [before, after] = [basic("miguel", "python"), basic("miguel", "battery staple")];
  for (const one of get) assert.equal(await one(before), 200);
  const email = "miguel@todo.example";
  await walk(server, [
    // Another e-mail address leaves the password as it is.
    ["PUT /users/miguel", { content: { email } }, 200, user(server, "miguel", email)],
    ["GET /users/miguel", {}, 200, user(server, "miguel", email)],
    [
      "PUT /users/miguel",
      { content: { password: "battery staple" } },
      200,
      user(server, "miguel", email),
    ],
  ]);
  for (const one of get) {
    assert.equal(await one(before), 401);
    assert.equal(await one(after), 200);
  }
  await walk(server, [["DELETE /users/miguel", { authorization: after }, 200, { result: true }]]);
  for (const one of get) assert.equal(await one(after), 401);
});

test("after a change right at the start, the first user can still sign in", async (t) => {
  const server = await start(t, ["--quiet"]);
  await walk(server, [
    ["PUT /users/miguel", { content: { email: "miguel@todo.example" } }, 200],
    ["GET /tasks", { authorization: basic("miguel", "python").replace("Basic", "basic") }, 200],
  ]);
});

test("if several clients register one name at the same time, one of them gets it", async (t) => {
  const server = await start(t, ["--quiet"]);
  const passwords = ["password 1", "password 2", "password 3"];
  const answers = await Promise.all(passwords.map((word) => register(server, "susan", word)));
  const statuses = answers.map(({ status }) => status);
  // On a slow machine a hash may come too late: 429.
  const others = statuses.filter((status) => status === 409 || status === 429);
  assert.deepEqual([statuses.includes(201), others.length], [true, 2]);
  const winner = passwords[statuses.indexOf(201)];
  await walk(server, [["GET /tasks", as("susan", winner), 200, { tasks: [] }]]);
});

test("--no-registration: nobody can register, and everything else stays the same", async (t) => {
  const server = await start(t, ["--quiet", "--no-registration"]);
  const closed = { error: "Forbidden", message: "POST is switched off here" };
  await walk(server, [
    ["POST /users", { content: { username: "susan", password: PASSWORD } }, 403, closed],
    ["POST /users", { ...ANYONE, content: "{" }, 403, closed],
    ["GET /users/miguel", {}, 200],
    ["PUT /users/miguel", { content: { email: "miguel@todo.example" } }, 200],
  ]);
  const { headers } = await ask(server, "OPTIONS /users", ANYONE);
  assert.equal(headers["allow"], "OPTIONS");
});
