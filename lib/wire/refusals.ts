// Responses to requests that reach no handler.

import type { Buffer } from "node:buffer";
import type { IncomingMessage } from "node:http";
import { HttpError } from "../http/reply.ts";

const REQUEST_LINE = /^[\w!#$%&'*+.^`|~-]+ \S+ HTTP\/1\.\d\r?\n/;

/** The response to CONNECT. */
export const NO_PROXY = new HttpError(405, "this server is not a proxy", { Allow: "" });

/** The response to an Expect that is not 100-continue (RFC 9110 §10.1.1). */
export const unexpected = ({ headers }: IncomingMessage) =>
  Promise.resolve(
    new HttpError(
      417,
      `Expect: ${headers.expect} is not supported; send 100-continue, or no Expect`,
    ),
  );

/** What node tells of an error: the packet, and how much of it was good. */
interface ParserError extends NodeJS.ErrnoException {
  readonly rawPacket?: Buffer;
  readonly bytesParsed?: number;
}

const lineAt = (text: string, at: number) => text.slice(text.lastIndexOf("\n", at - 1) + 1);

/** The response to what node's parser refuses; unknown methods too (RFC 9110 §15.6.2). */
export function parserFailure(error: ParserError): HttpError {
  const { code, message, rawPacket, bytesParsed = 0 } = error;
  const packet = rawPacket?.toString("latin1") ?? "";
  const line = lineAt(packet, bytesParsed);
  if (packet.startsWith("\x16\x03")) { // the first bytes of a TLS handshake
    return new HttpError(400, "this port speaks plain HTTP; begin the URL with http:");
  }
  switch (code) {
    case "HPE_PAUSED_H2_UPGRADE": // the preface of HTTP/2 (RFC 9113 §3.4)
      return new HttpError(505, "send HTTP/1.1 (curl: leave out --http2-prior-knowledge)");
    case "HPE_INVALID_VERSION":
      if (!/ HTTP\/\d\.\d\r?\n/.test(line)) break;
      return new HttpError(505, "send HTTP/1.1");
    case "HPE_INVALID_METHOD":
      if (!REQUEST_LINE.test(line)) break;
      return new HttpError(501, "send GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS");
    case "HPE_INVALID_EOF_STATE":
      return new HttpError(400, "the request was cut off");
    case "HPE_HEADER_OVERFLOW":
      return new HttpError(
        431,
        "send at most 16 KiB of header fields; in a browser, delete cookies",
      );
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return new HttpError(408, "send the header fields within 10 s, the request within 30 s");
  }
  return new HttpError(400, `malformed HTTP: ${message.replace(/^Parse Error:? */, "")}`);
}
