// Patterns and the router table: what they find at run time, and what the compiler refuses.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Call } from "../../lib/http/call.ts";
import { path, type Route, route, router } from "../../lib/http/router.ts";

const TASKS = path("/api/v1.0/tasks");
const TASK = path("/api/v1.0/tasks/<int:id>");
const STEP = path("/tasks/<int:id>/steps/<int:step>.json");

const said = (text: string) => Promise.resolve({ status: 200, text });

const find = router([
  route("GET", TASKS, "user", () => said("list")),
  route("POST", TASKS, "anyone", () => said("create")),
  route("GET", path("/api/v1.0/tasks/7"), "user", () => said("seven")),
  route("GET", TASK, "user", ({ params }) => said(`show ${params.id + 0}`)),
  route("PUT", TASK, "user", ({ params }) => said(`change ${params.id}`)),
  route("GET", TASK, "user", () => said("never: another row comes first")),
]);

async function answer(method: string, path: string) {
  const { access, handle, params } = find(method, path);
  return { access, ...await answerOf(handle, params) };
}

function answerOf(handle: Route["handle"], params: unknown = {}) {
  const user = { id: "1", username: "miguel" };
  return handle({
    params,
    user,
    query: "",
    origin: "",
    client: { address: "", until: Infinity, gone: false },
    clientHas: () => false,
    checkConditions: () => {},
    json: () => Promise.resolve(undefined),
    authorize: () => Promise.resolve(user),
  });
}

test("a pattern matches whole paths and gives their parameters", () => {
  const rows: [path: string, params: unknown][] = [
    ["/api/v1.0/tasks/1", { id: 1 }],
    ["/api/v1.0/tasks/01", { id: 1 }],
    ["/api/v1.0/tasks/0", { id: 0 }],
    ["/api/v1.0/tasks/00999999999999999", { id: 999_999_999_999_999 }],
    ["/api/v1.0/tasks/-1", undefined],
    ["/api/v1.0/tasks/+1", undefined],
    ["/api/v1.0/tasks/1.0", undefined],
    ["/api/v1.0/tasks/1e3", undefined],
    ["/api/v1.0/tasks/0x1", undefined],
    ["/api/v1.0/tasks/%31", undefined], // readTarget has decoded it before
    ["/api/v1.0/tasks/١", undefined], // a digit, but not of ASCII
    ["/api/v1.0/tasks/abc", undefined],
    ["/api/v1.0/tasks/", undefined],
    ["/api/v1.0/tasks", undefined],
    ["/api/v1.0/tasks/1/", undefined],
    ["/api/v1.0/tasks/1\n", undefined],
    ["/x/api/v1.0/tasks/1", undefined],
    ["/api/v1x0/tasks/1", undefined], // the dot is a dot
    ["/API/v1.0/tasks/1", undefined],
    ["", undefined],
    ["*", undefined],
  ];
  for (const [text, params] of rows) assert.deepEqual(TASK.match(text), params, text);
});

test("an id that no number can hold exactly matches no path", () => {
  for (const digits of ["9007199254740993", "9".repeat(400)]) {
    assert.equal(TASK.match(`/api/v1.0/tasks/${digits}`), undefined);
  }
});

test("what is built from parameters matches them again", () => {
  assert.equal(TASKS.build({}), "/api/v1.0/tasks");
  assert.deepEqual(TASKS.match(TASKS.build({})), {});
  assert.equal(STEP.build({ id: 3, step: 12 }), "/tasks/3/steps/12.json");
  for (const id of [0, 1, 42, 999_999_999_999_999]) {
    assert.deepEqual(TASK.match(TASK.build({ id })), { id });
    assert.deepEqual(STEP.match(STEP.build({ id, step: 9 })), { id, step: 9 });
  }
});

