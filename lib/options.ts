// Flags and environment variables, judged before anything starts.

import { parseArgs } from "node:util";

/** A wrong flag or variable; the message names the mend, in one line. */
export class UsageError extends Error {}

export const HELP = `Usage: npx -y tsx server.ts [options]

  --port N              port to listen on, 0 for any free one (PORT; 5000)
  --host NAME           address to listen on (HOST; 127.0.0.1)
  --db WHERE            where tasks live: a file, or etcd://host:port,… (TODO_DB; in memory)
  --tls-cert FILE       certificate in PEM, for HTTPS (TODO_TLS_CERT; plain http)
  --tls-key FILE        its key (TODO_TLS_KEY; plain http)
  --public-url URL      what clients see, behind a proxy (TODO_PUBLIC_URL; from each request)
  --cors-origin ORIGIN  lets its pages call, may be given again (TODO_CORS_ORIGIN; none)
  --no-registration     POST /users answers 403
  --quiet               no line for each request
  --help                this text

TODO_USER and TODO_PASSWORD name the first user (miguel, python).
`;

/** Who the tutorial's first user is: it stands there for everybody to read. */
export const PUBLISHED = { username: "miguel", password: "python" };

const FLAGS = {
  port: { type: "string" },
  host: { type: "string" },
  db: { type: "string" },
  "tls-cert": { type: "string" },
  "tls-key": { type: "string" },
  "public-url": { type: "string" },
  "cors-origin": { type: "string", multiple: true },
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
  const cert = flags["tls-cert"] ?? (env["TODO_TLS_CERT"] || undefined);
  const key = flags["tls-key"] ?? (env["TODO_TLS_KEY"] || undefined);
  const publicUrl = flags["public-url"] ?? env["TODO_PUBLIC_URL"];
  const corsOrigins = flags["cors-origin"] ?? env["TODO_CORS_ORIGIN"]?.match(/[^\s,]+/g) ?? [];

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
  if ((cert === undefined) !== (key === undefined)) {
    throw new UsageError(
      `TLS needs both: add ${key === undefined ? "--tls-key" : "--tls-cert"} FILE`,
    );
  }
  return {
    port: Number(port),
    host,
    loopback,
    db,
    user,
    password,
    tls: cert !== undefined && key !== undefined ? { cert, key } : undefined,
    publicUrl: publicUrl ? readPublicUrl(publicUrl) : undefined,
    corsOrigins: corsOrigins.map(readOrigin),
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

/** An origin as browsers send it (RFC 6454 §6.2), because it is compared letter by letter. */
function readOrigin(text: string): string {
  const { protocol, host } = URL.canParse(text) ? new URL(text) : { protocol: "", host: "" };
  if (host !== "" && !host.includes("*") && text === `${protocol}//${host}`) return text;
  const mend = text === "null"
    ? '"null" is sent for pages of anybody; name one'
    : `it must be like https://app.example or http://localhost:3000, not "${text}"`;
  throw new UsageError(`a CORS origin is the scheme, host and port of a page: ${mend}`);
}
