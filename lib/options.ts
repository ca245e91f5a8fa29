// Flags and environment variables, judged before anything starts.

import { parseArgs } from "node:util";

/** A wrong flag or variable; the message names the mend, in one line. */
export class UsageError extends Error {}

export const HELP = `Usage: npx -y tsx server.ts [options]

  --port N           port to listen on, 0 for any free one (PORT; 5000)
  --host NAME        address to listen on (HOST; 127.0.0.1)
  --db WHERE         where tasks live: a file, for SQLite (TODO_DB; in memory)
  --public-url URL   what clients see, behind a proxy (TODO_PUBLIC_URL; from each request)
  --no-registration  POST /users answers 403
  --quiet            no line for each request
  --help             this text

TODO_USER and TODO_PASSWORD name the first user (miguel, python).
`;

/** Who the tutorial's first user is: it stands there for everybody to read. */
export const PUBLISHED = { username: "miguel", password: "python" };

const FLAGS = {
  port: { type: "string" },
  host: { type: "string" },
  db: { type: "string" },
  "public-url": { type: "string" },
  "no-registration": { type: "boolean", default: false },
  quiet: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const;

/** What the server is started with. */
export type Options = NonNullable<ReturnType<typeof readOptions>>;

/** Reads flags, then variables; an empty one is none. Undefined for --help. Throws UsageError. */
export function readOptions(args: string[], env: Readonly<Record<string, string | undefined>>) {
  const flags = readFlags(args);
  if (flags.help) return undefined;
  const port = flags.port ?? (env["PORT"] || "5000");
  const host = flags.host ?? (env["HOST"] || "127.0.0.1");
  const db = flags.db ?? (env["TODO_DB"] || undefined);
  const user = env["TODO_USER"] || PUBLISHED.username;
  const password = env["TODO_PASSWORD"] || PUBLISHED.password;
  const publicUrl = flags["public-url"] ?? env["TODO_PUBLIC_URL"];

  if (!/^\d{1,5}$/.test(port) || Number(port) > 65535) {
    throw new UsageError(`the port must be a number from 0 to 65535, not "${port}"`);
  }
  if (host === "") throw new UsageError("the host must be a name or an address: --host 127.0.0.1");
  if (db === "") throw new UsageError("the database must be a file: --db tasks.sqlite");
  if (!/^[\w.-]{1,64}$/.test(user)) {
    throw new UsageError("TODO_USER must be 1 to 64 letters, digits, dots, hyphens, underscores");
  }
  const loopback = /^(localhost|127(\.\d+){3}|::1)$/i.test(host);
  if (password === PUBLISHED.password && !loopback) {
    throw new UsageError(`set TODO_PASSWORD to listen on ${host}: everybody knows the tutorial's`);
  }
  return {
    port: Number(port),
    host,
    loopback,
    db,
    user,
    password,
    publicUrl: publicUrl ? readPublicUrl(publicUrl) : undefined,
    registration: !flags["no-registration"],
    quiet: flags.quiet,
  };
}

function readFlags(args: string[]) {
  try {
    return parseArgs({ args, options: FLAGS }).values;
  } catch (error) {
    const [reason] = error instanceof Error ? error.message.split(/\.\s/) : [error];
    throw new UsageError(`${reason}; --help lists the options`);
  }
}

function readPublicUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  // Scheme, authority and perhaps a path: nothing else can be followed by a path.
  if (url === undefined || !/^https?:\/\/[^?#@]+$/.test(url.href)) {
    throw new UsageError(`the public URL must be like https://todo.example, not "${text}"`);
  }
  return url.href.replace(/\/+$/, "");
}
