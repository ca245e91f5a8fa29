// Reads a request's content as JSON.

import { Buffer, isUtf8 } from "node:buffer";
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import { HttpError } from "./reply.ts";

const JSON_TYPE = /^\s*(application\/json|[^\s/;,]+\/[^\s/;,]+\+json)\s*(;|$)/i; // RFC 6839 §3.1

/** Reads content as JSON. Throws 413 if it has more than `limit` bytes, 415, and 400. */
export async function readJson(
  request: IncomingMessage,
  response: ServerResponse,
  limit: number,
): Promise<unknown> {
  refuseUnread(request.headers, limit);
  // The client sends its content only after this. A request refused above never sends it.
  if (request.headers.expect !== undefined && request.httpVersionMinor > 0) {
    response.writeContinue(); // RFC 9110 §10.1.1
  }
  // Mostly all of it has arrived by now: to take it at once costs less than the stream's events.
  // Without a length, read() may return only the first piece.
  const length = Number(request.headers["content-length"]);
  const isHere = request.readableLength === length;
  return parseJson(isHere ? request.read(length) ?? NOTHING : await readContent(request, limit));
}

/** Throws 400, 413 or 415 if the header section says enough to refuse the content. */
function refuseUnread(headers: IncomingHttpHeaders, limit: number): void {
  const coding = headers["content-encoding"] ?? "identity";
  if (coding.toLowerCase() !== "identity") {
    throw new HttpError(415, `send the content as it is, without Content-Encoding: ${coding}`);
  }
  const type = headers["content-type"] ?? "missing";
  if (type.includes(",")) throw new HttpError(400, "send one Content-Type field, not several");
  if (!JSON_TYPE.test(type)) { // otherwise a form of another site could change tasks
    const fix = 'send it as application/json (curl: -H "Content-Type: application/json")';
    throw new HttpError(400, `Content-Type is ${type}; ${fix}`);
  }
  if (Number(headers["content-length"]) > limit) throw tooLarge(limit);
}

// Uses events: to leave a `for await` loop would destroy the stream, and the connection with it.
function readContent(request: IncomingMessage, limit: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    if (request.destroyed && !request.complete) return reject(cutOff());
    let content = NOTHING;
    let size = 0;
    request.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size > limit) return reject(tooLarge(limit)); // the rest is read and thrown away
      // One buffer that grows: a client may send each byte as a chunk of its own.
      if (size > content.length) content = Buffer.concat([content], Math.min(limit, 2 * size));
      chunk.copy(content, size - chunk.length);
    });
    request.on("error", () => reject(cutOff()));
    request.on("end", () => resolve(content.subarray(0, size)));
    if (request.readableEnded) resolve(content);
  });
}

function parseJson(bytes: Buffer): unknown {
  // In UTF-16 every second byte of "{" is NUL; UTF-8 never has one in JSON.
  if (!isUtf8(bytes) || bytes.includes(0)) {
    const fix = "save it as UTF-8 (PowerShell: Set-Content -Encoding utf8)";
    throw new HttpError(400, `the content is not UTF-8; ${fix}`);
  }
  try {
    return JSON.parse(bytes.toString().replace(/^\uFEFF/, "")); // written by some editors
  } catch (error) {
    throw new HttpError(400, `the content is not JSON: ${error instanceof Error && error.message}`);
  }
}

const NOTHING: Buffer = Buffer.alloc(0);
const tooLarge = (limit: number) => new HttpError(413, `send at most ${limit} bytes`);
const cutOff = () => new HttpError(400, "the content was cut off");
