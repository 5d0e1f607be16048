/** The HTTP side of the broadcaster: the tracking page, and what it reports. */
import { bodyLimit } from "hono/body-limit";
import { cors } from "hono/cors";
import type { Channel } from "../lib/channel.ts";
import { type App, createApp, problem } from "../lib/http.ts";
import type { Log } from "../lib/log.ts";
import { escapeAttribute, readPage, serveFiles, servePage } from "../lib/pages.ts";
import type { Config } from "./config.ts";
import { trackingUpdate } from "./track.ts";

/** Bytes of a report's body. The type in the path says all; whatever else a client sends is not looked at. */
const MAX_BODY_BYTES = 16 * 1024;

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
  serveFiles(app, "", "tracking", ["tracking.css", "tracking.js"]);
  // The logger's folder has to be whole for any static host; the tracking page shares its design from there.
  serveFiles(app, "", "logger", ["design.css", "favicon.svg"]);

  app.use(
    "/event/*",
    cors({
      origin: config.corsOrigins,
      allowMethods: ["POST"],
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
      await channel.publish(update);
      return c.body(null, 201);
    },
  );
  return app;
}
