// What a handler returns, what an error becomes, and how both are printed.

import { Buffer } from "node:buffer";
import { STATUS_CODES } from "node:http";

/** Header fields by name. A value that comes from a client must be checked before it gets here. */
export type Fields = Readonly<Record<string, string>>;

/** A response as a value: the status, header fields of its own, and the content. */
export interface Reply {
  readonly status: number;
  readonly fields?: Fields;
  /** JSON, unless `fields` has a Content-Type. */
  readonly text?: string;
  /** Content that is too long to be held in one piece. */
  readonly chunks?: AsyncIterable<string>;
}

/** JSON as people read it in a terminal: two spaces a level, and a newline at its end. */
export const printJson = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;

/** A response with JSON: the tutorial's jsonify. */
export function jsonReply(status: number, value: unknown, fields: Fields = {}): Reply {
  return { status, fields, text: printJson(value) };
}

/** 304: the client's copy is current (RFC 9110 §15.4.5). */
export const notModified = (ETag: string): Reply => ({ status: 304, fields: { ETag } });

const LONGEST = 900; // bytes of a message in JSON, which may quote text of the client

/** An error response that any code may throw. It is not an Error, as its stack is not needed. */
export class HttpError implements Reply {
  readonly status: number;
  readonly text: string;
  readonly fields: Fields;

  /**
   * `message` says what is wrong and what to do; it is left out if there is nothing to add.
   * `content` has more members of the JSON, or another `error` than the usual one.
   */
  constructor(status: number, message = "", fields: Fields = {}, content: object = {}) {
    this.status = status;
    this.fields = fields;
    const phrase = STATUS_CODES[status] ?? "";
    const error = WORDING[status] ?? phrase.slice(0, 1) + phrase.slice(1).toLowerCase();
    this.text = printJson({ error, message: shorten(message) || undefined, ...content });
  }
}

// The tutorial's words for 401, RFC 9110's for 413, and HTTP in capital letters.
const WORDING: Readonly<Record<number, string>> = {
  401: "Unauthorized access",
  413: "Content too large",
  505: "HTTP version not supported",
};

/** Cuts a message that is too long, between two characters. */
function shorten(message: string): string {
  let left = LONGEST;
  const isFull = (c: string) => (left -= Buffer.byteLength(JSON.stringify(c)) - 2) < 0;
  const first = [...message.slice(0, LONGEST + 1)];
  const end = first.findIndex(isFull);
  return end < 0 ? message : `${first.slice(0, end).join("")}…`;
}

/** The one place where a failure becomes a response. A bug of ours is logged and never shown. */
export function errorReply(error: unknown): Reply {
  if (error instanceof HttpError) return error;
  console.error(error);
  return new HttpError(500);
}
