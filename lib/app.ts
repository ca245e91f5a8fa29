// One request's way, top to bottom: match, authenticate, handle. What is thrown on it becomes an
// answer in http/reply.ts.

import { readJson } from "./http/body.ts";
import { unchanged } from "./http/conditional.ts";
import { unauthorized } from "./http/credentials.ts";
import { type Route, router } from "./http/router.ts";
import type { Answer } from "./http/server.ts";
import { readTarget } from "./http/target.ts";

/** The name of the user whose credentials an Authorization field holds; undefined for nobody's. */
export type Authenticate = (field: string | undefined) => Promise<string | undefined>;

/** The service: from a request to its answer. With `publicUrl`, every `uri` begins with it. */
export function createApp(
  table: readonly Route[],
  authenticate: Authenticate,
  publicUrl?: string,
): Answer {
  const find = router(table);
  return async (request, response) => {
    const { headers, method = "" } = request;
    const target = readTarget(request); // 400, 431, 501, 505
    const { access, handle, params } = find(method, target.path); // 404, 405
    const user = access === "anyone" ? "" : await authenticate(headers.authorization);
    if (user === undefined) throw unauthorized(headers); // 401, 403
    const origin = publicUrl ?? target.origin;
    const json = readJson.bind(undefined, request, response); // 400, 413, 415: if it is asked for
    const conditions = unchanged.bind(undefined, request); // 412, 400
    return await handle({ params, query: target.query, user, origin, json, unchanged: conditions });
  };
}
