// The flags of the command line, and what --help prints about them.

import { parseArgs } from "node:util";

/** A wrong flag or variable; the message names the fix, in one line. */
export class UsageError extends Error {}

/** What --help prints. */
export const HELP = `Usage: npx -y tsx@4.23.15 server.ts [options]

  --port N              port to listen on, 0 for any free one (PORT; 5000)
  --host NAME           address to listen on (HOST; 127.0.0.1)
  --db WHERE            where to keep tasks: a file, or etcd://host:port,… (TODO_DB; in memory)
  --tls-cert FILE       certificate in PEM, for HTTPS (TODO_TLS_CERT; plain http)
  --tls-key FILE        the certificate's key (TODO_TLS_KEY; plain http)
  --public-url URL      the URL that clients see (TODO_PUBLIC_URL; from each request)
  --cors-origin ORIGIN  lets pages of this origin call; repeatable (TODO_CORS_ORIGIN; none)
  --no-registration     nobody can register: POST /users gets 403
  --keep-alive SECONDS  how long an idle connection stays open (75)
  --quiet               prints no line for each request
  --help                this text

TODO_USER and TODO_PASSWORD are the first user's credentials (miguel, python).
TODO_ETCD_USER and TODO_ETCD_PASSWORD are for an etcd cluster that has users.
`;

const FLAGS = {
  port: { type: "string" },
  host: { type: "string" },
  db: { type: "string" },
  "tls-cert": { type: "string" },
  "tls-key": { type: "string" },
  "public-url": { type: "string" },
  "cors-origin": { type: "string", multiple: true },
  "no-registration": { type: "boolean", default: false },
  "keep-alive": { type: "string", default: "75" }, // most balancers wait 60 s
  quiet: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const;

/** The flags as they were given. Throws UsageError for one that does not exist. */
export function readFlags(args: string[]) {
  try {
    return parseArgs({ args, options: FLAGS }).values;
  } catch (error) {
    const [reason] = error instanceof Error ? error.message.split(/\.\s/) : [error];
    throw new UsageError(`${reason}; --help lists the options`);
  }
}
