// Connects node's server to the app, and sets its limits.

import { createServer, type IncomingMessage, type Server, type ServerOptions } from "node:http";
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { RequestClient } from "./client.ts";
import type { Respond } from "./connection.ts";
import { Connections } from "./connections.ts";
import { type AddFields, Exchanges } from "./exchanges.ts";
import type { Log } from "./log.ts";
import { NO_PROXY, unexpected } from "./refusals.ts";

/** Limits of time that tests shorten: in milliseconds, with the names that node gives them. */
export type Limits =
  & Pick<
    ServerOptions,
    "headersTimeout" | "requestTimeout" | "connectionsCheckingInterval"
  >
  & { readonly handshakeTimeout?: number };

/** Options for any server that is passed to `serve`. */
export const LIMITS: ServerOptions = {
  requireHostHeader: false, // otherwise node itself responds to its absence, with no content
  joinDuplicateHeaders: true, // otherwise a second Host or Authorization is dropped unseen
  optimizeEmptyRequests: true, // Node 24.12: no stream events for a request without content
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  connectionsCheckingInterval: 1000, // how often node checks the two above
  keepAliveTimeout: 0, // node would set a timer after each response; `endIdle` costs less
};

/** How requests are served. */
export interface Serving {
  readonly log?: Log | undefined;
  readonly addFields?: readonly AddFields[];
  /** How many seconds an idle connection stays open. */
  readonly keepAlive?: number | undefined;
  /** Whether a proxy tells the addresses of clients. */
  readonly behindProxy?: boolean;
  readonly limits?: Limits | undefined;
  readonly server?: Server | undefined;
}

/** Passes each request of a server to `respond`. `stop` ends it after the last response. */
export function serve(respond: Respond, serving: Serving = {}) {
  const { log = () => {}, addFields = [], keepAlive = 75, behindProxy, limits } = serving;
  const { server = createServer({ ...LIMITS, ...limits }) } = serving;
  // Otherwise a client that closes its sending side early, as nc does, gets no slow response.
  Object.assign(server, { httpAllowHalfOpen: true });
  server.maxHeadersCount = 101; // node drops the rest; readTarget refuses more than 100
  const connections = new Connections(server);
  const exchanges = new Exchanges(connections, log, addFields, keepAlive);
  const timer = setInterval(() => connections.endIdle(keepAlive), 1000).unref();
  server.on("close", () => clearInterval(timer));

  const handler = (respond: Respond) => (request: IncomingMessage, response: ServerResponse) =>
    exchanges.handle(respond, {
      request,
      response,
      client: new RequestClient(request, behindProxy),
    });
  server.on("request", handler(respond));
  server.on("checkContinue", handler(respond));
  server.on("checkExpectation", handler(unexpected));
  // Without a listener CONNECT gets no response. There is no "upgrade" listener: it would also
  // catch every request that offers h2c.
  server.on("connect", (_, duplex) => {
    const socket = duplex as Socket;
    // Behind unfinished responses node would neither send these nor end the connection.
    if (connections.of(socket)?.isIdle === false) socket.destroy();
    else exchanges.refuse(socket, NO_PROXY);
  });
  server.on("clientError", (error, socket) => exchanges.parserFailed(socket as Socket, error));
  return { server, stop: () => connections.stop() };
}
