// Reads a request's content as JSON.

import { type Buffer, isUtf8 } from "node:buffer";
import type { IncomingHttpHeaders } from "node:http";
import { HttpError } from "./reply.ts";

const JSON_TYPE = /^\s*(application\/json|[^\s/;,]+\/[^\s/;,]+\+json)\s*(;|$)/i; // RFC 6839 §3.1

/** Reads content as JSON. Throws 413 if it has more than `limit` bytes, 415, and 400. */
export async function readJson(
  headers: IncomingHttpHeaders,
  read: (limit: number) => Promise<Buffer>,
  limit: number,
): Promise<unknown> {
  refuseUnread(headers, limit);
  return parseJson(await read(limit));
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

function parseJson(bytes: Buffer): unknown {
  // In UTF-16 every second byte of "{" is NUL; UTF-8 never has one in JSON.
  if (!isUtf8(bytes) || bytes.includes(0)) {
    const fix = "save it as UTF-8 (PowerShell: Set-Content -Encoding utf8)";
    throw new HttpError(400, `the content is not UTF-8; ${fix}`);
  }
  if (bytes.length === 0) throw new HttpError(400, "there is no content; send a JSON object");
  try {
    return JSON.parse(bytes.toString().replace(/^\uFEFF/, "")); // written by some editors
  } catch (error) {
    throw new HttpError(400, `the content is not JSON: ${error instanceof Error && error.message}`);
  }
}

/** 413, as soon as it is known. */
export const tooLarge = (limit: number) => new HttpError(413, `send at most ${limit} bytes`);
