// The content of requests, kept in one buffer each from its arrival on. node would keep every piece
// until a handler reads it, and a piece of one byte takes 200.

import { Buffer } from "node:buffer";
import process from "node:process";
import { tooLarge } from "../http/body.ts";
import { HttpError } from "../http/reply.ts";
import type { Exchange } from "./connection.ts";

const LONGEST = 64 * 1024; // bytes of content; no handler takes more
const MOST_PIECES = 1000; // of one content: each takes as much time as a kilobyte
const MOST_KEPT = 32 * 1024 * 1024; // bytes of content on all connections

/** Bounds what is kept of all content, until the responses are sent. */
export class Contents {
  readonly #kept = new Map<Content, number>(); // bytes of each, the oldest first
  #bytes = 0;

  /** Keeps so many bytes of a content. If that is too much, drops the oldest one. */
  keep(content: Content, bytes: number): void {
    this.#bytes += bytes - (this.#kept.get(content) ?? 0);
    if (bytes > 0) this.#kept.set(content, bytes);
    else this.#kept.delete(content);
    if (this.#bytes <= MOST_KEPT) return;
    const [oldest] = this.#kept.keys();
    oldest?.drop();
  }
}

/** The content of one request. */
export class Content {
  readonly #exchange: Exchange;
  readonly #contents: Contents;
  #bytes = Buffer.alloc(0);
  #size = 0;
  #pieces = 0;
  #hasEnded = false;
  #isDropped = false;
  #tell = () => {};

  constructor(exchange: Exchange, contents: Contents) {
    this.#exchange = exchange;
    this.#contents = contents;
    const { "content-length": length, "transfer-encoding": coding } = exchange.request.headers;
    if (coding === undefined && Number(length ?? 0) === 0) this.#hasEnded = true;
    else process.nextTick(() => this.#collect(Number(length))); // then the packet was parsed
  }

  #collect(length: number): void {
    const { request } = this.#exchange;
    // Mostly all of it is here. To take it at once costs less than the stream's events.
    const isHere = request.readableLength === length;
    if (isHere) this.#add(request.read(length));
    this.#hasEnded = isHere || request.readableEnded;
    request.on("data", (piece: Buffer) => this.#add(piece));
    request.on("error", () => this.#tell());
    request.on("end", () => {
      this.#hasEnded = true;
      this.#tell();
    });
    this.#tell();
  }

  #add(piece: Buffer): void {
    const end = this.#size;
    this.#size += piece.length;
    if (this.#size > LONGEST) this.drop();
    if (this.#isDropped) return; // the rest is read and thrown away
    if (++this.#pieces > MOST_PIECES) this.#exchange.request.socket.destroy();
    if (this.#size > this.#bytes.length) {
      this.#bytes = Buffer.concat([this.#bytes], Math.min(LONGEST, end + this.#size));
      this.#contents.keep(this, this.#bytes.length);
    }
    piece.copy(this.#bytes, end);
  }

  /** Keeps nothing of it. */
  drop(): void {
    this.#isDropped = true;
    this.#bytes = Buffer.alloc(0);
    this.#contents.keep(this, 0);
    this.#tell();
  }

  /** Resolves with all of it. Throws 413 if it has more than `limit` bytes, 400, 503. */
  read(limit: number): Promise<Buffer> {
    const { request, response } = this.#exchange;
    // The client may send it only after this. A request that was refused above never sends it.
    if (request.headers.expect !== undefined && request.httpVersionMinor > 0) {
      response.writeContinue(); // RFC 9110 §10.1.1
    }
    return new Promise((resolve, reject) => {
      this.#tell = () => {
        if (this.#size > limit) reject(tooLarge(limit));
        else if (this.#isDropped) reject(NO_ROOM);
        else if (this.#hasEnded) resolve(this.#bytes.subarray(0, this.#size));
        else if (request.destroyed) reject(CUT_OFF);
      };
      this.#tell();
    });
  }
}

const CUT_OFF = new HttpError(400, "the content was cut off");
const NO_ROOM = new HttpError(503, "much content is on its way; send it again", {
  "Retry-After": "5",
});
