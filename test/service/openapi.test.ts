// The description in OpenAPI: compared with the router table, the README and the server, and its
// examples with its schemas. tools/openapi.ts compares it with the requests of all other tests.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { basic } from "../../lib/http/credentials.ts";
import { HttpError } from "../../lib/http/reply.ts";
import { openApiRoute } from "../../lib/openapi/openapi.ts";
import { routes } from "../../lib/routes.ts";
import { FILTERS } from "../../lib/todo/filter.ts";
import { MemoryStore } from "../../lib/store/memory.ts";
import { Accounts } from "../../lib/todo/accounts.ts";
import { FIELDS, NEW_FIELDS } from "../../lib/todo/task.ts";
import {
  described,
  DOCUMENT,
  faults,
  faultsOfText,
  find,
  items,
  JSON_CONTENT,
  members,
  parameters,
  SERVER,
} from "../tools/openapi.ts";
import { compile, text } from "../tools/jsonschema.ts";
import {
  type Ask,
  ask,
  BASE,
  MIGUEL,
  ON_BUN,
  type Received,
  type Server,
  start,
  startBehind,
} from "../tools/start.ts";

const read = (file: string) => readFileSync(new URL(`../../${file}`, import.meta.url), "utf8");

/** An operation of the document: `GET /tasks/{id}`. */
interface Operation {
  readonly name: string;
  readonly method: string;
  readonly path: string;
  readonly item: unknown;
  readonly id: string;
  readonly statuses: string[];
}

const METHODS = ["get", "head", "post", "put", "patch", "delete", "options", "trace"];
const OPERATIONS = Object.entries(members(DOCUMENT, "paths")).flatMap(([path, item]) =>
  Object.keys(members(item)).filter((name) => METHODS.includes(name)).map((method): Operation => ({
    name: `${method.toUpperCase()} ${path}`,
    method,
    path,
    item,
    id: text(find(item, method, "operationId")),
    statuses: Object.keys(members(item, method, "responses")),
  }))
);

/** A pattern as the document writes it: `/tasks/{id}`. */
const template = (pattern: string) => pattern.replaceAll(/<\w+:(\w+)>/g, "{$1}");

/** The rows of the router table that the document is about, their paths written as it writes them. */
const store = new MemoryStore();
const ROWS = [...routes(store, new Accounts(store), "anyone"), openApiRoute()]
  .map((row) => ({ ...row, pattern: row.path.pattern, path: template(row.path.pattern) }))
  .filter(({ path }) => path.startsWith(`${SERVER}/`))
  .map((row) => ({ ...row, path: row.path.slice(SERVER.length) }));

test("each row of the router table is an operation, and each operation is a row", () => {
  assert.equal(SERVER, BASE);
  const paths = [...new Set(ROWS.map(({ path }) => path))];
  const expected = paths.flatMap((path) => {
    const methods = ROWS.filter((row) => row.path === path).map(({ method }) => method);
    if (methods.includes("GET")) methods.push("HEAD");
    return [...methods, "OPTIONS"].map((method) => `${method} ${path}`);
  });
  assert.deepEqual(OPERATIONS.map(({ name }) => name).sort(), expected.sort());
});

test("an operation has the name of its handler, and needs credentials if the row does", () => {
  for (const { method, path, access, handle } of ROWS) {
    const { id, item } = OPERATIONS.find(({ name }) => name === `${method} ${path}`) ??
      assert.fail();
    const [, handler] = /\b(\w+)\(\w+, ?call\)/.exec(String(handle)) ?? [];
    const name = method === "PATCH" ? "patchTask" : handler ?? "getDocument";
    assert.equal(id, name);
    const security = find(item, method.toLowerCase(), "security");
    assert.deepEqual(security, access === "anyone" ? [] : undefined, id);
  }
  assert.deepEqual(find(DOCUMENT, "security"), [{ basic: [] }]);
  const ids = OPERATIONS.map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length, "an id is given twice");
  for (const { id, item, method } of OPERATIONS) {
    const isOpen = /^options/.test(id) || id === "headDocument";
    if (isOpen) assert.deepEqual(find(item, method, "security"), [], id);
  }
});

test("a path's parameters are those of its pattern, in name and in type", () => {
  const types: Readonly<Record<string, string>> = { int: "integer", string: "string" };
  for (const { name, item, path, method } of OPERATIONS) {
    const { pattern } = ROWS.find((row) => row.path === path) ?? assert.fail(name);
    const expected = [...pattern.matchAll(/<(\w+):(\w+)>/g)].map(([, type = "", called]) => ({
      name: called,
      type: types[type],
      required: true,
    }));
    const declared = parameters(item, method, "path").map((parameter) => ({
      name: find(parameter, "name"),
      type: find(parameter, "schema", "type"),
      required: find(parameter, "required"),
    }));
    assert.deepEqual(declared, expected, `openapi.json: the parameters in the path of ${name}`);
  }
});

