// One request's way, top to bottom: match, authenticate, handle. What is thrown on it becomes an
// answer in http/reply.ts; what a store throws, which knows no HTTP, does so here first.

import type { IncomingMessage, ServerResponse } from "node:http";
import { readJson } from "./http/body.ts";
import { unchanged } from "./http/conditional.ts";
import { unauthorized } from "./http/credentials.ts";
import { attempt, type Later, when } from "./http/later.ts";
import { HttpError } from "./http/reply.ts";
import { type Call, type Route, router } from "./http/router.ts";
import type { Answer } from "./wire/server.ts";
import { readTarget } from "./wire/target.ts";
import { DOCUMENT } from "./routes.ts";
import { Unavailable } from "./store/store.ts";

/** The name of the user whose credentials an Authorization field holds; undefined for nobody's. */
export type Authenticate = (field: string | undefined) => Later<string | undefined>;

/** The service: from a request to its answer. With `publicUrl`, every `uri` begins with it. */
export function createApp(
  table: readonly Route[],
  authenticate: Authenticate,
  publicUrl?: string,
): Answer {
  const document = `<${publicUrl ?? ""}${DOCUMENT.build({})}>; rel="service-desc"`; // RFC 8631
  const find = router(table, { Link: document });
  return (request, response) =>
    attempt(() => {
      const { headers, method = "" } = request;
      const { origin, path, query } = readTarget(request); // 400, 431, 501, 505
      const { access, handle, params } = find(method, path); // 404, 405
      const asking = access === "anyone" ? "" : authenticate(headers.authorization);
      return when(asking, (user) => {
        if (user === undefined) return unauthorized(headers); // 401, 403
        return handle(
          new IncomingCall(request, response, params, user, query, publicUrl ?? origin),
        );
      });
    }, (error) => {
      throw error instanceof Unavailable ? unavailable(error) : error; // 503
    });
}

function unavailable({ message }: Unavailable): HttpError {
  console.error(message); // the operator can do something about it, the client cannot
  return new HttpError(503, "nothing was half done; try again later", { "Retry-After": "5" });
}

// A class, because two functions made for each request cost a tenth of what a GET can do.
class IncomingCall implements Call {
  readonly params: unknown;
  readonly user: string;
  readonly query: string;
  readonly origin: string;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;

  constructor(
    request: IncomingMessage,
    response: ServerResponse,
    params: unknown,
    user: string,
    query: string,
    origin: string,
  ) {
    this.#request = request;
    this.#response = response;
    this.params = params;
    this.user = user;
    this.query = query;
    this.origin = origin;
  }

  unchanged(tag: string): boolean {
    return unchanged(this.#request, tag); // 400, 412
  }

  json(): Promise<unknown> {
    return readJson(this.#request, this.#response); // 400, 413, 415
  }
}
