// Pages of other origins: the preflight that a browser sends, and what a page may read then.

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { test, type TestContext } from "node:test";
import { allowOrigins } from "../../lib/wire/cors.ts";
import { serve } from "../../lib/wire/server.ts";
import { boundTo } from "../../lib/wire/target.ts";
import { type Ask, ask, bytes, dial, type Received, type Server, start } from "../tools/start.ts";

const APP = "https://app.example";
const DEV = "http://localhost:3000";

const FIELDS = [
  "access-control-allow-origin",
  "access-control-allow-methods",
  "access-control-allow-headers",
  "access-control-allow-credentials",
  "access-control-expose-headers",
  "access-control-max-age",
];

/** The CORS fields of a response, without `access-control-`. */
function corsFields({ headers }: Received): Record<string, unknown> {
  const there = FIELDS.filter((name) => headers[name] !== undefined);
  return Object.fromEntries(
    there.map((name) => [name.replace("access-control-", ""), headers[name]]),
  );
}

/** The CORS fields of a response to a page of an allowed origin. */
const readableBy = (origin: string) => ({
  "allow-origin": origin,
  "expose-headers": "ETag, Link, Location, Retry-After, X-Total-Count",
});

const permission = (origin: string, methods: string, fields = "authorization,content-type") => ({
  "allow-origin": origin,
  "allow-methods": methods,
  "allow-headers": fields,
  "max-age": "7200",
});

/** Asks as a browser does before a script's request. */
const preflight = (
  server: Server,
  target: string,
  origin: string,
  fields = "authorization,content-type",
) =>
  ask(server, `OPTIONS ${target}`, {
    authorization: undefined,
    headers: {
      Origin: origin,
      "Access-Control-Request-Method": "PUT",
      "Access-Control-Request-Headers": fields,
    },
  });

const allowing = (t: TestContext, ...origins: string[]) =>
  start(t, ["--quiet", ...origins.flatMap((origin) => ["--cors-origin", origin])]);

test("a preflight learns which methods and fields the path takes", async (t) => {
  const server = await allowing(t, APP, DEV);
  const paths = [
    ["/tasks", "GET, HEAD, POST, OPTIONS"],
    ["/tasks/1", "GET, HEAD, PUT, PATCH, DELETE, OPTIONS"],
    ["/users", "POST, OPTIONS"],
  ] as const;
  for (const origin of [APP, DEV]) {
    for (const [path, methods] of paths) {
      const answer = await preflight(server, path, origin);
      assert.equal(answer.status, 204);
      assert.equal(answer.headers.allow, methods);
      assert.equal(answer.headers.vary, "Origin");
      assert.deepEqual(corsFields(answer), permission(origin, methods));
    }
  }
  // OPTIONS that a script sends by itself is like any other request.
  const own = await ask(server, "OPTIONS /tasks", { headers: { Origin: APP } });
  assert.deepEqual(corsFields(own), readableBy(APP));
  const nowhere = await preflight(server, "/nowhere", APP);
  assert.equal(nowhere.status, 404); // no browser takes that as permission
  assert.deepEqual(corsFields(nowhere), readableBy(APP));
});

test("a page of an allowed origin may send any header field, if its name is a token", async (t) => {
  const server = await allowing(t, APP);
  const tokens = [
    "traceparent",
    "authorization,cache-control,traceparent,x-xsrf-token",
    "x-a, x-b ,x-c",
    "!#$%&'*+-.^_`|~0aZ",
    "x,".repeat(2000) + "x",
  ];
  for (const fields of tokens) {
    const answer = await preflight(server, "/users", APP, fields);
    assert.deepEqual(corsFields(answer), permission(APP, "POST, OPTIONS", fields));
  }
  for (const fields of ["", ",", "a b", "a,,b", "a:b", 'a"b', "<script>", "a,", "caf\xe9", "a;b"]) {
    const answer = await preflight(server, "/users", APP, fields);
    const { "allow-headers": _, ...without } = permission(APP, "POST, OPTIONS");
    assert.deepEqual(corsFields(answer), without, fields);
  }
  // A page of another origin gets no CORS fields.
  const stranger = await preflight(server, "/users", "https://evil.example", "traceparent");
  assert.deepEqual(corsFields(stranger), {});
});

const SCRIPT = { "Sec-Fetch-Dest": "empty", "Sec-Fetch-Mode": "cors" };

/** A row for each status that a page can see. */
const RESPONSES: [line: string, options: Ask, status: number][] = [
  ["GET /tasks?per_page=1", {}, 200],
  ["HEAD /tasks/1", {}, 200],
  ["GET /tasks/1", { headers: { "If-None-Match": "*" } }, 304],
  ["POST /tasks", { content: { title: "Read a book" } }, 201],
  ["POST /tasks", { content: {} }, 400],
  ["GET /tasks", { headers: { Host: "a b" } }, 400],
  ["GET /tasks", { authorization: undefined }, 401],
  ["GET /tasks", { authorization: "Basic eDp5", headers: SCRIPT }, 403],
  ["GET /tasks/999", {}, 404],
  ["GET /nowhere", {}, 404],
  ["PUT /tasks", { content: {} }, 405],
  ["POST /users", { content: { username: "miguel", password: "open sesame" } }, 409],
  ["DELETE /tasks/1", { headers: { "If-Match": '"x"' } }, 412],
  ["POST /tasks", { content: " ".repeat(64 * 1024 + 1) }, 413],
  ["POST /tasks", { content: {}, headers: { "Content-Encoding": "gzip" } }, 415],
  ["GET /tasks", { headers: { Expect: "tea" } }, 417],
  ["GET /tasks", { headers: { Host: "evil.example" } }, 421],
  ["PROPFIND /tasks", {}, 501],
];

