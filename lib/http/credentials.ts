// Basic credentials (RFC 7617), and the response if they are missing or wrong.

import { Buffer, isUtf8 } from "node:buffer";
import type { IncomingHttpHeaders } from "node:http";
import { HttpError } from "./reply.ts";

/** A user-id and a password, as the client sent them. */
export interface Credentials {
  readonly username: string;
  readonly password: string;
}

const BASIC = /^Basic +([A-Za-z0-9+/]+=*)$/i;
const CHALLENGE = { "WWW-Authenticate": 'Basic realm="Authentication Required", charset="UTF-8"' };
const NOT_UTF8 = "the credentials are not UTF-8; let your client encode them as UTF-8";
const CHALLENGED = new HttpError(401, "", CHALLENGE); // printed once

/** The Authorization field for these credentials (RFC 7617 §2). */
export const basic = ({ username, password }: Credentials) =>
  `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;

/** Parses an Authorization field (RFC 7617 §2). Undefined if it holds no credentials. */
export function parseCredentials(field = ""): Credentials | undefined {
  const bytes = bytesOf(field);
  const pair = isUtf8(bytes) ? bytes.toString() : "";
  const colon = pair.indexOf(":"); // the first: a password may hold more of them
  // No control characters (RFC 7617 §2): scrypt ignores a NUL at the end.
  if (colon < 0 || /\p{Cc}/u.test(pair)) return undefined;
  return { username: pair.slice(0, colon), password: pair.slice(colon + 1) };
}

const bytesOf = (field: string) => Buffer.from(BASIC.exec(field)?.[1] ?? "", "base64");

/**
 * 401 with a challenge, at which a browser opens its login dialog. The script of a page shows a
 * form of its own instead, so a request from a script gets 403 without a challenge.
 */
export function unauthorized(headers: IncomingHttpHeaders): HttpError {
  const { authorization: field } = headers;
  const message = field === undefined || isUtf8(bytesOf(field)) ? "" : NOT_UTF8;
  if (isScript(headers)) return new HttpError(403, message, {}, { error: "Unauthorized access" });
  return message === "" ? CHALLENGED : new HttpError(401, message, CHALLENGE);
}

/** Whether a browser's script sent this. Over plain http browsers may send no Sec-Fetch fields. */
function isScript(headers: IncomingHttpHeaders): boolean {
  const { accept = "", "user-agent": agent = "", "sec-fetch-dest": destination } = headers;
  if (headers["x-requested-with"] === "XMLHttpRequest" || destination === "empty") return true;
  // PowerShell's client begins with Mozilla/ too, but sends no Accept-Language.
  return destination === undefined && agent.startsWith("Mozilla/") &&
    headers["accept-language"] !== undefined && !accept.includes("text/html");
}
