// The description of the service for tools: where it is, and the link that leads to it.

import { getFile } from "../http/file.ts";
import type { Fields } from "../http/reply.ts";
import { path, type Route, route } from "../http/router.ts";

const DOCUMENT = path("/todo/api/v1.0/openapi.json");

/** The row of the router table for the description. */
export const openApiRoute: Route = route(
  "GET",
  DOCUMENT,
  "anyone",
  (call) => getFile(new URL("openapi.json", import.meta.url), call),
);

/** Header fields that lead clients to the description (RFC 8631). */
export const guide = (publicUrl = ""): Fields => ({
  Link: `<${publicUrl}${DOCUMENT.build({})}>; rel="service-desc"`,
});
