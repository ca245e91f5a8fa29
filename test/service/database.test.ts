// The service over a SQLite file: restarts, two servers on one file, and messages of failures.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdir, readFile, rename, stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import process from "node:process";
import { test, type TestContext } from "node:test";
import { newFile, NO_SQLITE } from "../tools/files.ts";
import {
  ask,
  bytes,
  dial,
  ON_NODE,
  run,
  type ServerProcess,
  startProcess,
} from "../tools/start.ts";

const basic = (username: string, password: string) => `Basic ${btoa(`${username}:${password}`)}`;
const SUSAN = basic("susan", "open sesame");
const QUIET = ["--quiet"];

function over(story: string, tell: (t: TestContext, file: string) => Promise<void>): void {
  test(`SQLite: ${story}`, { skip: NO_SQLITE }, async (t) => tell(t, await newFile(t)));
}

/** The file as another program would open it. */
async function open(t: TestContext, file: string) {
  const { DatabaseSync } = await import("node:sqlite");
  const db = new DatabaseSync(file);
  t.after(() => db.close());
  return db;
}

async function stop(server: ServerProcess): Promise<void> {
  server.child.kill("SIGTERM");
  assert.deepEqual(await server.ended, { code: 0, signal: null });
}

const post = (server: ServerProcess, title: string, authorization?: string) =>
  ask(server, "POST /tasks", { content: { title }, ...(authorization ? { authorization } : {}) });

