// The tiny JSON body reader, and the one door for what it reads.

import { Buffer, isUtf8 } from "node:buffer";
import type { IncomingMessage, ServerResponse } from "node:http";
import { HttpError } from "./reply.ts";

const LIMIT = 1024 * 1024; // bytes
const JSON_TYPE = /^\s*(application\/json|[^\s/;]+\/[^\s/;]+\+json)\s*(;|$)/i; // RFC 6839 §3.1

/** Reads a request's content as JSON, if nothing forbids it before. Throws 400, 413, 415. */
export async function readJson(
  request: IncomingMessage,
  response: ServerResponse,
): Promise<unknown> {
  const { headers, httpVersionMinor } = request;
  const coding = headers["content-encoding"] ?? "identity";
  if (coding.toLowerCase() !== "identity") {
    throw new HttpError(415, `send the content as it is, without Content-Encoding: ${coding}`);
  }
  const type = headers["content-type"] ?? "missing";
  if (!JSON_TYPE.test(type)) {
    const mend = "send application/json (curl: -H 'Content-Type: application/json')";
    throw new HttpError(400, `Content-Type is ${type}; ${mend}`);
  }
  const length = Number(headers["content-length"]);
  if (length > LIMIT) throw tooLarge();
  // The client waits for this before it sends (RFC 9110 §10.1.1); a refusal has spared it that.
  if (headers.expect !== undefined && httpVersionMinor > 0) response.writeContinue();
  await undefined; // meanwhile node parses on, what came along with the header section
  // If that is all there is, to take it at once costs half of what a stream's events cost.
  const whole = request.readableLength === length || request.readableEnded;
  const content = whole ? request.read() : await readContent(request);
  const bytes: Buffer = content ?? Buffer.alloc(0);
  if (!isUtf8(bytes)) throw new HttpError(400, "the content is not UTF-8"); // no U+FFFD in a task
  try {
    return JSON.parse(bytes.toString().replace(/^\uFEFF/, "")); // some editors begin files with it
  } catch (error) {
    throw new HttpError(400, `the content is not JSON: ${error instanceof Error && error.message}`);
  }
}

const tooLarge = () => new HttpError(413, `send at most ${LIMIT} bytes`);
const cutOff = () => new HttpError(400, "the content was cut off");

// Events, because leaving a `for await` destroys the stream, and the connection with it.
function readContent(request: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size <= LIMIT) chunks.push(chunk);
      else reject(tooLarge()); // the rest flows past, unkept
    });
    request.on("end", () => request.complete ? resolve(Buffer.concat(chunks)) : reject(cutOff()));
    request.on("error", () => reject(cutOff()));
  });
}

/** For each member of an object, what it must be: in words, and as a check. */
export type Rules<T> = {
  readonly [K in keyof T]: [mustBe: string, is: (value: unknown) => value is T[K]];
};

/** The members that there are rules for, as far as sent. Throws 400, naming all that are wrong. */
export function readMembers<T extends object, Required extends keyof T & string = never>(
  content: unknown,
  rules: Rules<T>,
  ...required: Required[]
): Partial<T> & Pick<T, Required> {
  if (typeof content !== "object" || content === null || Array.isArray(content)) {
    throw new HttpError(400, "the content must be a JSON object");
  }
  if (required.length === 0 && Object.keys(content).length === 0) {
    throw new HttpError(400, `send one of ${Object.keys(rules).join(", ")}`);
  }
  const sent: Readonly<Record<string, unknown>> = { ...content };
  const needed: readonly string[] = required;
  const members: Partial<T> = {};
  const wrong: string[] = [];
  for (const name in rules) {
    const value = sent[name];
    const [mustBe, is] = rules[name];
    if (is(value)) members[name] = value;
    else if (value !== undefined) wrong.push(`${name} must be ${mustBe}`);
    else if (needed.includes(name)) wrong.push(`${name} is missing`);
  }
  if (wrong.length > 0) throw new HttpError(400, wrong.join("; "));
  return members as Partial<T> & Pick<T, Required>; // the lines above have seen to it
}
