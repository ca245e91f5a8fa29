// Starts an etcd cluster of its own on free ports. Its members speak to each other through
// proxies, so that one can be cut off as by a broken network: nothing arrives, and no error tells.

import assert from "node:assert/strict";
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import type { TestContext } from "node:test";

const installed = spawnSync("etcd", ["--version"]).status === 0;

/** Why a test that needs etcd is skipped, if it is. In CI it fails instead. */
export const NO_ETCD = process.env["TODO_TEST_FAST"] !== undefined
  ? "npm run test:all runs it"
  : installed || process.env["CI"] === "true"
  ? false
  : "there is no etcd; on Debian it is in etcd-server";

// Its own loopback address, if there is more than one: nothing else takes ports of it.
const byte = () => 1 + Math.floor(Math.random() * 254);
export const HOST = process.platform === "linux"
  ? `127.${byte()}.${byte()}.${byte()}`
  : "127.0.0.1";

/** A member of a cluster. */
export interface Member {
  /** `127.0.0.1:2379` */
  readonly address: string;
  /** Where other members reach it. */
  readonly peer: string;
  /** Starts it, and waits until it serves clients. */
  start(): Promise<void>;
  /** Ends it as a power cut does. */
  kill(): Promise<void>;
  /** Cuts the connections to the other members, or restores them. */
  cut(off: boolean): void;
}

/** A cluster that serves clients. */
export interface Cluster {
  readonly members: readonly Member[];
  /** The URL that opens a store. */
  readonly url: string;
  stop(): Promise<void>;
}

const START_MS = 30_000;
const ELECT_MS = 30_000;

/** Waits until an etcd has found the other members and serves clients. Returns what it logged. */
export async function serving(child: ChildProcessWithoutNullStreams): Promise<string> {
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => log += text);
  let late: NodeJS.Timeout | undefined;
  const failed = new Promise<never>((_, reject) => {
    const fail = (why: string) => reject(new Error(`etcd ${why}:\n${log}`));
    child.on("error", (error) => fail(error.message)).on("exit", () => fail("ended"));
    late = setTimeout(() => fail(`does not serve after ${START_MS} ms`), START_MS);
  });
  failed.catch(() => {});
  try {
    while (!log.includes("serving client traffic")) {
      await Promise.race([failed, once(child.stderr, "data")]);
    }
    return log;
  } finally {
    clearTimeout(late);
  }
}

interface Status {
  readonly header: { readonly member_id: string };
  readonly leader?: string;
}

/** Options of a cluster: TLS with these files, and more flags. */
export interface Setup {
  readonly tls?: { readonly cert: string; readonly key: string };
  readonly flags?: readonly string[];
}

/** Starts a cluster of so many members. A single member is ready sooner. */
export async function startCluster(
  size: number,
  { tls, flags = [] }: Setup = {},
): Promise<Cluster> {
  assert.ok(installed, "install etcd: on Debian, apt-get install etcd-server");
  const folder = await mkdtemp(join(tmpdir(), "todo-etcd-"));
  const network = new Network();
  const names = Array.from({ length: size }, (_, i) => `m${i}`);
  const host = tls ? "127.0.0.1" : HOST; // for which there is a certificate
  const [clients, peers] = [await freePorts(size, host), await freePorts(size)];
  const seen = await Promise.all(names.map((name, i) => network.proxy(name, peers[i] ?? 0)));
  const cluster = names.map((name, i) => `${name}=http://${HOST}:${seen[i]}`).join();

  const members = names.map((name, i): Member => {
    const address = `${host}:${clients[i]}`;
    const args = ["--name", name, "--data-dir", join(folder, name), "--logger", "zap"];
    const url = `${tls ? "https" : "http"}://${address}`;
    args.push("--listen-client-urls", url, "--advertise-client-urls", url, ...flags);
    if (tls) args.push("--cert-file", tls.cert, "--key-file", tls.key);
    args.push("--listen-peer-urls", `http://${HOST}:${peers[i]}`);
    args.push("--initial-advertise-peer-urls", `http://${HOST}:${seen[i]}`);
    args.push("--initial-cluster", cluster, "--initial-cluster-token", folder, "--pre-vote");
    if (size === 1) args.push("--heartbeat-interval", "20", "--election-timeout", "200");
    let child: ChildProcessWithoutNullStreams | undefined;
    return {
      address,
      peer: `${HOST}:${peers[i]}`,
      async start() {
        const started = child = spawn("etcd", args);
        process.once("exit", () => started.kill("SIGKILL")); // if a test process ends early
        const log = await serving(child);
        const [, id = ""] = /"local-member-id":"(\w+)"/.exec(log) ?? [];
        network.ids.set(id, name);
      },
      async kill() {
        if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) {
          return;
        }
        child.kill("SIGKILL");
        await once(child, "exit");
      },
      cut: (off) => network.cut(name, off),
    };
  });
  const stop = async () => {
    await Promise.all(members.map((member) => member.kill()));
    network.close();
    await rm(folder, { recursive: true });
  };
  try {
    await Promise.all(members.map((member) => member.start()));
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    members,
    url: `etcd${tls ? "s" : ""}://${members.map(({ address }) => address).join()}`,
    stop,
  };
}

