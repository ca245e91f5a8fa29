// HTTPS and CORS, loaded only if they are asked for.

import type { AddFields } from "./exchanges.ts";
import type { Limits } from "./server.ts";
import type { Https, TlsFiles } from "./tls.ts";

/** What the options of a service add to a plain HTTP server. */
export interface Extensions {
  readonly addFields: readonly AddFields[];
  readonly https: Https | undefined;
}

/** Loads what these options ask for. Throws a TlsError that names the fix. */
export async function extensions(
  { tls, corsOrigins }: { tls: TlsFiles | undefined; corsOrigins: readonly string[] },
  limits?: Limits,
): Promise<Extensions> {
  const cors = corsOrigins.length > 0
    ? [(await import("./cors.ts")).allowOrigins(corsOrigins)]
    : [];
  if (tls === undefined) return { addFields: cors, https: undefined };
  const https = (await import("./tls.ts")).https(tls, limits);
  return { addFields: [...cors, https.addFields], https };
}