const SIGNED_IN = "401 403 429 503";
const CONTENT = "413 415";
const TAGS = ["If-Match", "If-None-Match"];
const LIST = [...Object.keys(FILTERS), "order", "page", "per_page"];
/** The contract: each operation's statuses, and its parameters in query and header. */
const CONTRACT: Readonly<Record<string, [statuses: string, parameters: string[]]>> = {
  getTasks: [`200 304 400 412 ${SIGNED_IN}`, [...LIST, ...TAGS]],
  getTask: [`200 304 400 404 412 ${SIGNED_IN}`, TAGS],
  createTask: [`201 400 404 409 ${CONTENT} ${SIGNED_IN}`, []],
  updateTask: [`200 400 404 409 412 ${CONTENT} ${SIGNED_IN}`, TAGS],
  patchTask: [`200 400 404 409 412 ${CONTENT} ${SIGNED_IN}`, TAGS],
  deleteTask: [`200 400 404 412 ${SIGNED_IN}`, TAGS],
  createUser: [`201 400 403 409 429 503 ${CONTENT}`, []],
  getUser: [`200 304 400 404 412 ${SIGNED_IN}`, TAGS],
  updateUser: [`200 400 404 412 ${CONTENT} ${SIGNED_IN}`, TAGS],
  deleteUser: [`200 400 404 412 ${SIGNED_IN}`, TAGS],
  getDocument: ["200 304 400 412", TAGS],
};

test("every operation has the statuses and parameters of the contract, and no others", () => {
  for (const { id, item, method, statuses } of OPERATIONS) {
    const named = ["query", "header"].flatMap((where) => parameters(item, method, where))
      .map((parameter) => text(find(parameter, "name"))).sort();
    if (method === "head") {
      const [ofGet = "", alsoNamed = []] = CONTRACT[id.replace(/^head/, "get")] ?? [];
      const unchanged = ofGet.includes("304") ? ["304"] : [];
      assert.deepEqual(statuses, ["200", ...unchanged, "400", "default"], id);
      assert.deepEqual(named, alsoNamed.toSorted(), id);
    } else if (method === "options") {
      assert.deepEqual(statuses, ["204", "400", "default"], id);
    } else {
      const [expected, names] = CONTRACT[id] ?? assert.fail(id);
      assert.deepEqual(statuses, [...expected.split(" ").sort(), "default"], id);
      assert.deepEqual(named, names.toSorted(), id);
    }
  }
});

test("the README's statuses are the document's", () => {
  const rows = [...read("README.md").matchAll(/^\| ([A-Z]+) \| `(\S+)` \| .* \| ([\d, ]+) \|$/gm)];
  let count = 0;
  for (const [, method, pattern = "", statuses = ""] of rows) {
    const path = template(pattern).replace(SERVER, "");
    const operation = OPERATIONS.find(({ name }) => name === `${method} ${path}`);
    if (operation === undefined) continue; // the page's
    count++;
    for (const status of statuses.split(", ")) {
      assert.ok(operation.statuses.includes(status), `${operation.name}: no ${status}`);
    }
  }
  assert.equal(count, ROWS.length);
  const documented = new Set(OPERATIONS.flatMap(({ statuses }) => statuses));
  const failures = members(FAILURE, ...JSON_CONTENT, "examples");
  const errors = [...read("README.md").matchAll(/^\| ((?:[45]\d\d(?:, )?)+) \|/gm)];
  assert.ok(errors.length > 10);
  for (const status of errors.flatMap(([, statuses = ""]) => statuses.split(", "))) {
    assert.ok(documented.has(status) || status in failures, `no ${status}`);
  }
});

const FAILURE = find(DOCUMENT, "components", "responses", "Failure");

/** Every object in the document that is not inside of an example. */
function* objects(value: unknown, at = "#"): Generator<[object: object, at: string]> {
  if (typeof value !== "object" || value === null) return;
  yield [value, at];
  for (const [name, member] of Object.entries(value)) {
    if (!/^examples?$/.test(name)) yield* objects(member, `${at}/${name.replaceAll("/", "~1")}`);
  }
}

/** The request schema of an operation. */
const contentOf = (id: string) => {
  const { item, method } = OPERATIONS.find((operation) => operation.id === id) ?? assert.fail(id);
  return find(item, method, "requestBody", ...JSON_CONTENT, "schema");
};

