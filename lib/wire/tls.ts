// HTTPS: reads a certificate and its key from files, and does what node:https leaves to do until
// the end of a handshake. After it, the connection is treated like any other.

import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:https";
import type { Socket } from "node:net";
import { createSecureContext, type SecureContextOptions } from "node:tls";
import { HttpError } from "../http/reply.ts";
import type { AddFields } from "./exchanges.ts";
import { TlsError } from "./listen.ts";
import { printReply } from "./send.ts";
import { LIMITS, type Limits } from "./server.ts";
import { isAddress } from "./target.ts";

const HANDSHAKE_MS = 10_000;
const PLAIN_HTTP = new HttpError(400, "this port speaks HTTPS; begin the URL with https:");
// From now on, browsers use only HTTPS for half a year (RFC 6797). Only the operator can decide
// whether subdomains do so too.
const STRICT_TRANSPORT = { "Strict-Transport-Security": "max-age=15768000" };

/** Two files in PEM. After the server's certificate come those that lead from it to a root. */
export interface TlsFiles {
  readonly cert: NamedFile;
  readonly key: NamedFile;
}

/** A file, and what named it: `--tls-cert` or `TODO_TLS_CERT`. */
interface NamedFile {
  readonly name: string;
  readonly text: string;
}

/** Reads both and checks that they fit. Throws a TlsError of one line that names the fix. */
function readTlsFiles(files: TlsFiles): SecureContextOptions {
  const [cert, key] = [read(files.cert), read(files.key)];
  const certificate = explained(
    () => `${files.cert.name} must name a certificate in PEM, not ${files.cert.text}`,
    () => new X509Certificate(cert),
  );
  const privateKey = explained(
    () => `${files.key.name} must name a key in PEM without a passphrase, not ${files.key.text}`,
    () => createPrivateKey(key),
  );
  if (!certificate.checkPrivateKey(privateKey)) {
    throw new TlsError(
      `the key in ${files.key.text} does not fit the first certificate in ${files.cert.text}`,
    );
  }
  const context = { cert, key, minVersion: "TLSv1.2" } as const;
  explained(
    (reason) => `${files.cert.text} and ${files.key.text} cannot be used for TLS: ${reason}`,
    () => createSecureContext(context),
  );
  return context;
}

const read = ({ name, text }: NamedFile) =>
  explained(
    (reason) => `${name} must name a file that can be read: ${reason}`,
    () => readFileSync(text, "utf8"),
  );

/** Calls `act`. If it fails, throws a TlsError with this message. */
function explained<T>(message: (reason: string) => string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw new TlsError(message(error instanceof Error ? error.message.trim() : String(error)));
  }
}

/** HTTPS for `serve`: a server, header fields for every response, and `renew`. */
export interface Https {
  readonly server: Server;
  readonly addFields: AddFields;
  /** Reads the files again, for new connections; open ones stay. Logs whether that worked. */
  renew(): void;
}

/** Makes HTTPS with what these files hold. Throws a TlsError that names the fix. */
export function https(files: TlsFiles, limits?: Limits): Https {
  const server = createServer({
    ...LIMITS,
    ...readTlsFiles(files),
    allowHalfOpen: true, // as with node:http
    handshakeTimeout: HANDSHAKE_MS,
    ...limits,
  });
  // TCP sockets whose handshake is under way, by client address: a TLS socket does not expose its
  // TCP socket.
  const handshakes = new Map<string, Socket>();
  server.on("connection", (socket) => {
    const client = addressOf(socket);
    handshakes.set(client, socket);
    socket.on("close", () => handshakes.delete(client));
  });
  server.on("secureConnection", (socket) => {
    handshakes.delete(addressOf(socket));
    // Deno 2.9 loses an empty write, and node:http ends each response with one.
    const { _write: write } = socket;
    socket._write = (chunk, encoding, done) =>
      chunk.length === 0 ? done() : write.call(socket, chunk, encoding, done);
  });
  server.on("tlsClientError", (error: NodeJS.ErrnoException, socket) => {
    const tcp = handshakes.get(addressOf(socket));
    if (error.code === "ERR_SSL_HTTP_REQUEST" && tcp !== undefined) {
      tcp.on("error", () => {}); // the client may be gone
      tcp.end(printReply(PLAIN_HTTP));
    }
    socket.destroy();
  });
  // node's own close would wait for handshakes that are never finished.
  const close = server.close.bind(server);
  server.close = (done) => {
    for (const socket of handshakes.values()) socket.destroy();
    return close(done);
  };
  return { server, addFields: strictTransport, renew: () => renew(server, files) };
}

function renew(server: Server, files: TlsFiles): void {
  try {
    server.setSecureContext(readTlsFiles(files));
    console.log("The certificate was read again");
  } catch (error) {
    const reason = error instanceof Error ? error.message : error;
    console.error(`the certificate stays as it was: ${reason}`);
  }
}

const addressOf = ({ remoteAddress, remotePort }: Socket) => `${remoteAddress} ${remotePort}`;

/** Not for localhost or an address: that would lock plain HTTP on every other port, too. */
const strictTransport: AddFields = ({ headers: { host = "localhost" } }, reply) =>
  isAddress(host) ? reply : { ...reply, fields: { ...reply.fields, ...STRICT_TRANSPORT } };
