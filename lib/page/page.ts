// The page for people, as a browser fetches it: its files, and what a browser may do with them.

import { getFile } from "../http/file.ts";
import type { Reply } from "../http/reply.ts";
import type { Call } from "../http/router.ts";

const TYPES: Readonly<Record<string, string>> = {
  html: "text/html",
  css: "text/css",
  js: "text/javascript",
  svg: "image/svg+xml",
};

// What the page needs and nothing else: so much a browser runs, loads and sends, whatever may stand
// in a task. No form is sent by the browser itself: without the scripts, its password would be in
// the address.
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

/** 200 with a file of this folder, or 304. */
export function getPage(name: string, call: Call): Promise<Reply> {
  return getFile(new URL(name, import.meta.url), call, {
    "Content-Type": `${TYPES[name.slice(name.lastIndexOf(".") + 1)]}; charset=utf-8`,
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
  });
}
