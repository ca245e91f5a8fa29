// Malformed and hostile requests, made of good ones at random. SEED=… repeats a run.

import assert from "node:assert/strict";
import process from "node:process";
import { test, type TestContext } from "node:test";
import {
  ask,
  BASE,
  BY_COMMAND,
  bytes,
  descriptors,
  dial,
  MIGUEL,
  ON_NODE,
  startProcess,
} from "../tools/start.ts";

const ATTACKS = BY_COMMAND ? 1000 : 300; // more where a command is tested
const AT_ONCE = 16;
const JSON_TYPE = "Content-Type: application/json";

const GOOD = [
  bytes(`GET ${BASE}/tasks?done=false`),
  bytes(`GET ${BASE}/tasks/1`, ['If-None-Match: "x"']),
  bytes(`HEAD ${BASE}/tasks/2`),
  bytes(`POST ${BASE}/tasks`, [JSON_TYPE], '{"title": "posted"}'),
  bytes(`POST ${BASE}/tasks`, [JSON_TYPE, "Expect: 100-continue"], '{"title": "awaited"}'),
  bytes(`PUT ${BASE}/tasks/1`, [JSON_TYPE], '{"title": "put", "done": true}'),
  bytes(`PATCH ${BASE}/tasks/1`, [JSON_TYPE, "Transfer-Encoding: chunked"]) +
  'c\r\n{"done": tru\r\n2\r\ne}\r\n0\r\n\r\n',
  bytes(`DELETE ${BASE}/tasks/3`),
  bytes("OPTIONS *", ["Connection: close"]),
];

const METHODS = ["get", "G\0T", "CONNECT", "TRACE", "PROPFIND", "__proto__", "GET GET", ""];

const TARGETS = [
  ...["", "*", "?", "//", "//evil/x", "/../../etc/passwd", "/%", "/%zz", "/%00", "/%ff", "/%c0%af"],
  ...[
    "http://",
    "http://evil",
    "http://[",
    "https://a:b@evil/",
    "ftp://evil/",
    "javascript:1",
    "\\",
  ],
  ...[`${BASE}/tasks/%31`, `${BASE}/tasks/%2e%2e`, `${BASE}/tasks/-1`, `${BASE}/tasks/1e3`],
  ...[`${BASE}/tasks/${"9".repeat(400)}`, `${BASE}/tasks/__proto__`, `${BASE}/tasks/1#x`],
  ...[`${BASE}/tasks?page=-1`, `${BASE}/tasks?page=1&page=2`, `${BASE}/tasks?__proto__=1`],
  ...[`${BASE}/tasks?${"&".repeat(5000)}`, `${BASE}/tasks?title_prefix=%ff`, "/a b", "/\xff\xfe"],
  ...["/".repeat(8000), "/" + "%41".repeat(4000), "/" + "x".repeat(70_000)],
];

const VERSIONS = [
  "HTTP/0.9",
  "HTTP/1.0",
  "HTTP/1.2",
  "HTTP/2.0",
  "HTTP/3",
  "HTTP/11",
  "http/1.1",
  "",
];

const HOSTS = [
  ...["Host:", "Host: a b", 'Host: "><script>', "Host: a, b", "Host: a\r\nHost: b", "Host: a@b"],
  ...["Host: [::1", "Host: [::1]:80", "Host: a:99999999", "Host: a:", "Host: \xff", "Host : a"],
  ...["Ghost: a", `Host: ${"h".repeat(9000)}`, "Host: %00", "Host: a/b?c#d", "Host:\ta\t"],
];

const AUTHORIZATIONS = [
  ...["", "Basic", "Basic ", "Basic =", "Basic !!!!", "Basic bWlndWVs", "Basic Og==", "basic\tx"],
  ...["Bearer x", `Basic ${btoa("miguel:python\0")}`, `Basic ${btoa("\xff\xfe:\xff")}`, "\xff"],
  ...[`${MIGUEL}, ${MIGUEL}`, `${MIGUEL}\r\nAuthorization: ${MIGUEL}`, `Basic ${"A".repeat(9000)}`],
  ...[`Basic ${btoa(":".repeat(1000))}`, `Basic ${btoa(`miguel:${"p".repeat(5000)}`)}`],
];

const LENGTHS = [
  ...["-1", "+5", "0x10", "1e3", "5, 5", "5, 6", "", " ", "5 5", "NaN", "0", "1", "1048577"],
  ...["99999999999", "18446744073709551617", "9".repeat(300)],
];

const CODINGS = [
  "gzip",
  "gzip, chunked",
  "chunked, gzip",
  "identity",
  "xchunked",
  "\vchunked",
  ",",
];

