// Starts a server, and sends it requests: through node's client, or byte by byte. The server runs in
// the test's process, or as a process of its own if the test needs one. TODO_SERVER names a command
// that starts all servers, such as `deno run -A server.ts`; TODO_TEST_DB=sqlite or TODO_TEST_DB=etcd
// gives each server a database of its own. With TODO_TLS_CERT and TODO_TLS_KEY both sides speak TLS.
// So any test of a server can be run with all of these.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import * as http from "node:http";
import * as https from "node:https";
import * as net from "node:net";
import process from "node:process";
import { after, type TestContext } from "node:test";
import * as tls from "node:tls";
import { readOptions, UsageError } from "../../lib/options.ts";
import { startService } from "../../lib/service.ts";
import { Unusable } from "../../lib/store/store.ts";
import { Passwords } from "../../lib/todo/passwords.ts";
import { TlsError } from "../../lib/wire/listen.ts";
import type { Limits } from "../../lib/wire/server.ts";
import { described } from "./openapi.ts";
import { newFile } from "./files.ts";

/** The command that starts the server, and its runtime: Deno and Bun parse HTTP in other ways. */
export const COMMAND = process.env["TODO_SERVER"] ??
  `${process.execPath} --import ./test/tools/types.js server.ts`;
/** Whether every server is started with a command. */
export const BY_COMMAND = Boolean(process.env["TODO_SERVER"]);
export const ON_DENO = /\bdeno\b/.test(COMMAND);
export const ON_BUN = /\bbun\b/.test(COMMAND);
export const ON_NODE = !ON_DENO && !ON_BUN;
export const OVER_TLS = Boolean(process.env["TODO_TLS_CERT"]);

const DATABASE = process.env["TODO_TEST_DB"];
const etcd = DATABASE === "etcd" ? await import("./etcd.ts") : undefined;
after(() => etcd?.stopClusters());

export const BASE = "/todo/api/v1.0";
export const MIGUEL = `Basic ${btoa("miguel:python")}`;
const ROOT = new URL("../..", import.meta.url);

/** A command under way, what it printed so far, and how it ended. */
export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<{ code: number | null; signal: string | null }>;
  out: string;
  err: string;
  /** Resolves when the two outputs together match. Rejects if the command ends before. */
  prints(pattern: RegExp): Promise<RegExpExecArray>;
}

/** Runs the server's command with these arguments and variables. It ends with the test. */
export function run(
  t: TestContext,
  args: string[] = [],
  env: Record<string, string> = {},
): Running {
  const [file = "", ...rest] = COMMAND.split(" ");
  const child = spawn(file, [...rest, ...args], { cwd: ROOT, env: { ...process.env, ...env } });
  const ended = once(child, "close").then(([code, signal]) => ({ code, signal }));
  const running: Running = {
    child,
    ended,
    out: "",
    err: "",
    async prints(pattern) {
      const closed = ended.then(() => "closed");
      for (;;) {
        const found = pattern.exec(running.out + running.err);
        if (found !== null) return found;
        const more = Promise.race([once(child.stdout, "data"), once(child.stderr, "data"), closed]);
        if (await more === "closed") break;
      }
      const found = pattern.exec(running.out + running.err);
      assert.ok(found, `ended without ${pattern}:\n${running.out}${running.err}`);
      return found;
    },
  };
  child.stdout.setEncoding("utf8").on("data", (text: string) => running.out += text);
  child.stderr.setEncoding("utf8").on("data", (text: string) => running.err += text);
  t.after(async () => {
    child.kill("SIGKILL");
    await ended;
  });
  return running;
}

/** The certificate for each port that speaks TLS. No authority has signed it. */
const certificates = new Map<number, Buffer>();

/** A server that listens. */
export interface Server {
  readonly port: number;
  /** `http`, or `https` under TLS. */
  readonly scheme: string;
  /** `http://127.0.0.1:41234` */
  readonly origin: string;
}

/** The cost of a hash in this process: a millisecond. Commands make real ones. */
const CHEAP = "scrypt$8$8$1";

/**
 * Starts a server on a free port: in this process, unless TODO_SERVER names a command. Only in this
 * process, it has these limits.
 */
export async function start(
  t: TestContext,
  args: string[] = [],
  env: Record<string, string> = {},
  limits?: Limits,
): Promise<Server> {
  if (BY_COMMAND) return await startProcess(t, args, env);
  const all = { ...process.env, PORT: "0", TODO_DB: await newDatabase(t), ...env };
  const options = readOptions(args, all);
  assert.ok(options);
  const { origin, server, stop } = await startService(options, {
    passwords: new Passwords(CHEAP),
    limits,
  });
  t.after(async () => {
    server.closeAllConnections();
    await stop();
  });
  return await at(origin, all);
}

