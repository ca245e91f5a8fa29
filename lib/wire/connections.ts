// The open connections of a server, and a stop that lets every response end.

import type { Server } from "node:http";
import type { Socket } from "node:net";
import { Connection } from "./connection.ts";

const MOST_OPEN = 2000; // connections
const UNREAD_MS = 30_000; // for a client to take bytes of a response; node may wait twice as long
const STALLED_MS = 3000; // while stopping, for a byte to pass either way
const STOP_MS = 8500; // while stopping, for everything; then the log has a second

/** Keeps the connections of a server. */
export class Connections {
  readonly #server: Server;
  readonly #open = new Map<Socket, Connection>();

  constructor(server: Server) {
    this.#server = server;
    // With TLS, a connection counts from the end of its handshake; the TCP socket below it is not
    // tracked. Bun has no setSecureContext, and its "connection" comes after the handshake.
    const begins = "setSecureContext" in server ? "secureConnection" : "connection";
    server.on(begins, (socket: Socket) => {
      if (this.#open.size >= MOST_OPEN) this.#makeRoom(socket);
      this.#open.set(socket, new Connection(socket));
      socket.on("close", () => this.#open.delete(socket));
    });
  }

  /** Ends the oldest idle connection, or if none is idle, the new one. */
  #makeRoom(newest: Socket): void {
    const [socket] = [...this.#open].find(([, connection]) => connection.isIdle) ?? [newest];
    socket.destroy();
  }

  /** The connection of a socket, if it is open. */
  of(socket: Socket): Connection | undefined {
    return this.#open.get(socket);
  }

  /** Whether the server goes on: while it stops, no connection is used again. */
  get goOn(): boolean {
    return this.#server.listening;
  }

  /** How many milliseconds a client may take none of a response's bytes. */
  get patience(): number {
    return this.goOn ? UNREAD_MS : STALLED_MS;
  }

  /** Called once a second: ends connections that were idle for more than `most` calls. */
  endIdle(most: number): void {
    for (const [socket, connection] of this.#open) {
      if (connection.isIdleFor(most)) socket.destroySoon();
    }
  }

  /** Takes no more connections, and resolves when the last response has been sent. */
  async stop(): Promise<void> {
    // node's own would destroy connections whose last response is not yet sent.
    this.#server.closeIdleConnections = () => {};
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const [socket, { last }] of this.#open) {
      const end = () => socket.destroySoon();
      if (last === undefined || last.response.writableFinished) end();
      else last.response.once("finish", end);
      // Only if it waits for the client: a handler may need longer.
      const waits = last?.response.headersSent !== false || !last.request.complete ||
        socket.writableLength > 0; // an earlier response
      if (waits) socket.setTimeout(STALLED_MS);
    }
    const deadline = setTimeout(() => {
      for (const socket of this.#open.keys()) socket.destroy(); // node forgets those of CONNECT
    }, STOP_MS);
    await closed;
    clearTimeout(deadline);
  }
}
