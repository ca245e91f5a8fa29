// What a client is told when the store fails. Stores know nothing of HTTP, so their errors become
// HttpErrors here.

import { HttpError } from "./http/reply.ts";
import { Full, ListFull, TooLarge, Unavailable } from "./store/store.ts";
import type { Respond } from "./wire/connection.ts";
import { onceASecond } from "./wire/log.ts";

/** The same app, but for the store's errors: 409, 413, 503. The operator is told of the last. */
export function explained(app: Respond): Respond {
  const tell = onceASecond(console.error);
  return async (request, read, client) => {
    try {
      return await app(request, read, client);
    } catch (error) {
      // If the client has gone, the error may only say so.
      if (error instanceof Unavailable && !client.gone) tell(error.message);
      throw toHttp(error);
    }
  };
}

function toHttp(error: unknown): unknown {
  if (error instanceof ListFull) return new HttpError(409, error.message);
  if (error instanceof TooLarge) return new HttpError(413, error.message);
  if (!(error instanceof Unavailable)) return error;
  const message = error instanceof Full
    ? error.message
    : "try again later; no change was made in part";
  return new HttpError(503, message, { "Retry-After": "5" });
}
