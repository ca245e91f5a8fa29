// Servers that are started at the same time on a new SQLite file: they become one service. ROUNDS
// says how often.

import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import process from "node:process";
import { test } from "node:test";
import { newFile, NO_SQLITE } from "../tools/files.ts";
import { ask, startProcess } from "../tools/start.ts";

const ROUNDS = Number(process.env["ROUNDS"] ?? 3);
const SERVERS = 10;

test("all servers on a new file give the same entity tags", { skip: NO_SQLITE }, async (t) => {
  const file = await newFile(t);
  for (let round = 0; round < ROUNDS; round++) {
    const starts = Array.from(
      { length: SERVERS },
      () => startProcess(t, ["--quiet", "--db", file]),
    );
    const servers = await Promise.all(starts);
    const tags = await Promise.all(servers.map(async (server) => {
      const { headers, text } = await ask(server, "GET /tasks/1");
      assert.match(text, /"title": "Buy groceries"/);
      return headers.etag;
    }));
    assert.equal(new Set(tags).size, 1, `round ${round}: ${tags}`);
    // What one of them has shown, another one changes.
    const [first = assert.fail(), second = assert.fail()] = servers;
    const change = { headers: { "If-Match": `${tags[0]}` }, content: { done: true } };
    const { status } = await ask(second, "PUT /tasks/1", change);
    assert.equal(status, 200);
    assert.equal((await ask(first, "GET /tasks")).headers["x-total-count"], "2");
    for (const { child } of servers) child.kill("SIGKILL");
    await Promise.all(servers.map(({ ended }) => ended));
    for (const end of ["", "-wal", "-shm"]) await rm(file + end, { force: true });
  }
});
