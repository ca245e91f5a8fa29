// A file as an answer, with an entity tag made of what is in it.

import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { Fields, Reply } from "./reply.ts";
import type { Call } from "./router.ts";

/** 200 with a file as it is now, and these fields; 304 to who has it. */
export async function getFile(url: URL, call: Call, fields: Fields = {}): Promise<Reply> {
  const text = await readFile(url, "utf8");
  const ETag = `"${createHash("sha256").update(text).digest("base64url")}"`;
  return call.unchanged(ETag)
    ? { status: 304, fields: { ETag } }
    : { status: 200, fields: { ETag, ...fields }, text };
}
