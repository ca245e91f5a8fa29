// The client that sent a request: its address, and how long it waits for the response.

import type { IncomingMessage } from "node:http";
import { performance } from "node:perf_hooks";
import type { Client } from "../http/call.ts";

const PATIENCE_MS = 10_000;

/**
 * The client of a request that has just arrived. Behind a proxy its address is the last one in the
 * field that the proxy wrote (RFC 7239, X-Forwarded-For): the client may have written all others.
 */
export class RequestClient implements Client {
  readonly until = performance.now() + PATIENCE_MS;
  readonly #request: IncomingMessage;
  readonly #behindProxy: boolean;

  constructor(request: IncomingMessage, behindProxy: boolean) {
    this.#request = request;
    this.#behindProxy = behindProxy;
  }

  get gone(): boolean {
    return this.#request.socket.destroyed;
  }

  get address(): string {
    const { socket, headers } = this.#request;
    const own = socket.remoteAddress ?? "";
    if (!this.#behindProxy) return own;
    const last = lastOf(headers.forwarded);
    const [, named = last] = /(?:^|;)\s*for="?([^;"]+)/i.exec(last) ?? [];
    const plain = lastOf(`${headers["x-forwarded-for"] ?? ""}`);
    // If the two differ, the client wrote one of them, and nobody can tell which.
    return named === "" || plain === "" || named === plain ? named || plain || own : own;
  }
}

const lastOf = (field = "") => field.slice(field.lastIndexOf(",") + 1).trim();
