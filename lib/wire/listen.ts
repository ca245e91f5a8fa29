// Listens on an address, or says in one line why it cannot. Handles the signals that end a server.

import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { Server } from "node:http";
import process from "node:process";
import { boundTo } from "./target.ts";

const FIXES: Readonly<Record<string, string>> = {
  EADDRINUSE: "it is in use; choose another one, such as --port 5001",
  EACCES: "it needs more rights; choose a port from 1024 up, such as --port 5000",
  ENOTFOUND: "no such host; try --host 127.0.0.1",
  EADDRNOTAVAIL: "this machine does not have that address; try --host 127.0.0.1",
};

const ORPHAN_MS = 1000; // between two looks at the parents
const LOG_MS = 1000; // for the last lines of the log to be written

/** The server cannot listen. The message names the fix. */
export class ListenError extends Error {}

/** The certificate and its key cannot be used. The message names the fix. */
export class TlsError extends Error {}

/** Resolves when the server listens, with an authority that opens here: `127.0.0.1:5000`. */
export async function listen(
  server: Server,
  { host, port }: { host: string; port: number },
): Promise<string> {
  try {
    await once(server.listen(port, host), "listening");
  } catch (error) {
    const { code = "", message } = error as NodeJS.ErrnoException;
    throw new ListenError(`cannot listen on port ${port} of ${host}: ${FIXES[code] ?? message}`);
  }
  // These two stand for all addresses of this machine, and clients cannot open them.
  return boundTo(server.address()).replace("0.0.0.0", "127.0.0.1").replace("[::]", "[::1]");
}

/**
 * Calls `end` at the first signal that asks the process to end; a second one ends it at once.
 * SIGHUP calls `renew` if that is given. Otherwise SIGHUP asks to end, too: it says that the
 * terminal was closed.
 */
export function onSignal(end: () => Promise<void>, renew?: () => void): void {
  const signals: NodeJS.Signals[] = ["SIGINT", "SIGTERM"];
  if (renew === undefined) signals.push("SIGHUP");
  else process.on("SIGHUP", renew);
  let ending: Promise<void> | undefined;
  const endOnce = () =>
    ending ??= end().then(() => {
      setTimeout(() => process.exit(), LOG_MS).unref(); // perhaps nobody reads the log any more
    });
  const first = () => {
    for (const signal of signals) process.off(signal, first);
    endOnce();
  };
  for (const signal of signals) process.on(signal, first);
  onOrphaned(endOnce);
}

/** Calls `end` when the shell of npm or npx is gone: SIGTERM ends that, and goes no further. */
function onOrphaned(end: () => void): void {
  const { npm_lifecycle_event: event, npm_lifecycle_script: script = "" } = process.env;
  if (!/^[^&]*\b(tsx|server\.ts)\b[^&]*$/.test(script)) return; // npm has started something else
  // With npx, tsx is between the shell and the server.
  const parents = () => event === "npx" ? [process.ppid, parentOf(process.ppid)] : [process.ppid];
  const before = parents();
  const isSame = (pid: number | undefined, i: number) =>
    pid === undefined || (before[i] ?? pid) === pid;
  const timer = setInterval(() => {
    if (parents().every(isSame)) return;
    clearInterval(timer);
    console.error("npm has ended, so the server ends");
    end();
  }, ORPHAN_MS).unref();
}

/** The parent of a process; undefined where /proc does not tell, or no descriptor is free. */
function parentOf(pid: number): number | undefined {
  try {
    const [, parent] = /\) \w (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8")) ?? [];
    return Number(parent);
  } catch {
    return undefined;
  }
}
