// What node:http leaves to a careful server, seen from outside: raw bytes in, raw bytes out. All
// checks run at the same time on one server, and at the end nothing of them is left open there.

import assert from "node:assert/strict";
import { performance } from "node:perf_hooks";
import { test, type TestContext } from "node:test";
import {
  ask,
  BASE,
  BY_COMMAND,
  bytes,
  descriptors,
  dial,
  MIGUEL,
  ON_BUN,
  ON_DENO,
  ON_NODE,
  OVER_TLS,
  type Server,
  type ServerProcess,
  start,
  startProcess,
  statuses,
} from "../tools/start.ts";

type Check = (t: TestContext, server: ServerProcess) => Promise<void>;
const CHECKS: [name: string, skip: string | false, check: Check][] = [];

/** Notes a check, and why it is skipped if it has to be. */
function holds(name: string, check: Check, skip: string | false = false): void {
  CHECKS.push([name, skip, check]);
}

const LIMIT = 64 * 1024; // bytes of content
const MUCH = 1024 * 1024;
const TASK_1 = `${BASE}/tasks/1`;
const JSON_TYPE = "Content-Type: application/json";
const CLOSE = "Connection: close";
const CHUNKED = "Transfer-Encoding: chunked";
const HOST = "Host: localhost";
const AUTHORIZATION = `Authorization: ${MIGUEL}`;

/** The bytes of just these lines and an empty one. */
const raw = (...lines: string[]) => `${lines.join("\r\n")}\r\n\r\n`;

