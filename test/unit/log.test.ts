// The log: one line for each request in the Common Log Format, which no client can forge.

import assert from "node:assert/strict";
import { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { Writable } from "node:stream";
import { test } from "node:test";
import { RequestClient } from "../../lib/wire/client.ts";
import { createLog } from "../../lib/wire/log.ts";

interface Sent {
  readonly method?: string;
  readonly url?: string;
  /** Who has proved the password. */
  readonly user?: string;
  readonly address?: string;
  readonly status?: number;
}

function message({ method = "GET", url = "/tasks", user, address = "203.0.113.7" }: Sent) {
  const socket = new Socket();
  Object.defineProperty(socket, "remoteAddress", { value: address });
  const headers = { authorization: `Basic ${btoa("somebody:s3cret")}` };
  const request = new IncomingMessage(socket);
  Object.assign(request, { method, url, httpVersion: "1.1", headers });
  return [Object.assign(new RequestClient(request), { username: user }), request] as const;
}

/** An output that gives each write to `write`. */
const output = (write: (text: string) => void) =>
  new Writable({
    write(chunk, _, done) {
      write(String(chunk));
      done();
    },
  });

/** Returns what is written for these requests, which are logged in one turn of the event loop. */
function written(...all: Sent[]): Promise<string> {
  return new Promise((resolve) => {
    const log = createLog(output(resolve));
    for (const sent of all) log(...message(sent), sent.status ?? 200, 312);
  });
}

const TIME = String.raw`\[\d\d/[A-Z][a-z][a-z]/\d{4}:\d\d:\d\d:\d\d \+0000\]`;

test("a request is a line in the Common Log Format", async () => {
  const rows: [sent: Sent, user: string, what: string, status: number][] = [
    [{}, "-", "GET /tasks HTTP/1.1", 200],
    [{ user: "miguel", url: "/tasks?a=b c" }, "miguel", "GET /tasks?a=b c HTTP/1.1", 200],
    [{ user: "miguel", method: "DELETE", status: 404 }, "miguel", "DELETE /tasks HTTP/1.1", 404],
    [{ user: "" }, "-", "GET /tasks HTTP/1.1", 200],
    [{ method: "", url: "", status: 400 }, "-", "-", 400], // what never became a request
  ];
  for (const [sent, user, what, status] of rows) {
    const line = await written(sent);
    const rest = ` "${what}" ${status} 312\n`;
    assert.ok(line.endsWith(rest), line);
    const start = new RegExp(`^203\\.0\\.113\\.7 - ${user} ${TIME}$`);
    assert.match(line.slice(0, -rest.length), start);
  }
});

test("the time of a line is now, in UTC", async () => {
  const before = Math.floor(Date.now() / 1000) * 1000;
  const [, date = "", time = ""] = /\[([^:]+):(\S+)/.exec(await written({})) ?? [];
  const noted = Date.parse(`${date.replaceAll("/", " ")} ${time} UTC`);
  assert.ok(before <= noted && noted <= Date.now(), `${date} ${time}`);
});

test("what a client sends stays within its line, its quotes and its column", async () => {
  const rows: [sent: Sent, part: string][] = [
    [{ url: '/" 200 1' }, '"GET /\\x22 200 1 HTTP/1.1"'],
    [{ url: "/a\nb\r\t\0" }, '"GET /a\\x0ab\\x0d\\x09\\x00 HTTP/1.1"'],
    [{ url: "/\\x22" }, '"GET /\\x5cx22 HTTP/1.1"'],
    [{ url: "/caf\xe9\x7f" }, '"GET /caf\\xe9\\x7f HTTP/1.1"'], // bytes, as node gives them
    [{ user: "a b" }, " - a\\x20b ["],
    [{ user: 'x" [' }, " - x\\x22\\x20[ ["],
    [{ user: "x\n" }, " - x\\x0a ["],
    [{ address: "a b\n" }, "a\\x20b\\x0a - - ["],
    [{ user: "\\x20" }, " - \\x5cx20 ["],
  ];
  for (const [sent, part] of rows) {
    const line = await written(sent);
    assert.ok(line.includes(part), line);
    assert.match(line, /^[ -~]+\n$/);
  }
  assert.match(await written({ user: "żółw 😀\u2028" }), /^\S+ - [!-~]+ \[[ -~]+\n$/);
});

test("a long line is cut at 2,000 characters, and never within an escape", async () => {
  for (const start of ["", "/", "//", "///"]) {
    for (const [character, kept] of [["-", "-"], ['"', "(\\\\x22)"]] as const) {
      const line = await written({ url: start + character.repeat(2000) });
      assert.ok(line.length <= 2000 && line.length > 1990, `${line.length} characters`);
      assert.match(line, new RegExp(`"GET ${start}${kept}+" 200 312\n$`));
    }
  }
});

test("the log never writes a password, not even one that is in the target", async () => {
  const rows: [url: string, written: string][] = [
    ["/tasks", "/tasks"],
    ["/a@b", "/a@b"],
    ["http://miguel:s3cret@localhost/tasks", "http://localhost/tasks"],
    ["HTTP://s3cret@localhost?a@b", "HTTP://localhost?a@b"],
    ["miguel:s3cret@localhost", "localhost"],
    ["http://localhost/a@b", "http://localhost/a@b"],
  ];
  for (const [url, expected] of rows) {
    const line = await written({ url, user: "miguel" });
    assert.ok(line.includes(`"GET ${expected} HTTP/1.1"`), line);
    assert.doesNotMatch(line, /s3cret|Basic|czNjcmV0/);
  }
});

test("the lines of one turn of the event loop are one write, in their order", async () => {
  const urls = Array.from({ length: 100 }, (_, i) => `/tasks/${i}`);
  const lines = await written(...urls.map((url) => ({ url })));
  assert.deepEqual([...lines.matchAll(/GET (\S+)/g)].map(([, url]) => url), urls);
});

test("a line after a write is written too, once", async () => {
  let write = (_: string) => {};
  const log = createLog(output((lines) => write(lines)));
  for (const url of ["/1", "/2"]) {
    const lines = await new Promise<string>((resolve) => {
      write = resolve;
      log(...message({ url }), 200, 0);
    });
    assert.deepEqual([...lines.matchAll(/GET (\S+)/g)].map(([, url]) => url), [url]);
  }
});

test("while nobody reads the output, lines beyond 1 MiB are dropped and counted", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let written = "";
  let take = () => {};
  const unread = new Writable({
    write(chunk, _, done) {
      written += chunk;
      take = done;
    },
  });
  const log = createLog(unread);
  const write = (url: string, times = 1) => {
    for (let i = 0; i < times; i++) log(...message({ url }), 200, 0);
    t.mock.timers.tick(1000);
  };
  for (let turn = 0; turn < 30; turn++) write("/".repeat(10_000), 100); // lines of 2,000 bytes
  assert.ok(unread.writableLength < 1.3 * 1024 * 1024, `${unread.writableLength} bytes`);
  while (unread.writableLength > 0) take();
  write("/next");
  const [, dropped, next] = /\n(\d+) lines were dropped, because nobody read the log\n(.*)\n$/
    .exec(written) ?? [];
  assert.equal(written.match(/"GET \/\//g)?.length, 3000 - Number(dropped));
  assert.match(next ?? "", /"GET \/next HTTP/);
});
