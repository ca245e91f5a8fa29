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

test("a bad flag or variable gets one line that names the fix", () => {
  const rows: [args: string[], env: Env, message: RegExp][] = [
    [["--prot", "1"], {}, /--prot.*--help/],
    [["-p", "1"], {}, /-p.*--help/],
    [["--port"], {}, /--port.*--help/],
    [["--port", "--quiet"], {}, /--port.*--help/],
    [["--port", "-1"], {}, /--port.*--help/],
    [["--quiet=yes"], {}, /--quiet.*--help/],
    [["5000"], {}, /5000.*--help/],
    [["--", "5000"], {}, /5000.*--help/],
    [["--port=-1"], {}, /port.*0 to 65535.*"-1"/],
    [["--port", "65536"], {}, /port.*0 to 65535.*"65536"/],
    [["--port", "abc"], {}, /port.*0 to 65535.*"abc"/],
    [["--port", "1.5"], {}, /port.*0 to 65535.*"1\.5"/],
    [["--port", "0x50"], {}, /port.*0 to 65535.*"0x50"/],
    [["--port", ""], {}, /port.*0 to 65535.*""/],
    [[], { PORT: "http" }, /port.*0 to 65535.*"http"/],
    ...["", "0", "-1", "5s", "1.5", "1e3", "100000"].map((seconds): [string[], Env, RegExp] => [
      [`--keep-alive=${seconds}`],
      {},
      new RegExp(`--keep-alive must be 1 to 99999 seconds, not "${seconds}"`),
    ]),
    [["--host", ""], {}, /host.*127\.0\.0\.1/],
    [["--db", ""], {}, /database.*--db tasks\.sqlite/],
    [["--public-url", ""], {}, /public URL.*https:.*""/],
    [[], { TODO_USER: "mig:uel" }, /TODO_USER.*letters/],
    [[], { TODO_USER: "mig uel" }, /TODO_USER.*letters/],
    [[], { TODO_USER: "m".repeat(65) }, /TODO_USER.*64/],
    [[], { TODO_USER: "." }, /TODO_USER/],
    [[], { TODO_USER: ".." }, /TODO_USER/],
    [[], { TODO_PUBLIC_URL: "todo.example" }, /public URL.*https:.*"todo\.example"/],
  ];
  for (const [args, env, message] of rows) {
    const said = refusal(args, env);
    assert.match(said, message);
    assert.doesNotMatch(said, /\n/);
  }
});

const LOOPBACK = ["localhost", "LOCALHOST", "127.0.0.1", "127.1.2.3", "::1"];
const ELSEWHERE = [
  "0.0.0.0",
  "::",
  "192.0.2.1",
  "todo.example",
  "127.0.0.1.example",
  "localhost.x",
];

/** Each way to be reachable from other machines: flags, variables, and the address in options. */
const REACHABLE: [args: string[], env: Env, name: string][] = [
  ...ELSEWHERE.flatMap((host): [string[], Env, string][] => [
    [["--host", host], {}, host],
    [[], { HOST: host }, host],
  ]),
  ...["https://todo.example", "http://192.0.2.1:8080/lists", "https://localhost.x"].flatMap(
    (url): [string[], Env, string][] => [
      [["--public-url", url], {}, url],
      [[], { TODO_PUBLIC_URL: url }, url],
    ],
  ),
];

test("with the tutorial's password the server only listens on a loopback address", () => {
  for (const host of LOOPBACK) {
    const url = `https://${host.includes(":") ? `[${host}]` : host}:8443`;
    for (const args of [["--host", host], ["--public-url", url]]) {
      assert.equal(refusal(args, {}), "", args.join(" "));
      assert.equal(readOptions(args, {})?.reachable, undefined, args.join(" "));
    }
  }
  for (const [args, env, name] of REACHABLE) {
    const published = [{}, { TODO_PASSWORD: "python" }, { TODO_USER: "susan" }];
    for (const more of published) {
      const said = refusal(args, { ...env, ...more });
      assert.ok(said.includes("TODO_PASSWORD") && said.includes(name), said);
    }
    assert.equal(readOptions(args, { ...env, ...PASSWORD })?.reachable, name);
  }
});

