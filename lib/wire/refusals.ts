// Answers to what never became a request.

import { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { HttpError } from "../http/reply.ts";

/** A response on a socket whose bytes were no request. */
export function responseOn(socket: Socket): ServerResponse {
  const request = new IncomingMessage(socket);
  request.complete = true;
  const response = new ServerResponse(request);
  response.assignSocket(socket);
  return response;
}

/** What is answered for an error of node's parser. */
export function parserFailure({ code, message }: NodeJS.ErrnoException): HttpError {
  switch (code) {
    case "HPE_HEADER_OVERFLOW":
      return new HttpError(431, "the header section is larger than 16 KiB");
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return new HttpError(408, "send the header fields within 10 s, the request within 30 s");
    default:
      return new HttpError(400, `malformed HTTP: ${message}`);
  }
}

export const HTTP_WITHOUT_TLS = new HttpError(
  400,
  "this port speaks HTTPS; begin the URL with https:",
);
