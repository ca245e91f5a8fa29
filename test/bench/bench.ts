// Requests a second of each operation, compared with a bare node:http server in the same minute.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import { connect } from "node:net";
import { performance } from "node:perf_hooks";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { boundTo } from "../../lib/wire/target.ts";
import { BASE, bytes } from "../tools/start.ts";

const CONNECTIONS = 32; // keep-alive, one request in flight on each
const ROUNDS = 5;
const SLOT_MS = 500;
const JSON_TYPE = ["Content-Type: application/json"];
const OURS = ["server.ts", "--quiet", "--port", "0"];

/** Makes the next request of a connection, from the number of requests so far and the response. */
type Next = (count: number, answer: string) => string;

const always = (request: string): Next => () => request;
const get = (path: string, fields: string[] = []) => bytes(`GET ${BASE}${path}`, fields);
const again: Next = (_, answer) => {
  const [, tag] = /\r\nETag: (.*)\r\n/.exec(answer) ?? [];
  return tag === undefined ? get("/tasks/1") : get("/tasks/1", [`If-None-Match: ${tag}`]);
};
const post = bytes(`POST ${BASE}/tasks`, JSON_TYPE, '{"title": "Read a book"}');
const put = bytes(`PUT ${BASE}/tasks/1`, JSON_TYPE, '{"done": true}');
const remove = (answer: string) =>
  bytes(`DELETE ${BASE}/tasks/${/tasks\/(\d+)"/.exec(answer)?.[1]}`);

interface Operation {
  readonly name: string;
  readonly next: Next;
  /** The status that our server sends; the bare one always sends 200. */
  readonly status: RegExp;
  /** Whether the requests make tasks. */
  readonly grows?: true;
}
const OPERATIONS: Operation[] = [
  { name: "GET a task", next: always(get("/tasks/1")), status: /200/ },
  { name: "GET a list of two", next: always(get("/tasks")), status: /200/ },
  { name: "GET, unchanged", next: again, status: /304|200/ }, // each connection's first gets 200
  { name: "PUT", next: always(put), status: /200/ },
  { name: "POST", next: always(post), status: /201/, grows: true },
  {
    name: "POST, then DELETE",
    next: (count, answer) => count % 2 === 0 ? post : remove(answer),
    status: /20[01]/,
    grows: true,
  },
  {
    name: "GET without credentials",
    next: always(get("/tasks/1").replace(/Authorization.*\r\n/, "")),
    status: /401/,
  },
];

/** Measures a server for about so many milliseconds. Returns its responses a second. */
async function measure(port: number, next: Next, status: RegExp, ms: number): Promise<number> {
  const sockets = Array.from({ length: CONNECTIONS }, () => connect(port, "127.0.0.1"));
  await Promise.all(sockets.map((socket) => once(socket, "connect")));
  const begin = performance.now();
  const counts = await Promise.all(
    sockets.map((socket) =>
      new Promise<number>((resolve, reject) => {
        let count = 0;
        let answer = "";
        socket.on("data", (text: string) => {
          answer += text;
          const content = answer.indexOf("\r\n\r\n") + 4;
          if (content < 4) return;
          const length = Number(/\r\nContent-Length: (\d+)/i.exec(answer)?.[1]);
          if (answer.length < content + length) return;
          if (!status.test(answer.slice(9, 12))) reject(new Error(`unexpected answer:\n${answer}`));
          count++;
          const request = next(count, answer);
          answer = "";
          if (performance.now() - begin < ms) socket.write(request);
          else socket.end(() => resolve(count));
        });
        socket.on("error", reject).on("close", () => reject(new Error("the server hung up")));
        socket.setEncoding("latin1").write(next(count, answer));
      })
    ),
  );
  return counts.reduce((sum, count) => sum + count) / (performance.now() - begin) * 1000;
}

