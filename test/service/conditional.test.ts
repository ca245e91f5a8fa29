// Conditional requests: 304 and 412 by entity tags, so that no client overwrites another's change.

import assert from "node:assert/strict";
import { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { test } from "node:test";
import { checkConditions, clientHas, entityTag } from "../../lib/http/conditional.ts";
import { HttpError, printJson } from "../../lib/http/reply.ts";
import { ask, BASE, bytes, dial, type Server, start, statuses } from "../tools/start.ts";

const TAG = '"1f0c-7"';

/** The status to which these fields lead; 200 if the request goes on. */
function judge(kind: "read" | "write", match?: string, noneMatch?: string): number {
  const request = new IncomingMessage(new Socket());
  if (match !== undefined) request.headers["if-match"] = match;
  if (noneMatch !== undefined) request.headers["if-none-match"] = noneMatch;
  try {
    if (kind === "read") return clientHas(request, TAG) ? 304 : 200;
    checkConditions(request, TAG);
    return 200;
  } catch (error) {
    if (error instanceof HttpError) return error.status;
    throw error;
  }
}

test("an entity tag is made of the epoch and the revision", () => {
  assert.equal(entityTag("1f0c", 7), TAG);
});

test("If-Match is judged first, then If-None-Match: 304 for reads, 412 for writes", () => {
  const rows: [match: string | undefined, none: string | undefined, read: number, write: number][] =
    [
      [undefined, undefined, 200, 200],
      // If-Match compares strongly.
      [TAG, undefined, 200, 200],
      ["*", undefined, 200, 200],
      [" * ", undefined, 200, 200],
      [`"a", ${TAG}`, undefined, 200, 200],
      ['"1f0c-8"', undefined, 412, 412],
      ['"1F0C-7"', undefined, 412, 412],
      [`W/${TAG}`, undefined, 412, 412],
      [`W/${TAG}, ${TAG}`, undefined, 200, 200],
      // If-None-Match compares weakly.
      [undefined, TAG, 304, 412],
      [undefined, `W/${TAG}`, 304, 412],
      [undefined, "*", 304, 412],
      [undefined, `"a", W/"b" , ${TAG}`, 304, 412],
      [undefined, '"1f0c-8"', 200, 200],
      [undefined, '"a", "b"', 200, 200],
      [undefined, '""', 200, 200],
      [undefined, `w/${TAG}`, 200, 400], // the W is a capital
      // Both.
      [TAG, TAG, 304, 412],
      [TAG, '"a"', 200, 200],
      ['"a"', TAG, 412, 412],
      ['"a"', "?", 412, 412],
      ["?", TAG, 400, 400],
      [TAG, "?", 200, 400],
      // Empty elements of a list are ignored.
      [undefined, `, ,${TAG},,`, 304, 412],
      [`,\t${TAG} ,`, undefined, 200, 200],
      // A tag is opaque: what is in its quotes is no syntax.
      [undefined, '"a,b", "*", "W/", "\\"', 200, 200],
      [undefined, `"a,${TAG.slice(1)}`, 200, 200],
      [undefined, '"1f0c-7W/"', 200, 200],
      [undefined, `"é\xff!#~", ${TAG}`, 304, 412],
    ];
  for (const [match, noneMatch, read, write] of rows) {
    const name = `If-Match: ${match}; If-None-Match: ${noneMatch}`;
    assert.equal(judge("read", match, noneMatch), read, name);
    assert.equal(judge("write", match, noneMatch), write, name);
  }
});

test("a malformed field is 400 with the fix, but a read ignores If-None-Match", () => {
  const malformed = ["", " ", ",", "1f0c-7", '"', '"1f0c-7', '1f0c-7"', '"a b"', "'a'", "**"];
  for (const field of [...malformed, `*, ${TAG}`, `${TAG}, *`, `${TAG}, b`, `W/, ${TAG}`]) {
    for (const name of ["If-Match", "If-None-Match"]) {
      const request = new IncomingMessage(new Socket());
      request.headers[name.toLowerCase()] = field;
      const message = `${name} must be *, or entity tags as they were received, with their quotes`;
      const expected = { status: 400, text: printJson({ error: "Bad request", message }) };
      assert.throws(() => checkConditions(request, TAG), expected, `${name}: ${field}`);
      if (name === "If-None-Match") assert.equal(clientHas(request, TAG), false, field);
      else assert.throws(() => clientHas(request, TAG), expected, `${name}: ${field}`);
    }
  }
});

test("a tag that a proxy has changed is 412, and the message says what to do", () => {
  const proxy = "a proxy has changed the entity tag; let it send JSON uncompressed, " +
    "or send the entity tag without W/ and -gzip";
  const stale = "it has changed; read it again, then decide";
  const rows: [field: string, message: string][] = [
    [`W/${TAG}`, proxy], // nginx
    ['"1f0c-7-gzip"', proxy], // Apache
    ['"1f0c-7--gzip"', proxy], // Apache 2.4 with DeflateAlterETag and a dash of its own
    ['W/"1f0c-7-br"', proxy],
    ['"1f0c-7-zstd"', proxy],
    ['"1f0c-7-deflate"', proxy],
    [`"other", W/${TAG}`, proxy],
    ['W/"1f0c-6"', stale],
    ['"1f0c-6-gzip"', stale],
    ['"1f0c-7-tar"', stale],
    ['"1f0c-7gzip"', stale],
    ['"-gzip"', stale],
  ];
  for (const [field, message] of rows) {
    const request = new IncomingMessage(new Socket());
    request.headers["if-match"] = field;
    const expected = { status: 412, text: printJson({ error: "Precondition failed", message }) };
    assert.throws(() => checkConditions(request, TAG), expected, field);
    assert.throws(() => clientHas(request, TAG), expected, field);
  }
});

test("a field as long as node takes is judged by reading it once", () => {
  const rows: [part: string, alone: number, withTag: number][] = [
    [", ", 400, 412],
    [" ", 400, 412],
    ['"a",', 200, 412],
    ['""', 200, 412],
    ["W/", 400, 400],
    ["\t,*", 400, 400],
  ];
  for (const [part, alone, withTag] of rows) {
    const field = part.repeat(16 * 1024 / part.length);
    assert.equal(judge("write", undefined, field), alone, part);
    assert.equal(judge("write", undefined, `${field} ${TAG}`), withTag, part);
    assert.equal(judge("write", undefined, `"${field}`.replaceAll(" ", "_")), 400, part);
  }
});

async function tagOf(server: Server, path: string, authorization?: string): Promise<string> {
  const { headers } = await ask(server, `GET ${path}`, authorization ? { authorization } : {});
  assert.match(headers.etag ?? "", /^"[0-9a-f]{8}-\d+"$/);
  return headers.etag ?? "";
}

/** What two clients can both read and write, and what the first and the second client write. */
const SHARED: [path: string, first: unknown, second: unknown][] = [
  ["/tasks/1", { title: "First" }, { title: "Second" }],
  ["/users/miguel", { email: "first@todo.example" }, { email: "second@todo.example" }],
];

test("the response to a write has the entity tag that GET and HEAD return next", async (t) => {
  const server = await start(t, ["--quiet"]);
  const rows: [line: string, content: unknown, path: string][] = [
    ["POST /tasks", { title: "Read a book" }, "/tasks/3"],
    ["PUT /tasks/3", { done: true }, "/tasks/3"],
    ["PATCH /tasks/3", { done: false }, "/tasks/3"],
    ["PUT /users/miguel", { email: "miguel@todo.example" }, "/users/miguel"],
  ];
  for (const [line, content, path] of rows) {
    const { headers } = await ask(server, line, { content });
    assert.equal(headers.etag, await tagOf(server, path), line);
    assert.equal((await ask(server, `HEAD ${path}`)).headers.etag, headers.etag, line);
  }
  for (const line of ["DELETE /tasks/3", "GET /tasks/3", "OPTIONS /tasks"]) {
    assert.equal((await ask(server, line)).headers.etag, undefined, line);
  }
});

test("a client that is up to date gets 304, the same entity tag and no content", async (t) => {
  const server = await start(t, ["--quiet"]);
  for (const path of ["/tasks", "/tasks?page=1&per_page=1", "/tasks/1", "/users/miguel"]) {
    const tag = await tagOf(server, path);
    for (const field of [tag, `W/${tag}`, `"other", ${tag}`, "*"]) {
      for (const method of ["GET", "HEAD"]) {
        const options = { headers: { "If-None-Match": field } };
        const { status, headers, text } = await ask(server, `${method} ${path}`, options);
        assert.deepEqual(
          [status, text, headers.etag],
          [304, "", tag],
          `${method} ${path} ${field}`,
        );
        assert.equal(headers["cache-control"], "private, no-cache");
        assert.equal(headers["content-type"], undefined);
      }
    }
    for (const field of ['"other"', "malformed", tag.replaceAll('"', "")]) {
      const got = await ask(server, `GET ${path}`, { headers: { "If-None-Match": field } });
      assert.deepEqual([got.status, got.headers.etag], [200, tag], field);
    }
    // The client has to sign in, and the task has to exist.
    const nobody = { headers: { "If-None-Match": tag }, authorization: undefined };
    assert.equal((await ask(server, `GET ${path}`, nobody)).status, 401);
  }
  const missing = { headers: { "If-None-Match": "*" } };
  assert.equal((await ask(server, "GET /tasks/9", missing)).status, 404);
});

test("If-None-Match may come in several fields; a 304 leaves the connection open", async (t) => {
  const server = await start(t, ["--quiet"]);
  const tag = await tagOf(server, "/tasks/1");
  const known = bytes(`GET ${BASE}/tasks/1`, ['If-None-Match: "a"', `If-None-Match: ${tag}`]);
  const last = bytes(`GET ${BASE}/tasks/1`, ['If-None-Match: "a"', "Connection: close"]);
  const client = await dial(t, server.port, known);
  await client.receives(/ 304 [^]*\r\n\r\n/);
  client.socket.write(last);
  assert.deepEqual(statuses(await client.closed), [304, 200]);
});

test("no two states share an entity tag, and each task has its own", async (t) => {
  const server = await start(t, ["--quiet"]);
  const other = await tagOf(server, "/tasks/1");
  const lists = [await tagOf(server, "/tasks")];
  const tasks = [await tagOf(server, "/tasks/2")];
  const changes: [line: string, content?: unknown][] = [
    ["PUT /tasks/2", { done: true }],
    ["PATCH /tasks/2", { done: false }], // as it was at first, and yet another state
    ["PUT /tasks/2", { done: false }],
    ["DELETE /tasks/2"],
    ["POST /tasks", { title: "Next" }],
    ["DELETE /tasks/3"],
  ];
  for (const [line, content] of changes) {
    const { headers } = await ask(server, line, { content });
    if (line.endsWith("/2") && headers.etag !== undefined) tasks.push(headers.etag);
    lists.push(await tagOf(server, "/tasks"));
    assert.equal(await tagOf(server, "/tasks/1"), other, line);
  }
  assert.equal(tasks.length, 4);
  assert.equal(new Set(tasks).size, tasks.length);
  assert.equal(new Set(lists).size, lists.length);
});

test("entity tags differ between users, and between runs of the server", async (t) => {
  const [server, later] = await Promise.all([start(t, ["--quiet"]), start(t, ["--quiet"])]);
  for (const path of ["/tasks", "/tasks/1", "/users/miguel"]) {
    assert.notEqual(await tagOf(server, path), await tagOf(later, path));
  }
  const content = { username: "ana", password: "correct horse" };
  await ask(server, "POST /users", { content });
  const ana = `Basic ${btoa("ana:correct horse")}`;
  for (const path of ["/tasks/1", "/tasks/2"]) await ask(server, `DELETE ${path}`);
  assert.notEqual(await tagOf(server, "/tasks"), await tagOf(server, "/tasks", ana)); // both empty
});

test("a client that would overwrite another's change gets 412", async (t) => {
  const server = await start(t, ["--quiet"]);
  for (const [path, first, second] of SHARED) {
    for (
      const method of path.startsWith("/tasks") ? ["PUT", "PATCH", "DELETE"] : ["PUT", "DELETE"]
    ) {
      const line = `${method} ${path}`;
      const read = { "If-Match": await tagOf(server, path) }; // by both
      const saved = await ask(server, `PUT ${path}`, { headers: read, content: first });
      assert.equal(saved.status, 200, line);
      const late = await ask(server, line, { headers: read, content: second });
      assert.equal(late.status, 412, line);
      const message = "it has changed; read it again, then decide";
      assert.deepEqual(late.json, { error: "Precondition failed", message });
      const again = await ask(server, `GET ${path}`);
      assert.deepEqual(again.json, saved.json, line);
      const headers = { "If-Match": again.headers.etag ?? "" };
      assert.equal((await ask(server, line, { headers, content: second })).status, 200, line);
    }
  }
});

test("conditions on a write: after credentials and the task, before the content", async (t) => {
  const server = await start(t, ["--quiet"]);
  const tag = await tagOf(server, "/tasks/1");
  const stale = { "If-Match": '"stale"' };
  const rows: [line: string, headers: Record<string, string>, content: string, status: number][] = [
    ["PUT /tasks/9", stale, "{", 404],
    ["PUT /tasks/9", { "If-Match": "*" }, "{}", 404],
    ["PUT /tasks/1", stale, "{", 412],
    ["PUT /tasks/1", { "If-Match": `W/${tag}` }, "{", 412],
    ["PUT /tasks/1", { "If-None-Match": "*" }, "{", 412],
    ["PUT /tasks/1", { "If-None-Match": tag }, "{", 412],
    ["PUT /tasks/1", { "If-Match": "stale" }, "{", 400],
    ["PUT /tasks/1", { "If-None-Match": "stale" }, "{", 400],
    ["DELETE /tasks/1", { "If-None-Match": "stale" }, "", 400],
    ["PUT /tasks/1", { "If-Match": tag.replace(/"$/, '-gzip"') }, "{", 412],
    ["PUT /tasks/1", { "If-Match": tag }, "{", 400],
    ["DELETE /tasks/1", { "If-None-Match": `W/${tag}` }, "", 412],
    ["PUT /users/susan", stale, "{", 403],
    ["PUT /users/miguel", stale, "{", 412],
    ["GET /tasks/1", stale, "", 412],
    ["GET /tasks/1", { "If-Match": "stale" }, "", 400],
    ["GET /tasks", { "If-Match": tag }, "", 412],
    ["PUT /tasks/1", { "If-Match": "*", "If-None-Match": '"a"' }, '{"done":true}', 200],
    ["DELETE /tasks/1", { "If-Match": tag }, "", 412],
    ["DELETE /tasks/1", {}, "", 200], // without a condition, the tutorial's response
  ];
  for (const [line, headers, content, status] of rows) {
    const { status: got } = await ask(server, line, { headers, content });
    assert.equal(got, status, `${line} ${JSON.stringify(headers)}`);
  }
  const nobody = { headers: stale, authorization: undefined };
  assert.equal((await ask(server, "PUT /tasks/2", nobody)).status, 401);
});

test("of two writes at the same time with one entity tag, one wins", async (t) => {
  const server = await start(t, ["--quiet"]);
  for (const [path, ...contents] of SHARED) {
    const texts = contents.map((content) => JSON.stringify(content));
    const fields = [
      `If-Match: ${await tagOf(server, path)}`,
      "Content-Type: application/json",
      "Expect: 100-continue",
      "Connection: close",
    ];
    const uploads = await Promise.all(texts.map(async (text) => {
      const head = bytes(`PUT ${BASE}${path}`, [...fields, `Content-Length: ${text.length}`]);
      return { text, client: await dial(t, server.port, head) };
    }));
    // By now, both have passed their conditions, and neither has changed anything.
    for (const { client } of uploads) await client.receives(/ 100 Continue/);
    for (const { client, text } of uploads) client.socket.write(text);
    const answers = await Promise.all(uploads.map(({ client }) => client.closed));
    const won = answers.map((answer) => statuses(answer).join(" "));
    assert.deepEqual(won.toSorted(), ["100 200", "100 412"], path);
    const winner = answers[won.indexOf("100 200")] ?? "";
    const { text } = await ask(server, `GET ${path}`, { headers: { Host: "localhost" } });
    assert.ok(winner.endsWith(text), path);
  }
});
