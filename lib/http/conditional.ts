// If-Match and If-None-Match (RFC 9110 §13): reading again only what changed, and changing only
// what was read.

import type { IncomingMessage } from "node:http";
import { HttpError } from "./reply.ts";

/** The entity tag of what a store had in this revision (RFC 9110 §8.8.3): `"1f0c-7"`. */
export const entityTag = (epoch: string, revision: number) => `"${epoch}-${revision}"`;

const ENTITY_TAG = /(?:W\/)?"[!#-~\x80-\xff]*"/g; // RFC 9110 §8.8.3

/**
 * Judges a request's conditions by the current entity tag, in the order of RFC 9110 §13.2.2. True
 * where the client has what it asks for: 304 is the answer. Throws 412; 400 for a malformed field.
 */
export function unchanged({ method, headers }: IncomingMessage, tag: string): boolean {
  const match = headers["if-match"];
  // If-Match compares strongly: a weak tag, W/"…", equals none.
  if (match !== undefined && !names("If-Match", match, tag)) throw changed();
  const noneMatch = headers["if-none-match"];
  if (noneMatch === undefined) return false;
  // If-None-Match compares weakly: a weak tag equals the strong one.
  if (!names("If-None-Match", noneMatch, tag, `W/${tag}`)) return false;
  if (method === "GET" || method === "HEAD") return true;
  throw changed();
}

/** Whether a field is `*`, or a list of entity tags that holds one of these. */
function names(name: string, field: string, ...wanted: string[]): boolean {
  if (field.trim() === "*") return true;
  const tags = field.match(ENTITY_TAG);
  if (tags === null || !/^[\s,]*$/.test(field.replaceAll(ENTITY_TAG, ""))) {
    throw new HttpError(400, `${name} must be *, or entity tags as they came, quotes included`);
  }
  return tags.some((tag) => wanted.includes(tag));
}

const changed = () => new HttpError(412, "it has changed; read it again, then decide");
