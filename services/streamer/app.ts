/** The HTTP side of the streamer. */
import type { Context } from "hono";
import { cors } from "hono/cors";
import type { Channel } from "../lib/channel.ts";
import { type App, createApp, problem } from "../lib/http.ts";
import type { Log } from "../lib/log.ts";
import { STREAM_HEADERS } from "../lib/sse.ts";
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
    exposeHeaders: ["Mercure-Last-Event-ID", "Retry-After"],
    maxAge: 86_400,
  }));

  const history = new History(channel);
  const events = async (c: Context) => {
    for (const [name, value] of Object.entries(STREAM_HEADERS)) c.header(name, value);
    // Hono runs this for HEAD too, where a stream would have no reader.
    if (c.req.method === "HEAD") return c.body(null);
    const subscription = await subscribe(
      { lastEventId: lastEventId(c), signals: c.req.query("signals") === "1" },
      { hub, history, channel, log },
    );
    if (subscription.lastEventId !== undefined) {
      c.header("Mercure-Last-Event-ID", toHeader(subscription.lastEventId));
    }
    return c.body(subscription.stream);
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

/** What browsers call it, then what the polyfills for browsers without EventSource do. */
const ID_PARAMETERS = ["last_event_id", "lastEventId", "lastEventID", "evs_last_event_id"];

/** The id that the client saw last: the header, which a reconnecting browser sends, beats the parameters. */
function lastEventId(c: Context): string | undefined {
  const header = c.req.header("Last-Event-ID");
  if (header) return fromHeader(header);
  return ID_PARAMETERS.map((name) => c.req.query(name)).find((value) => value);
}

/** Browsers send the id as UTF-8, and Deno hands a header over one character per byte. */
function fromHeader(value: string): string {
  // What is not UTF-8 becomes an id that nobody has, as U+FFFD tells.
  return new TextDecoder().decode(Uint8Array.from(value, (char) => char.charCodeAt(0)));
}

/** The same the other way round: a header takes characters up to U+00FF only. */
function toHeader(id: string): string {
  return String.fromCharCode(...new TextEncoder().encode(id));
}
