/** The HTTP side of the streamer: the hub of the Mercure protocol, and the page to try it. */
import type { Context } from "hono";
import type { Channel } from "../lib/channel.ts";
import { clientAddress, clientKey } from "../lib/client_address.ts";
import { type App, createApp, problem } from "../lib/http.ts";
import type { Log } from "../lib/log.ts";
import { type Matcher, parseMatcher, Topic } from "../lib/matcher.ts";
import type { Access } from "../lib/mercure/access.ts";
import type { Grants } from "../lib/mercure/authorization.ts";
import type { JsonValue } from "../lib/json.ts";
import { hubCors } from "../lib/mercure/hub_cors.ts";
import type { HubUrl } from "../lib/mercure/hub_url.ts";
import { servePublish } from "../lib/mercure/publish.ts";
import { FORM_TYPE } from "../lib/mercure/form.ts";
import { escapeAttribute, listPageFiles, readPage, serveFiles, servePage } from "../lib/pages.ts";
import { encodePreamble, STREAM_HEADERS } from "../lib/sse.ts";
import { Admission } from "./admission.ts";
import type { Config } from "./config.ts";
import { acceptsGzip } from "./gzip.ts";
import { History } from "./history.ts";
import { serveHistory } from "./history_api.ts";
import type { Hub } from "./hub.ts";
import { serveMetadata } from "./metadata.ts";
import { serveMetrics } from "./metrics.ts";
import type { Presence } from "./presence.ts";
import { answerWithStream } from "./server.ts";
import { subscribe } from "./subscribe.ts";
import { readLastEventId, toHeader } from "./subscribe_request.ts";
import { subscriptionOf } from "./subscription.ts";
import { serveSubscriptions } from "./subscriptions_api.ts";
import { readViewer } from "./viewer.ts";

export interface StreamerOptions {
  readonly config: Config;
  readonly channel: Channel;
  readonly hub: Hub;
  readonly access: Access;
  readonly hubUrl: HubUrl;
  /** Undefined where active subscriptions are switched off. */
  readonly presence: Presence | undefined;
  readonly log: Log;
}

const EVENT_STREAM = "text/event-stream";
/** Milliseconds after which a client comes back that was turned away, and how many more at random. */
const OVERLOAD_RETRY_MS = 5000;
const OVERLOAD_JITTER_MS = 10_000;
/** Milliseconds by which a stream ends before its token does: a timer may be late. */
const EXPIRY_MARGIN_MS = 100;
/** Part of the longest life of a stream that is left to chance, so that those who came together do not come back so. */
const LIFE_JITTER = 0.2;

export async function createStreamer(options: StreamerOptions): Promise<App> {
  const { config, channel, hub, access, hubUrl, presence, log } = options;
  const app = createApp({ log, ready: () => hub.status() });
  app.use(hubCors(config.corsOrigins));

  await serveHubPage(app, hubUrl);
  servePublish(app, { channel, access, hubUrl, limits: config });
  if (access.authorization.configured) {
    serveMetadata(app, { config, hasSubscriptions: presence !== undefined, access, hubUrl });
  }
  if (presence !== undefined) serveSubscriptions(app, { access, hubUrl, hub, presence });

  if (config.metrics) serveMetrics(app, hub);

  const open = createSubscribeHandler(options);
  const forHub = (c: Context) => open(c, []);
  app.get(hubUrl.path, forHub);
  app.on("QUERY", hubUrl.path, forHub);
  // The stream of everything, for those who have no matchers of their own.
  const matchAll = (c: Context) => {
    const { maxMatcherLength: maxLength } = config;
    return [parseMatcher("exact", "*", { base: access.hubUrlFor(c), maxLength })];
  };
  const forAll = (c: Context) => open(c, matchAll(c));
  for (const path of ["/events", "/events/"]) {
    app.get(path, forAll);
    app.on("QUERY", path, forAll);
  }
  serveHistory(app, ["/history", "/events/history"], { config, access, channel, matchAll });
  // A host that trims the path of a site asks for `/` where its users ask for `/events`.
  app.get("/", (c) => c.req.header("Accept")?.includes(EVENT_STREAM) ? forAll(c) : c.redirect("/hub/"));
  return app;
}

async function serveHubPage(app: App, hubUrl: HubUrl): Promise<void> {
  const page = await readPage("hub/index.html", {
    'name="hub-url" content="/.well-known/mercure"': `name="hub-url" content="${
      escapeAttribute(hubUrl.path)
    }"`,
  });
  servePage(app, "/hub/", page);
  app.get("/hub", (c) => c.redirect("/hub/"));
  serveFiles(app, "/hub", "hub", await listPageFiles("hub"));
  // The page shares design and modules with the logger's.
  serveFiles(app, "/logger", "logger", await listPageFiles("logger"));
}