test("a task's fields and a list's filters are those of the code", () => {
  const schemas: [schema: string, in_: unknown, names: string[]][] = [
    ["NewTask", contentOf("createTask"), Object.keys(NEW_FIELDS)],
    ["TaskChanges", contentOf("updateTask"), Object.keys(FIELDS)],
    ["TaskChanges", contentOf("patchTask"), Object.keys(FIELDS)],
    ["Task", find(DOCUMENT, "components", "schemas", "Task"), [...Object.keys(FIELDS), "uri"]],
  ];
  for (const [schema, found, names] of schemas) {
    const known = Object.keys(members(found, "properties"));
    for (const name of names) {
      assert.ok(known.includes(name), `openapi.json: the schema ${schema} lacks the field ${name}`);
    }
    for (const name of known) {
      assert.ok(names.includes(name), `openapi.json: lib/todo/task.ts has no ${name} (${schema})`);
    }
  }
  for (const method of ["get", "head"]) {
    const item = find(DOCUMENT, "paths", "/tasks");
    const known = parameters(item, method, "query").map((parameter) => find(parameter, "name"));
    for (const name of Object.keys(FILTERS)) {
      assert.ok(known.includes(name), `openapi.json: ${method} /tasks lacks the parameter ${name}`);
    }
    for (const name of known.filter((name) => !/^(order|page|per_page)$/.test(text(name)))) {
      assert.ok(text(name) in FILTERS, `openapi.json: lib/todo/filter.ts has no ${name}`);
    }
  }
});

test("every $ref leads somewhere, and every component is used by one", () => {
  const refs = new Set<unknown>();
  for (const [object] of objects(DOCUMENT)) {
    if ("$ref" in object) refs.add(object.$ref);
    find(object); // follows it
  }
  for (const [kind, components] of Object.entries(members(DOCUMENT, "components"))) {
    if (kind === "securitySchemes") continue;
    for (const name of Object.keys(members(components))) {
      assert.ok(refs.has(`#/components/${kind}/${name}`), `${kind}/${name} is not used`);
    }
  }
});

test("every schema is valid, and everything with a schema has valid examples", () => {
  let count = 0;
  for (const [object, at] of objects(DOCUMENT)) {
    if (!("schema" in object)) continue;
    const examples = "example" in object
      ? [object.example]
      : Object.values(members(object, "examples")).map((example) => find(example, "value"));
    assert.ok(examples.length > 0, `${at} has no example`);
    for (const example of examples) assert.deepEqual(faults(object.schema, example, at), []);
    count += examples.length;
  }
  assert.ok(count > 40);
});

test("the document describes this service", () => {
  const { version }: { version?: unknown } = JSON.parse(read("package.json"));
  assert.equal(find(DOCUMENT, "info", "version"), version);
  assert.match(text(find(DOCUMENT, "openapi")), /^3\.1\.\d$/);
  const tags = items(DOCUMENT, "tags").map((tag) => find(tag, "name"));
  const summaries = OPERATIONS.map(({ item, method }) => find(item, method, "summary"));
  assert.equal(new Set(summaries).size, summaries.length, "a summary is given twice");
  for (const { item, method, id } of OPERATIONS) {
    const [tag, ...more] = items(item, method, "tags");
    assert.ok(tags.includes(tag) && more.length === 0, id);
    assert.match(text(find(item, method, "summary")), /^[A-Z].*[^.]$/, id);
  }
});

test("an error has the name of its status", () => {
  const responses = OPERATIONS.flatMap(({ item, method }) =>
    Object.entries(members(item, method, "responses"))
  );
  for (const [status, response] of responses) {
    const content = members(response, ...JSON_CONTENT);
    if (status < "400" || Object.keys(content).length === 0) continue;
    const examples = "example" in content
      ? [[status, content["example"]]] as const
      : Object.entries(members(content, "examples")).map(([name, example]) =>
        [/^\d{3}$/.test(name) ? name : status, find(example, "value")] as const
      );
    for (const [status, example] of examples) {
      const error = text(find(JSON.parse(new HttpError(Number(status)).text), "error"));
      const expected = status === "403" ? [error, "Unauthorized access"] : [error];
      assert.ok(expected.includes(text(find(example, "error"))), `${status}: ${error}`);
    }
  }
});

