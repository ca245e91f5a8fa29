// The one place that writes a response.

import { Buffer } from "node:buffer";
import { once } from "node:events";
import { type ServerResponse, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { pipeline } from "node:stream/promises";
import type { Reply } from "../http/reply.ts";

const LINGER_MS = 1000; // for a client to stop sending
const MOST_LONG = 200; // long responses at once: each waits with a chunk in memory

/** The header section of a reply: names and values in turn, as writeHead is fastest with these. */
function headerSection({ status, text = "", chunks, fields = {} }: Reply, safe: boolean): string[] {
  const section: string[] = [];
  const isJson = fields["Content-Type"] === undefined && (text !== "" || chunks !== undefined);
  if (isJson) section.push("Content-Type", "application/json");
  if (text !== "") section.push("Content-Length", `${Buffer.byteLength(text)}`);
  section.push("Cache-Control", safe && status < 400 ? "private, no-cache" : "no-store");
  section.push("X-Content-Type-Options", "nosniff");
  for (const name in fields) section.push(name, fields[name] ?? "");
  return section;
}

/**
 * Writes a response. After it, the connection is closed or stays open for so many seconds. Returns
 * how many bytes of content it has, or for chunks a promise of that. `long` has the connections
 * that get chunks: of too many the slowest is closed. Throws for a field value that node refuses.
 */
export function send(
  response: ServerResponse,
  reply: Reply,
  then: "close" | number,
  long: Set<Socket>,
): number | Promise<number> {
  const { method } = response.req;
  const { status, text = "", chunks } = reply;
  const section = headerSection(reply, method === "GET" || method === "HEAD");
  if (then === "close") section.push("Connection", "close");
  else if (response.shouldKeepAlive && response.req.httpVersionMinor > 0) {
    section.push("Keep-Alive", `timeout=${then}`); // for HTTP/1.0, node may still decide to close
  }
  response.writeHead(status, section);
  if (chunks !== undefined && method === "GET") return sendChunks(response, chunks, long);
  if (text !== "") {
    // cork() makes one write of header section and content. end(text) would take two.
    response.socket?.cork();
    response.write(text);
    response.socket?.uncork();
  }
  const { complete, readableEnded } = response.req; // or if it had no content, only the latter
  // Bun sends the end of the header section of a response to HEAD only with end().
  if (then !== "close" || complete || readableEnded || method === "HEAD") response.end();
  else endGently(response);
  return method === "HEAD" ? 0 : Buffer.byteLength(text);
}

// Writes as fast as the client reads, and ends if the client goes away.
async function sendChunks(
  response: ServerResponse,
  chunks: AsyncIterable<string>,
  long: Set<Socket>,
): Promise<number> {
  const { socket } = response.req;
  let bytes = 0;
  const counted = async function* (chunks: AsyncIterable<string>) {
    try {
      for await (const chunk of chunks) {
        long.delete(socket);
        const [slowest] = long;
        if (long.size >= MOST_LONG && slowest?.destroy()) long.delete(slowest);
        long.add(socket); // the first in the set has taken no chunk for longest
        // Text makes Node 26.9 wait for ever: it counts its characters here, and its bytes there.
        const content = Buffer.from(chunk);
        bytes += content.length;
        yield content;
      }
    } finally {
      long.delete(socket);
    }
  };
  await pipeline(chunks, counted, response).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ERR_STREAM_PREMATURE_CLOSE") console.error(error);
  });
  return bytes;
}

// Closing while the client is still sending resets the connection, and the client may lose the
// response. So its data is read and dropped first, for a second at most.
async function endGently(response: ServerResponse): Promise<void> {
  response.flushHeaders(); // if there is no content, they are not sent yet
  const signal = AbortSignal.timeout(LINGER_MS);
  await once(response.req.resume(), "close", { signal }).catch(() => {});
  response.end();
}

/** A last response as bytes, for a connection whose request node could not parse. */
export function printReply(reply: Reply): string {
  const section = headerSection(reply, false);
  const lines = [`HTTP/1.1 ${reply.status} ${STATUS_CODES[reply.status]}`];
  for (let i = 0; i < section.length; i += 2) lines.push(`${section[i]}: ${section[i + 1]}`);
  lines.push("Connection: close", `Date: ${new Date().toUTCString()}`);
  return `${lines.join("\r\n")}\r\n\r\n${reply.text ?? ""}`;
}
