// The description of the service for tools: where it is, and the link that leads to it.

import { readFile } from "node:fs/promises";
import { fileReply } from "../http/file.ts";
import type { Fields } from "../http/reply.ts";
import { path, type Route, route } from "../http/router.ts";

const DOCUMENT = path("/todo/api/v1.0/openapi.json");
const WRITTEN = "http://127.0.0.1:5000"; // the address in the file

/** The row of the router table for the description, with the address that the client uses. */
export function openApiRoute(): Route {
  const reading = readFile(new URL("openapi.json", import.meta.url), "utf8");
  return route("GET", DOCUMENT, "anyone", async (call) => {
    const text = await reading;
    return fileReply(text.replaceAll(WRITTEN, () => call.origin), call);
  });
}

/** Header fields that lead clients to the description (RFC 8631). */
export const guide = (publicUrl = ""): Fields => ({
  Link: `<${publicUrl}${DOCUMENT.build({})}>; rel="service-desc"`,
});
