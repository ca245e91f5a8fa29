// The front door: options in, the service started; then it runs until a signal.

import process from "node:process";
import { HELP, readOptions, UsageError } from "./lib/options.ts";
import { startService } from "./lib/service.ts";
import { Unavailable, Unusable } from "./lib/store/store.ts";
import { ListenError, onSignal, TlsError } from "./lib/wire/listen.ts";
import { createLog } from "./lib/wire/log.ts";

// If the reader of the output goes away (server.ts | head), the server goes on.
process.stdout.on("error", () => {});
process.stderr.on("error", () => {});

try {
  const options = readOptions(process.argv.slice(2), process.env);
  if (options === undefined) process.stdout.write(HELP);
  else {
    const log = options.quiet ? undefined : createLog(process.stdout);
    const { origin, stop, renew } = await startService(options, { log });
    onSignal(stop, renew);
    console.log(`Listening on ${origin}/ (Ctrl-C stops it)`);
  }
} catch (error) {
  // An error that a person can fix is one line. A bug keeps its stack.
  const isWrong = error instanceof UsageError || error instanceof Unusable ||
    error instanceof TlsError;
  if (!isWrong && !(error instanceof Unavailable || error instanceof ListenError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = isWrong ? 2 : 1;
}
