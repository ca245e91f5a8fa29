// The open connections of a server: one request after the other on each, a response to what never
// became a request, and a stop that cuts no response short.

import { Buffer } from "node:buffer";
import { IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { errorReply, type HttpError, type Reply } from "../http/reply.ts";
import { type Answer, Connection, type Exchange } from "./connection.ts";
import type { Log } from "./log.ts";
import { parserFailure } from "./refusals.ts";
import { printReply, send } from "./send.ts";

/** Called for every reply, errors too; may add header fields. */
export type Finish = (request: IncomingMessage, reply: Reply) => Reply;

const MOST_OPEN = 2000; // connections
const MOST_WAITING = 5000; // pipelined requests on all connections: each takes 10 kB
const UNREAD_MS = 60_000; // for a client to take the next bytes of a response
const LINGER_MS = 1000; // for a client to read its last response before the connection is gone
const STALLED_MS = 3000; // while stopping, for a byte to pass either way
const STOP_MS = 9000; // while stopping, for everything

/** Keeps the connections of a server. */
export class Connections {
  readonly #server: Server;
  readonly #log: Log;
  readonly #finish: readonly Finish[];
  readonly #open = new Map<Socket, Connection>();
  #waiting = 0;

  constructor(server: Server, log: Log, finish: readonly Finish[]) {
    this.#server = server;
    this.#log = log;
    this.#finish = finish;
    // With TLS, a connection counts from the end of its handshake; the TCP socket below it is not
    // tracked. On Bun, which has no setSecureContext, "connection" means that already.
    const begins = "setSecureContext" in server ? "secureConnection" : "connection";
    server.on(begins, (socket: Socket) => {
      if (this.#open.size >= MOST_OPEN) this.#makeRoom(socket);
      this.#open.set(socket, new Connection(socket));
      socket.on("close", () => this.#open.delete(socket));
    });
  }

  /** Ends the connection that came first of those that are idle; if none is, the new one. */
  #makeRoom(newest: Socket): void {
    const idle = [...this.#open].find(([, connection]) => connection.isIdle);
    const [socket] = idle ?? [newest];
    socket.destroy();
  }

  /** One request: waits for its turn, gets the reply, sends and logs it. */
  async handle(answer: Answer, exchange: Exchange): Promise<void> {
    const { request, response } = exchange;
    const { socket } = request;
    const connection = this.#open.get(socket);
    // After a reset node goes on to parse what it had read. To respond to that ends the process: an
    // assertion in node finds the responses out of order.
    if (connection === undefined || socket.destroyed) return;
    connection.last = exchange;
    if (response.socket === null && !await this.#turn(connection, response)) socket.destroy();
    if (socket.destroyed) return;
    const reply = await connection.replyTo(answer, exchange);
    if (response.headersSent) return; // parserFailed has responded
    const goesOn = this.#server.listening && connection.goesOn(request);
    this.#send(exchange, reply, !goesOn);
  }

  /** Waits for a response's turn. False if too many wait already, on all connections. */
  async #turn(connection: Connection, response: ServerResponse): Promise<boolean> {
    if (this.#waiting >= MOST_WAITING) return false;
    this.#waiting++;
    await connection.turn(response);
    this.#waiting--;
    return true;
  }

  #send({ request, response }: Exchange, own: Reply, close: boolean): void {
    const { socket } = request;
    const reply = this.#finished(request, own);
    try {
      const sent = socket.destroyed ? 0 : send(response, reply, close);
      if (typeof sent === "number") this.#log(request, reply.status, sent);
      else sent.then((bytes) => this.#log(request, reply.status, bytes));
      if (reply.chunks !== undefined || socket.writableLength > 0) socket.setTimeout(UNREAD_MS);
    } catch (error) { // such as a field value that node refuses
      const failure = errorReply(error);
      if (response.headersSent || own.status === 500) socket.destroy();
      else this.#send({ request, response }, failure, close || own.text === undefined);
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
    // The content of the last request failed. If its turn has not come, replyTo will respond.
    const { response } = last;
    if (response.writableEnded) socket.destroy();
    else if (response.headersSent) response.once("finish", () => socket.destroySoon());
    else if (response.socket !== null) this.#send(last, failure, true);
  }

  /** Responds to bytes that never became a request, after all earlier responses, and closes. */
  async refuse(socket: Socket, error: HttpError): Promise<void> {
    socket.on("error", () => socket.destroy());
    await this.#open.get(socket)?.quiet();
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