test("a parameter comes back as it was built, whatever characters it has", () => {
  const NAMED = path("/lists/<string:name>/items/<int:id>");
  for (const name of ["a b/\u00e7", "%41", "?q#h", "..", "\u{1F6D2}\0", "<int:id>", "a+b&c=d"]) {
    const built = NAMED.build({ name, id: 7 });
    assert.match(built, /^\/lists\/[^/?#\s]+\/items\/7$/);
    assert.deepEqual(NAMED.match(built), { name, id: 7 }, built);
  }
  assert.equal(NAMED.build({ name: "a b/\u00e7", id: 7 }), "/lists/a%20b%2F%C3%A7/items/7");
  assert.equal(NAMED.match("/lists/a/b/items/7"), undefined);
  assert.equal(NAMED.match("/lists//items/7"), undefined);
});

test("a pattern means its characters, whatever they mean to a RegExp", () => {
  for (const character of "\\^$.*+?()[]{}|/-c") {
    for (
      const around of [`/${character}/`, `/c${character}${character}/`, `/(${character})/[a-z]/`]
    ) {
      const { match, build } = path(`${around}<int:id>${character}`);
      assert.deepEqual(match(build({ id: 7 })), { id: 7 }, around);
      assert.equal(match(`${around}7`), undefined, around);
      assert.equal(match(`/${around}7${character}`), undefined, around);
    }
  }
  assert.equal(path("/a.b/<int:id>").match("/aXb/7"), undefined);
  assert.equal(path("/a+/<int:id>").match("/aa/7"), undefined);
});

test("a path keeps the pattern that it was made of", () => {
  for (const pattern of ["/api/v1.0/tasks", "/api/v1.0/tasks/<int:id>", "/<string:a>/<string:b>"]) {
    assert.equal(path(pattern).pattern, pattern);
  }
});

test("the first row that fits handles a request, and HEAD like GET", async () => {
  const rows: [line: string, access: string, text: string][] = [
    ["GET /api/v1.0/tasks", "user", "list"],
    ["HEAD /api/v1.0/tasks", "user", "list"],
    ["POST /api/v1.0/tasks", "anyone", "create"],
    ["GET /api/v1.0/tasks/7", "user", "seven"],
    ["PUT /api/v1.0/tasks/7", "user", "change 7"],
    ["GET /api/v1.0/tasks/8", "user", "show 8"],
    ["HEAD /api/v1.0/tasks/8", "user", "show 8"],
  ];
  for (const [line, access, text] of rows) {
    const [method = "", path = ""] = line.split(" ");
    assert.deepEqual(await answer(method, path), { access, status: 200, text }, line);
  }
});

const ALLOWED: [path: string, Allow: string][] = [
  ["/api/v1.0/tasks", "GET, HEAD, POST, OPTIONS"],
  ["/api/v1.0/tasks/7", "GET, HEAD, PUT, OPTIONS"],
  ["/api/v1.0/tasks/8", "GET, HEAD, PUT, OPTIONS"],
  ["*", "GET, HEAD, POST, PUT, OPTIONS"],
];

test("OPTIONS tells anyone the methods of a path, and OPTIONS * those of the server", async () => {
  for (const [path, Allow] of ALLOWED) {
    const expected = { access: "anyone", status: 204, fields: { Allow } };
    assert.deepEqual(await answer("OPTIONS", path), expected, path);
  }
});

test("what is open to nobody is 403, and no Allow has it", async () => {
  const find = router([
    route("GET", TASKS, "user", () => said("list")),
    route("POST", TASKS, "nobody", () => said("create")),
    route("DELETE", TASK, "nobody", () => said("delete")),
  ]);
  for (const [method, path] of [["POST", "/api/v1.0/tasks"], ["DELETE", "/api/v1.0/tasks/7"]]) {
    assert.throws(() => find(method ?? "", path ?? ""), { status: 403 });
  }
  const allow = async (path: string) => (await answerOf(find("OPTIONS", path).handle)).fields;
  assert.deepEqual(await allow("/api/v1.0/tasks"), { Allow: "GET, HEAD, OPTIONS" });
  assert.deepEqual(await allow("/api/v1.0/tasks/7"), { Allow: "OPTIONS" });
  assert.throws(() => find("PUT", "/api/v1.0/tasks/7"), { status: 501 });
  assert.throws(() => find("POST", "/api/v1.0/tasks/7"), { status: 405 });
});

test("a method of another row is 405 with Allow, and one that no row has is 501", () => {
  const rows: [method: string, path: string, status: number][] = [
    ["PUT", "/api/v1.0/tasks", 405],
    ["POST", "/api/v1.0/tasks/7", 405],
    ["POST", "/api/v1.0/tasks/8", 405],
    ["DELETE", "/api/v1.0/tasks", 501],
    ["get", "/api/v1.0/tasks/7", 501], // methods are case-sensitive (RFC 9110 §9.1)
    ["BREW", "/api/v1.0/tasks/8", 501],
    ["BREW", "*", 501],
  ];
  for (const [method, path, status] of rows) {
    const Allow = ALLOWED.find(([allowed]) => allowed === path)?.[1];
    assert.throws(() => find(method, path), { status, fields: { Allow } }, `${method} ${path}`);
  }
  const onlyPost = router([route("POST", TASKS, "user", () => said("new"))]);
  assert.throws(() => onlyPost("HEAD", "/api/v1.0/tasks"), { status: 405 });
});

test("a path that no row has is 404, whatever the method", () => {
  for (const path of ["/", "/api/v1.0/tasks/", "/api/v1.0/tasks/x", "", "/*"]) {
    for (const method of ["GET", "HEAD", "PUT", "OPTIONS", "BREW"]) {
      assert.throws(() => find(method, path), { status: 404 }, `${method} ${path}`);
    }
  }
});

test("the guide is in OPTIONS, 404 and 405 responses, and in no others", async () => {
  const guide = { Link: "</help>" };
  const find = router([route("GET", TASKS, "user", () => said("list"))], guide);
  const Allow = "GET, HEAD, OPTIONS";
  assert.throws(() => find("GET", "/nowhere"), { status: 404, fields: guide });
  const fields = { Allow, ...guide };
  assert.throws(() => find("BREW", "/api/v1.0/tasks"), { status: 501, fields });
  for (const path of ["/api/v1.0/tasks", "*"]) {
    const { handle } = find("OPTIONS", path);
    assert.deepEqual(await answerOf(handle), { status: 204, fields });
  }
  assert.deepEqual(await answerOf(find("GET", "/api/v1.0/tasks").handle), await said("list"));
});

test("the compiler refuses parameters that a pattern does not have", () => {
  const byId = ({ params }: Call<{ readonly id: number }>) => said(`${params.id}`);
  const byName = ({ params }: Call<{ readonly name: string }>) => said(params.name);
  const byText = ({ params }: Call<{ readonly id: string }>) => said(params.id);

  TASK.build({ id: 1 });
  // @ts-expect-error: the parameter is called id
  TASK.build({ ID: 1 });
  // @ts-expect-error: an int is a number
  TASK.build({ id: "1" });
  // @ts-expect-error: id is missing
  TASK.build({});
  // @ts-expect-error: step is missing
  STEP.build({ id: 1 });

  route("GET", TASK, "user", byId);
  route("GET", STEP, "user", byId); // a handler need not look at every parameter
  // @ts-expect-error: the parameter is called id
  route("GET", TASK, "user", byName);
  // @ts-expect-error: an int is a number
  route("GET", TASK, "user", byText);
  // @ts-expect-error: this pattern has no parameter
  route("GET", TASKS, "user", byId);
  // @ts-expect-error: the parameter is called id
  route("GET", TASK, "user", ({ params }) => said(`${params.ID}`));

  assert.throws(() => {
    const misspelt = path("/tasks/<itn:id>");
    // @ts-expect-error: there is no such converter, so there is no such parameter
    route("GET", misspelt, "user", byId);
  }, /there is no converter itn/);
});
