// An open connection: which response is next, and whether another request can follow.

import type { Buffer } from "node:buffer";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { errorReply, type HttpError, type Reply } from "../http/reply.ts";
import type { RequestClient } from "./client.ts";

const MOST_WAITING = 16; // pipelined requests; then the server reads no more
const CLOSE = /(?:^|[\s,])close(?:[\s,]|$)/i;
const HEADERS_S = 12; // for a header section that has begun: first node responds with 408
const SMALL = 64 * 1024; // bytes of unread content that node may read to keep the connection

/** From a request of a client to its reply. `read` reads the content: see `Content`. */
export type Respond = (
  request: IncomingMessage,
  read: (limit: number) => Promise<Buffer>,
  client: RequestClient,
) => Promise<Reply>;

/** A request, who sent it, and its response. */
export interface Exchange {
  readonly client: RequestClient;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

export class Connection {
  /** The newest request. */
  last: Exchange | undefined;
  /** The response to what node's parser refused. */
  failure: HttpError | undefined;
  readonly #socket: Socket;
  readonly #waiting = new Set<() => void>();
  #idle = 0; // calls of isIdleFor in a row
  #bytesRead = 0; // up to the last reply, or the last of these calls

  constructor(socket: Socket) {
    this.#socket = socket;
    // node resumes the socket after each request, so it is paused again.
    socket.on("resume", () => this.#waiting.size >= MOST_WAITING && socket.pause());
    socket.on("close", () => {
      for (const begin of this.#waiting) begin(); // each finds that the connection is gone
    });
  }

  /** Resolves when a response may be written: node parses requests before earlier ones are done. */
  waitForTurn(response: ServerResponse): Promise<void> {
    const waiting = this.#waiting;
    return new Promise((begin) => {
      waiting.add(begin);
      if (waiting.size >= MOST_WAITING) this.#socket.pause();
      response.once("socket", () => {
        waiting.delete(begin);
        if (waiting.size === MOST_WAITING - 1) this.#socket.resume();
        begin();
      });
    });
  }

  /** Resolves when all responses so far have been sent, or the connection is gone. */
  async quiet(): Promise<void> {
    const response = this.last?.response;
    if (response === undefined || response.destroyed) return;
    await new Promise<void>((resolve) => {
      response.once("close", resolve);
      this.#socket.once("close", () => resolve());
    });
  }

  /** Whether it waits for a request: the first one, or the next. */
  get isIdle(): boolean {
    return this.last === undefined || this.last.response.writableFinished;
  }

  /** Begins another request. */
  begin(exchange: Exchange): void {
    this.last = exchange;
    this.#idle = 0;
  }

  /** The newest request has its reply: further bytes belong to the next one. */
  replied(): void {
    this.#bytesRead = this.#socket.bytesRead; // 0 on Bun
  }

  /** Called once a second: whether it has waited for another request for more than `most` calls. */
  isIdleFor(most: number): boolean {
    if (!this.last?.response.writableFinished) return false;
    const { bytesRead } = this.#socket;
    if (bytesRead !== this.#bytesRead) this.#idle = Math.min(0, most - HEADERS_S);
    this.#bytesRead = bytesRead;
    return ++this.#idle > most;
  }

  /** Throws what the parser found wrong in the content of this request, if anything. */
  refuseBroken(request: IncomingMessage): void {
    if (this.failure !== undefined && !request.complete) throw this.failure;
  }

  /** The reply to a request that failed. */
  replyTo(error: unknown, request: IncomingMessage): Reply {
    // If the parser failed in the content, that is what the client should hear.
    return errorReply(request.complete ? error : this.failure ?? error);
  }

  /** Whether another request can follow this one, which has its reply. */
  goesOn(request: IncomingMessage): boolean {
    const { upgrade, connection = "" } = request.headers;
    // node's parser does not see "close" before a tab (RFC 9112 §9.6).
    if (upgrade !== undefined || CLOSE.test(connection) || !isFramed(request)) return false;
    return request.complete || (isSmall(request) && this.failure === undefined);
  }
}

/** Whether it is certain where the request ends, and the next one begins (RFC 9112 §6.1). */
function isFramed({ headers, httpVersionMinor }: IncomingMessage): boolean {
  const coding = headers["transfer-encoding"];
  return coding === undefined || (coding.toLowerCase() === "chunked" && httpVersionMinor > 0);
}

/** Whether the unread content is so small that node may read on to the next request. */
function isSmall({ headers }: IncomingMessage): boolean {
  return headers["transfer-encoding"] === undefined && headers.expect === undefined &&
    Number(headers["content-length"] ?? 0) <= SMALL;
}
