// Lets pages of other origins call the service: the CORS protocol of the Fetch standard (§3.3).

import type { IncomingMessage } from "node:http";
import type { Fields, Reply } from "../http/reply.ts";
import type { AddFields } from "./exchanges.ts";

const MAX_AGE = "7200"; // seconds; Chromium's maximum
const NAMES = /^[\w!#$%&'*+.^`|~-]+(\s*,\s*[\w!#$%&'*+.^`|~-]+)*$/; // tokens (RFC 9110 §5.6.2)
const EXPOSED = "ETag, Link, Location, Retry-After, X-Total-Count";

/**
 * Tells browsers that pages of these origins may send requests and read the responses, errors too.
 * There is no Access-Control-Allow-Credentials: a script that sets Authorization itself does not
 * need it, and without it no page can use a password that the browser stores.
 */
export function allowOrigins(origins: readonly string[]): AddFields {
  return (request, reply) => {
    const { origin = "" } = request.headers;
    const allowed = origins.includes(origin) ? allow(origin, request, reply) : {};
    // Vary is for every origin: otherwise a cache may send the response for one origin to another.
    return { ...reply, fields: { ...reply.fields, Vary: "Origin", ...allowed } };
  };
}

function allow(origin: string, { method, headers }: IncomingMessage, { fields }: Reply): Fields {
  const Allow = fields?.["Allow"];
  const preflight = method === "OPTIONS" && "access-control-request-method" in headers;
  if (!preflight || Allow === undefined) {
    return { "Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": EXPOSED };
  }
  const names = `${headers["access-control-request-headers"] ?? ""}`.trim();
  return {
    "Access-Control-Allow-Origin": origin,
    "Access-Control-Allow-Methods": Allow,
    // The page may send any field that it asks for; `*` would leave out Authorization.
    ...(NAMES.test(names) ? { "Access-Control-Allow-Headers": names } : {}),
    "Access-Control-Max-Age": MAX_AGE,
  };
}
