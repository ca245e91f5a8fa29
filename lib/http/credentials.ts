// Basic credentials out of an Authorization field, and the answer to who has none (RFC 7617).

import { Buffer, isUtf8 } from "node:buffer";
import type { IncomingHttpHeaders } from "node:http";
import { HttpError } from "./reply.ts";

/** A user-id and a password, as the client sent them. */
export interface Credentials {
  readonly username: string;
  readonly password: string;
}

const BASIC = /^Basic +([A-Za-z0-9+/]+=*)$/i;
const CHALLENGED = new HttpError(401, "", {
  "WWW-Authenticate": 'Basic realm="Authentication Required", charset="UTF-8"',
});
const UNCHALLENGED = new HttpError(403, "", {}, "Unauthorized access");

/** The Authorization field that bears these (RFC 7617 §2). */
export const basic = ({ username, password }: Credentials) =>
  `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;

/** Parses an Authorization field (RFC 7617 §2); undefined for all that is not of its form. */
export function parseCredentials(field = ""): Credentials | undefined {
  const [, token = ""] = BASIC.exec(field) ?? [];
  const bytes = Buffer.from(token, "base64");
  const pair = isUtf8(bytes) ? bytes.toString() : "";
  const colon = pair.indexOf(":"); // the first: a password may hold more of them
  if (colon < 0) return undefined;
  return { username: pair.slice(0, colon), password: pair.slice(colon + 1) };
}

/**
 * 401 with a challenge, at which a browser opens its login dialog; so a request of a browser's
 * script gets 403 without one. Sec-Fetch-Dest and jQuery's X-Requested-With tell them apart.
 */
export function unauthorized(headers: IncomingHttpHeaders): HttpError {
  const byScript = headers["sec-fetch-dest"] === "empty" ||
    headers["x-requested-with"] === "XMLHttpRequest";
  return byScript ? UNCHALLENGED : CHALLENGED;
}