/** What answers a request for a stream; it sees what these matchers match where the request has none of its own. */
function createSubscribeHandler(options: StreamerOptions) {
  const { config, channel, hub, access, hubUrl, presence, log } = options;
  const history = new History(channel);
  const admission = new Admission(config);

  return async (c: Context, defaults: readonly Matcher[]): Promise<Response> => {
    const { grants, fields, matchers, view } = await readViewer(c, { config, access }, defaults);
    for (const [name, value] of Object.entries(STREAM_HEADERS)) c.header(name, value);
    const gzip = config.compress && acceptsGzip(c.req.header("Accept-Encoding"));
    if (config.compress) c.header("Vary", "Accept-Encoding");
    c.header("Accept-Query", FORM_TYPE);
    // Hono runs this for HEAD too, where a stream would have no reader.
    if (c.req.method === "HEAD") {
      if (gzip) c.header("Content-Encoding", "gzip");
      return c.body(null);
    }

    const hasPatterns = matchers.some(({ exact, matchesAll }) => exact === undefined && !matchesAll);
    if (hasPatterns && hub.hasTooManyPatterns) return turnAway(c, config.overload);
    const leave = admission.admit({
      client: clientKey(clientAddress(c, config.trustedProxies)),
      tokenId: grants?.tokenId,
      subscriptions: matchers.length,
    });
    if (leave === undefined) return turnAway(c, config.overload);
    const signals = fields.some(({ name, value }) => name === "signals" && value === "1");
    const { subscriber, lastEventId } = await subscribe({
      view,
      lastEventId: readLastEventId(c, fields),
      signals,
      remembersIds: signals || isEventSource(c),
      closesAt: closesAt(grants, config.maxStreamLife),
      gzip,
    }, { hub, history, channel, log, maxWaiting: config.subscriberBuffer }).catch((error) => {
      leave();
      throw error;
    });
    subscriber.onEnd(leave);
    if (presence !== undefined) {
      const urn = `urn:uuid:${crypto.randomUUID()}`;
      const end = presence.begin(
        matchers.map((matcher) =>
          subscriptionOf(matcher, {
            hubPath: hubUrl.path,
            subscriber: urn,
            payload: payloadFor(matcher, grants),
          })
        ),
      );
      subscriber.onEnd(end);
    }
    if (lastEventId !== undefined) {
      c.header("Mercure-Last-Event-ID", toHeader(lastEventId));
      const isLegacy = grants?.legacy || matchers.some(({ type }) => type === "template");
      if (isLegacy) c.header("Last-Event-ID", toHeader(lastEventId));
    }
    // Not before: a refusal is not compressed.
    if (gzip) c.header("Content-Encoding", "gzip");
    return answerWithStream(c, subscriber);
  };
}

/**
 * Whether the client is a browser's own EventSource, by the header that its cache mode demands.
 * Source: WHATWG HTML, section 9.2.2; WHATWG Fetch, "HTTP-network-or-cache fetch".
 */
function isEventSource(c: Context): boolean {
  return c.req.header("Cache-Control") === "no-cache";
}

/** When a stream has to be over, in milliseconds since 1970. */
function closesAt(grants: Grants | undefined, maxLifeMs: number): number {
  const expiry = (grants?.expiresAt ?? Infinity) - EXPIRY_MARGIN_MS;
  const life = maxLifeMs === 0 ? Infinity : maxLifeMs * (1 - LIFE_JITTER * Math.random());
  return Math.min(expiry, Date.now() + life);
}

/** The payload of the first grant that covers the matcher as if it were a topic, or that of a whole 0.x token. */
function payloadFor({ pattern }: Matcher, grants: Grants | undefined): JsonValue | undefined {
  const topic = new Topic(pattern);
  const grant = grants?.subscribe.find(({ matchers }) => matchers.some((matcher) => matcher.matches(topic)));
  return grant?.payload ?? grants?.payload;
}

/**
 * Browsers give an EventSource up for good that is answered with an error, so a stream that is over at once is
 * kinder: they come back after the time that it tells them.
 */
function turnAway(c: Context, overload: Config["overload"]): Response {
  const retryMs = OVERLOAD_RETRY_MS + Math.random() * OVERLOAD_JITTER_MS;
  if (overload === "retry" && c.req.header("Accept")?.includes(EVENT_STREAM)) {
    return c.body(encodePreamble(retryMs));
  }
  return problem(c, 429, "There are too many streams", { "Retry-After": `${Math.ceil(retryMs / 1000)}` });
}
