// Logs one line for each request, in the Common Log Format.

import { Buffer } from "node:buffer";
import type { IncomingMessage } from "node:http";
import type { Writable } from "node:stream";
import type { RequestClient } from "./client.ts";

const TOGETHER_MS = 10; // lines are collected for this long: one write costs more than ten lines
const LONGEST = 2000; // characters of a line
const MOST_UNREAD = 1024 * 1024; // bytes that may wait for the log's reader

/** Logs a request, the status of its response, and how many bytes of content the response has. */
export type Log = (
  client: RequestClient,
  request: IncomingMessage,
  status: number,
  bytes: number,
) => void;

/**
 * A log that writes its lines a moment later. No password is in them, and only names that were
 * proved. While nobody reads the output, lines are dropped. Later, the log says how many.
 */
export function createLog(output: Writable): Log {
  let lines = "";
  let time = "";
  let dropped = 0;
  const flush = () => {
    output.write(lines);
    lines = "";
  };
  return ({ address, username = "-" }, { method, url = "", httpVersion }, status, bytes) => {
    if (output.writableLength > MOST_UNREAD) return void dropped++;
    if (lines === "") {
      setTimeout(flush, TOGETHER_MS);
      time = now(); // of all lines that are written together
    }
    if (dropped > 0) lines += `${dropped} lines were dropped, because nobody read the log\n`;
    dropped = 0;
    const target = url.replace(/^(\w+:\/\/)?[^/?]*@/, "$1"); // a password may be before the @
    const what = method ? quote(`${method} ${target} HTTP/${httpVersion}`) : "-"; // "-": not HTTP
    const end = ` ${status} ${bytes}\n`;
    const begin = `${word(address)} - ${word(username)} [${time}] "${what}`;
    const whole = begin.slice(0, LONGEST - end.length - 1).replace(/\\x?.?$/, ""); // no half escape
    lines += `${whole}"${end}`;
  };
}

/** One column: escaped, without spaces; `-` if it is empty. */
const word = (text: string) =>
  quote(Buffer.from(text).toString("latin1")).replaceAll(" ", "\\x20") || "-";

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

/** Makes a function that prints an error at most once a second, however often it is called. */
export function onceASecond(print: (message: string) => void): (message: string) => void {
  let quietUntil = 0;
  return (message) => {
    if (performance.now() < quietUntil) return;
    quietUntil = performance.now() + 1000;
    print(message);
  };
}