/** What a server printed on stderr, without node's own warnings about SQLite and TypeScript. */
const said = ({ err }: { readonly err: string }) =>
  err.replaceAll(/^\(node:\d+\) ExperimentalWarning: .*\n(\(Use .*\n)?/gm, "");

test("without node:sqlite, one line says what is needed", {
  skip: !NO_SQLITE && "it is here",
}, async (t) => {
  const running = run(t, ["--db", await newFile(t)]);
  assert.deepEqual(await running.ended, { code: 2, signal: null });
  assert.match(running.err, /^cannot use .*: that needs Node 22.13 or newer, Deno, or Bun\n$/);
  assert.equal(running.out, "");
});

over("a restart leaves everything as it was but entity tags", async (t, file) => {
  const args = [...QUIET, "--db", file, "--public-url", "http://localhost:8080"];
  const before = await startProcess(t, args);
  await ask(before, "POST /users", { content: { username: "susan", password: "open sesame" } });
  await ask(before, "PUT /users/miguel", { content: { password: "battery staple" } });
  const authorization = basic("miguel", "battery staple");
  assert.equal((await post(before, "Read a book", authorization)).status, 201);
  const newest = await post(before, "Gone", SUSAN);
  assert.equal(newest.headers.location, "http://localhost:8080/todo/api/v1.0/tasks/4");
  await ask(before, "DELETE /tasks/4", { authorization: SUSAN });
  const list = await ask(before, "GET /tasks", { authorization });
  assert.equal(list.headers["x-total-count"], "3");
  await stop(before);

  assert.deepEqual(await readdir(dirname(file)), [basename(file)]); // the log of SQLite is closed
  const after = await startProcess(t, QUIET, {
    TODO_DB: file,
    TODO_PUBLIC_URL: "http://localhost:8080",
  });
  assert.equal((await ask(after, "GET /tasks")).status, 401); // python is miguel's no more
  const again = await ask(after, "GET /tasks", { authorization });
  assert.equal(again.text, list.text);
  const headers = { "If-None-Match": list.headers.etag ?? "" }; // ended with the last server
  assert.equal((await ask(after, "GET /tasks", { authorization, headers })).status, 200);
  const next = await post(after, "Next", SUSAN);
  assert.equal(next.headers.location, "http://localhost:8080/todo/api/v1.0/tasks/5");
});

over("a stop waits for a write under way before it closes the file", async (t, file) => {
  const server = await startProcess(t, [...QUIET, "--db", file]);
  const fields = ["Content-Type: application/json", "Content-Length: 14", "Expect: 100-continue"];
  const client = await dial(t, server.port, bytes("PUT /todo/api/v1.0/tasks/1", fields));
  await client.receives(/100 Continue/);
  const idle = await dial(t, server.port, bytes("OPTIONS *"));
  await idle.receives(/\r\n\r\n/);
  server.child.kill("SIGTERM");
  await idle.closed;
  client.socket.write('{"done": true}');
  assert.match(await client.closed, /\r\n\r\nHTTP\/1\.1 200 /);
  assert.deepEqual(await server.ended, { code: 0, signal: null });
  assert.deepEqual((await readdir(dirname(file))).filter((name) => /-wal$/.test(name)), []);
});

over("two servers share a file", async (t, file) => {
  const servers = await Promise.all([1, 2].map(() => startProcess(t, [...QUIET, "--db", file])));
  const [one = assert.fail(), two = assert.fail()] = servers;
  const locations = await Promise.all(
    Array.from({ length: 40 }, async (_, i) => {
      const { status, headers } = await post(i % 2 === 0 ? one : two, `${i}`);
      assert.equal(status, 201);
      return Number(headers.location?.split("/").at(-1));
    }),
  );
  assert.deepEqual(locations.sort((x, y) => x - y), Array.from({ length: 40 }, (_, i) => i + 3));
  for (const server of servers) {
    assert.equal((await ask(server, "GET /tasks")).headers["x-total-count"], "42");
  }
  // The next request to one server sees what the other one has changed.
  const { headers } = await ask(one, "GET /tasks/1");
  await ask(two, "PUT /tasks/1", { content: { done: true } });
  const stale = { headers: { "If-Match": headers.etag ?? "" }, content: { done: false } };
  assert.equal((await ask(one, "PUT /tasks/1", stale)).status, 412);
  await ask(two, "PUT /users/miguel", { content: { password: "battery staple" } });
  assert.equal((await ask(one, "GET /tasks")).status, 401);
  const authorization = basic("miguel", "battery staple");
  assert.equal((await ask(one, "GET /tasks", { authorization })).status, 200);
  await ask(two, "DELETE /users/miguel", { authorization });
  assert.equal((await ask(one, "GET /tasks", { authorization })).status, 401);
});

over(
  "locked by another program: writes get 503 and change nothing, reads go on",
  async (t, file) => {
    const server = await startProcess(t, [...QUIET, "--db", file]);
    await ask(server, "GET /users/miguel"); // the password has its hash
    const db = await open(t, file);
    db.exec("BEGIN IMMEDIATE");
    const refused = post(server, "Read a book");
    assert.equal((await ask(server, "GET /tasks")).headers["x-total-count"], "2");
    const { status, headers, text } = await refused;
    assert.equal(status, 503);
    assert.equal(headers["retry-after"], "5");
    assert.equal(
      text,
      `{
  "error": "Service unavailable",
  "message": "try again later; no change was made in part"
}
`,
    );
    assert.match(said(server), /^cannot use .*: another program keeps it locked; end that one\n$/);
    const waiting = post(server, "Read a book");
    db.exec("COMMIT");
    assert.match((await waiting).headers.location ?? "", /\/tasks\/3$/);
  },
);

const NO_PRLIMIT = spawnSync("prlimit", ["--version"]).status !== 0 &&
  "a full disk is played with prlimit, of util-linux";

test("SQLite: a full disk: 503, nothing is half done, and writes go on when there is room", {
  skip: NO_SQLITE || NO_PRLIMIT || (!ON_NODE && "a full disk is played with a signal that ends it"),
}, async (t) => {
  const file = await newFile(t);
  const server = await startProcess(t, [...QUIET, "--db", file]);
  await ask(server, "GET /users/miguel");
  const limit = (bytes: string) =>
    spawnSync("prlimit", ["--pid", `${server.child.pid}`, `--fsize=${bytes}:`]);
  assert.equal(limit("1000000").status, 0);
  const content = { title: "Long", description: "x".repeat(60_000) };
  let made = 0;
  let last = await ask(server, "POST /tasks", { content });
  for (; last.status === 201; made++) last = await ask(server, "POST /tasks", { content });
  assert.equal(last.status, 503);
  assert.ok(made > 0);
  const total = async () => Number((await ask(server, "GET /tasks")).headers["x-total-count"]);
  assert.equal(await total(), 2 + made);
  limit("unlimited");
  const next = await ask(server, "POST /tasks", { content });
  assert.match(next.headers.location ?? "", new RegExp(`/tasks/${made + 3}$`));
  assert.equal(await total(), 3 + made);
  await stop(server);
  const db = await open(t, file);
  assert.equal(db.prepare("PRAGMA integrity_check").get()?.["integrity_check"], "ok");
});

over("a file that cannot be used ends the start with one line", async (t, file) => {
  const other = await open(t, file);
  other.exec("CREATE TABLE theirs (a)");
  const locked = await newFile(t);
  const lock = await open(t, locked);
  lock.exec("BEGIN EXCLUSIVE");
  const rows: [db: string, code: number, line: RegExp][] = [
    [":memory:", 2, /^cannot use :memory:: that is no file; leave --db out .*\n$/],
    [file, 2, /^cannot use .*: it is another program's database; name another file\n$/],
    [`${file}/x`, 2, /^cannot use .*: it must be a file in a folder that exists and .*\n$/],
    [locked, 1, /^cannot use .*: another program keeps it locked; end that one\n$/],
  ];
  await Promise.all(rows.map(async ([db, code, line]) => {
    const running = run(t, ["--db", db]);
    assert.deepEqual(await running.ended, { code, signal: null }, db);
    assert.match(said(running), line);
    assert.equal(running.out, "");
  }));
});

over("the published password in a file keeps the server on the loopback", async (t, file) => {
  const first = await startProcess(t, [...QUIET, "--db", file]);
  await ask(first, "GET /users/miguel"); // the password has its hash
  await stop(first);
  const args = [...QUIET, "--db", file, "--host", "0.0.0.0"];
  for (const TODO_USER of ["miguel", "susan"]) {
    const refused = run(t, args, { PORT: "0", TODO_USER, TODO_PASSWORD: "battery staple" });
    assert.deepEqual(await refused.ended, { code: 2, signal: null });
    assert.match(
      said(refused),
      /^--host 0.0.0.0: change the password of miguel before others reach this server, .*\n$/,
    );
  }
  const home = await startProcess(t, [...QUIET, "--db", file]);
  await ask(home, "PUT /users/miguel", { content: { password: "correct horse" } });
  await stop(home);
  const server = await startProcess(t, args, { TODO_PASSWORD: "battery staple" });
  const authorization = basic("miguel", "correct horse"); // the file's counts
  assert.equal((await ask(server, "GET /tasks", { authorization })).status, 200);
});

/** The commands in a section of the page about stores. */
async function commands(title: string): Promise<string[]> {
  const page = await readFile(new URL("../../lib/store/README.md", import.meta.url), "utf8");
  const section = page.split("\n#").find((text) => text.startsWith(`## ${title}`)) ?? "";
  return [...section.matchAll(/^```bash\n(.*?)^```/gms)].map(([, block = ""]) => block);
}

over("a backup is made and restored as the page about stores says", async (t, file) => {
  const folder = dirname(file);
  const shell = (text: string) => {
    const { status, stderr } = spawnSync("sh", ["-ec", `umask 077; ${text}`], {
      cwd: folder,
      encoding: "utf8",
      env: {
        ...process.env,
        PATH: `${dirname(process.execPath)}:${process.env["PATH"]}`,
      },
    });
    assert.equal(status, 0, stderr);
  };
  const server = await startProcess(t, [...QUIET, "--db", file]);
  for (let i = 0; i < 60; i++) await post(server, `${i}`);
  const [backUp = assert.fail(), ...others] = await commands("Back up");
  assert.equal(others.length, 1); // with sqlite3
  shell(backUp);
  const list = await ask(server, "GET /tasks?per_page=20");
  assert.equal(list.headers["x-total-count"], "62"); // all of them, and then there is one more
  const { headers } = await post(server, "too late");
  await stop(server);

  for (const text of await commands("Restore")) shell(text);
  const restored = await startProcess(t, [...QUIET, "--db", file]);
  const now = await ask(restored, "GET /tasks?per_page=20");
  assert.equal(now.headers["x-total-count"], "62");
  const bodyOf = ({ text }: { text: string }) => text.replaceAll(/"uri": .*/g, "");
  assert.equal(bodyOf(now), bodyOf(list));
  const other = await post(restored, "another"); // gets the revision that "too late" had
  assert.equal(other.headers.location?.split("/").at(-1), headers.location?.split("/").at(-1));
  assert.notEqual(other.headers.etag, headers.etag);
  assert.equal((await stat(file)).mode & 0o777, 0o600);
});

over("a file that is taken away gets no write, and no file takes its place", async (t, file) => {
  const server = await startProcess(t, [...QUIET, "--db", file]);
  await post(server, "before");
  await rename(file, `${file}.away`);
  const { status, headers } = await post(server, "into nowhere");
  assert.equal(status, 503);
  assert.equal(headers["retry-after"], "5");
  assert.deepEqual((await readdir(dirname(file))).filter((name) => /sqlite$/.test(name)), []);
  assert.match(
    said(server),
    /^cannot use .*: it or its -wal file was removed or replaced; put it back, .*\n$/,
  );
  await rename(`${file}.away`, file);
  assert.match((await post(server, "after")).headers.location ?? "", /\/tasks\/4$/);
});
