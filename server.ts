// The front door: options in, the service started; then it runs until a signal.

import { Console } from "node:console";
import process from "node:process";
import { HELP, readOptions, UsageError } from "./lib/options.ts";
import { startService } from "./lib/service.ts";
import { Unavailable, Unusable } from "./lib/store/store.ts";
import { ListenError, onSignal, TlsError } from "./lib/wire/listen.ts";
import { createLog } from "./lib/wire/log.ts";
import { output } from "./lib/wire/output.ts";

const [stdout, stderr] = [output(process.stdout), output(process.stderr)];
globalThis.console = new Console({ stdout, stderr });

try {
  const options = readOptions(process.argv.slice(2), process.env);
  if (options === undefined) process.stdout.write(HELP);
  else {
    const log = options.quiet ? undefined : createLog(stdout);
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