test("anyone may read the document; GET with its entity tag is 304", async (t) => {
  const server = await start(t, ["--quiet"]);
  const here = { Host: "127.0.0.1:5000" };
  const anyone = { authorization: undefined, headers: here };
  const got = await ask(server, "GET /openapi.json", anyone);
  assert.deepEqual([got.status, got.text], [200, read("lib/openapi/openapi.json")]);
  assert.equal(got.headers["content-type"], "application/json");
  assert.equal(got.headers["cache-control"], "private, no-cache");
  const { etag = "" } = got.headers;
  assert.match(etag, /^"[\w-]{43}"$/); // strong, and of 32 bytes
  const rows: [line: string, headers: Record<string, string>, status: number][] = [
    ["HEAD", {}, 200],
    ["GET", { "If-None-Match": etag }, 304],
    ["HEAD", { "If-None-Match": `"other", W/${etag}` }, 304],
    ["GET", { "If-None-Match": '"other"' }, 200],
    ["GET", { "If-None-Match": "other" }, 200], // malformed
    ["GET", { "If-Match": "other" }, 400],
    ["GET", { "If-Match": '"other"' }, 412],
    ["GET", { Authorization: "Basic ####" }, 200], // not checked here
    ["POST", {}, 405],
    ["OPTIONS", {}, 204],
  ];
  for (const [method, headers, status] of rows) {
    const options = { ...anyone, headers: { ...here, ...headers } };
    const again = await ask(server, `${method} /openapi.json`, options);
    assert.equal(again.status, status, `${method} ${JSON.stringify(headers)}`);
    if (status < 400 && status !== 204) assert.equal(again.headers.etag, etag);
    if (method === "HEAD" && status === 200) {
      assert.equal(again.headers["content-length"], got.headers["content-length"]);
    }
  }
  const another = await start(t, ["--quiet"]);
  assert.equal((await ask(another, "GET /openapi.json", anyone)).headers.etag, etag);
});

test("the document has the address that the client uses, or the public URL", async (t) => {
  const server = await start(t, ["--quiet"]);
  const behind = await startBehind(t, "https://todo.example/$&/here");
  const { scheme, port } = server;
  const rows: [server: Server, host: string, address: string][] = [
    [server, `127.0.0.1:${port}`, server.origin],
    [server, `localhost:${port}`, `${scheme}://localhost:${port}`],
    [server, "todo.localhost", `${scheme}://todo.localhost`],
    [server, "[::1]:8080", `${scheme}://[::1]:8080`],
    [behind, `127.0.0.1:${behind.port}`, "https://todo.example/$&/here"],
    [behind, "todo.example", "https://todo.example/$&/here"],
  ];
  for (const [server, Host, address] of rows) {
    const { json, text } = await ask(server, "GET /openapi.json", { headers: { Host } });
    assert.deepEqual(items(json, "servers").map((one) => find(one, "url")), [address + BASE]);
    const elsewhere = [...text.matchAll(/"https?:[^"]*\/todo\/api[^"]*"/g)]
      .filter(([uri]) => !uri.startsWith(`"${address}${BASE}`));
    assert.deepEqual(elsewhere, [], "an example has another address");
  }
});

test("responses to OPTIONS, 405 and 404 for an unknown path link to the document", async (t) => {
  const server = await start(t, ["--quiet"]);
  const link = `<${BASE}/openapi.json>; rel="service-desc"`;
  const rows: [line: string, options: Ask, status: number, link?: string][] = [
    ["OPTIONS /tasks/1", {}, 204, link],
    ["OPTIONS /openapi.json", {}, 204, link],
    ["GET /nowhere", {}, 404, link],
    ["GET //nowhere", {}, 404, link],
    ["DELETE /tasks", {}, 405, link],
    ["GET /tasks", {}, 200],
    ["GET /tasks/9", {}, 404],
    ["GET /tasks", { authorization: undefined }, 401],
    ["POST /tasks", { content: {} }, 400],
    ["GET /openapi.json", {}, 200],
  ];
  if (!ON_BUN) rows.push(["OPTIONS *", {}, 204, link]); // Bun answers it itself
  for (const [line, options, status, expected] of rows) {
    const { status: got, headers } = await ask(server, line, options);
    assert.deepEqual([got, headers["link"]], [status, expected], line);
  }
  const behind = await startBehind(t, "https://todo.example/here");
  const { headers } = await ask(behind, "OPTIONS /tasks");
  assert.equal(headers["link"], link.replace("<", "<https://todo.example/here"));
});