const CHUNKS = [
  ...["zz\r\n", "-1\r\n", "ffffffffffffffffff\r\n", "5\r\nabc\r\n", "3\r\nabcdef\r\n", "3\nabc\n"],
  ...["1;ext\r\n{\r\n", `1;${"x".repeat(20_000)}\r\n{\r\n`, "0\r\nTrailer: x\r\n\r\n", "\r\n\r\n"],
  ...["fffff0\r\n", "2\r\n{}\r\n0\r\n", "0\r\nTransfer-Encoding: chunked\r\n\r\n", "0x2\r\n{}\r\n"],
];

const CONTENTS = [
  ...["", "null", "[]", "1", '"', "{", "{}", "nul", "[1,]", '{"a":1}}', "\xff\xfe{\0}\0"],
  ...['{"title": "\xff"}', '{"title": "\xc0\xaf"}', '{"title": "\xed\xa0\x80"}', '{"title": "\0"}'],
  ...['{"title": "\\ud800"}', '{"title": ["a"]}', '{"title": {"toString": 1}}', "\xef\xbb\xbf{}"],
  ...['{"__proto__": {"title": "x"}}', '{"constructor": {"prototype": {"done": true}}}'],
  ...['{"__proto__": null, "title": "x"}', '{"done": "true"}', '{"done": 1e999}', '{"id": -1}'],
  ...["[".repeat(100_000), '{"a":'.repeat(50_000), `${"[".repeat(9000)}${"]".repeat(9000)}`],
  ...[`{"title": ${"9".repeat(10_000)}}`, "\0".repeat(1000), "x".repeat(200_000)],
];

const JUNK = [
  "\0",
  "\r\n",
  "\n\n",
  "GET",
  "GET / HTTP/1.1\r\n",
  "\x16\x03\x01\x02\0",
  "PRI * HTTP/2.0",
];

/** Numbers from 0 up to a limit, the same ones for the same seed (mulberry32). */
function randomNumbers(seed: number): (limit: number) => number {
  return (limit) => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), seed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor(((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32 * limit);
  };
}

/** Makes hostile bytes: a good request mutated once to three times, now and then beside another. */
function hostility(random: (limit: number) => number): () => string {
  const pick = (list: readonly string[]) => list[random(list.length)] ?? "";
  const byte = () => String.fromCharCode(random(256));
  const insert = (text: string, what: string) => {
    const at = random(text.length + 1);
    return text.slice(0, at) + what + text.slice(at);
  };
  // Functions as replacements, because in text "$&" has a meaning.
  const change = (form: RegExp, list: readonly string[]) => (text: string) =>
    text.replace(form, () => pick(list));
  const field = (line: () => string) => (text: string) =>
    text.replace("\r\n", () => `\r\n${line()}\r\n`);

  const mutations: ((text: string) => string)[] = [
    (text) => text.replace(/[^]/g, (here) => random(100) === 0 ? byte() : here),
    (text) => insert(text, Array.from({ length: random(50) }, byte).join("")),
    (text) => insert(text, "\0"),
    (text) => text.slice(0, random(text.length)),
    (text) => text.split("\r\n").toSorted(() => random(3) - 1).join("\r\n"),
    (text) => text.split("\r\n").filter(() => random(4) > 0).join("\r\n"),
    (text) => text.split("\r\n").flatMap((l) => random(4) > 0 ? [l] : [l, l]).join("\r\n"),
    (text) => text.replaceAll("\r\n", () => pick(["\r\n", "\r\n", "\n", "\r", "\r\n ", "\r\n\t"])),
    (text) => text + pick(JUNK),
    (text) => pick(JUNK) + text,
    change(/^[A-Z]+/, METHODS),
    change(/(?<=^\S+ )\S+/, TARGETS),
    change(/HTTP\/1.1/, VERSIONS),
    change(/Host: localhost/, HOSTS),
    change(/(?<=Authorization: ).*/, AUTHORIZATIONS),
    change(/(?<=Content-Length: ).*/, LENGTHS),
    change(/(?<=Content-Type: ).*/, ["", "text/plain", "application/json; a=\xff", "a/b+json"]),
    change(/(?<=\r\n\r\n)[^]*/, CHUNKS),
    field(() => `Content-Length: ${pick(LENGTHS)}`),
    field(() => `Transfer-Encoding: ${pick(CODINGS)}`),
    field(() => `Content-Encoding: ${pick(["gzip", "identity", "\xff"])}`),
    field(() => `Expect: ${pick(["100-continue", "tea", ""])}`),
    field(() => `If-Match: ${pick(["*", '"', 'W/"x"', ",".repeat(5000)])}`),
    field(() => "A: b\r\n".repeat(random(3000)) + "C: d"),
    field(() => `Long: ${"x".repeat(random(40_000))}`),
    field(() =>
      pick([": no name", "no colon", "sp ace: x", "\xff: x", "obs:\r\n fold", "nul: \0"])
    ),
    (text) => {
      const [head = ""] = text.replace(/\r\nContent-Length:.*/, "").split("\r\n\r\n");
      return `${head}\r\nTransfer-Encoding: chunked\r\n\r\n${pick(CHUNKS)}`;
    },
    (text) => {
      const [head = ""] = text.replace(/\r\nContent-Length:.*/, "").split("\r\n\r\n");
      const content = pick(CONTENTS);
      return `${head}\r\nContent-Length: ${content.length}\r\n\r\n${content}`;
    },
  ];
  return () => {
    let text = pick(GOOD);
    for (let times = random(3); times >= 0; times--) {
      text = mutations[random(mutations.length)]?.(text) ?? text;
    }
    return [text, text, pick(GOOD) + text, text + pick(GOOD)][random(4)] ?? text;
  };
}

