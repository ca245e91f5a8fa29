// Three servers over three members of etcd, under load, while one machine after the other dies:
// every acknowledged write is there, once, whichever server is asked.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import process from "node:process";
import { after, before, test, type TestContext } from "node:test";
import { EtcdStore } from "../../lib/store/etcd/store.ts";
import { CALL_MS } from "../../lib/store/etcd/cluster.ts";
import { type Cluster, leaderOf, NO_ETCD, serving, startCluster } from "../tools/etcd.ts";
import { INITIAL } from "../../lib/store/store.ts";
import { newFolder } from "../tools/files.ts";
import { type Ask, ask, type Received, type Server, startProcess } from "../tools/start.ts";

const skip = NO_ETCD;
const CLIENTS = 6;
const MORE = 300; // requests that succeed between one event and the next
const BACK_MS = 5000; // in which every server has to take writes again

let cluster: Cluster;
before(async () => skip || (cluster = await startCluster(3)));
after(() => skip || cluster.stop());

/** Starts three servers at once. Each asks another member first. */
async function startServers(t: TestContext): Promise<Server[]> {
  const addresses = cluster.members.map(({ address }) => address);
  const servers = await Promise.all(addresses.map((_, i) => {
    const url = `etcd://${[...addresses.slice(i), ...addresses.slice(0, i)].join()}`;
    return startProcess(t, ["--quiet", "--db", url]);
  }));
  // Each server verifies the password once, after the first hash was stored.
  for (const line of ["GET /users/miguel", "GET /users/miguel"]) {
    for (const server of servers) assert.equal((await ask(server, line)).status, 200);
  }
  return servers;
}

interface Content {
  readonly task: { readonly title: string; readonly uri: string };
}
interface Contents {
  readonly tasks: readonly Content["task"][];
}

/** A task of one client, and the titles that it may have: several after a 503. */
interface Known {
  readonly path: string;
  /** Undefined: it is deleted. */
  titles: (string | undefined)[];
  tag: string;
}

/** Counts all responses so far, and lets callers wait for more of them. */
class Traffic {
  readonly counts = new Map<string, number>();
  longest = 0; // ms
  readonly #watchers = new Set<
    (server: Server, line: string, status: number, sent: number) => void
  >();

  async ask(server: Server, line: string, options?: Ask): Promise<Received> {
    const sent = performance.now();
    const answer = await ask(server, line, options);
    this.longest = Math.max(this.longest, performance.now() - sent);
    const kind = `${line.split(" ")[0]} ${answer.status}`;
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
    if (answer.status === 503) assert.ok(Number(answer.headers["retry-after"]) > 0);
    for (const watch of this.#watchers) watch(server, line, answer.status, sent);
    return answer;
  }

  /** Resolves when so many more requests have succeeded. */
  more(count: number): Promise<void> {
    return new Promise((resolve) => {
      const watch = (_: Server, __: string, status: number) => {
        if (status >= 300 || --count > 0) return;
        this.#watchers.delete(watch);
        resolve();
      };
      this.#watchers.add(watch);
    });
  }

  /** Resolves when each server has done a write that was sent from now on. */
  async writes(servers: readonly Server[]): Promise<void> {
    const start = performance.now();
    await Promise.all(servers.map((wanted) =>
      new Promise<void>((resolve) => {
        const watch = (server: Server, line: string, status: number, sent: number) => {
          const write = !line.startsWith("GET") && status < 300 && sent >= start;
          if (server !== wanted || !write) return;
          this.#watchers.delete(watch);
          resolve();
        };
        this.#watchers.add(watch);
      })
    ));
  }
}

/** Makes tasks and changes them, through one server or another, and knows what has to be there. */
class Client {
  readonly tasks: Known[] = [];
  readonly perhaps: string[] = []; // titles of tasks whose POST got 503
  readonly #name: string;
  readonly #traffic: Traffic;
  readonly #servers: readonly Server[];
  #titles = 0;

  constructor(name: string, traffic: Traffic, servers: readonly Server[]) {
    this.#name = name;
    this.#traffic = traffic;
    this.#servers = servers;
  }

  async act(): Promise<void> {
    const task = oneOf(this.tasks.filter(({ titles }) => titles.join() !== ""));
    const dice = Math.random();
    if (task === undefined || dice < 0.25) await this.#create();
    else if (task.titles.length > 1 || dice < 0.6) await this.#read(task);
    else if (dice < 0.9) await this.#write("PUT", task, `${this.#name} ${++this.#titles}`);
    else await this.#write("DELETE", task, undefined);
  }

