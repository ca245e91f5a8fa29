// Flags and variables: what they mean, which one wins, and the message about a bad one.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Options, readOptions, UsageError } from "../../lib/options.ts";

type Env = Readonly<Record<string, string>>;
type Row = [args: string[], env: Env, expected: Partial<Options>];

const PASSWORD: Env = { TODO_PASSWORD: "correct horse" };

/** The message with which readOptions refuses these, or "" if it accepts them. */
function refusal(args: string[], env: Env): string {
  try {
    readOptions(args, env);
    return "";
  } catch (error) {
    if (error instanceof UsageError) return error.message;
    throw error;
  }
}

/** Checks those options that a row names. */
function check(rows: Row[]): void {
  for (const [args, env, expected] of rows) {
    const options = readOptions(args, env);
    assert.deepEqual(options, { ...options, ...expected }, JSON.stringify([args, env]));
  }
}

test("without flags and variables, the server is the tutorial's service", () => {
  const defaults = {
    port: 5000,
    host: "127.0.0.1",
    reachable: undefined,
    db: undefined,
    user: "miguel",
    password: "python",
    tls: undefined,
    publicUrl: undefined,
    corsOrigins: [],
    registration: "anyone" as const,
    keepAlive: 75,
    quiet: false,
  };
  check([
    [[], {}, defaults],
    [[], { PORT: "", HOST: "", TODO_USER: "", TODO_PASSWORD: "", TODO_PUBLIC_URL: "" }, defaults],
    [[], { TODO_DB: "" }, defaults],
    [[], { TODO_TLS_CERT: "", TODO_TLS_KEY: "", TODO_CORS_ORIGIN: "" }, defaults],
  ]);
});

test("a flag wins over its variable", () => {
  const env = {
    PORT: "8080",
    HOST: "localhost",
    TODO_PUBLIC_URL: "https://a.example",
    TODO_PASSWORD: "correct horse",
  };
  check([
    [[], env, { port: 8080, host: "localhost", publicUrl: "https://a.example" }],
    [["--port", "0"], env, { port: 0, host: "localhost" }],
    [["--port=65535"], env, { port: 65535 }],
    [["--host", "127.0.0.2"], env, { port: 8080, host: "127.0.0.2" }],
    [["--public-url", "https://b.example"], env, { publicUrl: "https://b.example" }],
    [["--port", "1"], { PORT: "not even looked at" }, { port: 1 }],
    [["--quiet"], {}, { quiet: true }],
    [["--no-registration"], {}, { registration: "nobody" }],
    [["--keep-alive", "5"], {}, { keepAlive: 5 }],
    [["--keep-alive=99999"], {}, { keepAlive: 99_999 }],
    [[], { TODO_DB: "a.sqlite" }, { db: "a.sqlite" }],
    [["--db", "b.sqlite"], { TODO_DB: "a.sqlite" }, { db: "b.sqlite" }],
    [[], { TODO_USER: "s.u_s-1", TODO_PASSWORD: "a:b c" }, { user: "s.u_s-1", password: "a:b c" }],
  ]);
});

test("--help works whatever the variables hold", () => {
  assert.equal(readOptions(["--quiet", "--help"], { PORT: "http" }), undefined);
});

/** What each option must be, by its flag, by its variable, and values that are not that. */
const WRONG: [flag: string, variable: string, mustBe: RegExp, values: string[]][] = [
  [
    "--port",
    "PORT",
    /a number from 0 to 65535/,
    ["-1", "65536", "abc", "1.5", "0x50", " 1", "http", "tcp://10.0.0.1:5000"],
  ],
  [
    "--host",
    "HOST",
    /an address or a name, as in --host 127\.0\.0\.1/,
    [
      "localhost:5000",
      "127.0.0.1:80",
      "x86_64-conda-linux-gnu",
      "[::1]:80",
      "a b",
      "http://a",
      "[",
    ],
  ],
  ["--keep-alive", "", /1 to 99999 seconds/, ["0", "-1", "5s", "1.5", "1e3", "100000"]],
  ["", "TODO_USER", /1 to 64 letters, digits/, ["mig:uel", "mig uel", "m".repeat(65), ".", ".."]],
  ["--public-url", "TODO_PUBLIC_URL", /like https:\/\/todo\.example/, [
    ...["todo.example", "localhost:5000", "//todo.example", "/lists", "ftp://todo.example"],
    ...["https://", "https://to do.example", "https://todo.example:99999", "javascript:alert(1)"],
    ...["https://todo.example?a=b", "https://todo.example/#top", "https://me:pw@todo.example"],
  ]],
  ["--cors-origin", "TODO_CORS_ORIGIN", /the scheme, host and port of a page, such as http/, [
    ...["*", "null", "https://*", "https://*.app.example", "app.example", "localhost:3000", "//a"],
    ...["https://app.example/", "https://app.example/a", "https://app.example?a", "https://a#b"],
    ...["https://me@app.example", "https://app.example:443", "http://a:80", "http://a:99999"],
    ...["HTTPS://app.example", "https://App.example", "https://b\u00fccher.example", "file://"],
    ...["mailto:a@b", "https://"],
  ]],
  ["--db", "", /a file, such as tasks\.sqlite/, [""]],
];