test("Allow names the operations of a path, a 400 the parameters of the list", async (t) => {
  const server = await start(t, ["--quiet"]);
  for (const path of Object.keys(members(DOCUMENT, "paths"))) {
    const line = `OPTIONS ${path.replace("{id}", "1").replace("{username}", "miguel")}`;
    const { headers } = await ask(server, line);
    const methods = OPERATIONS.filter((operation) => operation.path === path)
      .map(({ method }) => method.toUpperCase());
    assert.deepEqual(headers.allow?.split(", ").sort(), methods.sort(), line);
  }
  const [{ item } = assert.fail()] = OPERATIONS;
  const names = parameters(item, "get", "query").map((parameter) => find(parameter, "name"));
  const { json } = await ask(server, "GET /tasks?don=true");
  assert.equal(find(json, "fields", "don"), `is unknown; there are ${names.join(", ")}`);
});

test("a response has all members of its schema and no others, a request may have others", () => {
  const schemas = [...objects(find(DOCUMENT, "components"))]
    .filter(([object]) => "properties" in object);
  assert.ok(schemas.length > 10);
  for (const [schema, at] of schemas) {
    const isRequest = /\/(New|\w+Changes$)/.test(at);
    assert.equal(find(schema, "type"), "object", at);
    assert.equal(find(schema, "additionalProperties"), isRequest ? undefined : false, at);
    if (isRequest) continue;
    const names = Object.keys(members(schema, "properties"))
      .filter((name) => name !== "message" && name !== "fields");
    assert.deepEqual(find(schema, "required"), names, at);
  }
});

test("the server refuses and accepts the same contents as a request's schema", async (t) => {
  const server = await start(t, ["--quiet"]);
  const task = [{}, { title: 1 }, { title: " \u00a0\ufeff" }, { title: null }, [], "text", null, 7];
  const changes = [{ title: "t", done: 0 }, { description: null }, { done: true }, { id: 7 }];
  const fields = [{ title: "t" }, { title: ".", description: "", done: "ignored", uri: 1 }];
  const [shortest, longest] = ["\u{1F6D2}".repeat(8), "x".repeat(1024)];
  const wrong = ["1234567", "\u{1F6D2}".repeat(7), `${longest}x`, 12345678];
  const controls = ["\0", "\n", "\x7f", "\x80", "\x9f"].map((one) => `correct horse${one}`);
  const odd = ["\xa0\xad\u2028\ufeff\ud800-\u{1F6D2} and so on"];
  const named = ["", "a b", "\u00e4", "a\n", "a".repeat(65), ".", "..", 1];
  const emails = ["e".repeat(254), "e".repeat(255), "\u{1F6D2}".repeat(254), "\n", 1];
  const user = [
    ...[...wrong, ...controls, ...odd].map((password) => ({ password })),
    ...emails.map((email) => ({ email })),
  ];
  const rows: [id: string, line: string, contents: unknown[]][] = [
    ["createTask", "POST /tasks", [...task, ...fields, { title: "t", description: 1 }]],
    ["updateTask", "PUT /tasks/1", [...task, ...fields.slice(0, 1), ...changes]],
    ["patchTask", "PATCH /tasks/1", [...task, ...changes]],
    ["updateUser", "PUT /users/miguel", [{}, [], { email: "m" }, { username: "ignored" }, ...user]],
    ["createUser", "POST /users", [
      ...[...named.map((username) => ({ username })), ...user]
        .map((one) => ({ username: "ana", password: shortest, ...one })),
      { username: "ana" },
      { password: shortest },
      { username: "a", password: shortest },
      { username: "...", password: shortest },
      { username: "._-" + "Z".repeat(61), password: longest, email: "", id: 7 },
    ]],
  ];
  let authorization = MIGUEL;
  for (const [id, line, contents] of rows) {
    const schema = contentOf(id);
    for (const content of contents) {
      const { status } = await ask(server, line, {
        content: JSON.stringify(content),
        authorization,
      });
      const refused = faults(schema, content, "$").length > 0;
      assert.equal(status === 400, refused, `${line} ${JSON.stringify(content)}: ${status}`);
      const password = find(content, "password");
      if (id !== "updateUser" || status !== 200 || typeof password !== "string") continue;
      authorization = basic({ username: "miguel", password });
    }
  }
  const values = ["true", "false", "yes", "", "0", "1", "-1", "1.5", "100", "101", "9".repeat(16)];
  const [{ item } = assert.fail()] = OPERATIONS;
  for (const parameter of parameters(item, "get", "query")) {
    const name = text(find(parameter, "name"));
    for (const value of values) {
      const { status } = await ask(server, `GET /tasks?${name}=${value}`, { authorization });
      const refused = faultsOfText(find(parameter, "schema"), value, name).length > 0;
      assert.equal(status === 400, refused, `${name}=${value}: ${status}`);
    }
  }
});

