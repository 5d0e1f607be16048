/**
 * The HTTP server of the streamer: Node's, as Deno has it, since it lets go of a socket. A request is read and its
 * head is answered by the server; a stream is then the bare socket. As the body of a `Response` under `Deno.serve`
 * a stream takes some 60 KiB of memory while nothing happens; so it takes 9.
 */
import { getRequestListener, RequestError } from "@hono/node-server";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import type { Context } from "hono";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { nextTick } from "node:process";
import { finished } from "node:stream/promises";
import { bracketed } from "../lib/env.ts";
import { type App, type Listen, problemResponse } from "../lib/http.ts";
import { openFilesLimit } from "../lib/libc.ts";
import { atMost } from "../lib/shutdown.ts";

/** Who takes over a socket for a stream. */
export interface SocketTaker {
  /** Called once the head of the answer is on its way: what is written now is the body, and its end the socket's. */
  attach(socket: Socket): void;
  /** Called instead when the client has gone before that. */
  abandon(): void;
}

/** What the server hands to the app with each request. */
interface Bindings {
  readonly remoteAddr: { readonly transport: "tcp"; readonly hostname: string; readonly port: number };
  readonly outgoing: ServerResponse;
  readonly connection: Socket;
  taker?: SocketTaker;
}

/** Bytes of the head of a request. A stream may have many matchers in its URL. */
const MAX_HEAD_BYTES = 128 * 1024;
/** Connections that wait to be accepted, when thousands of clients come back at once. The system may allow fewer. */
const MAX_BACKLOG = 4096;
/** Files and sockets that the process needs besides its connections. */
const OTHER_DESCRIPTORS = 100;
/** Milliseconds that a client which asks for a stream has to send the rest of its request. */
const REQUEST_MS = 30_000;

/** Sockets that were taken out of the server's hands: whoever waits for one of them is not answered any more. */
const taken = new WeakSet<Socket>();

/** Answers a request with a stream: its head says what the context does, and its body is left to whoever takes it. */
export function answerWithStream(c: Context, taker: SocketTaker): Response {
  (c.env as Bindings).taker = taker;
  return c.body(null);
}

/**
 * Resolves when the answer to a request is sent, or nobody waits for it any more. Who does not take it within some
 * milliseconds is cut off: an answer that nobody reads would stay in memory as long as its client likes.
 */
export async function sent(c: Context, ms: number): Promise<void> {
  const { outgoing, connection } = (c.env ?? {}) as Partial<Bindings>;
  // Without this server there is none to wait for; behind a stream on the same connection, nothing is sent any more.
  if (outgoing === undefined || connection === undefined || taken.has(connection)) return;
  if (outgoing.writableFinished || connection.destroyed) return;
  const over = Promise.withResolvers<true>();
  const end = () => over.resolve(true);
  outgoing.once("finish", end);
  outgoing.once("close", end);
  if (await atMost(ms, over.promise) === undefined) connection.destroy();
  outgoing.off("finish", end);
  outgoing.off("close", end);
}

/** @param reusePort whether other processes may listen on the same port, and share what comes. */
export function listenForStreams({ reusePort = false } = {}): Listen {
  return async (app, { hostname, port }) => {
    const server = createServer({ maxHeaderSize: MAX_HEAD_BYTES }, createListener(app, hostname));
    // Node closes connections that are idle after a request, and not those that had none, as browsers keep them.
    const unused = new Set<Socket>();
    server.on("connection", (socket: Socket) => {
      unused.add(socket);
      // Of many requests that come at once on one connection each waits for its end: ten are no sign of a leak.
      socket.setMaxListeners(0);
      socket.once("close", () => unused.delete(socket));
    });
    server.on("request", ({ socket }) => unused.delete(socket));
    const { backlog, maxConnections } = connectionLimits();
    server.maxConnections = maxConnections;
    server.listen({ host: hostname, port, backlog, reusePort });
    await once(server, "listening");
    return {
      port: (server.address() as AddressInfo).port,
      shutdown: () =>
        new Promise((resolve) => {
          server.close(() => resolve());
          for (const socket of unused) socket.destroy();
        }),
    };
  };
}

