// Lets pages of other origins call the service: the CORS protocol of the Fetch standard (§3.3).

import type { IncomingMessage } from "node:http";
import type { Fields, Reply } from "../http/reply.ts";
import type { Finish } from "./server.ts";

const PREFLIGHT = {
  "Access-Control-Allow-Headers":
    "Authorization, Content-Type, If-Match, If-None-Match, X-Requested-With",
  "Access-Control-Max-Age": "7200", // seconds; Chromium remembers it no longer than that
};
const EXPOSED = "ETag, Link, Location, Retry-After, X-Total-Count";

/**
 * Tells browsers that pages of these origins may send requests and read the answers, errors too.
 * There is no Access-Control-Allow-Credentials: a script that sets Authorization itself needs none,
 * and without it no page makes use of a password that the browser keeps.
 */
export function allowOrigins(origins: readonly string[]): Finish {
  return (request, reply) => {
    const { origin = "" } = request.headers;
    const allowed = origins.includes(origin) ? allow(origin, request, reply) : {};
    // Vary for every origin, and for none: a cache must not give one the answer to another.
    return { ...reply, fields: { ...reply.fields, Vary: "Origin", ...allowed } };
  };
}

function allow(origin: string, { method, headers }: IncomingMessage, { fields }: Reply): Fields {
  const Allow = fields?.["Allow"];
  const preflight = method === "OPTIONS" && "access-control-request-method" in headers;
  return {
    "Access-Control-Allow-Origin": origin,
    ...(preflight && Allow !== undefined
      ? { "Access-Control-Allow-Methods": Allow, ...PREFLIGHT }
      : { "Access-Control-Expose-Headers": EXPOSED }),
  };
}
