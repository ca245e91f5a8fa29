// The command line, and the life of a server from its first line to its last.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { networkInterfaces } from "node:os";
import process from "node:process";
import { test } from "node:test";
import {
  ask,
  BASE,
  bytes,
  dial,
  ON_BUN,
  ON_NODE,
  open,
  OVER_TLS,
  run,
  start,
  startProcess,
  statuses,
} from "../tools/start.ts";

const UPLOAD = '{"title":"Read a book"}';

test("--help prints every flag and ends with 0", async (t) => {
  const help = run(t, ["--help"]);
  assert.deepEqual(await help.ended, { code: 0, signal: null });
  const flags = [...help.out.matchAll(/^ {2}(--[a-z-]+)/gm)].map(([, flag]) => flag).join(" ");
  assert.equal(
    flags,
    "--port --host --db --tls-cert --tls-key --public-url --cors-origin --no-registration --keep-alive --quiet --help",
  );
});

test("a wrong value: exit code 2 and one line that names the fix", async (t) => {
  const running = run(t, ["--port", "65536"]);
  assert.deepEqual(await running.ended, { code: 2, signal: null });
  assert.equal(running.err, '--port must be a number from 0 to 65535, not "65536"\n');
  assert.equal(running.out, "");
});

test("the first line has a URL that opens, on all addresses of the machine too", async (t) => {
  const has6 = Object.values(networkInterfaces()).flat().some((one) => one?.address === "::1");
  const rows = [["0.0.0.0", "127.0.0.1"], ...has6 ? [["::", "[::1]"], ["[::1]", "[::1]"]] : []];
  for (const [host = "", name] of rows) {
    const server = await start(t, ["--host", host], { TODO_PASSWORD: "correct horse" });
    assert.equal(server.origin, `${server.scheme}://${name}:${server.port}`);
    if (OVER_TLS) continue; // fetch does not know the certificate
    assert.equal((await fetch(`${server.origin}${BASE}/openapi.json`)).status, 200);
  }
});

test("a failure at the start: exit code 1 and one line that names the fix", async (t) => {
  const first = await start(t);
  const failures: [args: string[], line: RegExp][] = [
    [
      ["--port", String(first.port)],
      /^cannot listen on port \d+ of 127.0.0.1: it is in use; .*\n$/,
    ],
    [["--port", "0", "--host", "no-such-host.invalid"], /^cannot listen on .*\n$/],
  ];
  for (const [args, line] of failures) {
    const running = run(t, args, { TODO_PASSWORD: "correct horse" });
    assert.deepEqual(await running.ended, { code: 1, signal: null });
    assert.match(running.err, line);
  }
});

test("a bug keeps its stack", {
  skip: (OVER_TLS && "the bug is on the way of plain http") ||
    (!ON_NODE && "a module of node is broken on purpose"),
}, async (t) => {
  const broken = `import http from "node:http"; import { syncBuiltinESMExports } from "node:module";
    http.createServer = () => { throw new TypeError("a bug") }; syncBuiltinESMExports();`;
  const NODE_OPTIONS = `--import=data:text/javascript,${encodeURIComponent(broken)}`;
  const running = run(t, ["--port", "0"], { NODE_OPTIONS });
  assert.deepEqual(await running.ended, { code: 1, signal: null });
  assert.match(running.err, /^TypeError: a bug\n( +at .*\n)* +at .*service\.ts/m);
});

test("the log names a user only if the password was right, and the client behind a proxy", async (t) => {
  const TODO_PASSWORD = "correct horse";
  const server = await startProcess(t, ["--public-url", "https://todo.example"], { TODO_PASSWORD });
  const client = { "X-Forwarded-For": "203.0.113.9, ::ffff:192.0.2.7" };
  const ways: [path: string, password: string, named: string][] = [
    ["/tasks/1", TODO_PASSWORD, "miguel"],
    ["/tasks/9", TODO_PASSWORD, "miguel"],
    ["/users/susan", TODO_PASSWORD, "miguel"],
    ["/openapi.json", TODO_PASSWORD, "-"], // nobody checks it
    ["/nowhere", TODO_PASSWORD, "-"],
    ["/tasks/2", "wrong", "-"],
  ];
  for (const [path, password, named] of ways) {
    const headers = { ...client, Authorization: `Basic ${btoa(`miguel:${password}`)}` };
    await ask(server, `GET ${path}`, { headers });
    await server.prints(new RegExp(`^192\\.0\\.2\\.7 - ${named} .* "GET ${BASE}${path} `, "m"));
  }
});