/** Sends these bytes, ends its side, and resolves with all that came back. */
async function attack(t: TestContext, port: number, sent: string): Promise<string> {
  const client = await dial(t, port, sent);
  client.socket.end();
  client.socket.on("data", () => {
    // The last response. The server would linger, for a client that is still sending.
    if (/^Connection: close\r$[^]*}\n$/mi.test(client.text)) client.socket.destroy();
  });
  // Deno does not tell the server that a client ended within its content: 408 after 30 s.
  if (!ON_NODE) AbortSignal.timeout(1000).onabort = () => client.socket.destroy();
  return await client.closed;
}

/** Asserts that these are responses of a healthy server, and returns how many there are. */
function assertResponses(text: string): number {
  let count = 0;
  for (let rest = text; rest !== ""; count++) {
    const form = /^HTTP\/1\.1 (\d{3}) [ -~]*\r\n(?:[\w-]+: [\t -~]*\r\n)*\r\n/;
    const [head = "", status = ""] = form.exec(rest) ?? [];
    assert.match(status, /^([1-4]..|501|505)$/, JSON.stringify(rest));
    const [, length = "0"] = /^Content-Length: (\d+)\r$/mi.exec(head) ?? [];
    rest = rest.slice(head.length);
    if (rest === "" || rest.startsWith("HTTP/1.1 ")) continue; // no content, as after HEAD
    const content = rest.slice(0, Number(length));
    rest = rest.slice(content.length);
    if (/^Content-Type: text\/html/mi.test(head)) continue; // the page, at "/"
    const json: unknown = JSON.parse(content);
    assert.ok(typeof json === "object" && json !== null);
    assert.equal("error" in json, Number(status) >= 400, content);
  }
  return count;
}

test("hostile requests get responses in JSON, and leave nothing open", async (t) => {
  const seed = Number(process.env["SEED"] || Date.now() % 2 ** 31);
  t.diagnostic(`SEED=${seed}`);
  const random = randomNumbers(seed);
  const next = hostility(random);
  const server = await startProcess(t, ["--quiet"]);
  const before = await descriptors(t, server);

  const attacks = Array.from({ length: ATTACKS }, () => ({ sent: next(), cut: random(20) === 0 }));
  const waiting = attacks.values();
  const attacker = async () => {
    for (const { sent, cut } of waiting) {
      if (cut) {
        (await dial(t, server.port, sent)).reset();
        continue;
      }
      const text = await attack(t, server.port, sent);
      try {
        const count = assertResponses(text);
        // CONNECT behind an unfinished response ends the connection.
        const mayEnd = sent.trim() === "" || sent.lastIndexOf("CONNECT ") > 0;
        assert.ok(count > 0 || !ON_NODE || mayEnd, "not answered");
      } catch (cause) {
        throw new Error(`SEED=${seed}, sent ${JSON.stringify(sent.slice(0, 2000))}`, { cause });
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, attacker));

  assert.equal(server.child.exitCode, null);
  assert.equal(server.err, "");
  const { status, text } = await ask(server, "GET /tasks", { headers: { Connection: "close" } });
  assert.equal(status, 200);
  const task = String.raw`\{
      "title": "[^\n]*",
      "done": (?:true|false),
      "description": "[^\n]*",
      "uri": "${server.origin}${BASE}/tasks/\d+"
    \}`;
  assert.match(text, new RegExp(String.raw`^\{\n  "tasks": \[\n    ${task}(,\n    ${task})*\n`));
  assert.ok(await descriptors(t, server, before) <= before);
});
