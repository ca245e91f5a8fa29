// The front door: options in, store opened and filled, app made; then it listens until a signal.

import process from "node:process";
import { createApp } from "./lib/app.ts";
import { guide, openApiRoute } from "./lib/openapi/openapi.ts";
import { HELP, type Options, readOptions, UsageError } from "./lib/options.ts";
import { pageRoutes } from "./lib/page/page.ts";
import { routes } from "./lib/routes.ts";
import { openStore } from "./lib/store/open.ts";
import { Unavailable } from "./lib/store/store.ts";
import { Accounts } from "./lib/todo/accounts.ts";
import { fill, refuseKnownPassword } from "./lib/todo/first.ts";
import type { AddFields } from "./lib/wire/exchanges.ts";
import { listen, ListenError, onSignal } from "./lib/wire/listen.ts";
import { createLog } from "./lib/wire/log.ts";
import { serve } from "./lib/wire/server.ts";
import { namesOf } from "./lib/wire/target.ts";

// If the reader of the output goes away (server.ts | head), the server goes on.
process.stdout.on("error", () => {});
process.stderr.on("error", () => {});

try {
  const options = readOptions(process.argv.slice(2), process.env);
  if (options === undefined) process.stdout.write(HELP);
  else await start(options);
} catch (error) {
  // An error that a person can fix is one line. A bug keeps its stack.
  if (error instanceof UsageError) process.exitCode = 2;
  else if (error instanceof Unavailable || error instanceof ListenError) process.exitCode = 1;
  else throw error;
  process.stderr.write(`${error.message}\n`);
}

async function start(options: Options): Promise<void> {
  const { publicUrl, host, registration, keepAlive } = options;
  const { https, addFields } = await usable(() => extensions(options));
  const share = registration === "anyone" ? 0.1 : 1;
  const store = await usable(() => openStore(options.db, share, options.etcdUser));
  const accounts = new Accounts(store);
  await fill(accounts, options);
  await usable(() => refuseKnownPassword(accounts, options));

  const table = [...routes(store, accounts, registration), openApiRoute, ...pageRoutes];
  const isOurs = namesOf(host, publicUrl);
  const app = createApp(table, accounts, { publicUrl, guide: guide(publicUrl), isOurs });
  const log = options.quiet ? () => {} : createLog(process.stdout);
  const { server, stop } = serve(app, { log, addFields, keepAlive, server: https?.server });
  onSignal(async () => {
    await stop();
    await store.close();
  }, https?.renew);
  const address = await listen(server, options);
  console.log(`Listening on ${https ? "https" : "http"}://${address}/ (Ctrl-C stops it)`);
}

/** HTTPS and CORS, loaded only if they are asked for. */
async function extensions({ tls, corsOrigins }: Options) {
  const addFields: AddFields[] = [];
  if (corsOrigins.length > 0) {
    const { allowOrigins } = await import("./lib/wire/cors.ts");
    addFields.push(allowOrigins(corsOrigins));
  }
  if (tls === undefined) return { addFields };
  const https = (await import("./lib/wire/tls.ts")).https(tls);
  return { addFields: [...addFields, https.addFields], https };
}

/** Makes something that an option asks for. If that fails, the option is wrong. */
async function usable<T>(make: () => Promise<T>): Promise<T> {
  try {
    return await make();
  } catch (error) {
    if (error instanceof Unavailable || !(error instanceof Error)) throw error;
    throw new UsageError(error.message, { cause: error });
  }
}