test("a message says where a wrong value came from, and what it must be", () => {
  for (const [flag, variable, mustBe, values] of WRONG) {
    for (const value of [...values, ...flag === "" ? [] : [""]]) {
      const asFlag = flag && refusal([`${flag}=${value}`], { [variable]: "not even looked at" });
      const asVariable = variable && value && refusal([], { [variable]: value });
      for (const [name, said] of [[flag, asFlag], [variable, asVariable]] as const) {
        if (said === "") continue;
        assert.ok(said.startsWith(`${name} must be `), said);
        assert.match(said, mustBe);
        assert.ok(said.endsWith(`, not "${value}"`), said);
      }
      assert.ok(asFlag || asVariable, `${flag} ${variable} accepts ${value}`);
    }
  }
});

test("a variable with a control character is refused by its name, and is not shown", () => {
  const names = ["PORT", "HOST", "TODO_DB", "TODO_TLS_CERT", "TODO_TLS_KEY", "TODO_PUBLIC_URL"];
  names.push("TODO_CORS_ORIGIN", "TODO_USER", "TODO_PASSWORD", "TODO_ETCD_USER");
  for (const name of [...names, "TODO_ETCD_PASSWORD"]) {
    for (const control of ["\r", "\n", "\x7f", "\x85"]) {
      const said = refusal([], { [name]: `secret${control}` });
      assert.match(said, new RegExp(`^${name} has a control character, .*: remove it$`));
      assert.doesNotMatch(said, /secret/);
    }
  }
});

test("a flag that does not exist gets one line that leads to --help", () => {
  const rows = [["--prot", "1"], ["-p", "1"], ["--port"], ["--port", "--quiet"], ["--port", "-1"]];
  for (const args of [...rows, ["--quiet=yes"], ["5000"], ["--", "5000"]]) {
    const said = refusal(args, {});
    const asked = args.find((arg) => arg !== "--")?.split("=")[0] ?? "";
    assert.ok(said.includes(asked) && said.endsWith("; --help lists the options"), said);
    assert.doesNotMatch(said, /\n/);
  }
});

const LOOPBACK = ["localhost", "LOCALHOST", "127.0.0.1", "127.1.2.3", "::1", "[::1]"];
const ELSEWHERE = [
  "0.0.0.0",
  "::",
  "192.0.2.1",
  "aarch64-conda-linux-gnu",
  "todo.example",
  "127.0.0.1.example",
  "localhost.x",
];

/** Each way to be reachable from other machines: flags, variables, and what options say of it. */
const REACHABLE: [args: string[], env: Env, name: string][] = [
  ...ELSEWHERE.flatMap((host): [string[], Env, string][] => [
    [["--host", host], {}, `--host ${host}`],
    [[], { HOST: host }, `HOST ${host}`],
  ]),
  ...["https://todo.example", "http://192.0.2.1:8080/lists", "https://localhost.x"].flatMap(
    (url): [string[], Env, string][] => [
      [["--public-url", url], {}, `--public-url ${url}`],
      [[], { TODO_PUBLIC_URL: url }, `TODO_PUBLIC_URL ${url}`],
    ],
  ),
];

