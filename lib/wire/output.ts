// Output that never makes the server wait for its reader.

import type { Buffer } from "node:buffer";
import { constants, openSync, write } from "node:fs";
import { Writable } from "node:stream";
import type { WriteStream } from "node:tty";

const AGAIN_MS = 50; // between two tries while a terminal takes no more
const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = constants;

/**
 * This output of the process as a stream that never blocks. On a terminal, node's own stream does:
 * if a person stops the terminal with Ctrl-S, the whole server would stop. If the reader goes away
 * (server.ts | head), the server goes on.
 */
export function output(stream: WriteStream & { readonly fd: number }): Writable {
  stream.on("error", () => {});
  const terminal = stream.isTTY ? openTerminal(stream.fd) : undefined;
  if (terminal === undefined) return stream;
  return new Writable({
    write(chunk: Buffer, _, done) {
      const writeFrom = (start: number) =>
        write(terminal, chunk, start, (error, bytes = 0) => {
          const isOver = start + bytes >= chunk.length || (error && error.code !== "EAGAIN");
          if (isOver) done(); // what a closed terminal does not take is lost
          else setTimeout(writeFrom, bytes > 0 ? 0 : AGAIN_MS, start + bytes);
        });
      writeFrom(0);
    },
  });
}

/** The terminal once more, because a descriptor that other processes share must keep blocking. */
function openTerminal(fd: number): number | undefined {
  try {
    return openSync(`/dev/fd/${fd}`, O_WRONLY | O_NONBLOCK | O_NOCTTY);
  } catch { // Windows has no such file, and its terminals do not block
    return undefined;
  }
}