const example = (id: string) => {
  const { item, method } = OPERATIONS.find((operation) => operation.id === id) ?? assert.fail(id);
  return find(item, method, "requestBody", ...JSON_CONTENT, "example");
};
const SUSAN = { authorization: `Basic ${btoa("susan:open sesame")}` };
const NOBODY = { authorization: undefined };
const SCRIPT = { ...NOBODY, headers: { "Sec-Fetch-Dest": "empty" } };

/** A request for each example of a response, in the order of a session with a new server. */
const ASKED: [answer: string, line: string, options: Ask][] = [
  ["TaskList", "GET /tasks", {}],
  ["Task", "GET /tasks/1", {}],
  ["CreatedTask", "POST /tasks", { content: example("createTask") }],
  ["", "PUT /tasks/2", { content: example("updateTask") }],
  ["", "PATCH /tasks/2", { content: example("patchTask") }],
  ["Deleted", "DELETE /tasks/3", {}],
  ["User", "GET /users/miguel", {}],
  ["CreatedUser", "POST /users", { ...NOBODY, content: example("createUser") }],
  ["", "PUT /users/susan", { ...SUSAN, content: example("updateUser") }],
  ["BadRequest/member", "POST /tasks", { content: { description: 1 } }],
  ["BadRequest/type", "POST /tasks", { headers: { "Content-Type": "text/plain" }, content: "{}" }],
  ["BadRequest/parameter", "GET /tasks?don=true", {}],
  ["BadRequest/field", "DELETE /tasks/1", { headers: { "If-Match": "1" } }],
  ["Unauthorized/wrong", "GET /tasks", NOBODY],
  ["Unauthorized/encoding", "GET /tasks", { authorization: "Basic /zov" }],
  ["UnauthorizedScript", "GET /tasks", SCRIPT],
  ["Forbidden/user", "GET /users/susan", {}],
  ["Forbidden/script", "GET /users/miguel", SCRIPT],
  ["NotFound", "GET /tasks/3", {}],
  ["Conflict", "POST /users", { content: { username: "miguel", password: "open sesame" } }],
  ["PreconditionFailed/changed", "DELETE /tasks/1", { headers: { "If-Match": '"old"' } }],
  ["ContentTooLarge", "POST /tasks", { content: " ".repeat(64 * 1024 + 1) }],
  [
    "UnsupportedMediaType",
    "POST /tasks",
    { headers: { "Content-Encoding": "gzip" }, content: "{}" },
  ],
  ["Failure/405", "PUT /tasks", { content: {} }],
  ["Failure/417", "GET /tasks", { headers: { Expect: "tea" } }],
  ["Failure/421", "GET /tasks", { headers: { Host: "todo.example" } }],
  ["Failure/501", "PROPFIND /tasks", {}],
];

/** Examples that no single request of that session gets; other tests see them. */
const NOT_ASKED = [
  "Document",
  "RegistrationClosed",
  "TooManyRequests",
  "ServiceUnavailable",
  "PreconditionFailed/proxy",
  ...["400", "408", "431", "500", "505"].map((status) => `Failure/${status}`),
];

test("the examples are responses that the server sends", async (t) => {
  const server = await start(t, ["--quiet"]);
  const examples = new Map<string, unknown>();
  for (const [name, response] of Object.entries(members(DOCUMENT, "components", "responses"))) {
    const content = members(response, ...JSON_CONTENT);
    if ("example" in content) examples.set(name, content["example"]);
    for (const [key, example] of Object.entries(members(content, "examples"))) {
      examples.set(`${name}/${key}`, find(example, "value"));
    }
  }
  for (const [name, line, options] of ASKED) {
    const { status, text } = await ask(server, line, options);
    if (name === "") {
      assert.equal(status, 200, text);
    } else {
      const json: unknown = JSON.parse(text.replaceAll(server.origin, "http://127.0.0.1:5000"));
      assert.deepEqual(json, examples.get(name), name);
    }
  }
  const content = { title: "Long", description: "x".repeat(65_000) };
  let last = await ask(server, "POST /tasks", { content });
  while (last.status === 201) last = await ask(server, "POST /tasks", { content });
  assert.deepEqual([last.status, last.json], [409, examples.get("ListFull")]);
  const names = ASKED.map(([name]) => name).filter((name) => name !== "");
  assert.deepEqual(["ListFull", ...names, ...NOT_ASKED].sort(), [...examples.keys()].sort());
});

