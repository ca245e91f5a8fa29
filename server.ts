// The front door: options in, store filled, app listens, signals heard.

import process from "node:process";
import { createApp } from "./lib/app.ts";
import { createLog } from "./lib/http/log.ts";
import { serve } from "./lib/http/server.ts";
import { boundTo } from "./lib/http/target.ts";
import { HELP, type Options, readOptions, UsageError } from "./lib/options.ts";
import { routes } from "./lib/routes.ts";
import { MemoryStore } from "./lib/store/memory.ts";
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
  if (!(error instanceof UsageError)) throw error;
  fail(2, error.message);
}

async function start(
  { host, port, user, password, publicUrl, registration, quiet }: Options,
): Promise<void> {
  const store = new MemoryStore();
  const accounts = new Accounts(store, registration);
  await accounts.addFirst(user, password);
  for (const [title, description] of TASKS) {
    await store.add(user, { title, description, done: false });
  }
  const app = createApp(
    routes(store, accounts),
    (field) => accounts.authenticate(field),
    publicUrl,
  );
  const log = quiet ? () => {} : createLog((lines) => process.stdout.write(lines));
  const { server, stop } = serve(app, log);

  server.on("error", (error: NodeJS.ErrnoException) => {
    const mend = MENDS[error.code ?? ""] ?? error.message;
    fail(1, `cannot listen on port ${port} of ${host}: ${mend}`);
  });
  server.listen(port, host, () => {
    console.log(`Listening on http://${boundTo(server.address())}/ (Ctrl-C stops it)`);
  });

  const signals = ["SIGINT", "SIGTERM"] as const;
  const end = () => {
    for (const signal of signals) process.off(signal, end); // a second one ends the process at once
    stop();
  };
  for (const signal of signals) process.on(signal, end);
}

function fail(code: number, message: string): void {
  process.stderr.write(`${message}\n`);
  process.exitCode = code;
}