const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`;

/** A request with content as JSON. */
const sends = (line: string, content: string, ...fields: string[]) =>
  bytes(line, [JSON_TYPE, ...fields], content);

/** The path of a task that no other check touches. */
async function newTask(server: Server, title = "mine"): Promise<string> {
  const { status, headers } = await ask(server, "POST /tasks", {
    headers: { Connection: "close" },
    content: { title },
  });
  assert.equal(status, 201);
  return new URL(headers.location ?? "").pathname;
}

/** The title of a task, asked for on another connection. */
const titleOf = async (t: TestContext, server: Server, task: string) =>
  titles(await (await dial(t, server.port, bytes(`GET ${task}`, [CLOSE]))).closed)[0];

/** The titles in what a connection received. */
const titles = (text: string) =>
  [...text.matchAll(/"title": "([^"]*)"/g)].map(([, title]) => title);

/** Asserts that these are the statuses, in this order, and that the last response is an error. */
function assertRefused(text: string, ...expected: number[]): void {
  assert.deepEqual(statuses(text), expected, text);
  const [head = "", content = ""] = text.split(/HTTP\/1.1 \d+ /).at(-1)?.split("\r\n\r\n") ?? [];
  assert.match(head, /^Content-Type: application\/json$/mi);
  assert.match(head, new RegExp(`^Content-Length: ${content.length}\\r?$`, "mi"));
  const json: unknown = JSON.parse(content);
  assert.ok(typeof json === "object" && json !== null && "error" in json, content);
}

// Order

const MALFORMED = !ON_NODE && "other parsers take it for malformed: 400";

holds("a GET behind a PUT in one packet shows what the PUT wrote", async (t, server) => {
  const task = await newTask(server);
  const packet = sends(`PUT ${task}`, '{"title": "new"}') + bytes(`GET ${task}`, [CLOSE]);
  const text = await (await dial(t, server.port, packet)).closed;
  assert.deepEqual(statuses(text), [200, 200]);
  assert.deepEqual(titles(text), ["new", "new"]);
});

holds("fifty mixed requests in one packet get their responses in order", async (t, server) => {
  const task = await newTask(server);
  let packet = "";
  for (let n = 0; n < 10; n++) {
    packet += sends(`PUT ${task}`, `{"title": "${n}"}`) + bytes(`GET ${task}`) +
      bytes(`GET /nowhere`) + sends(`PUT ${task}`, "{") + bytes(`OPTIONS ${task}`);
  }
  const client = await dial(t, server.port, packet + bytes(`DELETE ${task}`, [CLOSE]));
  const text = await client.closed;
  const round = [200, 200, 404, 400, 204];
  assert.deepEqual(statuses(text), [...Array(10).fill(round).flat(), 200]);
  assert.deepEqual(titles(text), [..."00112233445566778899"]);
});

holds("requests before a malformed one get their responses first", async (t, server) => {
  const task = await newTask(server);
  const good = sends(`PUT ${task}`, '{"title": "kept"}') + bytes(`GET ${task}`);
  const client = await dial(t, server.port, `${good}NOT HTTP\r\n\r\n`);
  const text = await client.receives(/400 Bad Request[^]*}/);
  client.socket.write("nor this\r\n\r\n");
  assert.equal(await client.closed, text);
  assertRefused(text, 200, 200, 400);
  assert.deepEqual(titles(text), ["kept", "kept"]);
});

holds("an unknown method behind another request is 501", async (t, server) => {
  const packet = bytes(`GET ${TASK_1}`) + bytes("BREW /");
  assertRefused(await (await dial(t, server.port, packet)).closed, 200, 501);
}, MALFORMED);

holds("close among other options ends the connection, before a tab too", async (t, server) => {
  for (const options of ["close\t", "TE, Close", "close , TE"]) {
    const packet = bytes("GET /", [`Connection: ${options}`]) + bytes("GET /");
    assert.deepEqual(statuses(await (await dial(t, server.port, packet)).closed), [200], options);
  }
}, !ON_NODE && "other parsers have their own rule for the end of a connection");

// Refusals: one response in JSON; then the connection ends if the client asked so, or if it must.

const REFUSALS: [name: string, request: string, status: number, skip?: string | false][] = [
  ["a request without Host", raw(`GET ${TASK_1} HTTP/1.1`, CLOSE), 400],
  ["two Host fields", raw(`GET ${TASK_1} HTTP/1.1`, HOST, HOST, CLOSE), 400],
  ["a target that looks like a host", bytes("GET //evil/x", [CLOSE]), 404],
  ["a target that is neither path nor URL", bytes("GET evil", [CLOSE]), 400],
  ["a URL of another scheme", bytes("GET ftp://evil/", [CLOSE]), 400],
  ["a header section beyond 16 KiB", bytes("GET /", [`Long: ${"x".repeat(20_000)}`]), 431],
  ["a target beyond 16 KiB", bytes(`GET /${"x".repeat(20_000)}`), 431],
  ["a 101st header field", bytes(`GET ${TASK_1}`, [...Array(98).fill("A: b"), CLOSE]), 431],
  ["thousands of header fields", bytes(`GET ${TASK_1}`, [...Array(3000).fill("A:"), CLOSE]), 431],
  ["an expectation that nobody knows", bytes("GET /", ["Expect: tea", CLOSE]), 417],
  [
    "Content-Length beside Transfer-Encoding",
    sends(`PUT ${TASK_1}`, "0\r\n\r\n", CHUNKED),
    400,
  ],
  ["two lengths", sends(`PUT ${TASK_1}`, "{}", "Content-Length: 3"), 400],
  ["a negative length", bytes(`PUT ${TASK_1}`, [JSON_TYPE, "Content-Length: -1"]), 400],
  [
    "another transfer coding than chunked",
    bytes(`PUT ${TASK_1}`, [JSON_TYPE, "Transfer-Encoding: gzip, chunked"]) +
    `0\r\n\r\n${bytes("GET /")}`,
    501,
  ],
  [
    "a chunk whose size is not a number",
    bytes(`PUT ${TASK_1}`, [JSON_TYPE, CHUNKED]) + "zz\r\n",
    400,
  ],
  [
    "a request of HTTP/1.0 in chunks that would keep the connection",
    raw(`PUT ${TASK_1} HTTP/1.0`, HOST, CHUNKED, "Connection: keep-alive") +
    `0\r\n\r\n${bytes("GET /")}`,
    400,
  ],
  [
    "another major version",
    raw(`GET ${TASK_1} HTTP/2.0`, HOST, CLOSE),
    505,
    ON_BUN && "Bun's own parser takes it for malformed: 400",
  ],
  ["HTTP/2's preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, MALFORMED],
  ["another minor version", raw(`GET ${TASK_1} HTTP/1.2`, HOST, CLOSE), 505, MALFORMED],
  ["a version to come", raw(`GET ${TASK_1} HTTP/3.0`, HOST, CLOSE), 505, MALFORMED],
  ["TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400],
  ["CONNECT", raw("CONNECT evil:443 HTTP/1.1", "Host: evil:443"), 405],
];

for (const [name, request, status, skip] of REFUSALS) {
  holds(`${name}: ${status} in JSON, once, and the connection ends`, async (t, server) => {
    const text = await (await dial(t, server.port, request)).closed;
    assertRefused(text, status);
    assert.doesNotMatch(text, /evil/);
  }, skip);
}

// Targets

holds("a hundred header fields are not too many", async (t, server) => {
  const packet = bytes(`GET ${TASK_1}`, [...Array(97).fill("A: b"), CLOSE]);
  assert.deepEqual(statuses(await (await dial(t, server.port, packet)).closed), [200]);
});

holds("HTTP/1.0 needs no Host: uri then holds the address that is bound", async (t, server) => {
  const text = await (await dial(t, server.port, raw(`GET ${TASK_1} HTTP/1.0`, AUTHORIZATION)))
    .closed;
  assert.deepEqual(statuses(text), [200]);
  assert.ok(text.includes(`"uri": "${server.origin}${TASK_1}"`), text);
}, ON_BUN && "Bun's socket.address() gives the port of the client");

holds("the authority of an absolute target wins over Host", async (t, server) => {
  const packet = bytes(`GET http://sub.localhost:81${TASK_1}`, [CLOSE]);
  const text = await (await dial(t, server.port, packet)).closed;
  assert.deepEqual(statuses(text), [200]);
  assert.ok(text.includes(`"uri": "${server.scheme}://sub.localhost:81${TASK_1}"`), text);
});

