// A thousand malformed and hostile requests, made of good ones by a seeded chance. Each is answered
// as a careful server answers, and none of them leaves anything behind.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { readdir } from "node:fs/promises";
import process from "node:process";
import { test } from "node:test";
import { ask, BASE, dial, MIGUEL, ON_NODE, type Server, start } from "./start.ts";

const REQUESTS = 1000;
const AT_ONCE = 16;

type Chance = (below: number) => number;

/** Numbers from 0 up to a bound, the same ones for the same seed (mulberry32). */
function chance(seed: number): Chance {
  return (below) => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor(((t ^ (t >>> 14)) >>> 0) / 2 ** 32 * below);
  };
}

const pick = <T>(random: Chance, items: readonly [T, ...T[]]): T =>
  items[random(items.length)] ?? items[0];
const junk = (random: Chance, length: number) =>
  Array.from({ length }, () => String.fromCharCode(random(256))).join("");

/** A request in its parts: so that it can be spoiled in any of them. */
interface Parts {
  method: string;
  target: string;
  version: string;
  fields: string[];
  content: string;
}

function good(random: Chance): Parts {
  const content = pick(random, ["", '{"title":"t"}', '{"done":true}', '{"description":"☃"}']);
  const bytes = Buffer.from(content).toString("latin1");
  const fields = ["Host: test", `Authorization: ${MIGUEL}`];
  if (bytes !== "") {
    fields.push("Content-Type: application/json", `Content-Length: ${bytes.length}`);
  }
  return {
    method: pick(random, ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]),
    target: BASE +
      pick(random, ["/tasks", "/tasks/1", "/tasks/2", "/tasks/999", "/users", "/users/miguel"]),
    version: "HTTP/1.1",
    fields,
    content: bytes,
  };
}

/** What spoils a request, a way each. */
const SPOIL: readonly [
  (parts: Parts, random: Chance) => void,
  ...((p: Parts, r: Chance) => void)[],
] = [
  (p, r) =>
    p.method = pick(r, ["", "get", "G@T", "CONNECT", "TRACE", "PRI", "M-SEARCH", "A".repeat(99)]),
  (p, r) => p.method = junk(r, 1 + r(9)),
  (p, r) =>
    p.target = pick(r, [
      "*",
      "",
      "//",
      "/%",
      "/%ff",
      "/..",
      "http://",
      "http://a b/",
      "x:1",
      "/\0",
    ]),
  (p, r) =>
    p.target += pick(r, ["?%", "?done=%FF", "?page=0", "?a=1&a=1", "#x", "/", "%2f", "%00", " x"]),
  (p, r) => p.target = `/${junk(r, r(60))}`,
  (p, r) => p.target = `/${"a".repeat(r(20_000))}`,
  (p, r) =>
    p.version = pick(r, [
      "HTTP/1.0",
      "HTTP/0.9",
      "HTTP/2.0",
      "HTTP/9.9",
      "HTP/1.1",
      "",
      "http/1.1",
    ]),
  (p, r) =>
    p.fields.push(pick(r, ["Host: b", "Host: a:b", "Host:", "Host: a/b", "Host: ü", "Host: [::1"])),
  (p, _) => p.fields.shift(),
  (p, r) =>
    p.fields.push(
      `Content-Length: ${pick(r, ["-1", "1e3", "99999999999999999999", "0x1", "7, 8", ""])}`,
    ),
  (p, r) => p.fields.push(`Content-Length: ${r(3_000_000)}`),
  (p, r) =>
    p.fields.push(
      `Transfer-Encoding: ${
        pick(r, ["chunked", "gzip", "gzip, chunked", "chunked, chunked", "x"])
      }`,
    ),
  (p, r) => {
    p.fields = p.fields.filter((field) => !field.startsWith("Content-Length"));
    p.fields.push("Transfer-Encoding: chunked");
    p.content = pick(r, [
      "5\r\nab\r\n0\r\n\r\n",
      "zz\r\n",
      "-1\r\n\r\n",
      "FFFFFFFFFFFFFFFFF\r\n",
      "0\r\nX: \0\r\n\r\n",
    ]);
  },
  (p, r) => p.fields.push(`Expect: ${pick(r, ["100-continue", "200-ok", ""])}`),
  (p, r) =>
    p.fields.push(
      pick(r, [" folded: 1", "no colon", ": no name", "a b: c", "a: \0", "a\t: b", "é: ü"]),
    ),
  (p, r) => p.fields.push(...Array.from({ length: 50 + r(300) }, (_, i) => `X-${i}: ${i}`)),
  (p, r) => p.fields.push(`X-Long: ${"a".repeat(r(40_000))}`),
  (p, r) =>
    p.fields.push(
      `Authorization: ${pick(r, ["Basic", "Basic x", "Basic /w==", "Digest a=b", MIGUEL])}`,
    ),
  (p, r) =>
    p.fields.push(`If-Match: ${pick(r, ["", "*", '"a', "a", 'W/"a"', ",,,", '"a" "b"', "\x80"])}`),
  (p, r) =>
    p.fields.push(
      `If-None-Match: ${pick(r, ["", "*", '"a', "a", 'W/"a", *', `${", ".repeat(3000)}`])}`,
    ),
  (p, r) =>
    p.fields.push(pick(r, ["Upgrade: websocket", "Connection: upgrade, close", "Connection: \0"])),
  (p, r) =>
    p.fields.push(
      pick(r, ["Content-Type: text/plain", "Content-Encoding: gzip", "Content-Type: a/b+json"]),
    ),
  (p, r) => p.content = junk(r, p.content.length),
  (p, r) => p.content = p.content.slice(0, r(p.content.length)),
  (p, r) => p.content += junk(r, r(200)),
  (p, r) => {
    p.content = pick(r, [
      "[".repeat(50_000),
      '{"__proto__":{"title":"x"}}',
      '{"title":"\\ud800"}',
      "\ufeff{}",
    ]);
    p.content = Buffer.from(p.content).toString("latin1");
    p.fields = p.fields.filter((field) => !field.startsWith("Content-Length"));
    p.fields.push("Content-Type: application/json", `Content-Length: ${p.content.length}`);
  },
];