/** The example of a parameter or a request, as a tool such as Postman or Bruno imports it. */
function imported({ item, method, path }: Operation): [line: string, options: Ask] {
  const examples = (where: string) =>
    parameters(item, method, where).map((parameter): [name: string, value: string] => [
      text(find(parameter, "name")),
      String(find(parameter, "example")),
    ]);
  const values = new Map(examples("path"));
  const target = path.replace(/\{(\w+)\}/g, (_, name) => values.get(name) ?? assert.fail(name));
  const query = new URLSearchParams(examples("query"));
  const content = find(item, method, "requestBody", ...JSON_CONTENT, "example");
  const headers = Object.fromEntries(examples("header"));
  const options = content === undefined ? { headers } : { headers, content };
  return [`${method.toUpperCase()} ${target}${query.size > 0 ? `?${query}` : ""}`, options];
}

test("imported as they are, all examples succeed, from the first to the last", async (t) => {
  const server = await start(t, ["--quiet"]);
  assert.equal(find(DOCUMENT, "servers", "0", "url"), `http://127.0.0.1:5000${BASE}`);
  for (const operation of OPERATIONS) {
    const [line, options] = imported(operation);
    const { status, text } = await ask(server, line, options);
    assert.ok(status < 300, `${line} ${JSON.stringify(options)}: ${status} ${text}`);
  }
});

test("the example of each parameter of a list finds a task", async (t) => {
  const server = await start(t, ["--quiet"]);
  const operation = (id: string) => OPERATIONS.find((one) => one.id === id) ?? assert.fail(id);
  await ask(server, ...imported(operation("createTask")));
  const { item, method } = operation("getTasks");
  for (const parameter of parameters(item, method, "query")) {
    const query = `${find(parameter, "name")}=${find(parameter, "example")}`;
    const { json } = await ask(server, `GET /tasks?${encodeURI(query)}`);
    const there = "the tutorial's two and the one that is the example of createTask";
    assert.notEqual(items(json, "tasks").length, 0, `${query} finds none of three tasks: ${there}`);
  }
});

test("a response that is not as the document says does not pass", () => {
  const task = find(DOCUMENT, "components", "responses", "Task", ...JSON_CONTENT, "example");
  const fields = {
    etag: '"5d1c9a7e-3"',
    "cache-control": "private, no-cache",
    "content-type": "application/json",
  };
  const [plain, signedIn] = [{}, { Authorization: MIGUEL }];
  const judge = (
    line: string,
    status: number,
    json: unknown,
    headers: Received["headers"] = fields,
    sent: Record<string, string> = signedIn,
    content?: string,
  ) => {
    const [method = "", path] = line.split(" ");
    const text = json === undefined ? "" : JSON.stringify(json);
    const answer = { status, headers, text, json };
    return described({ method, target: BASE + path, headers: sent, content }, answer);
  };
  const { etag: _, ...untagged } = fields;
  const member = (changes: object) => ({ task: { ...members(task, "task"), ...changes } });
  const error = { error: "Not found" };
  judge("GET /tasks/1", 200, task);
  judge("GET /tasks/01?x=y", 200, task);
  judge("HEAD /tasks/1", 200, undefined);
  judge("GET /tasks/1", 404, error);
  judge("GET /nowhere", 404, error);
  judge("PATCH /tasks/1", 200, task, fields, signedIn, '{"done": true, "id": 7}');
  judge("GET /tasks?done=true&_=1", 200, { tasks: [] }, { ...fields, "x-total-count": "0" });
  const wrong: [fault: RegExp, ...asked: Parameters<typeof judge>][] = [
    [/the status is not expected/, "GET /tasks/1", 201, task],
    [/the status is not expected/, "GET /tasks/1", 409, error],
    [/the status is not expected/, "GET /nowhere", 200, task],
    [/the status is not expected/, "POST /tasks/1", 200, task],
    [/ETag: missing/, "GET /tasks/1", 200, task, untagged],
    [/ETag: not like/, "GET /tasks/1", 200, task, { ...fields, etag: 'W/"1"' }],
    [/Cache-Control: none of/, "GET /tasks/1", 200, task, { ...fields, "cache-control": "public" }],
    [/Content-Type: not expected/, "GET /tasks/1", 200, task, { ...fields, "content-type": "a/b" }],
    [/X-Total-Count: missing/, "GET /tasks", 200, { tasks: [] }],
    [
      /X-Total-Count: not of type integer/,
      "GET /tasks",
      200,
      { tasks: [] },
      { ...fields, "x-total-count": "-1" },
    ],
    [/WWW-Authenticate: missing/, "HEAD /tasks/1", 401, undefined],
    [/Location: missing/, "POST /tasks", 201, task, fields, signedIn, '{"title": "t"}'],
    [/Retry-After: missing/, "GET /tasks", 429, error],
    [/Retry-After: missing/, "POST /users", 503, error],
    [/Allow: missing.*Link: missing/s, "OPTIONS /tasks", 204, undefined],
    [/has content/, "HEAD /tasks/1", 200, task],
    [/has content/, "GET /tasks/1", 304, task],
    [/\$\.task\.id: not expected/, "GET /tasks/1", 200, member({ id: 1 })],
    [/\$\.task\.done: not of type boolean/, "GET /tasks/1", 200, member({ done: 0 })],
    [/\$\.task\.title: not like/, "GET /tasks/1", 200, member({ title: " " })],
    [/\$\.task\.uri: no uri/, "GET /tasks/1", 200, member({ uri: "/tasks/1" })],
    [/\$\.tasks\[0\]\.title: missing/, "GET /tasks", 200, { tasks: [{}] }, {
      ...fields,
      "x-total-count": "1",
    }],
    [/\$\.error: missing/, "GET /tasks/1", 404, {}],
    [/\$\.error: missing/, "GET /nowhere", 404, {}],
    [/no credentials/, "GET /tasks/1", 200, task, fields, plain],
    [/id: less than 1/, "GET /tasks/0", 200, task],
    [/done: not of type boolean/, "GET /tasks?done=yes", 200, { tasks: [] }],
    [/per_page: more than 100/, "GET /tasks?per_page=101", 200, { tasks: [] }],
    [/don: not expected/, "GET /tasks?don=true", 200, { tasks: [] }],
    [/\$: too few members/, "PUT /tasks/1", 200, task, fields, signedIn, "{}"],
    [/\$\.title: not like/, "POST /tasks", 201, task, fields, signedIn, '{"title": " "}'],
    [/\$\.password: too short/, "POST /users", 201, {}, fields, plain, '{"password": "1234567"}'],
  ];
  for (const [fault, ...asked] of wrong) {
    assert.throws(() => judge(...asked), fault, JSON.stringify(asked));
  }
});