// Expect: 100-continue

const EXPECT = "Expect: 100-continue";
const UNASKED: [name: string, fields: string[], status: number][] = [
  ["without credentials", [JSON_TYPE, "Content-Length: 20"], 401],
  ["of another media type", [AUTHORIZATION, "Content-Length: 20"], 400],
  ["beyond the limit", [AUTHORIZATION, JSON_TYPE, `Content-Length: ${LIMIT + 1}`], 413],
];

for (const [name, fields, status] of UNASKED) {
  holds(`a client that would send content ${name} is not told to continue`, async (t, server) => {
    const packet = raw(`POST ${BASE}/tasks HTTP/1.1`, HOST, ...fields, EXPECT);
    assertRefused(await (await dial(t, server.port, packet)).closed, status);
  });
}

holds("a client that waits for 100 Continue gets it when its turn has come", async (t, server) => {
  const task = await newTask(server);
  const content = '{"title": "awaited"}';
  const head = raw(
    `PUT ${task} HTTP/1.1`,
    HOST,
    AUTHORIZATION,
    JSON_TYPE,
    `Content-Length: ${content.length}`,
    EXPECT,
    CLOSE,
  );
  const client = await dial(t, server.port, sends(`PUT ${task}`, '{"title": "before"}') + head);
  await client.receives(/100 Continue\r\n\r\n/);
  client.socket.write(content);
  const text = await client.closed;
  assert.deepEqual(statuses(text), [200, 100, 200]);
  assert.deepEqual(titles(text), ["before", "awaited"]);
});

// Upgrade

for (const protocol of ["h2c", "websocket"]) {
  holds(`an upgrade to ${protocol} is declined by a last response`, async (t, server) => {
    const fields = ["Connection: Upgrade", `Upgrade: ${protocol}`];
    const client = await dial(t, server.port, bytes(`GET ${TASK_1}`, fields) + bytes("GET /x"));
    const text = await client.closed;
    assert.deepEqual(statuses(text), [200]);
    assert.match(text, /^Connection: close\r$/mi);
  });
}

