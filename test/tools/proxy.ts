// A proxy between browser and server, for responses that no server of ours would send.

import { once } from "node:events";
import * as http from "node:http";
import type { TestContext } from "node:test";
import type { Server } from "./start.ts";

/** Passes requests on, and counts them. */
export interface Proxy {
  readonly origin: string;
  /** Method and path of each request for the API so far, such as `GET /tasks`. */
  asked: string[];
  /** Responds in place of the server. Returns false if the server should respond. */
  answer(line: string, response: http.ServerResponse): boolean;
  /** Changes the header fields of the server's responses. */
  spoil(headers: http.IncomingHttpHeaders): http.IncomingHttpHeaders;
  /** Whether the server's response is lost: all of it, or what follows its first bytes. */
  lose(line: string): "all" | "rest" | undefined;
  /** A request is passed on only when this has resolved. */
  gate: Promise<unknown>;
}

/** Starts a proxy on a free port. It ends with the test. */
export async function startProxy(t: TestContext, server: Server): Promise<Proxy> {
  const listener = http.createServer(async (request, response) => {
    // On a connection that has had a response, a browser itself would send a lost request again.
    response.shouldKeepAlive = false;
    const { method, headers, url = "" } = request;
    const line = `${method} ${url.replace("/todo/api/v1.0", "")}`;
    if (url.startsWith("/todo/")) proxy.asked.push(line);
    if (url.startsWith("/todo/") && proxy.answer(line, response)) return;
    await proxy.gate;
    const to = { host: "127.0.0.1", port: server.port, method, path: url, headers };
    const onward = http.request(to, (answer) => {
      const { connection: _, ...fields } = answer.headers;
      const lost = proxy.lose(line);
      if (lost) {
        if (lost === "rest") response.writeHead(answer.statusCode ?? 500, fields).write("{");
        answer.resume().on("end", () => response.destroy());
        return;
      }
      response.writeHead(answer.statusCode ?? 500, proxy.spoil(fields));
      answer.pipe(response);
    });
    onward.on("error", () => response.destroy());
    request.pipe(onward);
  });
  await once(listener.listen(0, "127.0.0.1"), "listening");
  t.after(() => {
    listener.closeAllConnections();
    listener.close();
  });
  const address = listener.address();
  const port = typeof address === "object" ? address?.port : undefined;
  const proxy: Proxy = {
    origin: `http://127.0.0.1:${port}`,
    asked: [],
    answer: () => false,
    spoil: (headers) => headers,
    lose: () => undefined,
    gate: Promise.resolve(),
  };
  return proxy;
}
