// What a handler answers, what an error answers, and the one place that writes a response.

import { Buffer } from "node:buffer";
import { once } from "node:events";
import { type ServerResponse, STATUS_CODES } from "node:http";
import { pipeline } from "node:stream/promises";

/** Header fields by name. A value that comes from a client must be judged before it gets here. */
export type Fields = Readonly<Record<string, string>>;

/** An answer as a value: the status, the content, and fields of its own. */
export interface Reply {
  readonly status: number;
  /** JSON, unless there is a Content-Type among the fields. */
  readonly text?: string;
  /** Content that is too long to be held in one piece. */
  readonly chunks?: AsyncIterable<string>;
  readonly fields?: Fields;
}

/** JSON as people read it in a terminal: two spaces a level, and a newline at its end. */
export const printJson = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;

/** Thrown anywhere, answered in one place. Not an Error: a stack would cost more than the answer. */
export class HttpError implements Reply {
  readonly status: number;
  readonly text: string;
  readonly fields: Fields;

  /** `message` names the mend; it is left out where there is nothing to add. */
  constructor(status: number, message = "", fields: Fields = {}, error = wording(status)) {
    this.status = status;
    this.text = printJson(message === "" ? { error } : { error, message });
    this.fields = fields;
  }
}

// The tutorial's own word for 401, and RFC 9110's newer one for 413.
function wording(status: number): string {
  if (status === 401) return "Unauthorized access";
  const phrase = status === 413 ? "Content too large" : STATUS_CODES[status] ?? "";
  return phrase.slice(0, 1) + phrase.slice(1).toLowerCase();
}

/** The one place where a failure becomes an answer. A bug of ours is logged and never shown. */
export function errorReply(error: unknown): Reply {
  if (error instanceof HttpError) return error;
  console.error(error);
  return new HttpError(500);
}

/**
 * Writes the whole answer and gives the length of its content in bytes, of a long one when it has
 * left. With `close` the connection is not used again.
 */
export function send(
  response: ServerResponse,
  reply: Reply,
  close: boolean,
): number | Promise<number> {
  const { method } = response.req;
  const { status, text = "", chunks, fields: own = {} } = reply;
  const safe = method === "GET" || method === "HEAD";
  const length = Buffer.byteLength(text);
  // A flat array is what writeHead takes fastest.
  const fields: string[] = [];
  const isJson = own["Content-Type"] === undefined && (text !== "" || chunks !== undefined);
  if (isJson) fields.push("Content-Type", "application/json");
  if (text !== "") fields.push("Content-Length", `${length}`);
  fields.push("Cache-Control", safe && status < 400 ? "private, no-cache" : "no-store");
  fields.push("X-Content-Type-Options", "nosniff");
  for (const name in own) fields.push(name, own[name] ?? "");
  if (close) fields.push("Connection", "close");
  response.writeHead(status, fields);
  if (chunks !== undefined && method === "GET") return sendChunks(response, chunks);
  if (text !== "") {
    // It leaves with the header section in one write: end(text) makes it two, a tenth slower.
    response.socket?.cork();
    response.write(text);
    response.socket?.uncork();
  }
  const { complete, readableEnded } = response.req; // without content it may be only the latter
  if (!close || complete || readableEnded) response.end();
  else endGently(response);
  return method === "HEAD" ? 0 : length;
}

// Writes at the pace at which the client reads; a client that goes away ends it.
async function sendChunks(
  response: ServerResponse,
  chunks: AsyncIterable<string>,
): Promise<number> {
  let bytes = 0;
  const counted = async function* (chunks: AsyncIterable<string>) {
    for await (const chunk of chunks) {
      bytes += Buffer.byteLength(chunk);
      yield chunk;
    }
  };
  await pipeline(chunks, counted, response).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ERR_STREAM_PREMATURE_CLOSE") console.error(error);
  });
  return bytes;
}

// To end a connection on which the client is still sending resets it, and a reset takes the answer
// away from the client. So what it sends flows past first, for a second at most.
async function endGently(response: ServerResponse): Promise<void> {
  const signal = AbortSignal.timeout(1000);
  await once(response.req.resume(), "close", { signal }).catch(() => {});
  response.end();
}