test("the log: a line for each request, and none with --quiet", async (t) => {
  const server = await startProcess(t);
  await ask(server, "GET /tasks/1");
  await ask(server, 'GET /tasks/"', { authorization: undefined });
  await server.prints(/404 27\n/);
  const time = String.raw`\[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d \+0000\]`;
  const lines = [
    String.raw`^Listening on https?://127\.0\.0\.1:\d+/ \(Ctrl-C stops it\)\n`,
    String.raw`127\.0\.0\.1 - miguel ${time} "GET ${BASE}/tasks/1 HTTP/1\.1" 200 185\n`,
    String.raw`127\.0\.0\.1 - - ${time} "GET ${BASE}/tasks/\\x22 HTTP/1\.1" 404 27\n$`,
  ];
  assert.match(server.out.replace(/" 200 \d+/, '" 200 185'), new RegExp(lines.join("")));
  const quiet = await startProcess(t, ["--quiet"]);
  await ask(quiet, "GET /tasks/1");
  quiet.child.kill("SIGTERM");
  await quiet.ended;
  assert.match(quiet.out, /^Listening.*\n$/);
});

test("--keep-alive: an idle connection stays open for so long", async (t) => {
  const [byDefault, short] = await Promise.all([
    start(t, ["--quiet"]),
    start(t, ["--quiet", "--keep-alive", "1"]),
  ]);
  const long = await dial(t, byDefault.port, bytes(`OPTIONS ${BASE}/openapi.json`));
  assert.match(await long.receives(/\r\n\r\n/), /^Keep-Alive: timeout=75\r$/m);
  const client = await dial(t, short.port, bytes(`OPTIONS ${BASE}/openapi.json`));
  assert.match(await client.receives(/\r\n\r\n/), /^Keep-Alive: timeout=1\r$/m);
  const before = Date.now();
  assert.deepEqual(statuses(await client.closed), [204]);
  const took = Date.now() - before;
  assert.ok(took > 900 && took < 10_000, `${took} ms`);
  assert.ok(!long.socket.destroyed);
});

test("a server without a free descriptor still has its description", {
  skip: process.platform !== "linux" && "prlimit takes the descriptors away",
}, async (t) => {
  const server = await startProcess(t, ["--quiet"]);
  const client = await dial(t, server.port, bytes(`OPTIONS ${BASE}/tasks`));
  await client.receives(/ 204 [^]*\r\n\r\n/); // the connection has its descriptor
  execFileSync("prlimit", ["--nofile=3", "--pid", `${server.child.pid}`]);
  client.socket.write(bytes(`HEAD ${BASE}/openapi.json`));
  assert.deepEqual(statuses(await client.receives(/ \d{3} [^]* \d{3} [^]*\r\n\r\n/)), [204, 200]);
  assert.equal(server.err, "");
});

test("if the reader of the log goes away, the server goes on", async (t) => {
  const server = await startProcess(t);
  server.child.stdout?.destroy();
  for (let i = 0; i < 3; i++) assert.equal((await ask(server, "GET /tasks/1")).status, 200);
});

/** Whether a new connection is taken. */
function accepts(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  return new Promise((resolve) => {
    socket.on("error", () => resolve(false)).on("connect", () => {
      resolve(true);
      socket.destroy();
    });
  });
}

// A terminal sends SIGHUP when it is closed. With TLS it has another meaning: see tls.test.ts.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  test(`${signal}: idle connections end, requests under way get responses, exit code 0`, {
    skip: signal === "SIGHUP" && OVER_TLS && "with TLS, it reads the certificate again",
  }, async (t) => {
    const server = await startProcess(t);
    const idle = await dial(t, server.port, bytes(`GET ${BASE}/tasks/1`));
    await idle.receives(/Learn|groceries/);
    const busy = await dial(
      t,
      server.port,
      bytes(`POST ${BASE}/tasks`, [
        "Content-Type: application/json",
        `Content-Length: ${UPLOAD.length}`,
        "Expect: 100-continue",
      ]),
    );
    await busy.receives(/100 Continue/);
    server.child.kill(signal);
    assert.deepEqual(statuses(await idle.closed), [200]);
    while (await accepts(server.port));
    busy.socket.write(UPLOAD);
    const answer = await busy.closed;
    assert.deepEqual(statuses(answer), [100, 201]);
    assert.match(answer, /\r\nConnection: close\r\n/i);
    assert.deepEqual(await server.ended, { code: 0, signal: null });
    assert.match(server.out, / 200 \d+\n.* 201 \d+\n$/, "no line of the log is lost");
  });
}

