// Requests and their responses, one after the other on each connection; and responses to malformed
// requests.

import { Buffer } from "node:buffer";
import { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { errorReply, type HttpError, type Reply } from "../http/reply.ts";
import { RequestClient } from "./client.ts";
import type { Connection, Exchange, Respond } from "./connection.ts";
import type { Connections } from "./connections.ts";
import { Content, Contents } from "./content.ts";
import type { Log } from "./log.ts";
import { parserFailure } from "./refusals.ts";
import { printReply, send } from "./send.ts";

/** Called for every reply, errors too; may add header fields. */
export type AddFields = (request: IncomingMessage, reply: Reply) => Reply;

const MOST_WAITING_IN_ALL = 5000; // pipelined requests on all connections
const LINGER_MS = 1000; // for a client to read its last response before the connection is gone

/** Handles the requests of all connections. */
export class Exchanges {
  readonly #connections: Connections;
  readonly #contents = new Contents();
  readonly #long = new Set<Socket>();
  readonly #log: Log;
  readonly #addFields: readonly AddFields[];
  readonly #keepAlive: number; // seconds
  #waiting = 0;

  constructor(
    connections: Connections,
    log: Log,
    addFields: readonly AddFields[],
    keepAlive: number,
  ) {
    this.#connections = connections;
    this.#log = log;
    this.#addFields = addFields;
    this.#keepAlive = keepAlive;
  }

  /** One request: waits for its turn, gets the reply, sends and logs it. */
  async handle(respond: Respond, exchange: Exchange): Promise<void> {
    const { request, response, client } = exchange;
    const { socket } = request;
    const connection = this.#connections.of(socket);
    // After a reset, node still parses the bytes that it has read. To respond to them would fail an
    // assertion in node, which ends the process.
    if (connection === undefined || socket.destroyed) return;
    connection.begin(exchange);
    const content = new Content(exchange, this.#contents);
    try {
      if (response.socket === null) await this.#waitForTurn(connection, exchange);
      if (socket.destroyed) return;
      connection.refuseBroken(request);
      client.startWaiting();
      const reply = await respond(request, (limit) => content.read(limit), client);
      this.#finish(connection, exchange, reply);
    } catch (error) {
      this.#finish(connection, exchange, connection.replyTo(error, request));
    } finally {
      content.drop();
    }
  }

  /** Waits for a response's turn. If too many wait already, ends the connection. */
  async #waitForTurn(connection: Connection, { request, response }: Exchange): Promise<void> {
    if (this.#waiting >= MOST_WAITING_IN_ALL) return void request.socket.destroy();
    this.#waiting++;
    await connection.waitForTurn(response);
    this.#waiting--;
  }

  #finish(connection: Connection, exchange: Exchange, reply: Reply): void {
    if (exchange.response.headersSent) return; // parserFailed has responded
    const goesOn = this.#connections.goOn && connection.goesOn(exchange.request);
    connection.replied();
    this.#send(exchange, reply, !goesOn);
  }

  /** Never throws: a failure of one connection ends that connection. */
  #send(exchange: Exchange, own: Reply, close: boolean): void {
    const { request, response, client } = exchange;
    const { socket } = request;
    try {
      const reply = this.#withFields(request, own);
      const then = close ? "close" : this.#keepAlive;
      const sent = socket.destroyed ? 0 : send(response, reply, then, this.#long);
      if (typeof sent === "number") this.#log(client, request, reply.status, sent);
      else sent.then((bytes) => this.#log(client, request, reply.status, bytes));
      if (reply.chunks === undefined && socket.writableLength === 0) return;
      socket.setTimeout(this.#connections.patience);
      response.once("finish", () => socket.setTimeout(0));
    } catch (error) { // such as a field value that node refuses
      const failure = errorReply(error);
      if (response.headersSent || own.status === 500) socket.destroy();
      else this.#send(exchange, failure, close || own.text === undefined);
    }
  }

  #withFields(request: IncomingMessage, reply: Reply): Reply {
    for (const step of this.#addFields) reply = step(request, reply);
    return reply;
  }

  /** Responds to what node's parser refuses. */
  parserFailed(socket: Socket, error: NodeJS.ErrnoException): void {
    const connection = this.#connections.of(socket);
    if (connection === undefined || error.code === "ECONNRESET") return;
    if (connection.failure !== undefined) return; // node reports it again with every packet
    connection.failure = parserFailure(error);
    const { last, failure } = connection;
    if (last === undefined || last.request.complete) return void this.refuse(socket, failure);
    // The content of the last request failed. If its turn has not come, handle will respond.
    const { response } = last;
    if (response.writableEnded) socket.destroy();
    else if (response.headersSent) response.once("finish", () => socket.destroySoon());
    else if (response.socket !== null) this.#send(last, failure, true);
  }

  /** Responds to bytes that never became a request, after all earlier responses, and closes. */
  async refuse(socket: Socket, error: HttpError): Promise<void> {
    socket.on("error", () => socket.destroy());
    await this.#connections.of(socket)?.quiet();
    if (!socket.writable) return;
    const request = new IncomingMessage(socket);
    const reply = this.#withFields(request, error);
    socket.end(printReply(reply));
    this.#log(new RequestClient(request), request, reply.status, Buffer.byteLength(error.text));
    // A reset would take the response from a client that is still sending.
    socket.resume();
    setTimeout(() => socket.destroy(), LINGER_MS).unref();
  }
}