  #ask(line: string, options?: Ask): Promise<Received> {
    return this.#traffic.ask(oneOf(this.#servers) ?? assert.fail(), line, options);
  }

  async #create(): Promise<void> {
    const title = `${this.#name} ${++this.#titles}`;
    const { status, headers } = await this.#ask("POST /tasks", { content: { title } });
    if (status === 503) return void this.perhaps.push(title);
    assert.equal(status, 201);
    this.tasks.push({
      path: pathOf(headers.location ?? ""),
      titles: [title],
      tag: headers.etag ?? "",
    });
  }

  /** Asserts that any server returns what was written last. */
  async #read(task: Known): Promise<void> {
    const answer = await this.#ask(`GET ${task.path}`);
    const { status, headers } = answer;
    if (status === 503) return;
    const title = status === 404 ? undefined : titleOf(answer);
    assert.ok(task.titles.includes(title), `${task.path}: ${title}, not ${task.titles}`);
    task.tag = headers.etag ?? "";
    // A write that got 503 may still take effect, until another one has.
    if (title === undefined) task.titles = [title];
    else if (task.titles.length > 1) await this.#write("PUT", task, title);
  }

  async #write(method: "PUT" | "DELETE", task: Known, title?: string): Promise<void> {
    const { status, headers } = await this.#ask(`${method} ${task.path}`, {
      headers: { "If-Match": task.tag },
      ...(title === undefined ? {} : { content: { title } }),
    });
    if (status === 200) {
      task.titles = [title];
      task.tag = headers.etag ?? "";
    } else if (status === 503) {
      task.titles.push(title);
    } else {
      // No other client writes to the task, so an earlier write that got 503 has taken effect.
      assert.ok(task.titles.length > 1, `${method} ${task.path}: ${status}`);
      assert.ok([404, 412].includes(status), `${method} ${task.path}: ${status}`);
    }
  }
}

function oneOf<T>(items: readonly T[]): T | undefined {
  return items[Math.floor(Math.random() * items.length)];
}

test("no acknowledged write is lost or done twice, whatever machine dies", { skip }, async (t) => {
  const servers = await startServers(t);
  const traffic = new Traffic();
  const clients = Array.from({ length: CLIENTS }, (_, i) => new Client(`c${i}`, traffic, servers));
  let open = true;
  const load = Promise.all(clients.map(async (client) => {
    while (open) await client.act();
  }));

  /** Causes an event under load. Soon after it, all servers have to take writes again. */
  const survives = async (what: string, happens: () => unknown) => {
    const start = performance.now();
    await happens();
    await traffic.writes(servers);
    const took = Math.round(performance.now() - start);
    t.diagnostic(`${what}: every server writes again after ${took} ms`);
    assert.ok(took < BACK_MS, `${what}: ${took} ms`);
    await traffic.more(MORE);
  };
  const story = async () => {
    await traffic.more(MORE);
    const leader = await leaderOf(cluster);
    const follower = cluster.members.find((member) => member !== leader) ?? assert.fail();
    await survives("a follower is killed", () => follower.kill());
    await follower.start();
    await survives("the leader is killed", () => leader.kill());
    await leader.start();
    const cut = await leaderOf(cluster);
    await survives("the new leader is cut off", () => cut.cut(true));
    await survives("it is connected again", () => cut.cut(false));
  };
  try {
    await Promise.race([load, story()]);
  } finally {
    open = false;
  }
  await load;

  const counts = [...traffic.counts].sort().map(([kind, count]) => `${count} ${kind}`);
  t.diagnostic(`${counts.join(", ")}; the longest took ${Math.round(traffic.longest)} ms`);
  assert.ok(traffic.longest < 2 * CALL_MS + 1000, `${traffic.longest} ms`);

  const lists = await Promise.all(servers.map((server) => ask(server, "GET /tasks")));
  const [{ tasks } = { tasks: [] }, ...others] = lists.map(({ json }) => json as Contents);
  const plain = tasks.map(({ title, uri }) => ({ title, path: pathOf(uri) }));
  for (const { tasks } of others) {
    assert.deepEqual(tasks.map(({ title, uri }) => ({ title, path: pathOf(uri) })), plain);
  }
  // Ids are unique, and no title occurs twice.
  assert.equal(new Set(plain.map(({ path }) => path)).size, plain.length);
  assert.equal(new Set(plain.map(({ title }) => title)).size, plain.length);
  const there = new Map(plain.map(({ path, title }) => [path, title]));
  const known = clients.flatMap(({ tasks }) => tasks);
  assert.equal(new Set(known.map(({ path }) => path)).size, known.length);
  for (const { path, titles } of known) {
    assert.ok(titles.includes(there.get(path)), `${path}: ${there.get(path)}, not ${titles}`);
    there.delete(path);
  }
  const perhaps = clients.flatMap(({ perhaps }) => perhaps);
  const made = [...there.values()].filter((title) => perhaps.includes(title));
  t.diagnostic(
    `${known.length} made, ${perhaps.length} perhaps, of which ${made.length}; ` +
      `${plain.length} at the end`,
  );
  const first = ["Buy groceries", "Learn Python"]; // made by one of the servers that started
  assert.deepEqual([...there.values()].filter((title) => !perhaps.includes(title)), first);
});

