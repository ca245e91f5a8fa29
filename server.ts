// The front door: options in, store chosen and filled, app listens, signals heard.

import process from "node:process";
import { createApp } from "./lib/app.ts";
import { basic } from "./lib/http/credentials.ts";
import { createLog } from "./lib/wire/log.ts";
import { type Finish, serve } from "./lib/wire/server.ts";
import { boundTo } from "./lib/wire/target.ts";
import type { Https } from "./lib/wire/tls.ts";
import { HELP, type Options, PUBLISHED, readOptions, UsageError } from "./lib/options.ts";
import { pageRoutes, routes } from "./lib/routes.ts";
import { MemoryStore } from "./lib/store/memory.ts";
import { type Store, Unavailable } from "./lib/store/store.ts";
import { Accounts } from "./lib/todo/accounts.ts";

const TASKS = [
  ["Buy groceries", "Milk, Cheese, Pizza, Fruit, Tylenol"],
  ["Learn Python", "Need to find a good Python tutorial on the web"],
] as const;

const MENDS: Readonly<Record<string, string>> = {
  EADDRINUSE: "it is in use; choose another one, such as --port 5001",
  EACCES: "it needs more rights; choose a port from 1024 up, such as --port 5000",
  ENOTFOUND: "no such host; try --host 127.0.0.1",
  EADDRNOTAVAIL: "that is no address of this machine; try --host 127.0.0.1",
};

// A reader that goes away (server.ts | head) is no reason to stop serving.
process.stdout.on("error", () => {});
process.stderr.on("error", () => {});

try {
  const options = readOptions(process.argv.slice(2), process.env);
  if (options === undefined) process.stdout.write(HELP);
  else await start(options);
} catch (error) {
  if (error instanceof UsageError) fail(2, error.message);
  else if (error instanceof Unavailable) fail(1, error.message);
  else throw error;
}

async function start(
  { host, port, loopback, db, tls, user, password, publicUrl, corsOrigins, registration, quiet }:
    Options,
): Promise<void> {
  const finish: Finish[] = [];
  if (corsOrigins.length > 0) {
    const { allowOrigins } = await import("./lib/wire/cors.ts");
    finish.push(allowOrigins(corsOrigins));
  }
  const https = tls && await opened(async () => (await import("./lib/wire/tls.ts")).https(tls));
  if (https !== undefined) finish.push(https.finish);
  const store = await opened(() => openStore(db));
  const accounts = new Accounts(store, registration);
  if (await accounts.addFirst(user, password)) {
    for (const [title, description] of TASKS) {
      await store.add(user, { title, description, done: false });
    }
  }
  // The tutorial's password may be in the database from a time when nobody else could reach it.
  for (const username of loopback || db === undefined ? [] : [user, PUBLISHED.username]) {
    const field = basic({ username, password: PUBLISHED.password });
    if (await store.user(username) && await accounts.authenticate(field)) {
      const mend = `change the password of ${username} before you listen on ${host}`;
      throw new UsageError(`${mend}: everybody knows the tutorial's`);
    }
  }
  const app = createApp(
    [...routes(store, accounts), ...pageRoutes],
    (field) => accounts.authenticate(field),
    publicUrl,
  );
  const log = quiet ? () => {} : createLog((lines) => process.stdout.write(lines));
  const { server, stop } = serve(app, log, finish, https?.server);

  server.on("error", (error: NodeJS.ErrnoException) => {
    const mend = MENDS[error.code ?? ""] ?? error.message;
    fail(1, `cannot listen on port ${port} of ${host}: ${mend}`);
  });
  server.listen(port, host, () => {
    const scheme = https === undefined ? "http" : "https";
    console.log(`Listening on ${scheme}://${boundTo(server.address())}/ (Ctrl-C stops it)`);
  });

  const signals = ["SIGINT", "SIGTERM"] as const;
  const end = async () => {
    for (const signal of signals) process.off(signal, end); // a second one ends the process at once
    await stop();
    await store.close();
  };
  for (const signal of signals) process.on(signal, end);
  if (https !== undefined) process.on("SIGHUP", () => renew(https));
}

function renew(https: Https): void {
  try {
    https.renew();
    console.log("The certificate was read again");
  } catch (error) {
    const reason = error instanceof Error ? error.message : error;
    process.stderr.write(`the certificate stays as it was: ${reason}\n`);
  }
}

/** The store that `--db` names. What nobody asks for is not even loaded. */
async function openStore(db: string | undefined): Promise<Store> {
  if (db === undefined) return new MemoryStore();
  if (db.startsWith("etcd:")) {
    const { EtcdStore } = await import("./lib/store/etcd/store.ts");
    return await EtcdStore.open(db);
  }
  const { SqliteStore } = await import("./lib/store/sqlite/store.ts");
  return await SqliteStore.open(db);
}

/** What a flag names, opened; where that is no good, its reason is one line. */
async function opened<T>(open: () => Promise<T>): Promise<T> {
  try {
    return await open();
  } catch (error) {
    if (error instanceof Unavailable || !(error instanceof Error)) throw error;
    throw new UsageError(error.message, { cause: error });
  }
}

function fail(code: number, message: string): void {
  process.stderr.write(`${message}\n`);
  process.exitCode = code;
}