/** A server in a process of its own, and its port, once it listens. */
async function open(...args: string[]): Promise<{ child: ChildProcess; port: number }> {
  const cwd = fileURLToPath(new URL("../..", import.meta.url));
  const child = spawn(process.execPath, ["--import", "tsx", ...args], {
    cwd,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line = ""]: string[] = await once(child.stdout.setEncoding("utf8"), "data");
  return { child, port: Number(/:(\d+)\//.exec(line)?.[1]) };
}

/** The best that node:http can do: reads a request, and sends a response that is ready. */
function bare(): void {
  const task = { title: "Buy groceries", done: false, description: "Milk", uri: "/tasks/1" };
  const text = `${JSON.stringify({ task }, null, 2)}\n`;
  const fields = { "Content-Type": "application/json", "Content-Length": text.length };
  const server = createServer((request, response) => {
    request.resume().on("end", () => response.writeHead(200, fields).end(text));
  });
  server.listen(0, "127.0.0.1", () => {
    console.log(`Listening on http://${boundTo(server.address())}/`);
  });
}

const middle = (numbers: number[]) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? NaN;

/** Measures a server of ours whose list is new, because a list is full at some time. */
async function measureNew(next: Next, status: RegExp, ms: number): Promise<number> {
  const { child, port } = await open(...OURS);
  try {
    await measure(port, next, status, ms / 5); // warms up
    return await measure(port, next, status, ms);
  } finally {
    child.kill();
  }
}

async function compare(): Promise<void> {
  const servers = await Promise.all([open("test/bench/bench.ts", "--bare"), open(...OURS)]);
  const [plain, small] = servers;
  const results = OPERATIONS.map((operation) => {
    const rates: number[] = [];
    const ratios: number[] = [];
    return { ...operation, rates, ratios };
  });
  try {
    for (let round = 0; round <= ROUNDS; round++) {
      const ms = round === 0 ? SLOT_MS / 5 : SLOT_MS; // the first warms up and does not count
      const forth = round % 2 === 0;
      for (const { next, status, grows, rates, ratios } of forth ? results : results.toReversed()) {
        const ours = () =>
          grows ? measureNew(next, status, ms) : measure(small.port, next, status, ms);
        const theirs = () => measure(plain.port, next, /200/, ms);
        const early = forth ? await ours() : undefined;
        const best = await theirs();
        const rate = early ?? await ours();
        if (round > 0) rates.push(rate) && ratios.push(rate / best);
      }
    }
  } finally {
    for (const { child } of servers) child.kill();
  }
  console.log(`${"operation".padEnd(24)}  req/s  ratio to bare node:http (min-max)`);
  for (const { name, rates, ratios } of results) {
    const [ratio, min, max] = [middle(ratios), Math.min(...ratios), Math.max(...ratios)]
      .map((ratio) => ratio.toFixed(2));
    const rate = middle(rates).toFixed(0).padStart(6);
    console.log(`${name.padEnd(24)} ${rate}  ${ratio} (${min}-${max})`);
  }
}

/** Measures the same requests while one list grows. */
async function grow(): Promise<void> {
  const { child, port } = await open(...OURS);
  let size = 2; // the tutorial's
  const one = () => `${BASE}/tasks/${1 + Math.floor(Math.random() * size)}`;
  const requests: (() => string)[] = [
    () => bytes(`GET ${one()}`),
    () => bytes(`PUT ${one()}`, JSON_TYPE, '{"done": true}'),
    () => bytes(`GET ${BASE}/tasks?page=${1 + Math.floor(Math.random() * size / 30)}`),
  ];
  console.log("\nreq/s by tasks    GET a task       PUT   a page of 30");
  try {
    for (const target of [10, 1_000, 10_000]) {
      // All are sent at once; the server reads the next one after each response.
      const filling = connect(port, "127.0.0.1");
      filling.write(
        post.repeat(target - size - 1) + post.replace("Host", "Connection: close\r\nHost"),
      );
      for await (const _ of filling);
      size = target;
      const rates: string[] = [];
      for (const request of requests) {
        await measure(port, request, /200/, SLOT_MS);
        rates.push((await measure(port, request, /200/, 2 * SLOT_MS)).toFixed(0).padStart(12));
      }
      console.log(`${String(size).padStart(14)}${rates.join("")}`);
    }
  } finally {
    child.kill();
  }
}

if (process.argv[2] === "--bare") bare();
else {
  await compare();
  await grow();
}