test("the validator names each fault, and refuses keywords that it does not check", () => {
  const resolve = () => ({ type: "integer" });
  const rows: [schema: object, good: unknown[], bad: unknown[]][] = [
    [{ $ref: "#/x" }, [1, -1], [1.5, "1", null]],
    [{ type: "object" }, [{}], [[], null, "a"]],
    [{ type: "array" }, [[]], [{}, "a"]],
    [{ type: "string" }, [""], [1, null]],
    [{ type: "boolean" }, [false], [0, "false"]],
    [{ const: { a: [1] } }, [{ a: [1] }], [{ a: [] }, 1]],
    [{ enum: ["a", 1] }, ["a", 1], ["1", "b"]],
    [{ pattern: "^.$" }, ["a", "🛒", 12], ["", "ab"]],
    [{ format: "uri" }, ["http://a/b", 1], ["/b", "a b", "http://ä/"]],
    [{ minLength: 2 }, ["ab", 1], ["", "🛒"]],
    [{ maxLength: 1 }, ["a", "🛒", 12], ["ab"]],
    [{ minimum: 1 }, [1, "0"], [0]],
    [{ maximum: 1 }, [1, "2"], [2]],
    [{ items: { type: "string" } }, [[], ["a"], "a"], [["a", 1]]],
    [{ properties: { a: { type: "string" } } }, [{}, { a: "" }, { b: 1 }, 1], [{ a: 1 }]],
    [{ required: ["a"], properties: { a: {} } }, [{ a: 1 }, 1], [{}, { b: 1 }]],
    [{ additionalProperties: false, properties: { a: {} } }, [{ a: 1 }], [{ b: 1 }, {
      a: 1,
      b: 1,
    }]],
    [{ additionalProperties: { type: "string" } }, [{}, { a: "" }, 1], [{ a: 1 }]],
    [{ minProperties: 1 }, [{ a: 1 }, 1], [{}]],
    [{ description: "x", type: "string" }, ["a"], [1]],
  ];
  for (const [schema, good, bad] of rows) {
    const check = compile(schema, resolve);
    const name = JSON.stringify(schema);
    for (const value of good) assert.deepEqual(check(value), [], `${name} ${value}`);
    for (const value of bad) assert.equal(check(value).length, 1, `${name} ${value}`);
  }
  const unknown: object[] = [
    { typo: "string" },
    { type: "text" },
    { format: "date" },
    { toString: 1 },
    { properties: { a: { maxItems: 1 } } },
    { items: { oneOf: [] } },
    { required: ["a"], properties: {} },
    { additionalProperties: true, properties: {} },
    { additionalProperties: { type: "text" } },
    [],
  ];
  for (const schema of unknown) {
    assert.throws(() => compile(schema, resolve), assert.AssertionError, JSON.stringify(schema));
  }
});
