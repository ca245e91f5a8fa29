// A terminal that nobody reads, as after Ctrl-S: the server goes on, and signals end it.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { get } from "node:https";
import { tmpdir } from "node:os";
import process from "node:process";
import { createInterface } from "node:readline";
import { test, type TestContext } from "node:test";
import { selfSigned } from "../tools/certificate.ts";
import { BASE, bytes, COMMAND, dial, MIGUEL, ON_BUN, open } from "../tools/start.ts";

// Runs a command on a terminal of its own, reads that up to the first line, and then never again.
// Prints the line, the command's process id, and at its end its exit status.
const TERMINAL = `
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0: os.execvp(sys.argv[1], sys.argv[1:])
line = b""
while not line.endswith(b"\\n"): line += os.read(terminal, 1)
print(line.decode().strip(), pid, flush=True)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
`;

const skip = spawnSync("python3", ["-c", "import pty"]).status !== 0 &&
  "python3 has no module for terminals";

/** Starts a server on a terminal that is never read after its first line. */
async function onTerminal(t: TestContext, args: string[] = [], env: Record<string, string> = {}) {
  const python = spawn("python3", ["-c", TERMINAL, ...COMMAND.split(" "), ...args], {
    env: { ...process.env, PORT: "0", TODO_TLS_CERT: "", TODO_TLS_KEY: "", ...env },
  });
  const lines = createInterface(python.stdout);
  const [line] = await once(lines, "line");
  const [, origin = "", pid] = /Listening on (\S+)\/ .* (\d+)$/.exec(String(line)) ?? [];
  assert.ok(pid, String(line));
  let hasEnded = false;
  const ended = once(lines, "line").then(([status]) => {
    hasEnded = true;
    return Number(status);
  });
  t.after(() => hasEnded || process.kill(Number(pid), "SIGKILL"));
  return {
    origin,
    port: Number(new URL(origin).port),
    signal: (name: NodeJS.Signals) => process.kill(Number(pid), name),
    /** Its exit status, or the negative number of the signal that ended it. */
    ended,
  };
}

test("the server goes on while nobody reads its log, and ends", { skip }, async (t) => {
  const { origin, signal, ended } = await onTerminal(t);
  const url = `${origin}${BASE}/tasks?_=${"x".repeat(1500)}`;
  for (let i = 0; i < 60; i++) {
    const response = await fetch(url, { headers: { Authorization: MIGUEL } });
    assert.equal(response.status, 200);
    await response.text();
  }
  signal("SIGTERM");
  assert.equal(await ended, 0);
});

test("the server goes on while nobody reads its errors, and ends", {
  skip: skip || (ON_BUN && "Bun cannot read a certificate again"),
}, async (t) => {
  const folder = mkdtempSync(`${tmpdir()}/todo-`);
  t.after(() => rmSync(folder, { recursive: true }));
  const { cert, key } = selfSigned();
  writeFileSync(`${folder}/crt`, cert);
  writeFileSync(`${folder}/key`, key);
  const long = `${folder}/${"./".repeat(1000)}`; // an error names the file
  const files = ["--tls-cert", `${long}crt`, "--tls-key", `${folder}/key`];
  const { origin, signal, ended } = await onTerminal(t, ["--quiet", ...files]);
  rmSync(`${folder}/crt`);
  for (let i = 0; i < 60; i++) {
    signal("SIGHUP");
    const sent = get(`${origin}${BASE}/openapi.json`, { rejectUnauthorized: false, agent: false });
    const [response] = await once(sent, "response");
    assert.equal(response.statusCode, 200);
    await once(response.resume(), "end");
  }
  signal("SIGTERM");
  assert.equal(await ended, 0);
});

test("a second signal ends the server at once, whatever it waits for", { skip }, async (t) => {
  const { port, signal, ended } = await onTerminal(t);
  const client = await dial(t, port, bytes(`OPTIONS /${"x".repeat(1500)}`).repeat(60));
  const head = ["Content-Type: application/json", "Content-Length: 9", "Expect: 100-continue"];
  client.socket.write(bytes(`PUT ${BASE}/tasks/1`, head)); // a stop waits for the rest of this
  await client.receives(/100 Continue/);
  signal("SIGTERM");
  const goesOn = () => open(t, port).then(() => true, () => false);
  while (await goesOn());
  signal("SIGTERM");
  assert.equal(await ended, -15);
});
