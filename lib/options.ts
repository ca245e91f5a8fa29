// Flags and environment variables, checked before anything starts.

import { parseArgs } from "node:util";
import { TUTORIAL } from "./todo/first.ts";
import { isPassword, isUsername } from "./todo/users.ts";
import { isLoopback } from "./wire/target.ts";

/** A wrong flag or variable; the message names the fix, in one line. */
export class UsageError extends Error {}

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

/** What the server is started with. */
export type Options = NonNullable<ReturnType<typeof readOptions>>;

/** Reads flags, and variables that are not empty. Undefined for --help. Throws UsageError. */
export function readOptions(args: string[], env: Readonly<Record<string, string | undefined>>) {
  const flags = readFlags(args);
  if (flags.help) return undefined;
  const port = flags.port ?? (env["PORT"] || "5000");
  const host = flags.host ?? (env["HOST"] || "127.0.0.1");
  const db = flags.db ?? (env["TODO_DB"] || undefined);
  const user = env["TODO_USER"] || TUTORIAL.username;
  const password = env["TODO_PASSWORD"] || TUTORIAL.password;
  const [name, secret] = [env["TODO_ETCD_USER"] ?? "", env["TODO_ETCD_PASSWORD"] ?? ""];
  const cert = flags["tls-cert"] ?? (env["TODO_TLS_CERT"] || undefined);
  const key = flags["tls-key"] ?? (env["TODO_TLS_KEY"] || undefined);
  const url = flags["public-url"] ?? (env["TODO_PUBLIC_URL"] || undefined);
  const publicUrl = url === undefined ? undefined : readPublicUrl(url);
  const corsOrigins = flags["cors-origin"] ?? env["TODO_CORS_ORIGIN"]?.match(/[^\s,]+/g) ?? [];

  if (!/^\d{1,5}$/.test(port) || Number(port) > 65535) {
    throw new UsageError(`the port must be a number from 0 to 65535, not "${port}"`);
  }
  if (host === "") throw new UsageError("the host must be a name or an address: --host 127.0.0.1");
  if (db === "") throw new UsageError("the database must be a file: --db tasks.sqlite");
  if (!/^[1-9]\d{0,4}$/.test(flags["keep-alive"])) { // 0 would be for ever
    throw new UsageError(`--keep-alive must be 1 to 99999 seconds, not "${flags["keep-alive"]}"`);
  }
  if (!isUsername(user)) {
    throw new UsageError("TODO_USER must be 1 to 64 letters, digits, dots, hyphens, underscores");
  }
  if ((name === "") !== (secret === "")) {
    throw new UsageError("set both TODO_ETCD_USER and TODO_ETCD_PASSWORD, or neither");
  }
  const reachable = reachableAs(host, publicUrl);
  checkPassword(password, reachable);
  if ((cert === undefined) !== (key === undefined)) {
    throw new UsageError(
      `TLS needs both: add ${key === undefined ? "--tls-key" : "--tls-cert"} FILE`,
    );
  }
  return {
    port: Number(port),
    host,
    reachable,
    db,
    etcdUser: name === "" ? undefined : { name, password: secret },
    user,
    password,
    tls: cert !== undefined && key !== undefined ? { cert, key } : undefined,
    publicUrl,
    corsOrigins: corsOrigins.map(readOrigin),
    registration: flags["no-registration"] ? "nobody" as const : "anyone" as const,
    keepAlive: Number(flags["keep-alive"]),
    quiet: flags.quiet,
  };
}

/** The address at which other machines reach the server; undefined if only this one can. */
function reachableAs(host: string, publicUrl: string | undefined): string | undefined {
  if (!isLoopback(host)) return host;
  return publicUrl && !isLoopback(new URL(publicUrl).hostname) ? publicUrl : undefined;
}

function checkPassword(password: string, reachable: string | undefined): void {
  if (reachable === undefined) return;
  if (password === TUTORIAL.password) {
    throw new UsageError(`set TODO_PASSWORD: others can reach ${reachable} and know "python"`);
  }
  if (!isPassword(password)) {
    throw new UsageError("TODO_PASSWORD must have 8 to 1024 characters, none a control character");
  }
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
  // Scheme, authority and perhaps a path, because the path of a task is appended to it.
  if (url === undefined || !/^https?:\/\/[^?#@]+$/.test(url.href)) {
    throw new UsageError(`the public URL must be like https://todo.example, not "${text}"`);
  }
  return url.href.replace(/\/+$/, "");
}

/** Reads an origin in the form that browsers send (RFC 6454 §6.2): it is compared as text. */
function readOrigin(text: string): string {
  const { protocol, host } = URL.canParse(text) ? new URL(text) : { protocol: "", host: "" };
  if (host !== "" && !host.includes("*") && text === `${protocol}//${host}`) return text;
  const fix = text === "null"
    ? 'any site can make a browser send "null"; name an origin'
    : `it must be like https://app.example or http://localhost:3000, not "${text}"`;
  throw new UsageError(`a CORS origin is the scheme, host and port of a page: ${fix}`);
}
