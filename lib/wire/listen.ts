// Listens on an address, or says in one line why that cannot be.

import { once } from "node:events";
import type { Server } from "node:http";
import { boundTo } from "./target.ts";

const MENDS: Readonly<Record<string, string>> = {
  EADDRINUSE: "it is in use; choose another one, such as --port 5001",
  EACCES: "it needs more rights; choose a port from 1024 up, such as --port 5000",
  ENOTFOUND: "no such host; try --host 127.0.0.1",
  EADDRNOTAVAIL: "that is no address of this machine; try --host 127.0.0.1",
};

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