holds(
  "the last response to a request without content ends the connection at once",
  async (t, server) => {
    const times: number[] = [];
    while (times.length < 10) {
      const begin = performance.now();
      await (await dial(t, server.port, bytes(`GET ${TASK_1}`, ["Upgrade: h2c"]))).closed;
      times.push(performance.now() - begin);
    }
    assert.ok(Math.min(...times) < 1000, `${times} ms`); // otherwise each lingers for a second
  },
);

// Content that is too long, or not wanted

holds("exactly 64 KiB of content is taken", async (t, server) => {
  const task = await newTask(server);
  const frame = '{"description": ""}';
  const content = frame.replace('""', `"${"x".repeat(LIMIT - frame.length)}"`);
  const client = await dial(t, server.port, sends(`PUT ${task}`, content, CLOSE));
  assert.deepEqual(statuses(await client.closed), [200]);
});

holds(
  "a Content-Length beyond 64 KiB is refused before a byte of it is sent",
  async (t, server) => {
    const packet = bytes(`PUT ${TASK_1}`, [JSON_TYPE, `Content-Length: ${LIMIT + 1}`]);
    assertRefused(await (await dial(t, server.port, packet)).closed, 413);
  },
);

holds("a client that sends 5 MB in chunks reads why they were refused", async (t, server) => {
  const head = bytes(`PUT ${TASK_1}`, [JSON_TYPE, CHUNKED]);
  const content = chunk("x".repeat(50_000)).repeat(100);
  for (let round = 0; round < 20; round++) {
    const client = await dial(t, server.port, `${head}${content}0\r\n\r\n`);
    assertRefused(await client.closed, 413);
  }
});

holds("a client that never stops sending reads why, and is cut off", async (t, server) => {
  const head = bytes(`PUT ${TASK_1}`, [JSON_TYPE, CHUNKED]);
  const { socket, closed } = await dial(t, server.port, head);
  const more = () => {
    while (socket.write(chunk("x".repeat(50_000))));
  };
  socket.on("drain", more);
  more();
  assertRefused(await closed, 413);
});

holds("little content that is not wanted leaves the connection usable", async (t, server) => {
  const unread = raw(`PUT ${TASK_1} HTTP/1.1`, HOST, JSON_TYPE, "Content-Length: 5");
  const client = await dial(t, server.port, unread);
  await client.receives(/401 Unauthorized[^]*}/);
  client.socket.write(`12345${unread}12345${bytes(`GET ${TASK_1}`, [CLOSE])}`);
  assert.deepEqual(statuses(await client.closed), [401, 401, 200]);
});

holds("much content that is not wanted ends the connection properly", async (t, server) => {
  const head = raw(`PUT ${TASK_1} HTTP/1.1`, HOST, JSON_TYPE, `Content-Length: ${MUCH}`);
  const packet = head + "x".repeat(MUCH) + bytes(`GET ${TASK_1}`);
  const text = await (await dial(t, server.port, packet)).closed;
  assertRefused(text, 401);
  assert.match(text, /^Connection: close\r$/mi);
});

holds("a chunk that turns out to be malformed is refused once", async (t, server) => {
  const task = await newTask(server, "whole");
  const packet = bytes(`PUT ${task}`, [JSON_TYPE, CHUNKED, EXPECT]);
  const client = await dial(t, server.port, packet);
  await client.receives(/100 Continue/); // it is being read
  client.socket.write(chunk('{"title": "cut off"}') + "zz\r\n");
  await client.receives(/400 Bad Request[^]*}/);
  client.socket.write("zz\r\n");
  assertRefused(await client.closed, 100, 400);
  assert.equal(await titleOf(t, server, task), "whole");
});

// Clients that go away

const COMPLETE = '{"title": "cut off"}';
const CUT: [name: string, fields: string[], content: string][] = [
  ["content shorter than its length", [`Content-Length: ${COMPLETE.length + 1}`], COMPLETE],
  ["content without its last chunk", [CHUNKED], chunk(COMPLETE)],
];