test("of two clients of two servers that have read the same, one writes", { skip }, async (t) => {
  const servers = await startServers(t);
  const [here = assert.fail(), there = assert.fail()] = servers;
  const created = await ask(here, "POST /tasks", { content: { title: "0" } });
  const path = pathOf((created.json as Content).task.uri);
  let { etag = "" } = created.headers;
  for (let round = 1; round <= 30; round++) {
    const [one, other] = await Promise.all(
      servers.slice(0, 2).map((server, i) =>
        ask(server, `PUT ${path}`, {
          content: { title: `${round} by ${i}` },
          headers: { "If-Match": etag },
        })
      ),
    );
    const [won = assert.fail(), lost] = one?.status === 200 ? [one, other] : [other, one];
    assert.deepEqual([won.status, lost?.status], [200, 412]);
    for (const server of servers) {
      const read = await ask(server, `GET ${path}`, { headers: { "If-None-Match": etag } });
      assert.deepEqual([titleOf(read), read.headers.etag], [titleOf(won), won.headers.etag]);
    }
    etag = won.headers.etag ?? "";
    assert.equal(
      (await ask(there, `GET ${path}`, { headers: { "If-None-Match": etag } })).status,
      304,
    );
  }
});

test("servers that add at the same time all have their turn", { skip }, async () => {
  const leader = await leaderOf(cluster);
  const [nearest, ...others] = await Promise.all(
    [leader, ...cluster.members.filter((member) => member !== leader)]
      .map(({ address }) => EtcdStore.open(`etcd://${address}`, "turns/")),
  );
  const { id } = await nearest?.addUser("a", { password: "a hash", email: "" }) ??
    assert.fail();
  const task = { ...INITIAL, title: "x" };
  let count = 0;
  const added = await Promise.all([nearest, ...others].map(async (store) => {
    let own = 0;
    for (; count < 200; count++) if (await store?.add(id, task)) own++;
    return own;
  }));
  assert.ok(Math.min(...added) > 20, `${added}`);
});

test(
  "without a majority each response is 503 in time, and nothing is done",
  { skip },
  async (t) => {
    const [server = assert.fail()] = await startServers(t);
    const { json: before } = await ask(server, "GET /tasks");
    const [, ...most] = cluster.members;
    await Promise.all(most.map((member) => member.kill()));
    const rows = ["GET /tasks", "GET /tasks/1", "DELETE /tasks/1"];
    const asked = rows.map((line) => ask(server, line));
    asked.push(ask(server, "POST /tasks", { content: { title: "x" } }));
    asked.push(ask(server, "PUT /tasks/1", { content: { title: "x" } }));
    const start = performance.now();
    for (const answer of await Promise.all(asked)) {
      assert.equal(answer.status, 503, answer.text);
      assert.match(answer.headers["retry-after"] ?? "", /^\d+$/);
    }
    const took = performance.now() - start;
    assert.ok(took < CALL_MS + 1000, `${took} ms`);
    await Promise.all(most.map((member) => member.start()));
    assert.deepEqual((await ask(server, "GET /tasks")).json, before);
  },
);

const README = readFileSync(new URL("../../lib/store/README.md", import.meta.url), "utf8");
const ELSEWHERE = process.platform !== "linux" && "it takes three loopback addresses";

/** The README's commands, with addresses of this machine for those of the page. */
function readme() {
  const byte = () => 1 + Math.floor(Math.random() * 254);
  const page = README.replaceAll("10.0.0.", `127.${byte()}.${byte()}.`);
  const blocks = [...page.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block = ""]) => block);
  /** The block with these words, for one of three machines. */
  return (words: string, me = 1) => {
    const block = blocks.find((block) => block.includes(words)) ?? assert.fail(words);
    return block.replace("me=1", `me=${me}`);
  };
}

