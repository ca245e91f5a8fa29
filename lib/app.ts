// Handles one request, from top to bottom: match, authenticate, handle. Whatever is thrown here
// becomes a response in one place, http/reply.ts.

import { readJson } from "./http/body.ts";
import { ANYONE, type Authority, type Call, KNOWS_NOBODY } from "./http/call.ts";
import { checkConditions, clientHas } from "./http/conditional.ts";
import { unauthorized } from "./http/credentials.ts";
import type { Fields } from "./http/reply.ts";
import { type Route, router } from "./http/router.ts";
import type { Respond } from "./wire/connection.ts";
import { readTarget } from "./wire/target.ts";

const LIMIT = { user: 64 * 1024, anyone: 16 * 1024 }; // bytes of content

/**
 * Makes the function from a request to its reply. `authority` judges credentials for the rows with
 * "user". If `publicUrl` is given, every `uri` begins with it. `guide` has header fields for 404,
 * 405 and OPTIONS responses. `isOurs` tells which hosts the server answers for.
 */
export function createApp(
  table: readonly Route[],
  authority: Authority = KNOWS_NOBODY,
  { publicUrl, guide, isOurs = () => true }: {
    readonly publicUrl?: string | undefined;
    readonly guide?: Fields;
    readonly isOurs?: (name: string) => boolean;
  } = {},
): Respond {
  const find = router(table, guide);

  return async (request, read, client) => {
    const { headers, method = "" } = request;
    const { origin, path, query } = readTarget(request, isOurs); // 400, 421, 431, 501, 505
    const { access, handle, params } = find(method, path); // 404, 405, 501
    const user = access === "anyone"
      ? ANYONE
      : await authority.authenticate(headers.authorization, client); // 429
    if (user === undefined) return unauthorized(headers); // 401, 403
    if (user !== ANYONE) client.username = user.username;

    const call: Call = {
      params,
      user,
      query,
      origin: publicUrl ?? origin,
      client,
      clientHas(tag) {
        return clientHas(request, tag); // 412
      },
      checkConditions(tag) {
        checkConditions(request, tag); // 412
      },
      async json() {
        const content = await readJson(headers, read, LIMIT[access]); // 400, 413, 415, 503
        await call.authorize(); // the password may have changed meanwhile
        return content;
      },
      async authorize() {
        const now = access === "anyone" ? user : await authority.current(user, client);
        if (now === undefined) throw unauthorized(headers); // 401, 403
        return now;
      },
    };
    return await handle(call);
  };
}