/**
 * Deno accepts no connection any more, and says nothing, once it had no descriptor for one. So more than there are
 * descriptors for are closed at once; and those that are accepted together before that have to be fewer than are left.
 */
function connectionLimits(): { backlog: number; maxConnections: number } {
  const limit = openFilesLimit();
  const backlog = Math.min(MAX_BACKLOG, Math.floor(limit / 4));
  return { backlog, maxConnections: Math.max(1, limit - backlog - OTHER_DESCRIPTORS) };
}

function createListener(app: App, hostname: string) {
  return getRequestListener(async (request, env) => {
    const incoming = env.incoming as IncomingMessage;
    const outgoing = env.outgoing as ServerResponse;
    tellEndOfConnection(outgoing, incoming.socket);
    const { remoteAddress = "", remotePort = 0 } = incoming.socket;
    const bindings: Bindings = {
      remoteAddr: { transport: "tcp", hostname: unmapped(remoteAddress), port: remotePort },
      outgoing,
      connection: incoming.socket,
    };
    const response = await app.fetch(request, bindings);
    const { taker } = bindings;
    // What a stream is answered with has no body; a failure that came after it has.
    if (taker === undefined || response.body !== null) {
      taker?.abandon();
      return response;
    }
    let socket: Socket | undefined;
    try {
      socket = await sendHead(response, incoming, outgoing);
    } finally {
      if (socket === undefined) taker.abandon();
    }
    if (socket !== undefined) taker.attach(socket);
    return RESPONSE_ALREADY_SENT;
  }, {
    // For clients of HTTP/1.0, which need not say whom they ask.
    hostname: bracketed(hostname),
    overrideGlobalObjects: false,
    errorHandler: (error) => {
      if (error instanceof RequestError) {
        return problemResponse(400, "The request's address cannot be read as a URL");
      }
      throw error;
    },
  });
}

/**
 * An answer that waits behind another one on its connection has no socket yet, and Node does not tell it when the
 * connection ends: the signal of its request would never abort.
 */
function tellEndOfConnection(outgoing: ServerResponse, connection: Socket): void {
  if (outgoing.socket !== null) return;
  const tell = () => outgoing.emit("close");
  connection.once("close", tell);
  outgoing.once("socket", () => connection.off("close", tell));
}

/** Answers with the head of a response, and takes the socket out of the server's hands; undefined if it is gone. */
async function sendHead(
  { status, headers }: Response,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<Socket | undefined> {
  // The server has to be done with the request; whatever is left of its body is of no interest.
  incoming.resume();
  // A failure of it is one of the socket, which is looked at next.
  const read = finished(incoming, { writable: false }).catch(() => {});
  await (incoming.complete ? read : atMost(REQUEST_MS, read));
  if (!incoming.complete) incoming.socket.destroy();
  // Behind another request on the same connection, an answer has to wait for its turn, and may wait in vain.
  const { socket: connection } = incoming;
  if (outgoing.socket === null && !connection.destroyed && !taken.has(connection)) {
    await new Promise<void>((resolve) => {
      outgoing.once("socket", () => resolve());
      connection.once("close", () => resolve());
    });
  }
  const { socket } = outgoing;
  if (socket === null || socket.destroyed) return undefined;
  // The end of the connection ends the body: all streams can then share their bytes, without lengths between them.
  outgoing.shouldKeepAlive = false;
  outgoing.useChunkedEncodingByDefault = false;
  outgoing.writeHead(status, [...headers].flat());
  // Together with the first bytes of the stream, which follow at once.
  socket.cork();
  // Not flushHeaders(), which writes characters above U+007F as UTF-8, where a header holds one byte for each.
  outgoing.write(new Uint8Array());
  nextTick(() => socket.uncork());
  outgoing.detachSocket(socket);
  // For the server the connection is over now: it lets go of its parser and of all that it keeps for it.
  taken.add(socket);
  socket.emit("close", false);
  socket.removeAllListeners();
  return socket;
}

/** An IPv4 address as such, also where a socket for both families took the connection. */
function unmapped(address: string): string {
  return address.replace(/^::ffff:(?=[0-9.]+$)/, "");
}
