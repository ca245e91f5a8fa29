// HTTPS: what is different before the end of a handshake, and that nothing is different after it.

import assert from "node:assert/strict";
import { createPrivateKey } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test, type TestContext } from "node:test";
import * as tls from "node:tls";
import { selfSigned } from "../tools/certificate.ts";
import {
  type Ask,
  ask,
  BASE,
  BEHIND,
  BY_COMMAND,
  bytes,
  dial,
  ON_BUN,
  ON_NODE,
  refusal,
  run,
  type Server,
  start,
  startBehind,
  startProcess,
} from "../tools/start.ts";

const HSTS = "max-age=15768000";

const folder = mkdtempSync(join(tmpdir(), "todo-tls-"));
process.on("exit", () => rmSync(folder, { recursive: true }));

/** Writes a file into a folder that is removed after the test. Returns its path. */
function file(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

/** The variables for a new certificate in two new files. */
function newFiles(name: string): { TODO_TLS_CERT: string; TODO_TLS_KEY: string } {
  const { cert, key } = selfSigned();
  return { TODO_TLS_CERT: file(`${name}.crt`, cert), TODO_TLS_KEY: file(`${name}.key`, key) };
}

const FILES = newFiles("server");

test("a certificate that cannot be used ends the start with a line that names the fix", async (t) => {
  const { TODO_TLS_CERT: cert, TODO_TLS_KEY: key } = FILES;
  const locked = createPrivateKey(selfSigned().key).export({
    type: "pkcs8",
    format: "pem",
    cipher: "aes-256-cbc",
    passphrase: "secret",
  });
  const encrypted = file("locked.key", locked.toString());
  const other = newFiles("other").TODO_TLS_KEY;
  const missing = join(folder, "missing");
  const text = file("text", "no PEM\n");
  const wrong: [cert: string, key: string, line: RegExp][] = [
    [cert, "", /^TODO_TLS_CERT needs a key: add --tls-key FILE$/],
    ["", key, /^TODO_TLS_KEY needs a certificate: add --tls-cert FILE$/],
    [missing, key, /^TODO_TLS_CERT must name a file that can be read: ENOENT.*missing'?$/],
    [cert, missing, /^TODO_TLS_KEY must name a file that can be read: ENOENT.*missing'?$/],
    [cert, folder, /^TODO_TLS_KEY must name a file that can be read: EISDIR.*$/],
    [text, key, /^TODO_TLS_CERT must name a certificate in PEM, not .*text$/],
    [key, key, /^TODO_TLS_CERT must name a certificate in PEM, not .*server\.key$/],
    [cert, text, /^TODO_TLS_KEY must name a key in PEM without a passphrase, not .*text$/],
    [cert, cert, /^TODO_TLS_KEY must name a key in PEM without a passphrase, not .*\.crt$/],
    [cert, encrypted, /^TODO_TLS_KEY must name a key in PEM without a passphrase, not .*$/],
    [
      cert,
      other,
      /^the key in .*other\.key does not fit the first certificate in .*server\.crt$/,
    ],
  ];
  await Promise.all(wrong.map(async ([cert, key, line]) => {
    const env = { TODO_TLS_CERT: cert, TODO_TLS_KEY: key };
    assert.match(await refusal(t, ["--port", "0"], env), line);
  }));
});

test("flags and variables have the same effect, and every uri begins with https", async (t) => {
  const { TODO_TLS_CERT: cert, TODO_TLS_KEY: key } = FILES;
  const byFlags = run(t, ["--port", "0", "--tls-cert", cert, "--tls-key", key]);
  await byFlags.prints(/^Listening on https:\/\/127\.0\.0\.1:\d+\/ \(Ctrl-C stops it\)\n/);
  const server = await start(t, [], FILES);
  assert.equal(server.origin, `https://127.0.0.1:${server.port}`);
  const made = await ask(server, "POST /tasks", { content: { title: "Read a book" } });
  assert.equal(made.headers.location, `${server.origin}${BASE}/tasks/3`);
  assert.match(made.text, new RegExp(`"uri": "${made.headers.location}"`));
  const page = await ask(server, "GET /tasks?per_page=1");
  assert.match(`${page.headers["link"]}`, new RegExp(`^<${server.origin}/`));
});

test("under a name, responses over TLS have Strict-Transport-Security, others do not", async (t) => {
  const args = ["--public-url", "https://todo.example"];
  const server = await start(t, args, { ...FILES, TODO_PASSWORD: "correct horse" });
  const plain = await startBehind(t, "https://todo.example");
  const { etag = "" } = (await ask(server, "GET /tasks/1", BEHIND)).headers;
  const rows: [line: string, options: Ask, status: number][] = [
    ["GET /tasks/1", {}, 200],
    ["HEAD /tasks/1", {}, 200],
    ["GET /tasks/1", { headers: { "If-None-Match": etag } }, 304],
    ["OPTIONS /tasks", {}, 204],
    ["POST /tasks", { content: {} }, 400],
    ["GET /tasks", { authorization: undefined }, 401],
    ["GET /tasks/9", {}, 404],
    ["PUT /tasks", { content: {} }, 405],
    ["DELETE /tasks/1", { headers: { "If-Match": '"x"' } }, 412],
    ["GET /tasks", { headers: { Host: "a b" } }, 400],
    ["GET /tasks", { headers: { Expect: "tea" } }, 417],
  ];
  for (const [line, options, status] of rows) {
    const headers = { Host: "todo.example", ...options.headers };
    const answer = await ask(server, line, { ...BEHIND, ...options, headers });
    assert.equal(answer.status, status);
    assert.equal(answer.headers["strict-transport-security"], HSTS, line);
    const without = await ask(plain, line, { ...BEHIND, ...options, headers });
    assert.equal(without.headers["strict-transport-security"], undefined, line);
  }
});

test("localhost and addresses get no Strict-Transport-Security, in any form", async (t) => {
  const server = await start(t, [], FILES);
  const forms = ["localhost", "LOCALHOST.", "todo.localhost", "127.0.0.1", "192.0.2.1", "[::1]"];
  for (const Host of forms.flatMap((form) => [form, `${form}:${server.port}`])) {
    const { status, headers } = await ask(server, "GET /tasks/1", { headers: { Host } });
    assert.deepEqual([status, headers["strict-transport-security"]], [200, undefined], Host);
  }
  const malformed = await (await dial(t, server.port, "NOT HTTP\r\n\r\n")).closed;
  assert.match(malformed, /^HTTP\/1.1 400 Bad Request\r\n/);
  assert.doesNotMatch(malformed, /^Strict-Transport-Security/mi);
});

/** Tries a handshake. Returns the version and protocol agreed on, or the code of the error. */
async function shakeHands(t: TestContext, server: Server, options: tls.ConnectionOptions) {
  const to = { host: "127.0.0.1", port: server.port, rejectUnauthorized: false };
  const socket = tls.connect({ ...to, ...options }).on("error", () => {});
  t.after(() => socket.destroy());
  try {
    await once(socket, "secureConnect");
    return `${socket.getProtocol()} ${socket.alpnProtocol}`;
  } catch {
    return "refused";
  }
}

test("TLS 1.2 and newer, with HTTP/1.1 over it", async (t) => {
  // Even if Node was told to allow older versions.
  const NODE_OPTIONS = "--tls-min-v1.0 --tls-cipher-list=DEFAULT@SECLEVEL=0";
  const server = await startProcess(t, [], { ...FILES, NODE_OPTIONS });
  const only = (version: tls.SecureVersion) => ({ minVersion: version, maxVersion: version });
  // A client of today offers TLS 1.1 only at this level; the server has to refuse it all the same.
  const old = { ...only("TLSv1.1"), ciphers: "DEFAULT@SECLEVEL=0" };
  assert.equal(await shakeHands(t, server, old), "refused");
  assert.equal(await shakeHands(t, server, only("TLSv1.2")), "TLSv1.2 false");
  assert.equal(await shakeHands(t, server, only("TLSv1.3")), "TLSv1.3 false");
  if (ON_BUN) return t.diagnostic("Bun takes no part in the choice of a protocol");
  const both = { ALPNProtocols: ["h2", "http/1.1"] };
  assert.equal(await shakeHands(t, server, both), "TLSv1.3 http/1.1");
  assert.equal(await shakeHands(t, server, { ALPNProtocols: ["h2"] }), "refused");
});

/** Sends bytes without TLS. Returns all that came back before the server ended the connection. */
async function sendPlain(t: TestContext, { port }: Server, bytes: string): Promise<string> {
  const socket = connect(port, "127.0.0.1").setEncoding("latin1");
  t.after(() => socket.destroy());
  let text = "";
  socket.on("data", (more: string) => text += more).on("error", () => {});
  socket.write(bytes, "latin1");
  await once(socket, "close");
  return text;
}

test("a request without TLS gets a response that says to use https", {
  skip: !ON_NODE && "on Deno and Bun the connection ends without a word",
}, async (t) => {
  const server = await startProcess(t, [], FILES);
  const text = await sendPlain(t, server, bytes("GET /"));
  assert.match(text, /^HTTP\/1.1 400 Bad Request\r\n/);
  assert.match(text, /^Connection: close\r$/m);
  assert.doesNotMatch(text, /Strict-Transport-Security/i); // RFC 6797 §7.2
  assert.match(text, /\n {2}"message": "this port speaks HTTPS; begin the URL with https:"\n}\n$/);
  assert.equal((await ask(server, "GET /tasks/1")).status, 200);
  assert.equal(server.err, "");
});

test("malformed handshakes end the connection at once, stalled ones after 10 s", async (t) => {
  const logged = t.mock.method(console, "error");
  const seconds = BY_COMMAND ? 10 : 1;
  const server = await start(t, [], FILES, { handshakeTimeout: seconds * 1000 });
  const before = Date.now();
  await Promise.all([
    sendPlain(t, server, `\x16\x03\x01\x00\x05${"x".repeat(5)}`),
    sendPlain(t, server, "\x00".repeat(100)),
  ]);
  assert.ok(Date.now() - before < 5000);
  if (!ON_BUN) { // there silence may last
    await sendPlain(t, server, "\x16\x03\x01");
    const took = Date.now() - before;
    assert.ok(took > seconds * 1000 - 100 && took < seconds * 1000 + 5000, `${took} ms`);
  }
  assert.equal((await ask(server, "GET /tasks/1")).status, 200);
  assert.equal(logged.mock.callCount(), 0);
});

test("a stop does not wait for handshakes, but for responses", async (t) => {
  const server = await startProcess(t, [], FILES);
  const idle = await dial(t, server.port, bytes(`GET ${BASE}/tasks/1`));
  await idle.receives(/groceries/);
  const content = '{"title":"Read a book"}';
  const fields = ["Content-Type: application/json", `Content-Length: ${content.length}`];
  const busy = await dial(
    t,
    server.port,
    bytes(`POST ${BASE}/tasks`, [...fields, "Expect: 100-continue"]),
  );
  await busy.receives(/100 Continue/);
  // Bun does not show handshakes under way; there a stop waits 10 s for them.
  const halves = (ON_BUN ? [] : ["", "\x16\x03\x01"]).map((half) => sendPlain(t, server, half));
  assert.equal((await ask(server, "GET /tasks/1")).status, 200); // it has the halves by now
  server.child.kill("SIGTERM");
  await Promise.all([idle.closed, ...halves]);
  busy.socket.write(content);
  assert.match(await busy.closed, /201 Created[^]*\r\nConnection: close\r\n/i);
  const before = Date.now();
  assert.deepEqual(await server.ended, { code: 0, signal: null });
  assert.ok(Date.now() - before < 5000);
});

/** The subject of the certificate that a new connection gets. */
async function seen(t: TestContext, { port }: Server): Promise<string> {
  const socket = tls.connect({ host: "127.0.0.1", port, rejectUnauthorized: false });
  t.after(() => socket.destroy());
  await once(socket, "secureConnect");
  const { serialNumber } = socket.getPeerCertificate();
  socket.destroy(); // otherwise the server's end would reset it
  return serialNumber;
}

test("SIGHUP: a new certificate for new connections, the others stay", {
  skip: ON_BUN && "Bun has no setSecureContext: a new certificate needs a new start",
}, async (t) => {
  const files = newFiles("renewed");
  const server = await startProcess(t, [], files);
  const fields = ["Content-Type: application/json", "Content-Length: 2", "Expect: 100-continue"];
  const client = await dial(t, server.port, bytes(`PUT ${BASE}/tasks/1`, fields));
  await client.receives(/100 Continue/);
  const first = await seen(t, server);

  newFiles("renewed");
  server.child.kill("SIGHUP");
  await server.prints(/^The certificate was read again\n/m);
  const second = await seen(t, server);
  assert.notEqual(second, first);

  file("renewed.key", "half a f");
  server.child.kill("SIGHUP");
  await server.prints(/^the certificate stays as it was: TODO_TLS_KEY must name .*\n/m);
  assert.equal(await seen(t, server), second);

  client.socket.write("{}");
  await client.receives(/send one of title, done, description/);
  assert.equal(server.err.trimEnd().split("\n").length, 1);
});
