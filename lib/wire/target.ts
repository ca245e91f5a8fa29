// Reads the target of a request, and checks the header fields that no handler has to know.

import type { IncomingMessage } from "node:http";
import { type AddressInfo, isIPv4, type Socket } from "node:net";
import { HttpError } from "../http/reply.ts";

/** The target of a request. */
export interface Target {
  /** Scheme and authority, as the client sees them: `http://127.0.0.1:5000`. */
  readonly origin: string;
  /** In normal form: `%31` is `1`, and an encoded `/` stays encoded. */
  readonly path: string;
  /** What follows the first `?`, still encoded. */
  readonly query: string;
}

const MAX_FIELDS = 100;
const AUTHORITY = /^(?:[\w.~-]+|\[[\da-f:.]+\])(?::(\d{0,5}))?$/i;
const ABSOLUTE_FORM = /^https?:\/\/([^/?]*)(.*)$/i;

/**
 * Reads what a request asks for (RFC 9112 §3.2). `isOurs` tells which names the server answers for.
 * Throws 400, 404, 421, 431, 501, 505.
 */
export function readTarget(request: IncomingMessage, isOurs: (name: string) => boolean): Target {
  const { headers, rawHeaders, httpVersionMajor, httpVersionMinor, socket } = request;
  if (httpVersionMajor === 0) throw new HttpError(400, "the request line must end with HTTP/1.1");
  if (httpVersionMajor !== 1) throw new HttpError(505, "send HTTP/1.1");
  if (rawHeaders.length > 2 * MAX_FIELDS) {
    throw new HttpError(431, `send at most ${MAX_FIELDS} header fields`);
  }
  const coding = headers["transfer-encoding"];
  if (coding !== undefined) {
    // node accepts any coding from HTTP/1.0, and "gzip, chunked" for chunked (RFC 9112 §6.1).
    if (httpVersionMinor === 0) throw new HttpError(400, "HTTP/1.0 has no Transfer-Encoding");
    if (coding.toLowerCase() !== "chunked") throw new HttpError(501, "send chunked, or the length");
  }
  const { host = httpVersionMinor === 0 ? boundTo(socket.address()) : "" } = headers;
  // Two Host fields arrive here as "a, b", which is not an authority.
  if (!isAuthority(host)) throw new HttpError(400, "send one Host field: host or host:port");
  const { method, url = "" } = request;
  if (url.includes("#")) throw new HttpError(400, "the request target must have no fragment (#)");
  const [authority, target] = url.startsWith("/") ? [host, url] : readAbsolute(url, host, method);
  if (!isOurs(authority)) {
    const fix = "if it is a name of this server, start it with --public-url";
    throw new HttpError(421, `the server does not answer for ${authority}; ${fix}`);
  }

  const mark = target.indexOf("?");
  const path = mark < 0 ? target : target.slice(0, mark);
  return {
    origin: `${isTls(socket) ? "https" : "http"}://${authority}`,
    path: path.includes("%") ? normalise(path) : path,
    query: mark < 0 ? "" : target.slice(mark + 1),
  };
}

/** Whether a text is `host` or `host:port` (RFC 9110 §7.2). */
function isAuthority(text: string): boolean {
  const [whole, port = ""] = AUTHORITY.exec(text) ?? [];
  return whole !== undefined && Number(port) <= 65535;
}

// A TLSSocket has `encrypted: true`; on Bun every socket has the property.
const isTls = (socket: Socket) => "encrypted" in socket && socket.encrypted === true;

// The authority in the target wins over Host (RFC 9112 §3.2.2). new URL() would throw.
function readAbsolute(url: string, host: string, method = ""): [authority: string, target: string] {
  if (url === "*" && method === "OPTIONS") return [host, url];
  const [, authority = "", target = ""] = ABSOLUTE_FORM.exec(url) ?? [];
  if (!isAuthority(authority)) {
    throw new HttpError(400, "the request target must be a path or an http URL");
  }
  if (target === "" && method === "OPTIONS") return [authority, "*"]; // RFC 9112 §3.2.4
  return [authority, target.startsWith("/") ? target : `/${target}`];
}

/** The authority of an address that a socket is bound to: `127.0.0.1:5000`, `[::1]:5000`. */
export function boundTo(address: AddressInfo | string | object | null): string {
  if (address === null || typeof address === "string" || !("port" in address)) return "localhost";
  return `${address.family === "IPv6" ? `[${address.address}]` : address.address}:${address.port}`;
}

/**
 * Tells which names a server that is bound to this host answers for. On a loopback address only
 * itself, because another site's name may lead a browser here (DNS rebinding).
 */
export function answersFor(host: string, publicUrl?: string): (name: string) => boolean {
  if (!isLoopback(host)) return () => true;
  const own = publicUrl && new URL(publicUrl).hostname;
  return (authority) =>
    isAddress(authority) || authority.toLowerCase().replace(/\.?(:\d*)?$/, "") === own;
}

/** Whether an authority has an address or localhost instead of a name that somebody registered. */
export const isAddress = (authority: string) =>
  /^(\[.*\]|[\d.]+|(.+\.)?localhost\.?)(:\d*)?$/i.test(authority);

/** Whether a host, or the one of a URL, is a loopback address: only this machine can reach it. */
export const isLoopback = (host: string) =>
  /^(localhost|\[?::1\]?)$/i.test(host) || (isIPv4(host) && host.startsWith("127."));

function normalise(path: string): string {
  try {
    return path.split("/").map((part) => encodeURIComponent(decodeURIComponent(part))).join("/");
  } catch {
    throw new HttpError(404); // such as "%" or "%FF": no segment has this name
  }
}