/** The one line with which a start is refused, because something that it was given is wrong. */
export async function refusal(
  t: TestContext,
  args: string[],
  env: Record<string, string> = {},
): Promise<string> {
  if (BY_COMMAND) {
    const running = run(t, args, env);
    assert.deepEqual(await running.ended, { code: 2, signal: null });
    assert.deepEqual([running.out, running.err.endsWith("\n")], ["", true]);
    return running.err.trimEnd();
  }
  const start = async () => await startService(readOptions(args, env) ?? assert.fail());
  const error = await start().then(() => assert.fail("it starts"), (error: unknown) => error);
  assert.ok([UsageError, Unusable, TlsError].some((kind) => error instanceof kind), `${error}`);
  assert.ok(error instanceof Error);
  return error.message;
}

/** A server that runs as a process of its own. */
export type ServerProcess = Server & Running;

/**
 * Starts a server with its command, for tests that read its output, send signals, count its
 * descriptors, or block this process. Waits until it listens.
 */
export async function startProcess(
  t: TestContext,
  args: string[] = [],
  env: Record<string, string> = {},
): Promise<ServerProcess> {
  const running = run(t, args, { PORT: "0", TODO_DB: await newDatabase(t), ...env });
  const [, origin = ""] = await running.prints(/Listening on (http.*)\/ /);
  return Object.assign(running, await at(origin, { ...process.env, ...env }));
}

/** The server at an origin. Its clients get to know its certificate. */
async function at(origin: string, env: Record<string, string | undefined>): Promise<Server> {
  const [, scheme = "", digits = ""] = /^(https?):\/\/.*:(\d+)$/.exec(origin) ?? [];
  const port = Number(digits);
  const cert = env["TODO_TLS_CERT"];
  if (cert) certificates.set(port, await readFile(cert));
  else certificates.delete(port); // of an earlier server
  return { port, scheme, origin };
}

/** Miguel's credentials at a server that is reached under another name: see `startBehind`. */
export const BEHIND = { authorization: `Basic ${btoa("miguel:correct horse")}` };

/** Starts a server that clients see under this URL. There the tutorial's password is refused. */
export const startBehind = (t: TestContext, url: string, args: string[] = []): Promise<Server> =>
  start(t, ["--quiet", "--public-url", url, ...args], { TODO_PASSWORD: "correct horse" });

async function newDatabase(t: TestContext): Promise<string> {
  if (DATABASE === "sqlite") return await newFile(t);
  return etcd === undefined ? "" : (await etcd.emptyCluster(t)).url;
}

/** A response, with its content also as JSON if it is JSON. */
export interface Received {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly text: string;
  readonly json: unknown;
}

/** What to send beside method and path. By default as miguel and, with content, as JSON. */
export interface Ask {
  readonly headers?: Record<string, string>;
  /** Sent as JSON, except for a string or bytes, which are sent as they are. */
  readonly content?: unknown;
  readonly authorization?: string | undefined;
}

/**
 * Sends a request through node's client: `ask(server, "GET /tasks")`. After `//` a path is from the
 * root. Rejects if the response is not as lib/openapi/openapi.json describes it.
 */
export function ask(server: Server, line: string, options: Ask = {}): Promise<Received> {
  const [method = "", target = ""] = line.split(" ");
  const path = target.startsWith("//") || target === "*"
    ? target.replace("//", "/")
    : BASE + target;
  const { content } = options;
  const raw = content === undefined || typeof content === "string" || Buffer.isBuffer(content);
  const body = raw ? content : JSON.stringify(content);
  const authorization = "authorization" in options ? options.authorization : MIGUEL;
  const headers = {
    ...(authorization === undefined ? {} : { Authorization: authorization }),
    ...(body === undefined ? {} : { "Content-Type": "application/json" }),
    ...(body === undefined ? {} : { "Content-Length": Buffer.byteLength(body) }),
    ...options.headers,
  };
  const { port } = server;
  const ca = certificates.get(port);
  const answer = new Promise<Received>((resolve, reject) => {
    const localAddress = options.authorization && addressFor(options.authorization);
    const to = { host: "127.0.0.1", port, localAddress, method, path, headers };
    const sent = ca === undefined
      ? http.request(to)
      : https.request({ ...to, ca, servername: "localhost" });
    sent.on("response", (got) => {
      let text = "";
      got.setEncoding("utf8").on("data", (chunk: string) => text += chunk);
      got.on("error", reject).on("end", () => {
        const isJson = got.headers["content-type"] === "application/json" && text !== "";
        const json: unknown = isJson ? JSON.parse(text) : undefined;
        const refused = got.statusCode === 401 || got.statusCode === 403;
        if (refused && authorization) homes.delete(authorization);
        resolve({ status: got.statusCode ?? 0, headers: got.headers, text, json });
      });
    });
    sent.on("error", reject).end(body);
  });
  return answer.then((got) => described({ method, target: path, headers, content: body }, got));
}

