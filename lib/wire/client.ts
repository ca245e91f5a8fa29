// The client that sent a request: who it is, and how long it waits for the response.

import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { performance } from "node:perf_hooks";
import type { Client } from "../http/call.ts";

const PATIENCE_MS = 10_000;

/**
 * The client of a request that has just arrived. Behind a proxy its address is the last one in the
 * field that the proxy wrote (RFC 7239, X-Forwarded-For): the client may have written all others.
 */
export class RequestClient implements Client {
  readonly address: string;
  /** The user whose password this client has proved. */
  username: string | undefined;
  until = Infinity;
  readonly #socket: Socket;

  constructor({ socket, headers }: IncomingMessage, behindProxy = false) {
    this.#socket = socket;
    const own = bare(socket.remoteAddress ?? "");
    this.address = behindProxy ? forwarded(headers) ?? own : own;
  }

  get gone(): boolean {
    return this.#socket.destroyed;
  }

  /** Its turn has come: from now on it waits for the server. */
  startWaiting(): void {
    this.until = performance.now() + PATIENCE_MS;
  }
}

/** The address that a proxy tells. Undefined if there are two: the client has written one. */
function forwarded(headers: IncomingHttpHeaders): string | undefined {
  const [, named = ""] = FOR.exec(lastOf(headers.forwarded)) ?? [];
  const addresses = [named, lastOf(`${headers["x-forwarded-for"] ?? ""}`)].filter(Boolean);
  const [address, other = address] = addresses.map(bare);
  return address === other ? address : undefined;
}

const FOR = /(?:^|;)\s*for="?([^;"]+)/i; // RFC 7239 §6
const lastOf = (field = "") => field.slice(field.lastIndexOf(",") + 1).trim();
/** Without brackets and port, and an IPv4 address as such where a socket takes both kinds. */
const bare = (address: string) =>
  address.replace(/^\[([^\]]*)\].*$|^([\d.]+):\d+$/, "$1$2").replace(/^::ffff:(?=\d+\.)/i, "");