test("a page of an allowed origin can read every response, others none", async (t) => {
  const server = await allowing(t, APP, DEV);
  const strangers = [
    undefined,
    "https://evil.example",
    "null",
    `${APP}:444`,
    `${APP}.evil.example`,
  ];
  for (const [line, options, status] of RESPONSES) {
    for (const origin of [APP, DEV, ...strangers]) {
      const headers = { ...options.headers, ...(origin === undefined ? {} : { Origin: origin }) };
      const answer = await ask(server, line, { ...options, headers });
      assert.equal(answer.status, status, line);
      assert.equal(answer.headers.vary, "Origin", line);
      const known = origin === APP || origin === DEV;
      assert.deepEqual(corsFields(answer), known ? readableBy(origin) : {}, `${line} ${origin}`);
    }
  }
  const stranger = await preflight(server, "/tasks/1", "https://evil.example");
  assert.equal(stranger.status, 204);
  assert.equal(stranger.headers.vary, "Origin");
  assert.deepEqual(corsFields(stranger), {});
  const malformed = await (await dial(t, server.port, "NOT HTTP\r\n\r\n")).closed;
  assert.match(malformed, /^HTTP\/1.1 400 [^]*^Vary: Origin\r$/m);
});

test("a script of another origin reads why its login failed, and no dialog opens", async (t) => {
  const server = await allowing(t, APP);
  const wrong = { Origin: APP, ...SCRIPT, "Sec-Fetch-Site": "cross-site" };
  const answer = await ask(server, "GET /tasks", { authorization: "Basic eDp5", headers: wrong });
  assert.equal(answer.status, 403);
  assert.deepEqual(answer.json, { error: "Unauthorized access" });
  assert.equal(answer.headers["www-authenticate"], undefined);
  assert.deepEqual(corsFields(answer), readableBy(APP));
});

test("a page reads 500, too", async (t) => {
  const logged = t.mock.method(console, "error", () => {});
  const fault = new Error("a fault of ours");
  const { server, stop } = serve(() => Promise.reject(fault), { addFields: [allowOrigins([APP])] });
  await once(server.listen(0, "127.0.0.1"), "listening");
  t.after(stop);
  const url = `http://${boundTo(server.address())}/`;
  const answer = await fetch(url, { headers: { Origin: APP, Connection: "close" } });
  assert.equal(answer.status, 500);
  assert.equal(answer.headers.get("vary"), "Origin");
  assert.equal(answer.headers.get("access-control-allow-origin"), APP);
  assert.equal(logged.mock.calls[0]?.arguments[0], fault);
});

test("the page on CORS names the fields that a page can read", () => {
  const page = readFileSync(new URL("../../lib/wire/README.md", import.meta.url), "utf8");
  const [, section = ""] = /^## Web pages of other origins \(CORS\)$(.*?)^## /ms.exec(page) ?? [];
  const [, sentence = ""] = /can read the header fields ([^.]*)\./.exec(section) ?? [];
  const names = [...sentence.matchAll(/`([^`]+)`/g)].map(([, name]) => name);
  assert.equal(names.join(", "), readableBy(APP)["expose-headers"]);
});

test("without the flag no response has CORS fields", async (t) => {
  const server = await start(t, ["--quiet"]);
  for (
    const answer of [
      await ask(server, "GET /tasks/1", { headers: { Origin: APP } }),
      await preflight(server, "/tasks/1", APP),
    ]
  ) {
    assert.deepEqual(corsFields(answer), {});
    assert.equal(answer.headers.vary, undefined);
  }
});

test("two Origin fields are not an allowed origin", async (t) => {
  const server = await allowing(t, APP);
  const packet = bytes("GET /", [`Origin: ${APP}`, `Origin: ${APP}`, "Connection: close"]);
  assert.doesNotMatch(await (await dial(t, server.port, packet)).closed, /Access-Control/i);
});

test("the variable holds several origins; the flag wins", async (t) => {
  const env = { TODO_CORS_ORIGIN: `${APP},${DEV}` };
  const byVariable = await start(t, ["--quiet"], env);
  const byFlag = await start(t, ["--quiet", "--cors-origin", DEV], env);
  const get = async (server: Server, Origin: string) =>
    corsFields(await ask(server, "GET /tasks", { headers: { Origin } }));
  assert.deepEqual(await get(byVariable, APP), readableBy(APP));
  assert.deepEqual(await get(byVariable, DEV), readableBy(DEV));
  assert.deepEqual(await get(byFlag, APP), {});
  assert.deepEqual(await get(byFlag, DEV), readableBy(DEV));
});
