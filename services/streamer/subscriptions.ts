/**
 * Answers which subscriptions are active.
 * Source: draft-dunglas-mercure-08, "Active subscriptions"; for the 0.x generation, draft-dunglas-mercure-07.
 */
import type { Context } from "hono";
import { etag } from "hono/etag";
import { type App, ProblemError } from "../lib/http.ts";
import { Topic } from "../lib/matcher.ts";
import type { Access } from "../lib/mercure/access.ts";
import type { HubUrl } from "../lib/mercure/hub_url.ts";
import { pause } from "../lib/shutdown.ts";
import type { Hub } from "./hub.ts";
import type { Presence } from "./presence.ts";
import { toHeader } from "./subscribe_request.ts";
import {
  describe,
  describeLegacy,
  describeLegacyCollection,
  LEGACY_CONTEXT,
  type Subscription,
} from "./subscription.ts";

export interface SubscriptionsOptions {
  readonly access: Access;
  readonly hubUrl: HubUrl;
  readonly hub: Hub;
  readonly presence: Presence;
}

/** Milliseconds that a request waits for a streamer that has just been started. */
const LOADED_MS = 2000;

/** What a path asks for; the parts are decoded. */
interface Wanted {
  /** Undefined in paths of the 0.x generation. */
  readonly type?: string | undefined;
  readonly pattern?: string | undefined;
  readonly subscriber?: string | undefined;
}

/** Answers `GET` at `subscriptions` below the hub's path, for whoever has a grant on the path. */
export function serveSubscriptions(app: App, options: SubscriptionsOptions): void {
  const { access, hubUrl, hub, presence } = options;
  const root = `${hubUrl.path}/subscriptions`;
  const answer = async (c: Context) => {
    // As it was requested: the grant is on this very spelling.
    const path = new URL(c.req.url).pathname;
    const grants = await access.grantsFor(c, "subscribe");
    if (grants === undefined) throw access.refuse(c, "missing", "no token was presented");
    const topic = new Topic(path);
    if (!grants.subscribe.some(({ matchers }) => matchers.some((matcher) => matcher.matches(topic)))) {
      throw access.refuse(c, "insufficient", `the token may not subscribe to ${path}`);
    }
    const waited = new AbortController();
    await Promise.race([presence.loaded, pause(LOADED_MS, waited.signal)]);
    waited.abort();
    if (!presence.isLoaded) {
      throw new ProblemError(503, "The list of subscriptions is not known yet; try again", {
        "Retry-After": "1",
      });
    }
    const wanted = readPath(path.slice(root.length), access.authorization.legacy);
    const found = presence.list().filter((subscription) => isWanted(subscription, wanted));
    // Taken in the same turn as the list: what comes after this id is not in it.
    const lastEventId = hub.recent.lastId ?? presence.lastId ?? "earliest";
    const isLegacy = grants.legacy || wanted.pattern !== undefined && wanted.type === undefined;
    c.header(
      "Link",
      `<${access.hubUrlFor(c)}>; rel="mercure"; last-event-id="${quote(toHeader(lastEventId))}"; ` +
        'type="mercure"; content-type="application/json"',
    );
    c.header("Cache-Control", "private, no-cache");
    c.header("Content-Type", isLegacy ? "application/ld+json" : "application/json");
    const [first] = found;
    if (wanted.subscriber !== undefined) {
      if (first === undefined) throw new ProblemError(404, "There is no such subscription");
      const document = isLegacy
        ? { "@context": LEGACY_CONTEXT, ...describeLegacy(first, true), lastEventID: lastEventId }
        : describe(first, true);
      return c.body(JSON.stringify(document));
    }
    const collection = isLegacy ? describeLegacyCollection(path, lastEventId, found) : {
      id: path,
      type: "subscriptions",
      subscriptions: found.map((subscription) => describe(subscription, true)),
    };
    return c.body(JSON.stringify(collection));
  };
  app.get(root, etag(), answer);
  app.get(`${root}/*`, etag(), answer);
}

/**
 * @param path what follows the root: nothing, or parts with a slash before each.
 * @throws {ProblemError} when it asks for nothing that there is.
 */
function readPath(path: string, legacy: boolean): Wanted {
  const [, ...parts] = path.split("/").map(decodePart);
  const [type, pattern, subscriber] = parts;
  if (type === undefined) return {};
  const isType = ["exact", "urlpattern"].includes(type);
  if (isType && pattern !== undefined && parts.length <= 3) return { type, pattern, subscriber };
  if (!isType && legacy && parts.length <= 2) return { pattern: type, subscriber: pattern };
  throw isType
    ? new ProblemError(404, "There is nothing at this address")
    : new ProblemError(400, "There is no such type of matcher");
}

function decodePart(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) throw new ProblemError(400, "The path is not UTF-8");
    throw error;
  }
}

function isWanted({ matcher, subscriber }: Subscription, wanted: Wanted): boolean {
  return (wanted.type === undefined || wanted.type === matcher.type) &&
    (wanted.pattern === undefined || wanted.pattern === matcher.pattern) &&
    (wanted.subscriber === undefined || wanted.subscriber === subscriber);
}

/** As it stands between double quotes in a header. Source: RFC 9110, section 5.6.4. */
function quote(text: string): string {
  return text.replace(/["\\]/g, "\\$&");
}
