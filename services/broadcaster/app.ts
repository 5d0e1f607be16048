/** The HTTP side of the broadcaster: the tracking page, and what it reports. */
import { bodyLimit } from "hono/body-limit";
import { cors } from "hono/cors";
import { HTTPException } from "hono/http-exception";
import type { Channel } from "../lib/channel.ts";
import { type App, createApp, problem } from "../lib/http.ts";
import type { Log } from "../lib/log.ts";
import { escapeAttribute, readPage, serveFiles, servePage } from "../lib/pages.ts";
import type { Update } from "../lib/update.ts";
import type { Config } from "./config.ts";
import { trackingUpdate } from "./track.ts";

/** Bytes of a report's body. The type in the path says all; whatever else a client sends is not looked at. */
const MAX_BODY_BYTES = 16 * 1024;

/** Longest Idempotency-Key, in characters. */
const MAX_KEY_LENGTH = 255;

export interface BroadcasterOptions {
  readonly config: Pick<Config, "loggerUrl" | "corsOrigins">;
  readonly channel: Channel;
  readonly log: Log;
}

export async function createBroadcaster({ config, channel, log }: BroadcasterOptions): Promise<App> {
  const app = createApp({ log, ready: () => channel.status() });

  const page = await readPage("tracking/index.html", {
    'href="/logger/"': `href="${escapeAttribute(config.loggerUrl)}"`,
  });
  servePage(app, "/", page);
  serveFiles(app, "", "tracking", ["tracking.css", "tracking.js", "report.js"]);
  // The logger's folder has to be whole for any static host; the tracking page shares its design from there.
  serveFiles(app, "", "logger", ["design.css", "favicon.svg"]);

  app.use(
    "/event/*",
    cors({
      origin: config.corsOrigins,
      allowMethods: ["POST"],
      allowHeaders: ["Idempotency-Key"],
      exposeHeaders: ["Retry-After"],
      maxAge: 86_400,
    }),
  );
  app.post(
    "/event/:type",
    bodyLimit({
      maxSize: MAX_BODY_BYTES,
      onError: (c) => problem(c, 413, `A report has at most ${MAX_BODY_BYTES} bytes`),
    }),
    async (c) => {
      const update = trackingUpdate(c.req.param("type"));
      if (update === undefined) return problem(c, 404, "There is no tracking event of this type");
      const key = c.req.header("Idempotency-Key");
      await channel.publish(update, key === undefined ? {} : { requestKey: requestKeyOf(key, update) });
      return c.body(null, 201);
    },
  );
  return app;
}

/**
 * The channel's key for a client's Idempotency-Key: a report that is sent again is published once. The key counts
 * for one topic, for clients that make keys for each kind of report by themselves.
 * Source: draft-ietf-httpapi-idempotency-key-header-07, section 2.
 */
function requestKeyOf(key: string, { topics: [topic] }: Update): string {
  if (!/^[\x21-\x7E]+$/.test(key) || key.length > MAX_KEY_LENGTH) {
    throw new HTTPException(400, {
      message: `An Idempotency-Key has 1 to ${MAX_KEY_LENGTH} visible characters`,
    });
  }
  return `POST ${topic} ${key}`;
}
