// Listens on an address, or says in one line why that cannot be; and hears the signals that end it.

import { once } from "node:events";
import type { Server } from "node:http";
import process from "node:process";
import { boundTo } from "./target.ts";

const MENDS: Readonly<Record<string, string>> = {
  EADDRINUSE: "it is in use; choose another one, such as --port 5001",
  EACCES: "it needs more rights; choose a port from 1024 up, such as --port 5000",
  ENOTFOUND: "no such host; try --host 127.0.0.1",
  EADDRNOTAVAIL: "that is no address of this machine; try --host 127.0.0.1",
};

const LOG_MS = 1000; // for the last lines to be written

/** The server cannot listen. The message names the mend. */
export class ListenError extends Error {}

/** Resolves with the authority of the address when the server listens: `127.0.0.1:5000`. */
export async function listen(
  server: Server,
  { host, port }: { host: string; port: number },
): Promise<string> {
  try {
    await once(server.listen(port, host), "listening");
  } catch (error) {
    const { code = "", message } = error as NodeJS.ErrnoException;
    throw new ListenError(`cannot listen on port ${port} of ${host}: ${MENDS[code] ?? message}`);
  }
  return boundTo(server.address());
}

/**
 * Calls `end` at the first signal that ends a program; a second one ends the process at once.
 * SIGHUP calls `renew` if there is something to renew. Otherwise it ends too: the terminal was
 * closed.
 */
export function onSignal(end: () => Promise<void>, renew?: () => void): void {
  const signals: NodeJS.Signals[] = ["SIGINT", "SIGTERM"];
  if (renew === undefined) signals.push("SIGHUP");
  else process.on("SIGHUP", renew);
  const first = async () => {
    for (const signal of signals) process.off(signal, first);
    await end();
    setTimeout(() => process.exit(), LOG_MS).unref(); // nobody may read the log any more
  };
  for (const signal of signals) process.on(signal, first);
}