for (const [name, fields, content] of CUT) {
  holds(`${name} changes nothing when the client ends`, async (t, server) => {
    const task = await newTask(server, "whole");
    const head = bytes(`PUT ${task}`, [JSON_TYPE, ...fields]);
    const client = await dial(t, server.port, head + content);
    client.socket.end();
    const text = await client.closed;
    assertRefused(text, 400);
    if (ON_NODE) assert.match(text, /"message": "the request was cut off"/);
    assert.deepEqual(titles((await ask(server, `GET /${task.replace(`${BASE}/`, "")}`)).text), [
      "whole",
    ]);
  }, ON_DENO && "Deno does not tell of this end: 408 after 30 s");

  holds(`${name} changes nothing when the client vanishes`, async (t, server) => {
    const task = await newTask(server, "whole");
    const fieldsToo = [JSON_TYPE, EXPECT, ...fields];
    const client = await dial(t, server.port, bytes(`PUT ${task}`, fieldsToo));
    await client.receives(/100 Continue/); // it is being read
    client.socket.write(content, () => client.reset());
    await server.prints(new RegExp(`"PUT ${task} HTTP/1.1" 400`));
    assert.deepEqual(titles((await ask(server, `GET /${task.replace(`${BASE}/`, "")}`)).text), [
      "whole",
    ]);
  }, ON_DENO && OVER_TLS && "Deno does not tell of a reset under TLS");
}

holds("a client that has sent all and ended its side still gets responses", async (t, server) => {
  const task = await newTask(server);
  const packet = sends(`PUT ${task}`, '{"title": "last"}') + bytes(`GET ${task}`);
  const client = await dial(t, server.port);
  client.socket.end(packet);
  const text = await client.closed;
  assert.deepEqual(statuses(text), [200, 200]);
  assert.deepEqual(titles(text), ["last", "last"]);
});

// HEAD

holds("HEAD has the fields of GET and no content", async (t, server) => {
  for (const path of [TASK_1, "/nowhere"]) { // not the list, which the others change
    const [head, get] = await Promise.all(["HEAD", "GET"].map(async (method) => {
      const client = await dial(t, server.port, bytes(`${method} ${path}`, [CLOSE]));
      const [fields = "", content] = (await client.closed).split("\r\n\r\n");
      return { fields: fields.replace(/^Date:.*/mi, ""), content };
    }));
    assert.equal(head?.fields, get?.fields);
    assert.equal(head?.content, "");
    assert.match(get?.content ?? "", /^{[^]*}\n$/);
  }
});

// Time

holds("a client that does not finish its request gets 408 in JSON", async (t) => {
  const [head, whole] = BY_COMMAND ? [10, 30] : [1, 3];
  const server = await start(t, ["--quiet"], {}, {
    headersTimeout: head * 1000,
    requestTimeout: whole * 1000,
  });
  const stalls: [request: string, seconds: number][] = [
    ["GET / HTTP/1.1\r\nHost: te", head],
    [bytes(`PUT ${TASK_1}`, [JSON_TYPE, "Content-Length: 9"]) + "{", whole],
    [bytes(`PUT ${TASK_1}`, [JSON_TYPE, CHUNKED]) + chunk("{"), whole],
  ];
  await Promise.all(stalls.map(async ([request, seconds]) => {
    const before = performance.now();
    const client = await dial(t, server.port, request);
    const connected = performance.now();
    await client.receives(/"error"[^]*}/);
    const now = performance.now();
    assert.ok(now - before > seconds * 1000 - 100, `${now - before} ms`);
    assert.ok(now - connected < seconds * 1000 + 5000, `${now - connected} ms`);
    client.socket.write("x"); // too late
    assertRefused(await client.closed, 408);
  }));
});

// One by one on Deno: there, malformed bytes on one connection sometimes break another one.
test("a careful server", { concurrency: ON_DENO ? 1 : CHECKS.length }, async (t) => {
  const server = await startProcess(t);
  const before = await descriptors(t, server);
  await Promise.all(
    CHECKS.map(([name, skip, check]) =>
      t.test(name, { skip }, async (t) => await check(t, server))
    ),
  );
  await t.test("nothing is left open after all this, and stderr is empty", async (t) => {
    assert.ok(await descriptors(t, server, before) <= before);
    assert.equal(server.err, "");
  });
});
