// One line a request, in the Common Log Format.

import { Buffer } from "node:buffer";
import type { IncomingMessage } from "node:http";
import { parseCredentials } from "../http/credentials.ts";

const TOGETHER_MS = 10; // a line waits so long for others: a write costs more than ten lines

/** Notes a request that was answered with this status and so many bytes of content. */
export type Log = (request: IncomingMessage, status: number, bytes: number) => void;

/** A log that gives its lines to `write`, a moment later. No password is in them. */
export function createLog(write: (lines: string) => void): Log {
  let lines = "";
  let time = "";
  let [field, user]: [string | undefined, string] = [undefined, "-"]; // the latest
  const flush = () => {
    write(lines);
    lines = "";
  };
  return ({ socket, method, url, httpVersion, headers }, status, bytes) => {
    if (lines === "") {
      setTimeout(flush, TOGETHER_MS);
      time = now(); // of all lines that leave together
    }
    if (headers.authorization !== field) {
      field = headers.authorization;
      user = userId(field);
    }
    const who = status === 401 || status === 403 ? "-" : user;
    const what = method ? quote(`${method} ${url} HTTP/${httpVersion}`) : "-"; // none: not HTTP
    lines += `${socket.remoteAddress ?? "-"} - ${who} [${time}] "${what}" ${status} ${bytes}\n`;
  };
}

/** The user-id in an Authorization field, escaped, without spaces; `-` for none. */
function userId(field: string | undefined): string {
  const user = parseCredentials(field)?.username || "-";
  return quote(Buffer.from(user).toString("latin1")).replaceAll(" ", "\\x20");
}

/** Escapes as Apache does: each byte that is not printable ASCII, quotes and backslashes. */
function quote(text: string): string {
  const escape = (c: string) => `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`;
  return text.replace(/[^ !#-[\]-~]/g, escape);
}

/** The time as `22/Nov/2026:12:03:45 +0000`. */
function now(): string {
  const [, day, month, year, time] = new Date().toUTCString().split(" ");
  return `${day}/${month}/${year}:${time} +0000`;
}
