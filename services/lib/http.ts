/** What every HTTP service has in common: errors, request ids, health, security headers, and how to end. */
import { type Context, Hono, type MiddlewareHandler } from "hono";
import { compress } from "hono/compress";
import { etag, RETAINED_304_HEADERS } from "hono/etag";
import { methodNotAllowed } from "hono/method-not-allowed";
import { requestId, type RequestIdVariables } from "hono/request-id";
import { secureHeaders } from "hono/secure-headers";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { Buffer } from "node:buffer";
import { STATUS_CODES } from "node:http";
import type { Health, Readiness } from "./api/health.ts";
import { type Problem, PROBLEM_TYPE } from "./api/problem.ts";
import { type ChannelStatus, ChannelUnavailableError } from "./channel.ts";
import { bracketed } from "./env.ts";
import { type Log, messageOf, stackOf } from "./log.ts";
import { aborted, pause } from "./shutdown.ts";
import { StartError } from "./start.ts";

export type App = Hono<{ Variables: RequestIdVariables }>;

export interface AppOptions {
  readonly log: Log;
  /** Whether the service can do its work now; `GET /readyz` answers it. Default: always. */
  readonly ready?: () => ChannelStatus;
}

/** An app that answers `/healthz` and `/readyz`, and every error as a problem document. */
export function createApp({ log, ready }: AppOptions): App {
  const app: App = new Hono();
  app.use(requestId());
  app.use(secureHeaders({
    // Pages and scripts of other origins may read what CORS lets them read; this header would forbid it again.
    crossOriginResourcePolicy: false,
    strictTransportSecurity: false,
    xFrameOptions: "DENY",
    referrerPolicy: "no-referrer",
  }));
  // Whatever is made of the address of a request later needs one.
  app.use((c, next) =>
    URL.canParse(c.req.url)
      ? next()
      : Promise.resolve(problem(c, 400, "The request's Host cannot be part of a URL"))
  );
  app.use(methodNotAllowed({
    app,
    onMethodNotAllowed: (c, methods) =>
      problem(c, 405, `Only ${methods.join(", ")} can be used here`, { Allow: methods.join(", ") }),
  }));
  app.notFound((c) => problem(c, 404, "There is nothing at this address"));
  app.onError((error, c) => {
    if (error instanceof ProblemError) return problem(c, error.status, error.message, error.headers);
    const fields = { method: c.req.method, path: c.req.path, requestId: c.get("requestId") };
    if (error instanceof ChannelUnavailableError) {
      log.warn(error.message, fields);
      return problem(c, 503, "The channel did not answer in time; try again", { "Retry-After": "1" });
    }
    log.error(`Cannot answer: ${messageOf(error)}`, { ...fields, stack: stackOf(error) });
    return problem(c, 500, "The service failed to answer; its log says why");
  });
  app.get("/healthz", (c) => c.json({ status: "ok" } satisfies Health, 200, { "Cache-Control": "no-store" }));
  app.get("/readyz", (c) => {
    const status = ready?.();
    if (status?.reachable === false) return problem(c, 503, status.reason);
    return c.json({ status: "ready" } satisfies Readiness, 200, { "Cache-Control": "no-store" });
  });
  return app;
}

/**
 * Tags what is answered, and answers 304 to who has it already.
 *
 * @param headers that a client needs with a 304 as well, in lower case.
 */
export function tagged(...headers: readonly string[]): MiddlewareHandler {
  return etag({ retainedHeaders: [...RETAINED_304_HEADERS, "x-request-id", ...headers] });
}

/**
 * Compresses what is answered for who takes it so, and tags it as {@link tagged} does. Each answer says that it
 * depends on what the client takes, also 304 and `HEAD`, where nothing is compressed: a cache that renews what it
 * has by one of them would else hand out the compressed text to whoever asks. Source: RFC 9110, section 15.4.5.
 *
 * @param headers that a client needs with a 304 as well, in lower case.
 */
export function compressed(...headers: readonly string[]): MiddlewareHandler {
  const compressing = compress();
  const tagging = tagged(...headers);
  return (c, next) => {
    c.header("Vary", "Accept-Encoding", { append: true });
    // Tagged within: the tag is that of the text, so that who took it in one way knows it in another.
    return compressing(c, async () => {
      await tagging(c, next);
    });
  };
}

/** What keeps a request from being answered, for whoever sent it: no internals in the message. */
export class ProblemError extends Error {
  override readonly name = "ProblemError";
  readonly status: ContentfulStatusCode;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: ContentfulStatusCode, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.status = status;
    this.headers = headers;
  }
}

/** Milliseconds that a client has to send its body: what came so far waits in memory. */
const BODY_MS = 30_000;

/** @throws {ProblemError} when the request says that its body has more than so many bytes. */
export function refuseLargeBody(c: Context, maxSize: number): void {
  if (Number(c.req.header("Content-Length") ?? 0) > maxSize) throw tooLarge(maxSize);
}