test("if other machines can reach the server, TODO_PASSWORD follows the rule for new users", () => {
  const bad = [
    "1234567",
    "\u{1F6D2}".repeat(7),
    "x".repeat(1025),
    "correct\nhorse",
    "password\x7f",
  ];
  const good = ["12345678", "\u{1F6D2}".repeat(8), "x".repeat(1024)];
  for (const [args, env] of REACHABLE) {
    for (const TODO_PASSWORD of bad) {
      assert.match(refusal(args, { ...env, TODO_PASSWORD }), /^TODO_PASSWORD .*8 to 1024/);
    }
    for (const TODO_PASSWORD of good) assert.equal(refusal(args, { ...env, TODO_PASSWORD }), "");
  }
  for (const TODO_PASSWORD of [...bad, ...good]) assert.equal(refusal([], { TODO_PASSWORD }), "");
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

  const bad = [
    ...["todo.example", "localhost:5000", "//todo.example", "/lists", "ftp://todo.example"],
    ...["https://", "https://to do.example", "https://todo.example:99999", "javascript:alert(1)"],
    ...["https://todo.example?a=b", "https://todo.example/#top", "https://me:pw@todo.example"],
  ];
  for (const text of bad) assert.match(refusal(["--public-url", text], {}), /public URL/, text);
});

test("TLS needs a certificate and a key, from flags or variables", () => {
  const both = { cert: "a.pem", key: "b.pem" };
  check([
    [["--tls-cert", "a.pem", "--tls-key", "b.pem"], {}, { tls: both }],
    [["--tls-cert", "a.pem"], { TODO_TLS_KEY: "b.pem" }, { tls: both }],
    [[], { TODO_TLS_CERT: "a.pem", TODO_TLS_KEY: "b.pem" }, { tls: both }],
    [["--tls-key", "b.pem"], { TODO_TLS_CERT: "a.pem", TODO_TLS_KEY: "c.pem" }, { tls: both }],
  ]);
  assert.match(refusal(["--tls-cert", "a.pem"], {}), /both: add --tls-key/);
  assert.match(refusal([], { TODO_TLS_KEY: "b.pem" }), /both: add --tls-cert/);
});

test("an origin is a scheme, a host, perhaps a port, exactly as browsers send it", () => {
  const good = ["https://app.example", "http://localhost:3000", "http://[::1]:81", "app://host"];
  const flags = good.flatMap((origin) => ["--cors-origin", origin]);
  check([
    [flags, {}, { corsOrigins: good }],
    [[], { TODO_CORS_ORIGIN: good.join(",") }, { corsOrigins: good }],
    [[], { TODO_CORS_ORIGIN: ` ${good.join(" , ")}\n` }, { corsOrigins: good }],
    [["--cors-origin", "http://a"], { TODO_CORS_ORIGIN: "http://b" }, {
      corsOrigins: ["http://a"],
    }],
  ]);
  const bad = [
    ...["", "*", "https://*", "https://*.app.example", "app.example", "localhost:3000", "//a"],
    ...["https://app.example/", "https://app.example/a", "https://app.example?a", "https://a#b"],
    ...["https://me@app.example", "https://app.example:443", "http://a:80", "http://a:99999"],
    ...["HTTPS://app.example", "https://App.example", "https://b\u00fccher.example", "file://"],
    ...["https://a,https://b", "https://a https://b", "mailto:a@b", "https://"],
  ];
  for (const origin of bad) {
    const said = refusal(["--cors-origin", origin], {});
    assert.match(said, /^a CORS origin .* like https:\/\/app\.example .*, not "/, origin);
    assert.ok(said.endsWith(`"${origin}"`));
  }
  assert.match(refusal([], { TODO_CORS_ORIGIN: "http://a,null" }), /any site can .* "null"; name/);
});
