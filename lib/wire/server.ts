// What is wired to what in node's server, and its limits.

import { createServer, type IncomingMessage, type Server, type ServerOptions } from "node:http";
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Answer } from "./connection.ts";
import { Connections, type Finish } from "./connections.ts";
import type { Log } from "./log.ts";
import { NO_PROXY, unexpected } from "./refusals.ts";

/** Options for any server that is passed to `serve`. */
export const LIMITS: ServerOptions = {
  requireHostHeader: false, // otherwise node itself responds to its absence, with no content
  joinDuplicateHeaders: true, // otherwise a second Host or Authorization is dropped unseen
  optimizeEmptyRequests: true, // Node 24.12: a request without content makes no stream's events
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  connectionsCheckingInterval: 1000, // how often node looks at the two above
};

/** Has `server` give each request to `answer`; `stop` ends it after the last response. */
export function serve(
  answer: Answer,
  log: Log = () => {},
  finish: readonly Finish[] = [],
  server: Server = createServer(LIMITS),
): { server: Server; stop(): Promise<void> } {
  // Otherwise a client that closes its sending side early, as nc does, gets no slow response.
  Object.assign(server, { httpAllowHalfOpen: true });
  server.maxHeadersCount = 0; // otherwise node drops the rest unseen; readTarget counts them
  const connections = new Connections(server, log, finish);

  const handler = (answer: Answer) => (request: IncomingMessage, response: ServerResponse) =>
    connections.handle(answer, { request, response }).catch((error) => {
      console.error(error);
      request.socket.destroy(); // a failure of one connection ends that connection
    });
  server.on("request", handler(answer));
  server.on("checkContinue", handler(answer));
  server.on("checkExpectation", handler(unexpected));
  // Without a listener CONNECT gets no response. There is no "upgrade" listener: it would also
  // catch every request that offers h2c.
  server.on("connect", (_, socket) => connections.refuse(socket as Socket, NO_PROXY));
  server.on("clientError", (error, socket) => connections.parserFailed(socket as Socket, error));
  return { server, stop: () => connections.stop() };
}