async function startMember(t: TestContext, command: string, cwd: string) {
  const member = spawn("sh", ["-c", command.replace(/^etcd/m, "exec etcd --logger zap")], { cwd });
  t.after(() => member.kill("SIGKILL"));
  await serving(member);
  return member;
}

test("the README's commands make three machines", { skip: skip || ELSEWHERE }, async (t) => {
  const [block, folder] = [readme(), await newFolder(t)];
  const machines = await Promise.all([1, 2, 3].map(async (me) => {
    const member = await startMember(t, block("etcd --name", me), folder);
    const todo = block("--db etcd://", me).replace(/^TODO/m, "set -- TODO");
    const words = `${todo}printf '%s\\n' "$@"`;
    const [password = "", node, file, ...args] = spawnSync("sh", ["-c", words], {
      encoding: "utf8",
    })
      .stdout.trim().split("\n");
    assert.equal(`${node} ${file}`, "node server.ts");
    const TODO_PASSWORD = password.replace("TODO_PASSWORD=", "");
    const server = await startProcess(t, [...args, "--host", "127.0.0.1"], { TODO_PASSWORD });
    return { member, server, authorization: `Basic ${btoa(`miguel:${TODO_PASSWORD}`)}` };
  }));
  const [first = assert.fail(), , third = assert.fail()] = machines;
  const { authorization } = first;
  const content = { title: "x" };
  const { status, headers } = await ask(first.server, "POST /tasks", { content, authorization });
  assert.deepEqual([status, headers.location], [201, "https://todo.example/todo/api/v1.0/tasks/3"]);
  for (const process of [first.member, first.server.child]) process.kill("SIGKILL");
  assert.equal((await ask(third.server, "GET /tasks/3", { authorization })).status, 200);
  for (const { member } of machines) member.kill("SIGKILL"); // before their folder goes
});

const NO_ETCDCTL = spawnSync("etcdctl", ["version"]).status !== 0 &&
  process.env["CI"] !== "true" && "there is no etcdctl; on Debian it is in etcd-client";

test("the README's commands add users to a cluster, free its space, back it up and restore it", {
  skip: skip || ELSEWHERE || NO_ETCDCTL,
}, async (t) => {
  const [block, cwd] = [readme(), await newFolder(t)];
  const startMembers = () =>
    Promise.all([1, 2, 3].map((me) => startMember(t, block("etcd --name", me), cwd)));
  const [, endpoint = ""] = /ENDPOINTS=(.*)/.exec(block("auth enable")) ?? [];
  const env = { ...process.env, ETCDCTL_ENDPOINTS: endpoint };
  const sh = (commands: string, user = {}) => {
    const options = { cwd, env: { ...env, ...user }, encoding: "utf8" } as const;
    const { status, stderr } = spawnSync("sh", ["-ec", commands], options);
    assert.equal(status, 0, stderr);
  };
  const root = { ETCDCTL_USER: "root:that of root" };
  const [, url = ""] = /--db (etcd:\S+)/.exec(block("--db etcd://")) ?? [];
  const open = () => EtcdStore.open(url, undefined, { name: "todo", password: "that of todo" });

  const members = await startMembers();
  sh(block("auth enable").replaceAll(/user add (\w+)/g, "user add '$1:that of $1'"));
  const store = await open();
  const fields = { password: "a hash", email: "" };
  const user = await store.addFirst("a", fields, [{ ...INITIAL, title: "x" }]) ?? assert.fail();
  sh(block("etcdctl compact"), root);
  sh(block("snapshot save"), root);
  assert.equal((await store.add(user.id, { ...INITIAL, title: "too late" }))?.id, 2);
  await store.close();
  await Promise.all(members.map(async (member) => {
    member.kill("SIGKILL");
    await once(member, "exit");
  }));

  for (const me of [1, 2, 3]) sh(block("snapshot restore", me), root);
  const again = await startMembers();
  sh(block("del todo/epoch"), root);
  const restored = await open();
  assert.deepEqual(await restored.user("a"), user);
  assert.equal(
    (await restored.list(user.id)).total,
    1,
  );
  assert.notEqual(restored.epoch, store.epoch);
  await restored.close();
  for (const member of again) member.kill("SIGKILL"); // before their folder goes
});

const titleOf = ({ json }: Received) => (json as Content).task.title;
const pathOf = (uri: string) => uri.slice(uri.lastIndexOf("/tasks/"));
