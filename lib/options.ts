// Flags and environment variables, checked before anything starts.

import { isIP } from "node:net";
import { readFlags, UsageError } from "./flags.ts";
import { TUTORIAL } from "./todo/first.ts";
import { isPassword, isUsername } from "./todo/users.ts";
import { isLoopback } from "./wire/target.ts";

export { HELP, UsageError } from "./flags.ts";

const USERNAME = "1 to 64 letters, digits, dots, hyphens or underscores";

/** What the server is started with. */
export type Options = NonNullable<ReturnType<typeof readOptions>>;

/** A value, and the flag or variable that it came from, which messages name. */
interface Given {
  readonly name: string;
  readonly text: string;
}

/** Reads flags, and variables that are not empty. Undefined for --help. Throws UsageError. */
export function readOptions(args: string[], env: Readonly<Record<string, string | undefined>>) {
  const flags = readFlags(args);
  if (flags.help) return undefined;
  const variable = (name: string) => readVariable(name, env[name] ?? "");
  const read = (flag: "port" | "host" | "db" | "tls-cert" | "tls-key" | "public-url", as: string) =>
    flags[flag] === undefined ? variable(as) : { name: `--${flag}`, text: flags[flag] };

  const given = read("host", "HOST");
  const host = given && { ...given, text: given.text.replace(/^\[(.*)\]$/, "$1") }; // as in a URL
  const publicUrl = read("public-url", "TODO_PUBLIC_URL");
  const [cert, key] = [read("tls-cert", "TODO_TLS_CERT"), read("tls-key", "TODO_TLS_KEY")];
  const [name, secret] = [variable("TODO_ETCD_USER"), variable("TODO_ETCD_PASSWORD")];
  const seconds = { name: "--keep-alive", text: flags["keep-alive"] };
  const pages = variable("TODO_CORS_ORIGIN");
  const origins = flags["cors-origin"]?.map((text) => ({ name: "--cors-origin", text })) ??
    pages?.text.match(/[^ ,]+/g)?.map((text) => ({ ...pages, text })) ?? [];
  const options = {
    port: Number(must(read("port", "PORT"), "a number from 0 to 65535", isPort) ?? 5000),
    host: must(host, "an address or a name, as in --host 127.0.0.1", isHost) ?? "127.0.0.1",
    db: must(read("db", "TODO_DB"), "a file, such as tasks.sqlite", (text) => text !== ""),
    etcdUser: name && secret && { name: name.text, password: secret.text },
    user: must(variable("TODO_USER"), USERNAME, isUsername) ?? TUTORIAL.username,
    password: variable("TODO_PASSWORD")?.text ?? TUTORIAL.password,
    tls: cert && key && { cert, key },
    publicUrl: publicUrl && readPublicUrl(publicUrl),
    corsOrigins: origins.map(readOrigin),
    registration: flags["no-registration"] ? "nobody" as const : "anyone" as const,
    keepAlive: Number(must(seconds, "1 to 99999 seconds", isKeepAlive)),
    quiet: flags.quiet,
  };
  if ((name === undefined) !== (secret === undefined)) {
    throw new UsageError("set both TODO_ETCD_USER and TODO_ETCD_PASSWORD, or neither");
  }
  if (key && !cert) throw new UsageError(`${key.name} needs a certificate: add --tls-cert FILE`);
  if (cert && !key) throw new UsageError(`${cert.name} needs a key: add --tls-key FILE`);
  const isPublic = options.publicUrl && !isLoopback(new URL(options.publicUrl).hostname);
  const open = isLoopback(options.host) ? (isPublic ? publicUrl : undefined) : host;
  if (open) checkPassword(options.password, open);
  return { ...options, reachable: open && `${open.name} ${open.text}` };
}

/** A variable, if it is not empty. */
function readVariable(name: string, text: string): Given | undefined {
  if (/\p{Cc}/u.test(text)) { // not shown: it may be a password
    const such = "such as the end of a line in a file from Windows";
    throw new UsageError(`${name} has a control character, ${such}: remove it`);
  }
  return text === "" ? undefined : { name, text };
}

/** The text of a value, if one was given. Throws UsageError if it is wrong. */
function must(given: Given | undefined, be: string, isRight: (text: string) => boolean) {
  if (given === undefined || isRight(given.text)) return given?.text;
  throw new UsageError(`${given.name} must be ${be}, not "${given.text}"`);
}

const isPort = (text: string) => /^\d{1,5}$/.test(text) && Number(text) <= 65535;
const isHost = (text: string) => isIP(text) > 0 || /^[a-z\d-]+(\.[a-z\d-]+)*\.?$/i.test(text);
const isKeepAlive = (text: string) => /^[1-9]\d{0,4}$/.test(text); // 0 would be for ever

/** Throws UsageError if the password is not fit for what lets other machines reach the server. */
function checkPassword(password: string, { name, text }: Given): void {
  if (password === TUTORIAL.password) {
    const fix = /host/i.test(name) ? "add --host 127.0.0.1" : "leave it out";
    const others = `${name} ${text} lets others reach the server, and they know "${password}"`;
    throw new UsageError(`${others}: ${fix}, or set TODO_PASSWORD`);
  }
  if (!isPassword(password)) throw new UsageError("TODO_PASSWORD must have 8 to 1024 characters");
}

function readPublicUrl(given: Given): string {
  const { href } = URL.canParse(given.text) ? new URL(given.text) : { href: "" };
  // Scheme, authority and perhaps a path, because the path of a task is appended to it.
  must(given, "like https://todo.example", () => /^https?:\/\/[^?#@]+$/.test(href));
  return href.replace(/\/+$/, "");
}

/** Reads an origin in the form that browsers send (RFC 6454 §6.2): it is compared as text. */
function readOrigin(given: Given): string {
  const { text } = given;
  const { protocol, host } = URL.canParse(text) ? new URL(text) : { protocol: "", host: "" };
  const isRight = () => host !== "" && !host.includes("*") && text === `${protocol}//${host}`;
  must(given, "the scheme, host and port of a page, such as http://localhost:3000", isRight);
  return text;
}