/**
 * Reads the body of a request, and no more of it than is allowed.
 *
 * @param maxSize in bytes.
 * @throws {ProblemError} when it is larger, breaks off, or does not come.
 */
export async function readBody(c: Context, maxSize: number): Promise<Uint8Array> {
  refuseLargeBody(c, maxSize);
  // A stream and a timer for nothing take as long as the rest of a request without a body.
  if (c.req.header("Content-Length") === "0") return new Uint8Array();
  const reader = c.req.raw.body?.getReader();
  if (reader === undefined) return new Uint8Array();
  let isLate = false;
  const cancel = () => reader.cancel().catch(() => {});
  const timer = setTimeout(() => {
    isLate = true;
    cancel();
  }, BODY_MS);
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for (let { done, value } = await reader.read(); !done; { done, value } = await reader.read()) {
      size += value?.length ?? 0;
      if (size > maxSize) break;
      if (value !== undefined) chunks.push(value);
    }
  } catch {
    // Whatever it says, the client has sent something else than a body, or has gone.
    throw new ProblemError(400, "The body cannot be read to its end");
  } finally {
    clearTimeout(timer);
    cancel();
  }
  if (isLate) throw new ProblemError(408, `The body did not come within ${BODY_MS} ms`);
  if (size > maxSize) throw tooLarge(maxSize);
  return Buffer.concat(chunks);
}

function tooLarge(maxSize: number): ProblemError {
  return new ProblemError(413, `The body has more than ${maxSize} bytes`);
}

/** A problem document. The detail goes to strangers: no internals in it. */
export function problem(
  c: Context,
  status: ContentfulStatusCode,
  detail: string,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return c.newResponse(problemBody(status, detail), status, { ...PROBLEM_HEADERS, ...headers });
}

/** A problem document for a request that did not come so far as to have a context. */
export function problemResponse(status: ContentfulStatusCode, detail: string): Response {
  return new Response(problemBody(status, detail), { status, headers: PROBLEM_HEADERS });
}

const PROBLEM_HEADERS = { "Content-Type": PROBLEM_TYPE, "Cache-Control": "no-store" };

/** Source: RFC 9457. */
function problemBody(status: number, detail: string): string {
  return JSON.stringify({ title: STATUS_CODES[status] ?? "Error", status, detail } satisfies Problem);
}

/** A server that listens. */
export interface HttpServer {
  readonly port: number;
  /** Takes no new connection; resolves when the open ones have ended. */
  shutdown(): Promise<void>;
}

/** Opens a port. Rejects with what keeps it from that. */
export type Listen = (app: App, address: { hostname: string; port: number }) => Promise<HttpServer>;

const listenWithDeno: Listen = (app, { hostname, port }) => {
  const server = Deno.serve(
    { hostname, port, onListen: () => {} },
    (request, info) => app.fetch(request, info),
  );
  return Promise.resolve({ port: server.addr.port, shutdown: () => server.shutdown() });
};

export interface ServeOptions {
  /** Address to listen on, without brackets. */
  readonly hostname: string;
  /** 0 stands for any free one. */
  readonly port: number;
  readonly signal: AbortSignal;
  readonly log: Log;
  /** Called once the port is open, with the address for a browser on this machine. */
  readonly onListen?: (url: string) => void;
  /** Default: Deno's own server. */
  readonly listen?: Listen;
}

/** Milliseconds that open requests have to end. */
const DRAIN_MS = 3000;

/**
 * Serves until the signal aborts, then takes no new connection and lets open requests finish, for a while: what
 * is still open then is cut when the process ends. Whoever opened streams has to end them at the same signal.
 *
 * @throws {StartError} when the port cannot be opened.
 */
export async function serve(app: App, options: ServeOptions): Promise<void> {
  const { hostname, port, signal, log, onListen, listen = listenWithDeno } = options;
  const server = await listenOn(listen, app, { hostname, port });
  const url = `http://${browsable(hostname)}:${server.port}/`;
  log.info("Listening", { url });
  onListen?.(url);
  await aborted(signal);
  const drained = new AbortController();
  await Promise.race([
    server.shutdown().finally(() => drained.abort()),
    pause(DRAIN_MS, drained.signal).then(() => {
      if (!drained.signal.aborted) log.warn(`Requests are still open after ${DRAIN_MS} ms; they are cut`);
    }),
  ]);
}

async function listenOn(
  listen: Listen,
  app: App,
  address: { hostname: string; port: number },
): Promise<HttpServer> {
  try {
    return await listen(app, address);
  } catch (error) {
    const { hostname, port } = address;
    throw new StartError(`Cannot listen on ${hostname} port ${port}: ${messageOf(error)}`, { cause: error });
  }
}

/** The wildcard addresses cannot be opened in a browser; this machine's own name can. */
function browsable(hostname: string): string {
  if (hostname === "0.0.0.0" || hostname === "::") return "localhost";
  return bracketed(hostname);
}
