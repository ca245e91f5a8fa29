// The text of a file as a response, with an entity tag made of it.

import { createHash } from "node:crypto";
import type { Call } from "./call.ts";
import { type Fields, notModified, type Reply } from "./reply.ts";

/** 200 with the text of a file and these header fields, or 304 if the client has it. */
export function fileReply(text: string, call: Call, fields: Fields = {}): Reply {
  const ETag = `"${createHash("sha256").update(text).digest("base64url")}"`;
  if (call.clientHas(ETag)) return notModified(ETag);
  return { status: 200, fields: { ETag, ...fields }, text };
}
