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

/** Resolves when the server listens, with the authority of its address: `127.0.0.1:5000`. */
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
  return boundTo(server.address());
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
  const first = async () => {
    for (const signal of signals) process.off(signal, first);
    await end();
    setTimeout(() => process.exit(), LOG_MS).unref(); // perhaps nobody reads the log any more
  };
  for (const signal of signals) process.on(signal, first);
  onOrphaned(first);
}

/** A signal to npm or npx ends its shell, and goes no further. So `end` is called after that. */
function onOrphaned(end: () => void): void {
  const { npm_lifecycle_event: event } = process.env;
  if (event === undefined) return;
  // With npx, tsx is between the shell and the server.
  const parents = () => event === "npx" ? [process.ppid, parentOf(process.ppid)] : [process.ppid];
  const before = `${parents()}`;
  const timer = setInterval(() => {
    if (`${parents()}` === before) return;
    clearInterval(timer);
    end();
  }, ORPHAN_MS).unref();
}

/** The parent of a process, on Linux; undefined elsewhere. */
function parentOf(pid: number): number | undefined {
  try {
    const [, stat = ""] = /\) \w (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8")) ?? [];
    return Number(stat);
  } catch {
    return undefined;
  }
}
