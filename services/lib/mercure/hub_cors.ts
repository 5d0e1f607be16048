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
  if (origins === "*") return cors({ ...shared, origin: "*" });
  // The middleware allows credentials to all or to nobody, and strangers must not even hear of it.
  const listed = cors({ ...shared, origin: [...origins], credentials: true });
  const others = cors({ ...shared, origin: [] });
  return (c, next) => (origins.includes(c.req.header("Origin") ?? "") ? listed : others)(c, next);
}
