// What node:http leaves to a careful server: answers in order, the errors that its parser finds,
// limits, and an end that cuts nobody off.

import { createServer, type IncomingMessage, type Server, type ServerOptions } from "node:http";
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { attempt, type Later, when } from "../http/later.ts";
import type { Log } from "./log.ts";
import { parserFailure, responseOn } from "./refusals.ts";
import { errorReply, HttpError, type Reply, send } from "../http/reply.ts";
import { isFramed, isSmall } from "./target.ts";

/** From a request to its answer. The response is there for `100 Continue` alone. */
export type Answer = (request: IncomingMessage, response: ServerResponse) => Later<Reply>;

/** Has a say in every answer, whoever gives it: the reply as it came, or with more fields. */
export type Finish = (request: IncomingMessage, reply: Reply) => Reply;

const UNREAD_MS = 60_000; // for a client to read on, or be given up
const LINGER_MS = 1000; // for a client to read its last answer before the connection is gone
const STALLED_MS = 3000; // while stopping, for a byte to pass either way
const STOP_MS = 9000; // while stopping, the longest that any connection is waited for

/** What a server is made with that gets its requests here. */
export const LIMITS: ServerOptions = {
  requireHostHeader: false, // or node answers its absence itself, with an empty body
  joinDuplicateHeaders: true, // or a second Host or Authorization is dropped unseen
  optimizeEmptyRequests: true, // Node 24.12: a request without content makes no stream's events
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  connectionsCheckingInterval: 1000, // how often node looks at the two above
};

/** Has `server` give each request to `answer`; `stop` ends it after the last answer. */
export function serve(
  answer: Answer,
  log: Log,
  finish: readonly Finish[] = [],
  server: Server = createServer(LIMITS),
): { server: Server; stop(): Promise<void> } {
  // Or who ends its side after its request, as nc does, gets no answer that takes a while.
  Object.assign(server, { httpAllowHalfOpen: true });
  server.maxHeadersCount = 0; // or what is beyond is dropped unseen; readTarget counts
  // Each open connection: the last response begun on it, and what node's parser found wrong.
  const connections = new Map<Duplex, { last?: ServerResponse; failure?: HttpError }>();

  const finished = (request: IncomingMessage, reply: Reply) => {
    for (const step of finish) reply = step(request, reply);
    return reply;
  };

  // Under TLS it begins at the handshake's end; what is beneath is no matter of ours. On Bun,
  // which has no setSecureContext, "connection" is that already.
  const begins = "setSecureContext" in server ? "secureConnection" : "connection";
  server.on(begins, (socket: Duplex) => {
    connections.set(socket, {});
    socket.on("close", () => connections.delete(socket));
  });

  const handler = (answer: Answer) => (request: IncomingMessage, response: ServerResponse) => {
    const { socket, headers } = request;
    // After a reset node still parses what it had read, and gives the socket to a response out of
    // turn. If that one ended first, an assertion in node would end the process.
    if (socket.destroyed) return;
    const connection = connections.get(socket) ?? {};
    connection.last = response;
    const begin = response.socket === null ? turn(socket, response) : undefined;
    const reply = when(begin, () =>
      attempt(
        () => answer(request, response),
        (error) => errorReply(request.complete ? error : connection.failure ?? error),
      ));
    when(reply, (own) => {
      const reply = finished(request, own);
      const keep = server.listening && headers.upgrade === undefined && isFramed(request) &&
        (request.complete || (isSmall(request) && connection.failure === undefined));
      const sent = send(response, reply, !keep);
      if (typeof sent !== "number" || socket.writableLength > 0) socket.setTimeout(UNREAD_MS);
      when(sent, (bytes) => log(request, reply.status, bytes));
    });
  };

  /** Answers what did not become a request, after everything before it, and ends the connection. */
  async function refuse(socket: Duplex, error: HttpError): Promise<void> {
    const { last } = connections.get(socket) ?? {};
    socket.on("error", () => socket.destroy());
    if (last !== undefined && !last.req.complete) {
      // What failed is the content of this request, so its own answer says so.
      last.req._destroy = (_, done) => done(null); // node's own would take the socket along
      last.req.on("error", () => socket.destroy()).push(null);
      if (last.writableEnded) socket.destroy();
      return;
    }
    if (last !== undefined && !last.destroyed) {
      await new Promise((resolve) => last.once("close", resolve));
    }
    if (!socket.writable) return;
    const response = responseOn(socket as Socket);
    response.once("finish", () => socket.end());
    const { req } = response;
    log(req, error.status, await send(response, finished(req, error), true));
    socket.resume(); // a reset would take the answer away from a client that is still sending
    setTimeout(() => socket.destroy(), LINGER_MS).unref();
  }

  server.on("request", handler(answer));
  server.on("checkContinue", handler(answer));
  server.on("checkExpectation", handler(unexpected));
  // Without a listener CONNECT goes unanswered. None for "upgrade": it would take every h2c.
  server.on(
    "connect",
    (_, socket) => refuse(socket, new HttpError(405, "this is no proxy", { Allow: "" })),
  );
  server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
    const connection = connections.get(socket);
    // Told again for every further packet.
    if (connection === undefined || connection.failure || error.code === "ECONNRESET") return;
    connection.failure = parserFailure(error);
    refuse(socket, connection.failure);
  });

  async function stop(): Promise<void> {
    // node's own would destroy connections whose last answer has not left yet.
    server.closeIdleConnections = () => {};
    const closed = new Promise((resolve) => server.close(resolve));
    for (const [socket, { last }] of connections) {
      const end = () => (socket as Socket).destroySoon();
      if (last === undefined || last.writableFinished) end();
      else last.once("finish", end);
      (socket as Socket).setTimeout(STALLED_MS);
    }
    const deadline = setTimeout(() => server.closeAllConnections(), STOP_MS);
    await closed;
    clearTimeout(deadline);
  }

  return { server, stop };
}

/** Node reads a request while another is answered; its response gets the socket in its turn. */
async function turn(socket: Socket, response: ServerResponse): Promise<void> {
  socket.pause(); // what else this client sends stays with the kernel
  await new Promise((resolve) => response.once("socket", resolve));
  socket.resume();
}

const unexpected: Answer = ({ headers }) =>
  new HttpError(417, `Expect: ${headers.expect} is not known here; 100-continue is`);
