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
    const [, named = ""] = FOR.exec(lastOf(headers.forwarded)) ?? [];
    const addresses = [named, lastOf(`${headers["x-forwarded-for"] ?? ""}`)].filter(Boolean);
    const [address = own, other = address] = addresses.map(bare);
    return address === other ? address : own; // the client has written one of them
  }
}

const FOR = /(?:^|;)\s*for="?([^;"]+)/i; // RFC 7239 §6
const lastOf = (field = "") => field.slice(field.lastIndexOf(",") + 1).trim();
/** Without brackets, and without a port. */
const bare = (address: string) => address.replace(/^\[([^\]]*)\].*$|^([\d.]+):\d+$/, "$1$2");
