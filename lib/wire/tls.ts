// HTTPS: a certificate and its key out of files, and what node:https leaves to do until a handshake
// is done. From there on server.ts does not know the difference.

import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:https";
import type { Socket } from "node:net";
import { createSecureContext, type SecureContextOptions } from "node:tls";
import { HTTP_WITHOUT_TLS, responseOn } from "./refusals.ts";
import { send } from "../http/reply.ts";
import { type Finish, LIMITS } from "./server.ts";

const HANDSHAKE_MS = 10_000;
// For half a year from now: come with HTTPS or not at all (RFC 6797). To speak for the names below
// this one, or for ever, is not for a server to decide.
const STRICT_TRANSPORT = { "Strict-Transport-Security": "max-age=15768000" };

/** Two files in PEM. Below the server's certificate stand those that lead from it to a root. */
export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
}

/** Reads both, and looks whether they fit. Throws an Error that names the mend, in one line. */
function readTlsFiles(files: TlsFiles): SecureContextOptions {
  const cert = read("--tls-cert", files.cert);
  const key = read("--tls-key", files.key);
  const certificate = attempt(
    () => new X509Certificate(cert),
    () => `--tls-cert must name a certificate in PEM, not ${files.cert}`,
  );
  const privateKey = attempt(
    () => createPrivateKey(key),
    () => `--tls-key must name a key in PEM that needs no passphrase, not ${files.key}`,
  );
  if (!certificate.checkPrivateKey(privateKey)) {
    throw new Error(`the key in ${files.key} does not fit the first certificate in ${files.cert}`);
  }
  const context = { cert, key, minVersion: "TLSv1.2" } as const;
  attempt(
    () => createSecureContext(context),
    (reason) => `${files.cert} and ${files.key} are of no use to TLS: ${reason}`,
  );
  return context;
}

const read = (flag: string, file: string) =>
  attempt(
    () => readFileSync(file, "utf8"),
    (reason) => `${flag} must name a file that can be read: ${reason}`,
  );

function attempt<T>(act: () => T, mend: (reason: string) => string): T {
  try {
    return act();
  } catch (error) {
    throw new Error(mend(error instanceof Error ? error.message.trim() : String(error)));
  }
}

/** HTTPS for `serve`: a server, its say in every answer, and `renew`, which reads the files again. */
export interface Https {
  readonly server: Server;
  readonly finish: Finish;
  /** For new connections; those that are open stay. Throws as readTlsFiles does. */
  renew(): void;
}

/** HTTPS with what these files hold. Throws as readTlsFiles does. */
export function https(files: TlsFiles): Https {
  const server = createServer({
    ...LIMITS,
    ...readTlsFiles(files),
    allowHalfOpen: true, // as with node:http
    handshakeTimeout: HANDSHAKE_MS,
  });
  // What is beneath each handshake; by the client's address, as no socket tells of the other.
  const handshakes = new Map<string, Socket>();
  server.on("connection", (socket) => {
    const client = addressOf(socket);
    handshakes.set(client, socket);
    socket.on("close", () => handshakes.delete(client));
  });
  server.on("secureConnection", (socket) => {
    handshakes.delete(addressOf(socket));
    // Deno 2.9 forgets about an empty write, and node:http ends its answers with one.
    const { _write: write } = socket;
    socket._write = (chunk, encoding, done) =>
      chunk.length === 0 ? done() : write.call(socket, chunk, encoding, done);
  });
  server.on("tlsClientError", (error: NodeJS.ErrnoException, socket) => {
    const beneath = handshakes.get(addressOf(socket));
    if (error.code === "ERR_SSL_HTTP_REQUEST" && beneath !== undefined) {
      beneath.on("error", () => {}); // the client may be gone
      send(responseOn(beneath), HTTP_WITHOUT_TLS, true);
    }
    socket.destroy();
  });
  // node's own would wait for handshakes that nobody finishes.
  const close = server.close.bind(server);
  server.close = (done) => {
    for (const socket of handshakes.values()) socket.destroy();
    return close(done);
  };
  const renew = () => server.setSecureContext(readTlsFiles(files));
  return { server, finish: strictTransport, renew };
}

const addressOf = ({ remoteAddress, remotePort }: Socket) => `${remoteAddress} ${remotePort}`;

const strictTransport: Finish = (_, reply) => ({
  ...reply,
  fields: { ...reply.fields, ...STRICT_TRANSPORT },
});
