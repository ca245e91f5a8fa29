// A file as an answer, with an entity tag made of what is in it.

import { readFile } from "node:fs/promises";
import type { Reply } from "./reply.ts";
import type { Call } from "./router.ts";

/** A handler that answers with this file, which is read at the first request: 200, or 304. */
export function file(url: URL): (call: Call) => Promise<Reply> {
  let known: { readonly text: string; readonly ETag: string } | undefined;
  return async (call) => {
    known ??= await read(url);
    const { text, ETag } = known;
    return call.unchanged(ETag)
      ? { status: 304, fields: { ETag } }
      : { status: 200, fields: { ETag }, text };
  };
}

async function read(url: URL) {
  const { createHash } = await import("node:crypto"); // not before: it would delay the start
  const text = await readFile(url, "utf8");
  return { text, ETag: `"${createHash("sha256").update(text).digest("base64url")}"` };
}
