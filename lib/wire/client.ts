// The client that sent a request: its address, and how long it waits for the response.

import type { IncomingMessage } from "node:http";
import { performance } from "node:perf_hooks";
import type { Client } from "../http/call.ts";

const PATIENCE_MS = 10_000;

/**
 * The client of a request that has just arrived. Behind a proxy its address is the last one that
 * the proxy wrote (RFC 7239, X-Forwarded-For): all others may be the client's own words.
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
    const field = this.#behindProxy
      ? headers.forwarded ?? `${headers["x-forwarded-for"] ?? ""}`
      : "";
    const last = field.slice(field.lastIndexOf(",") + 1).trim();
    const [, named] = /(?:^|;)\s*for="?([^;"]+)/i.exec(last) ?? [];
    return (named ?? last) || (socket.remoteAddress ?? "");
  }
}