test("with the tutorial's password the server only listens on a loopback address", () => {
  for (const host of LOOPBACK) {
    const url = `https://${host === "::1" ? "[::1]" : host}:8443`;
    for (const args of [["--host", host], ["--public-url", url]]) {
      assert.equal(refusal(args, {}), "", args.join(" "));
      assert.equal(readOptions(args, {})?.reachable, undefined, args.join(" "));
    }
  }
  for (const [args, env, name] of REACHABLE) {
    const published = [{}, { TODO_PASSWORD: "python" }, { TODO_USER: "susan" }];
    for (const more of published) {
      const said = refusal(args, { ...env, ...more });
      assert.ok(said.startsWith(`${name} lets others reach the server, and they know "python"`));
      const fix = /^(--host|HOST) /.test(name) ? "add --host 127.0.0.1" : "leave it out";
      assert.ok(said.endsWith(`: ${fix}, or set TODO_PASSWORD`), said);
    }
    assert.equal(readOptions(args, { ...env, ...PASSWORD })?.reachable, name);
  }
});

test("if other machines can reach the server, TODO_PASSWORD follows the rule for new users", () => {
  const bad = ["1234567", "\u{1F6D2}".repeat(7), "x".repeat(1025)];
  const good = ["12345678", "\u{1F6D2}".repeat(8), "x".repeat(1024)];
  for (const [args, env] of REACHABLE) {
    for (const TODO_PASSWORD of bad) {
      assert.match(refusal(args, { ...env, TODO_PASSWORD }), /^TODO_PASSWORD .*8 to 1024/);
    }
    for (const TODO_PASSWORD of good) assert.equal(refusal(args, { ...env, TODO_PASSWORD }), "");
  }
  for (const TODO_PASSWORD of [...bad, ...good]) assert.equal(refusal([], { TODO_PASSWORD }), "");
});

test("an address in brackets, as in a URL, is an address", () => {
  check([
    [["--host", "[::1]"], {}, { host: "::1" }],
    [[], { HOST: "[::]", ...PASSWORD }, { host: "::" }],
  ]);
});

test("a public URL has a scheme, an authority, perhaps a path, and no slash at its end", () => {
  const good = [
    ["https://todo.example", "https://todo.example"],
    ["http://todo.example:8080", "http://todo.example:8080"],
    ["https://[::1]:8443", "https://[::1]:8443"],
    ["https://todo.example/", "https://todo.example"],
    ["https://todo.example/lists//", "https://todo.example/lists"],
    ["HTTPS://Todo.Example:443/Lists", "https://todo.example/Lists"],
  ] as const;
  check(good.map(([text, publicUrl]): Row => [["--public-url", text], PASSWORD, { publicUrl }]));
});

test("TLS needs a certificate and a key, from flags or variables", () => {
  const [cert, key] = ["--tls-cert", "--tls-key"].map((name) => ({ name, text: "a.pem" }));
  assert.ok(cert && key);
  const [withCert, withKey] = [["--tls-cert", "a.pem"], ["--tls-key", "a.pem"]];
  const TODO_TLS_KEY = "a.pem";
  check([
    [[...withCert, ...withKey], {}, { tls: { cert, key } }],
    [withCert, { TODO_TLS_KEY }, { tls: { cert, key: { ...key, name: "TODO_TLS_KEY" } } }],
    [[...withCert, ...withKey], { TODO_TLS_KEY: "b.pem" }, { tls: { cert, key } }],
  ]);
  const one = (flag: string) => refusal([flag, "a.pem"], {});
  assert.equal(one("--tls-cert"), "--tls-cert needs a key: add --tls-key FILE");
  assert.equal(one("--tls-key"), "--tls-key needs a certificate: add --tls-cert FILE");
  const said = refusal([], { TODO_TLS_KEY });
  assert.equal(said, "TODO_TLS_KEY needs a certificate: add --tls-cert FILE");
});

test("an origin is a scheme, a host, perhaps a port, exactly as browsers send it", () => {
  const good = ["https://app.example", "http://localhost:3000", "http://[::1]:81", "app://host"];
  const flags = good.flatMap((origin) => ["--cors-origin", origin]);
  check([
    [flags, {}, { corsOrigins: good }],
    [[], { TODO_CORS_ORIGIN: good.join(",") }, { corsOrigins: good }],
    [[], { TODO_CORS_ORIGIN: ` ${good.join(" , ")} ` }, { corsOrigins: good }],
    [["--cors-origin", "http://a"], { TODO_CORS_ORIGIN: "http://b" }, {
      corsOrigins: ["http://a"],
    }],
  ]);
  for (const two of ["https://a,https://b", "https://a https://b"]) { // only the variable is a list
    assert.match(refusal(["--cors-origin", two], {}), /^--cors-origin must be /);
  }
});
