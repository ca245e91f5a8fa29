// A file as a response, with an entity tag made of its content.

import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { Call } from "./call.ts";
import { type Fields, notModified, type Reply } from "./reply.ts";

/** 200 with a file as it is now and these header fields, or 304 if the client has it. */
export async function getFile(url: URL, call: Call, fields: Fields = {}): Promise<Reply> {
  const text = await readFile(url, "utf8");
  const ETag = `"${createHash("sha256").update(text).digest("base64url")}"`;
  if (call.clientHas(ETag)) return notModified(ETag);
  return { status: 200, fields: { ETag, ...fields }, text };
}