const idle: Cluster[] = [];
const lent = new Set<Cluster>();

/** A cluster of one member without a key, for this test. Starting one takes longer than a test. */
export async function emptyCluster(t: TestContext): Promise<Cluster> {
  const cluster = idle.pop() ?? await startCluster(1);
  lent.add(cluster);
  t.after(() => {
    lent.delete(cluster);
    idle.push(cluster);
  });
  const all = JSON.stringify({ key: "AA==", range_end: "AA==" }); // from the first key on
  const url = `http://${cluster.members[0]?.address}/v3/kv/deleterange`;
  assert.equal((await fetch(url, { method: "POST", body: all })).status, 200);
  return cluster;
}

/** Stops the clusters that were lent. */
export async function stopClusters(): Promise<void> {
  await Promise.all([...idle, ...lent].map((cluster) => cluster.stop()));
}

/** The leader, as the members that answer see it. */
export async function leaderOf({ members }: Cluster): Promise<Member> {
  for (const start = performance.now(); performance.now() < start + ELECT_MS;) {
    for (const member of members) {
      const url = `http://${member.address}/v3/maintenance/status`;
      const status = await fetch(url, {
        method: "POST",
        body: "{}",
        signal: AbortSignal.timeout(2000),
      })
        .then((response) => response.json() as Promise<Status>).catch(() => undefined);
      if (status?.leader !== undefined && status.leader === status.header.member_id) return member;
    }
  }
  assert.fail("no member leads");
}

async function listen(server: Server, host = HOST): Promise<number> {
  await once(server.listen(0, host), "listening");
  const address = server.address();
  return typeof address === "object" ? address?.port ?? 0 : 0;
}

/** Ports that nobody listens on. */
export async function freePorts(count: number, host = HOST): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(servers.map((server) => listen(server, host)));
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return ports;
}

/** A connection between two members, with their names. */
interface Wire {
  readonly from: string;
  readonly to: string;
  readonly ends: readonly [Socket, Socket];
}

/** The proxies between the members. */
class Network {
  /** The names of members by the ids that they send. */
  readonly ids = new Map<string, string>();
  readonly #proxies: Server[] = [];
  readonly #wires = new Set<Wire>();
  readonly #off = new Set<string>();

  /** Listens for bytes to a member, which itself listens on another port. */
  proxy(to: string, port: number): Promise<number> {
    const proxy = createServer({ noDelay: true }, (caller) => {
      caller.once("data", (bytes) => {
        const ends = [caller, connect({ port, host: HOST, noDelay: true })] as const;
        const [, id = ""] = /^X-Server-From: (\w+)/im.exec(bytes.toString("latin1")) ?? [];
        const wire = { from: this.ids.get(id) ?? "", to, ends };
        this.#wires.add(wire);
        for (const end of ends) {
          end.on("error", () => {}).on("close", () => {
            this.#wires.delete(wire);
            for (const end of ends) end.destroy();
          });
        }
        caller.pause();
        caller.unshift(bytes);
        this.#carry(wire);
      });
      caller.on("error", () => {});
    });
    this.#proxies.push(proxy);
    return listen(proxy);
  }

  cut(name: string, off: boolean): void {
    if (off) this.#off.add(name);
    else this.#off.delete(name);
    for (const wire of this.#wires) this.#carry(wire);
  }

  close(): void {
    for (const proxy of this.#proxies) proxy.close();
    for (const { ends } of this.#wires) ends[0].destroy();
  }

  /** Lets bytes through, or stops reading them. */
  #carry({ from, to, ends: [one, other] }: Wire): void {
    one.unpipe(other);
    other.unpipe(one);
    if (this.#off.has(from) || this.#off.has(to)) return;
    one.pipe(other);
    other.pipe(one);
  }
}
