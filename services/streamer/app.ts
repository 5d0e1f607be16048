/** The HTTP side of the streamer. */
import type { Context } from "hono";
import { cors } from "hono/cors";
import type { Channel } from "../lib/channel.ts";
import { type App, createApp, problem } from "../lib/http.ts";
import type { Log } from "../lib/log.ts";
import { STREAM_HEADERS } from "../lib/sse.ts";
import { MAX_ID_LENGTH } from "../lib/update.ts";
import type { Config } from "./config.ts";
import { History } from "./history.ts";
import type { Hub } from "./hub.ts";
import { subscribe } from "./subscribe.ts";

export interface StreamerOptions {
  readonly config: Pick<Config, "corsOrigins">;
  readonly channel: Channel;
  readonly hub: Hub;
  readonly log: Log;
}

export function createStreamer({ config, channel, hub, log }: StreamerOptions): App {
  const app = createApp({ log, ready: () => hub.status() });
  app.use(cors({
    origin: config.corsOrigins,
    allowMethods: ["GET", "HEAD"],
    allowHeaders: ["Last-Event-ID", "Cache-Control"],
    exposeHeaders: ["Retry-After"],
    maxAge: 86_400,
  }));

  const history = new History(channel);
  const events = (c: Context) => {
    for (const [name, value] of Object.entries(STREAM_HEADERS)) c.header(name, value);
    // Hono runs this for HEAD too, where a stream would have no reader.
    if (c.req.method === "HEAD") return c.body(null);
    return c.body(subscribe(lastEventId(c), { hub, history, channel, log }));
  };
  app.get("/events", events);
  app.get("/events/", events);
  // A host that trims the path of a site asks for `/` where its users ask for `/events`.
  app.get(
    "/",
    (c) =>
      c.req.header("Accept")?.includes("text/event-stream")
        ? events(c)
        : problem(c, 404, "The stream is at /events"),
  );
  return app;
}

/** The id that the client saw last: the header, which a reconnecting browser sends, beats the parameter. */
function lastEventId(c: Context): string | undefined {
  const header = c.req.header("Last-Event-ID");
  const id = header ? fromHeader(header) : c.req.query("last_event_id");
  // No update has a longer id, so the channel need not be asked.
  return id && id.length <= MAX_ID_LENGTH ? id : undefined;
}

/** Browsers send the id as UTF-8, and Deno hands a header over one character per byte. */
function fromHeader(value: string): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(
      Uint8Array.from(value, (char) => char.charCodeAt(0)),
    );
  } catch {
    // Not UTF-8, so no update has this id.
    return undefined;
  }
}