const homes = new Map<string, string | undefined>();
/** One address for the same credentials, which are verified once for each, until they are wrong. */
function addressFor(authorization: string): string | undefined {
  const address = homes.get(authorization) ?? newAddress();
  homes.set(authorization, address);
  return address;
}

let addresses = 1;
/**
 * Another loopback address with each call. After a wrong password its network has to rest for
 * seconds before the next sign-in. Undefined on macOS, which has one loopback address.
 */
export function newAddress(): string | undefined {
  addresses = addresses % 0xfffe + 1;
  return process.platform === "darwin" ? undefined : `127.1.${addresses >> 8}.${addresses & 255}`;
}

/** A client on a bare connection, for bytes that no client library would send. */
export interface RawClient {
  readonly socket: net.Socket;
  /** Everything received so far. */
  text: string;
  /** Resolves with `text` when it matches. Rejects if the server ends the connection before. */
  receives(pattern: RegExp): Promise<string>;
  /** Everything received, once the server has ended the connection. */
  readonly closed: Promise<string>;
  /** Resets the connection, like a client that crashes. */
  reset(): void;
}

/** Opens a connection that nobody reads yet, with TLS if the port speaks it. */
export async function open(t: TestContext, port: number) {
  const connection = net.connect(port, "127.0.0.1");
  const ca = certificates.get(port);
  const socket: net.Socket = ca === undefined
    ? connection
    : tls.connect({ socket: connection, ca, servername: "localhost" });
  t.after(() => socket.destroy());
  socket.on("error", () => {});
  await once(socket, ca === undefined ? "connect" : "secureConnect");
  return { socket, reset: () => connection.resetAndDestroy() };
}

/** Opens a connection and sends these bytes. */
export async function dial(
  t: TestContext,
  port: number,
  bytes: string | Buffer = "",
): Promise<RawClient> {
  const { socket, reset } = await open(t, port);
  const client: RawClient = {
    socket,
    reset,
    text: "",
    closed: new Promise((resolve) => socket.on("close", () => resolve(client.text))),
    async receives(pattern) {
      while (!pattern.test(client.text)) {
        const more = await Promise.race([once(socket, "data"), client.closed]);
        if (typeof more === "string") assert.match(more, pattern);
      }
      return client.text;
    },
  };
  socket.setEncoding("latin1").on("data", (text: string) => client.text += text);
  socket.write(bytes, typeof bytes === "string" ? "latin1" : undefined);
  return client;
}

/** A request's bytes: method and target, header lines, then content with its length. */
export function bytes(line: string, fields: string[] = [], content?: string): string {
  const length = content === undefined
    ? []
    : [`Content-Length: ${Buffer.byteLength(content, "latin1")}`];
  const head = [
    `${line} HTTP/1.1`,
    "Host: localhost",
    `Authorization: ${MIGUEL}`,
    ...length,
    ...fields,
  ];
  return `${head.join("\r\n")}\r\n\r\n${content ?? ""}`;
}

/** The statuses of the responses in the bytes that a connection received. */
export function statuses(text: string): number[] {
  return [...text.matchAll(/HTTP\/1\.1 (\d{3}) [^\r\n]*\r\n/g)].map(([, status]) => Number(status));
}

/** How many files and sockets the server has open (on Linux; elsewhere 0), once `enough` are. */
export async function descriptors(
  t: TestContext,
  server: ServerProcess,
  enough = Infinity,
): Promise<number> {
  const client = await dial(t, server.port);
  for (let polls = 1;; polls++) {
    client.text = "";
    client.socket.write(bytes("OPTIONS *"));
    await client.receives(/\r\n\r\n/);
    const seen = process.platform === "linux" && ON_NODE
      ? (await readdir(`/proc/${server.child.pid}/fd`)).length
      : 0;
    if (seen > enough && polls < 10_000) continue;
    client.socket.destroy();
    return seen;
  }
}