test("while stopping, an upload that stalls is given up", async (t) => {
  const server = await startProcess(t);
  const fields = ["Content-Type: application/json", "Content-Length: 9", "Expect: 100-continue"];
  const stalled = await dial(t, server.port, bytes(`POST ${BASE}/tasks`, fields));
  await stalled.receives(/100 Continue/);
  const before = Date.now();
  server.child.kill("SIGTERM");
  assert.deepEqual(await server.ended, { code: 0, signal: null });
  assert.ok(Date.now() - before < 10_000);
});

test("a second signal ends the server at once", async (t) => {
  const server = await startProcess(t);
  const fields = ["Content-Type: application/json", "Content-Length: 9", "Expect: 100-continue"];
  const stalled = await dial(t, server.port, bytes(`POST ${BASE}/tasks`, fields));
  await stalled.receives(/100 Continue/);
  const idle = await dial(t, server.port, bytes(`GET ${BASE}/tasks/1`));
  await idle.receives(/groceries/);
  server.child.kill("SIGTERM");
  await idle.closed;
  server.child.kill("SIGTERM");
  assert.deepEqual(await server.ended, { code: null, signal: "SIGTERM" });
});

test("while stopping, a long response to a slow reader is not cut off", {
  skip: ON_BUN && "Bun counts a response as sent before it is, and cuts it off",
}, async (t) => {
  const server = await startProcess(t, ["--quiet"]);
  const description = "日".repeat(20_000); // 60,000 bytes; a list is bounded in characters
  for (let i = 0; i < 130; i++) {
    await ask(server, "POST /tasks", { content: { title: "long", description } });
  }
  const { socket: slow } = await open(t, server.port);
  slow.write(bytes(`GET ${BASE}/tasks`));
  await once(slow, "readable");
  server.child.kill("SIGTERM");
  let received = "";
  for await (const chunk of slow.setEncoding("latin1")) received += chunk;
  assert.match(received, /^HTTP\/1.1 200 [^]*\r\nTransfer-Encoding: chunked\r\n/i);
  assert.match(received.slice(-100), /\n {2}\]\n\}\n\r\n0\r\n\r\n$/);
  assert.ok(received.length > 130 * 60_000);
  assert.deepEqual(await server.ended, { code: 0, signal: null });
});

test("a stop under load: every response that was begun is whole, and in the log", async (t) => {
  const server = await startProcess(t);
  const clients = await Promise.all(
    Array.from({ length: 20 }, () => dial(t, server.port, bytes(`GET ${BASE}/tasks`).repeat(50))),
  );
  await Promise.all(clients.map((client) => client.receives(/Learn/)));
  server.child.kill("SIGTERM");
  let count = 0;
  for (const client of clients) {
    const received = await client.closed;
    const answers = received.split(/^HTTP/m).slice(1);
    assert.ok(answers.every((answer) => answer.endsWith("]\n}\n")), received.slice(-200));
    count += answers.length;
  }
  assert.deepEqual(await server.ended, { code: 0, signal: null });
  assert.equal(server.out.match(/" 200 \d+\n/g)?.length, count);
});

test("a log that nobody reads takes little memory, and does not keep the server from ending", {
  skip: !ON_NODE && "other runtimes write to a pipe in their own way",
}, async (t) => {
  const server = await startProcess(t);
  server.child.stdout?.pause();
  const client = await dial(t, server.port);
  client.socket.resume();
  const block = bytes(`GET /${"x".repeat(10_000)}`).repeat(20);
  for (let sent = 0; sent < 10_000_000; sent += block.length) {
    if (!client.socket.write(block)) await once(client.socket, "drain");
  }
  assert.equal((await ask(server, "GET /tasks/1")).status, 200);
  server.child.kill("SIGTERM");
  const [code] = await once(server.child, "exit");
  assert.equal(code, 0);
});
