// What node:http leaves to a careful server: answers in order, the errors that its parser finds,
// limits, and an end that cuts nobody off.

import { createServer, IncomingMessage, type Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { attempt, type Later, when } from "./later.ts";
import type { Log } from "./log.ts";
import { errorReply, HttpError, type Reply, send } from "./reply.ts";
import { isFramed, isSmall } from "./target.ts";

/** From a request to its answer. The response is there for `100 Continue` alone. */
export type Answer = (request: IncomingMessage, response: ServerResponse) => Later<Reply>;

const UNREAD_MS = 60_000; // for a client to read on, or be given up
const LINGER_MS = 1000; // for a client to read its last answer before the connection is gone
const STALLED_MS = 3000; // while stopping, for a byte to pass either way
const STOP_MS = 9000; // while stopping, the longest that any connection is waited for

/** A server that gives each request to `answer`, and `stop`, which ends it after the last answer. */
export function serve(answer: Answer, log: Log): { server: Server; stop(): Promise<void> } {
  const server = createServer({
    requireHostHeader: false, // or node answers its absence itself, with an empty body
    joinDuplicateHeaders: true, // or a second Host or Authorization is dropped unseen
    headersTimeout: 10_000,
    requestTimeout: 30_000,
    connectionsCheckingInterval: 1000, // how often node looks at the two above
  });
  // Or who ends its side after its request, as nc does, gets no answer that takes a while.
  Object.assign(server, { httpAllowHalfOpen: true });
  server.maxHeadersCount = 0; // or what is beyond is dropped unseen; readTarget counts
  // Each open connection: the last response begun on it, and what node's parser found wrong.
  const connections = new Map<Duplex, { last?: ServerResponse; failure?: HttpError }>();

  server.on("connection", (socket) => {
    connections.set(socket, {});
    socket.on("close", () => connections.delete(socket));
  });

  const handler = (answer: Answer) => (request: IncomingMessage, response: ServerResponse) => {
    const { socket, headers } = request;
    const connection = connections.get(socket) ?? {};
    connection.last = response;
    const begin = response.socket === null ? turn(socket, response) : undefined;
    const reply = when(begin, () =>
      attempt(
        () => answer(request, response),
        (error) => errorReply(request.complete ? error : connection.failure ?? error),
      ));
    when(reply, (reply) => {
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
    const request = new IncomingMessage(socket as Socket);
    request.complete = true;
    const response = new ServerResponse(request);
    response.assignSocket(socket as Socket);
    response.once("finish", () => socket.end());
    log(request, error.status, await send(response, error, true));
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

function parserFailure({ code, message }: NodeJS.ErrnoException): HttpError {
  switch (code) {
    case "HPE_HEADER_OVERFLOW":
      return new HttpError(431, "the header section is larger than 16 KiB");
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return new HttpError(408, "send the header fields within 10 s, the request within 30 s");
    default:
      return new HttpError(400, `malformed HTTP: ${message}`);
  }
}
