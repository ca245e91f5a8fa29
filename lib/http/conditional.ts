// If-Match and If-None-Match (RFC 9110 §13). With them a client reads again only what has changed,
// and overwrites only what it has read.

import type { IncomingMessage } from "node:http";
import { HttpError } from "./reply.ts";

/** The entity tag for a revision of a store (RFC 9110 §8.8.3): `"1f0c-7"`. */
export const entityTag = (epoch: string, revision: number) => `"${epoch}-${revision}"`;

const ENTITY_TAG = /(?:W\/)?"[!#-~\x80-\xff]*"/g; // RFC 9110 §8.8.3

/**
 * For GET: whether the client's copy is current, so that 304 is the response. Throws 412 if
 * If-Match does not hold, 400 if it is malformed. A malformed If-None-Match is ignored.
 */
export function clientHas({ headers }: IncomingMessage, tag: string): boolean {
  checkMatch(headers["if-match"], tag);
  const field = headers["if-none-match"];
  if (field === undefined || field === tag) return field === tag;
  const tags = tagsIn(field);
  return tags === "*" || (tags?.some((sent) => opaque(sent) === tag) ?? false);
}

/**
 * For PUT, PATCH and DELETE: throws 412 unless the request's conditions hold for the current entity
 * tag (RFC 9110 §13.2.2), 400 for a malformed field.
 */
export function checkConditions({ headers }: IncomingMessage, tag: string): void {
  checkMatch(headers["if-match"], tag);
  const field = headers["if-none-match"];
  if (field === undefined) return;
  const tags = tagsIn(field) ?? malformed("If-None-Match");
  if (tags === "*" || tags.some((sent) => opaque(sent) === tag)) throw hasChanged();
}

/** If-Match compares strongly: a weak tag never matches (RFC 9110 §8.8.3.2). */
function checkMatch(field: string | undefined, tag: string): void {
  if (field === undefined || field === tag) return;
  const tags = tagsIn(field) ?? malformed("If-Match");
  if (tags === "*" || tags.includes(tag)) return;
  // A proxy that compresses marks the tags that pass: nginx W/"a", Apache "a-gzip".
  const before = (sent: string) => opaque(sent).replace(/--?(gzip|br|zstd|deflate)"$/, '"');
  if (!tags.some((sent) => before(sent) === tag)) throw hasChanged();
  const fix = "let it send JSON uncompressed, or send the entity tag without W/ and -gzip";
  throw new HttpError(412, `a proxy has changed the entity tag; ${fix}`);
}

/** A tag without the mark of a weak one: its opaque-tag (RFC 9110 §8.8.3). */
const opaque = (tag: string) => tag.replace(/^W\//, "");

/** The entity tags in a field, or `*`. Undefined if it is neither. */
function tagsIn(field: string): "*" | string[] | undefined {
  if (field.trim() === "*") return "*";
  const tags = field.match(ENTITY_TAG);
  const onlyTags = /^[\s,]*$/.test(field.replaceAll(ENTITY_TAG, ""));
  return tags !== null && onlyTags ? tags : undefined;
}

function malformed(name: string): never {
  const fix = "must be *, or entity tags as they were received, with their quotes";
  throw new HttpError(400, `${name} ${fix}`);
}

const hasChanged = () => new HttpError(412, "it has changed; read it again, then decide");
