// The service as a whole: options in, a service out that listens. server.ts and the tests use it.

import type { Server } from "node:http";
import { createApp } from "./app.ts";
import { explained } from "./failures.ts";
import { guide, openApiRoute } from "./openapi/openapi.ts";
import type { Options } from "./options.ts";
import { pageRoutes } from "./page/page.ts";
import { routes } from "./routes.ts";
import { openStore } from "./store/open.ts";
import { Accounts } from "./todo/accounts.ts";
import { addFirstUser, refuseKnownPassword } from "./todo/first.ts";
import type { Passwords } from "./todo/passwords.ts";
import { extensions } from "./wire/extensions.ts";
import { listen } from "./wire/listen.ts";
import type { Log } from "./wire/log.ts";
import { type Limits, serve } from "./wire/server.ts";
import { answersFor } from "./wire/target.ts";

/** A service that listens. */
export interface Service {
  /** `http://127.0.0.1:5000` */
  readonly origin: string;
  readonly server: Server;
  /** Resolves after the last response, when the store is closed. */
  stop(): Promise<void>;
  /** With HTTPS: reads the certificate again. */
  readonly renew: (() => void) | undefined;
}

/** What no option says: where the log goes, and in tests cheap hashes and short limits. */
export interface Settings {
  readonly log?: Log | undefined;
  readonly passwords?: Passwords;
  readonly limits?: Limits | undefined;
}

/** Opens the store, fills it if it is new, makes the app and listens. */
export async function startService(
  options: Options,
  { log, passwords, limits }: Settings = {},
): Promise<Service> {
  const { publicUrl, host, registration, keepAlive } = options;
  const { https, addFields } = await extensions(options, limits);
  const store = await openStore(options.db, options.etcdUser);
  const accounts = new Accounts(store, passwords);
  await addFirstUser(accounts, options);
  await refuseKnownPassword(accounts, options);

  // These rows read their files now: later, perhaps no descriptor is free.
  const files = [openApiRoute(), ...pageRoutes()];
  const table = [...routes(store, accounts, registration), ...files];
  const isOurs = answersFor(host, publicUrl);
  const app = createApp(table, accounts, { publicUrl, guide: guide(publicUrl), isOurs });
  const behindProxy = publicUrl !== undefined;
  const serving = { log, addFields, keepAlive, behindProxy, limits, server: https?.server };
  const { server, stop } = serve(explained(app), serving);
  const address = await listen(server, options);
  return {
    origin: `${https ? "https" : "http"}://${address}`,
    server,
    async stop() {
      await stop();
      await store.close();
    },
    renew: https?.renew,
  };
}