function hostile(random: Chance): string {
  const parts = good(random);
  for (let i = 0; i <= random(2); i++) pick(random, SPOIL)(parts, random);
  const { method, target, version, fields, content } = parts;
  const end = random(10) > 0 ? "\r\n" : pick(random, ["\n", "\r", "\r\n\r\n"]);
  const text = [`${method} ${target} ${version}`, ...fields, "", content].join(end);
  if (random(10) === 0) return text.slice(0, random(text.length)); // cut off
  if (random(10) === 0) return text + junk(random, 100); // and what nobody asked for behind it
  return text;
}

/** Sends it, ends our side, and gives all that comes back until the server ends its own. */
async function answerTo(
  t: Parameters<typeof dial>[0],
  server: Server,
  request: string,
): Promise<string> {
  const { socket, closed } = await dial(t, server.port, request);
  socket.end();
  return await closed;
}

/** Checks that this is a row of well-formed answers, none of them a failure of ours. */
function check(text: string): void {
  let rest = text;
  while (rest !== "") {
    const head = /^HTTP\/1\.1 (\d{3}) [^\r\n]+\r\n(?:[\w-]+: [^\r\n]*\r\n)*\r\n/.exec(rest);
    assert.ok(head, `no answer: ${JSON.stringify(rest.slice(0, 300))}`);
    const status = Number(head[1]);
    assert.ok(status < 500 || status === 501 || status === 505, head[0]);
    rest = rest.slice(head[0].length);
    const length = Number(/\r\nContent-Length: (\d+)/i.exec(head[0])?.[1] ?? 0);
    const content = rest.slice(0, length);
    // What follows a HEAD's answer is the next answer, or nothing.
    if (length > 0 && !rest.startsWith("HTTP/1.1 ") && rest !== "") {
      assert.equal(content.length, length);
      const json: unknown = JSON.parse(Buffer.from(content, "latin1").toString());
      assert.ok(status < 400 || (typeof json === "object" && json !== null && "error" in json));
      rest = rest.slice(length);
    }
  }
}

test("a thousand hostile requests leave the server as it was", async (t) => {
  const seed = Number(process.env["SEED"] ?? Date.now() % 1_000_000);
  t.diagnostic(`SEED=${seed}`);
  const random = chance(seed);
  const server = await start(t, ["--quiet"]);
  assert.equal((await ask(server, "GET /tasks")).status, 200);
  const before = await descriptors(server);
  const requests = Array.from({ length: REQUESTS }, () => hostile(random));
  const queue = requests.entries();
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    for (const [number, request] of queue) {
      const answer = await answerTo(t, server, request);
      try {
        if (ON_NODE) check(answer); // elsewhere their own parser answers some of them in its own way
      } catch (error) {
        assert.fail(`SEED=${seed}, ${number}: ${JSON.stringify(request.slice(0, 2000))}\n${error}`);
      }
    }
  }));
  assert.equal(server.child.exitCode, null, server.err);
  assert.equal(server.err, "");
  const { status } = await ask(server, "GET /nowhere");
  assert.equal(status, 404);
  for (let i = 0; i < 5000 && await descriptors(server) > before; i++) {
    await ask(server, "GET /nowhere");
  }
  assert.ok(await descriptors(server) <= before, "connections are left behind");
});

/** How many files and connections the server holds; 0 where the system does not tell. */
async function descriptors({ child }: Server): Promise<number> {
  if (child.pid === undefined || process.platform !== "linux") return 0;
  return (await readdir(`/proc/${child.pid}/fd`)).length;
}
