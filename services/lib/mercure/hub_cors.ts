/** Lets pages of other origins use the hub; with cookies only those of listed origins. */
import type { MiddlewareHandler } from "hono";
import { cors } from "hono/cors";

/**
 * @param origins `*` for all, without credentials; a list for its members, with credentials.
 * Source: draft-dunglas-mercure-08, "Security considerations".
 */
export function hubCors(origins: "*" | readonly string[]): MiddlewareHandler {
  const shared = {
    allowMethods: ["GET", "HEAD", "POST", "QUERY"],
    allowHeaders: ["Authorization", "Cache-Control", "Content-Type", "Idempotency-Key", "Last-Event-ID"],
    exposeHeaders: [
      "Last-Event-ID",
      "Link",
      "Mercure-Last-Event-ID",
      "Retry-After",
      "WWW-Authenticate",
      "X-Request-Id",
    ],
    maxAge: 86_400,
  };
  if (origins === "*") return late(cors({ ...shared, origin: "*" }));
  // The middleware allows credentials to all or to nobody, and strangers must not even hear of it.
  const listed = cors({ ...shared, origin: [...origins], credentials: true });
  const others = cors({ ...shared, origin: [] });
  return late((c, next) => (origins.includes(c.req.header("Origin") ?? "") ? listed : others)(c, next));
}

/**
 * Adds the headers to the finished response. Added before, Hono copies them from one response to the next three times,
 * and that is a quarter of what opening a stream costs.
 */
function late(middleware: MiddlewareHandler): MiddlewareHandler {
  return async (c, next) => {
    // A preflight has no other answer.
    if (c.req.method === "OPTIONS") return await middleware(c, next);
    await next();
    return await middleware(c, () => Promise.resolve());
  };
}
