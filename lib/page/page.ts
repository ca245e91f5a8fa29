// The page for people: the files that a browser fetches, and what it may do with them.

import { readFile } from "node:fs/promises";
import { fileReply } from "../http/file.ts";
import { path, type Route, route } from "../http/router.ts";

const SCRIPTS = "api app deletion form list outbox session status task view".split(" ");
const FILES = ["index.html", "style.css", "icon.svg", ...SCRIPTS.map((name) => `${name}.js`)];

const TYPES: Readonly<Record<string, string>> = {
  html: "text/html",
  css: "text/css",
  js: "text/javascript",
  svg: "image/svg+xml",
};

// A browser runs, loads and sends what the page needs, and nothing else, whatever a task contains.
// It sends no form by itself: without the scripts, the password would end up in the address.
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

/** The page's rows of the router table, one for each file. */
export function pageRoutes(): Route[] {
  return FILES.map((name) => {
    const reading = readFile(new URL(name, import.meta.url), "utf8");
    const fields = {
      "Content-Type": `${TYPES[name.slice(name.lastIndexOf(".") + 1)]}; charset=utf-8`,
      "Content-Security-Policy": POLICY,
      "Cross-Origin-Opener-Policy": "same-origin", // no handle for the site that opened it
      "Cross-Origin-Resource-Policy": "same-origin",
      "Referrer-Policy": "no-referrer",
    };
    const at = path(name === "index.html" ? "/" : `/page/${name}`);
    return route("GET", at, "anyone", async (call) => fileReply(await reading, call, fields));
  });
}
