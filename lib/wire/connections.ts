// The open connections of a server: one request after the other on each, a response to what never
// became a request, and a stop that cuts no response short.

import { Buffer } from "node:buffer";
import { IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { errorReply, HttpError, type Reply } from "../http/reply.ts";
import type { Log } from "./log.ts";
import { printReply, send } from "./send.ts";
import { isFramed, isSmall } from "./target.ts";

/** From a request to its reply. `response` is passed only so that 100 Continue can be written. */
export type Answer = (request: IncomingMessage, response: ServerResponse) => Promise<Reply>;

/** Called for every reply, errors too; may add header fields. */
export type Finish = (request: IncomingMessage, reply: Reply) => Reply;

const MOST_WAITING = 16; // pipelined requests on a connection; more stay unread
const UNREAD_MS = 60_000; // for a client to take the next bytes of a response
const LINGER_MS = 1000; // for a client to read its last response before the connection is gone
const STALLED_MS = 3000; // while stopping, for a byte to pass either way
const STOP_MS = 9000; // while stopping, for everything

/** An open connection. */
interface Connection {
  /** The newest request, and its response. */
  last?: { readonly request: IncomingMessage; readonly response: ServerResponse };
  /** For each request that waits for its turn, what begins it. */
  readonly waiting: Set<() => void>;
  /** What node's parser found wrong. */
  failure?: HttpError;
}

/** Keeps the connections of a server. */
export class Connections {
  readonly #server: Server;
  readonly #log: Log;
  readonly #finish: readonly Finish[];
  readonly #open = new Map<Socket, Connection>();

  constructor(server: Server, log: Log, finish: readonly Finish[]) {
    this.#server = server;
    this.#log = log;
    this.#finish = finish;
    // With TLS, a connection counts from the end of its handshake; the TCP socket below it is not
    // tracked. On Bun, which has no setSecureContext, "connection" means that already.
    const begins = "setSecureContext" in server ? "secureConnection" : "connection";
    server.on(begins, (socket: Socket) => {
      const waiting = new Set<() => void>();
      this.#open.set(socket, { waiting });
      // Node reads on after each request that it has parsed.
      socket.on("resume", () => waiting.size >= MOST_WAITING && socket.pause());
      socket.on("close", () => {
        this.#open.delete(socket);
        for (const begin of waiting) begin(); // each finds that the connection is gone
      });
    });
  }

  /** One request: waits for its turn, gets the reply, sends and logs it. */
  async handle(answer: Answer, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { socket } = request;
    const connection = this.#open.get(socket);
    // After a reset node goes on to parse what it had read. To respond to that ends the process: an
    // assertion in node finds the responses out of order.
    if (connection === undefined || socket.destroyed) return;
    connection.last = { request, response };
    if (response.socket === null) await this.#turn(connection, socket, response);
    if (socket.destroyed) return;
    const reply = await this.#reply(answer, request, response, connection);
    if (response.headersSent) return; // parserFailed has responded
    await this.#send(request, response, reply, !this.#staysOpen(request, connection));
  }

  /** Node parses requests while an earlier one is answered; each gets the socket in its turn. */
  async #turn({ waiting }: Connection, socket: Socket, response: ServerResponse): Promise<void> {
    await new Promise<void>((begin) => {
      waiting.add(begin);
      if (waiting.size >= MOST_WAITING) socket.pause(); // what follows stays in the kernel
      response.once("socket", () => {
        waiting.delete(begin);
        if (waiting.size === MOST_WAITING - 1) socket.resume();
        begin();
      });
    });
  }

  async #reply(
    answer: Answer,
    request: IncomingMessage,
    response: ServerResponse,
    connection: Connection,
  ): Promise<Reply> {
    try {
      if (connection.failure !== undefined && !request.complete) return connection.failure;
      return await answer(request, response);
    } catch (error) {
      // If the parser failed in the content, that is what the client should hear.
      return errorReply(request.complete ? error : connection.failure ?? error);
    }
  }

  /** Whether the connection can take another request after this one. */
  #staysOpen(request: IncomingMessage, { failure }: Connection): boolean {
    if (!this.#server.listening || request.headers.upgrade !== undefined) return false;
    if (!isFramed(request)) return false;
    return request.complete || (isSmall(request) && failure === undefined);
  }

  async #send(
    request: IncomingMessage,
    response: ServerResponse,
    own: Reply,
    close: boolean,
  ): Promise<void> {
    const { socket } = request;
    const reply = this.#finished(request, own);
    try {
      const sending = socket.destroyed ? 0 : send(response, reply, close);
      if (reply.chunks !== undefined || socket.writableLength > 0) socket.setTimeout(UNREAD_MS);
      this.#log(request, reply.status, await sending);
    } catch (error) { // such as a field value that node refuses
      const failure = errorReply(error);
      if (response.headersSent || own.status === 500) socket.destroy();
      else await this.#send(request, response, failure, close || own.text === undefined);
    }
  }

  #finished(request: IncomingMessage, reply: Reply): Reply {
    for (const step of this.#finish) reply = step(request, reply);
    return reply;
  }

  /** Responds to what node's parser refuses. */
  parserFailed(socket: Socket, error: NodeJS.ErrnoException): void {
    const connection = this.#open.get(socket);
    if (connection === undefined || error.code === "ECONNRESET") return;
    if (connection.failure !== undefined) return; // node tells it again with every further packet
    connection.failure = parserFailure(error);
    const { last, failure } = connection;
    if (last === undefined || last.request.complete) return void this.refuse(socket, failure);
    // It is the content of the last request that failed. If its turn has not come, #reply responds.
    const { request, response } = last;
    if (response.writableEnded) socket.destroy();
    else if (response.headersSent) response.once("finish", () => socket.destroySoon());
    else if (response.socket !== null) void this.#send(request, response, failure, true);
  }

  /** Responds to bytes that never became a request, after all earlier responses, and closes. */
  async refuse(socket: Socket, error: HttpError): Promise<void> {
    const { last } = this.#open.get(socket) ?? {};
    socket.on("error", () => socket.destroy());
    if (last !== undefined && !last.response.destroyed) {
      await new Promise<void>((resolve) => {
        last.response.once("close", resolve);
        socket.once("close", () => resolve());
      });
    }
    if (!socket.writable) return;
    const request = new IncomingMessage(socket);
    const reply = this.#finished(request, error);
    socket.end(printReply(reply));
    this.#log(request, reply.status, Buffer.byteLength(error.text));
    // A reset would take the response from a client that is still sending.
    socket.resume();
    setTimeout(() => socket.destroy(), LINGER_MS).unref();
  }

  /** Takes no more connections, and resolves when the last response has been sent. */
  async stop(): Promise<void> {
    // node's own would destroy connections whose last response is not yet sent.
    this.#server.closeIdleConnections = () => {};
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const [socket, { last }] of this.#open) {
      const end = () => socket.destroySoon();
      if (last === undefined || last.response.writableFinished) end();
      else last.response.once("finish", end);
      socket.setTimeout(STALLED_MS);
    }
    const deadline = setTimeout(() => this.#server.closeAllConnections(), STOP_MS);
    await closed;
    clearTimeout(deadline);
  }
}

/** What is sent for an error of node's parser. */
function parserFailure({ code, message }: NodeJS.ErrnoException): HttpError {
  switch (code) {
    case "HPE_HEADER_OVERFLOW":
      return new HttpError(431, "the header section is larger than 16 KiB");
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return new HttpError(408, "send the header fields within 10 s, the request within 30 s");
    default:
      return new HttpError(400, `malformed HTTP: ${message.replace(/^Parse Error:? */, "")}`);
  }
}
