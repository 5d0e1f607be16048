/**
 * Answers which subscriptions are active.
 * Source: draft-dunglas-mercure-08, "Active subscriptions"; for the 0.x generation, draft-dunglas-mercure-07.
 */
import type { Context } from "hono";
import {
  LEGACY_CONTEXT,
  type LegacySubscriptionDocument,
  type LegacySubscriptionsDocument,
  type SubscriptionDocument,
  type SubscriptionsDocument,
} from "../lib/api/subscriptions.ts";
import { type App, ProblemError, tagged } from "../lib/http.ts";
import { Topic } from "../lib/matcher.ts";
import type { Access } from "../lib/mercure/access.ts";
import type { HubUrl } from "../lib/mercure/hub_url.ts";
import { atMost } from "../lib/shutdown.ts";
import type { Hub } from "./hub.ts";
import type { Presence } from "./presence.ts";
import { toHeader } from "./subscribe_request.ts";
import { describe, describeLegacy, describeLegacyCollection, type Subscription } from "./subscription.ts";

export interface SubscriptionsOptions {
  readonly access: Access;
  readonly hubUrl: HubUrl;
  readonly hub: Hub;
  readonly presence: Presence;
}

/** What a client needs with a 304 as well: the cursor is new, even where the list is not. */
const RETAINED = [
  "link",
  "access-control-allow-origin",
  "access-control-allow-credentials",
  "access-control-expose-headers",
];

/** Milliseconds that a request waits for a streamer that has just been started. */
const LOADED_MS = 2000;

/** A part of a path that stands for a folder, in any spelling. Source: WHATWG URL, "double-dot URL path segment". */
const DOT_SEGMENT = /\/(\.|%2e){1,2}(\/|$)/i;

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
    const path = rawPath(c.req.url);
    // The router decodes, and an address with dots in it would be another one for whoever resolves them: what is
    // answered has to be what was granted.
    if (path !== root && !path.startsWith(`${root}/`) || DOT_SEGMENT.test(path)) {
      throw new ProblemError(404, "There is nothing at this address");
    }
    const grants = await access.grantsFor(c, "subscribe");
    if (grants === undefined) throw access.refuse(c, "missing", "no token was presented");
    const granted = grants.subscribe.flatMap(({ matchers }) => matchers);
    const mayRead = (topics: readonly Topic[]) =>
      topics.some((topic) => granted.some((matcher) => matcher.matches(topic)));
    if (!mayRead([new Topic(path)])) {
      throw access.refuse(c, "insufficient", `the token may not subscribe to ${path}`);
    }
    await atMost(LOADED_MS, presence.loaded);
    if (!presence.isLoaded) {
      throw new ProblemError(503, "The list of subscriptions is not known yet; try again", {
        "Retry-After": "1",
      });
    }
    const wanted = readPath(path.slice(root.length), access.authorization.legacy);
    const found = presence.list().filter((subscription) => isWanted(subscription, wanted));
    const [first] = found;
    if (wanted.subscriber !== undefined && first === undefined) {
      throw new ProblemError(404, "There is no such subscription");
    }
    // Taken in the same turn as the list: what is not in it comes after this id. An older one than the newest only
    // replays more, and the id of what may not be read is nobody's business.
    const lastEventId = hub.recent.newestId((item) => !item.private || mayRead(item.topics)) ??
      presence.lastPublicId ?? "earliest";
    const isLegacy = grants.legacy || wanted.pattern !== undefined && wanted.type === undefined;
    c.header(
      "Link",
      `<${access.hubUrlFor(c)}>; rel="mercure"; last-event-id="${quote(toHeader(lastEventId))}"; ` +
        'type="mercure"; content-type="application/json"',
    );
    c.header("Cache-Control", "private, no-cache");
    c.header("Content-Type", isLegacy ? "application/ld+json" : "application/json");
    if (wanted.subscriber !== undefined && first !== undefined) {
      const document: SubscriptionDocument | LegacySubscriptionDocument = isLegacy
        ? { "@context": LEGACY_CONTEXT, ...describeLegacy(first, true), lastEventID: lastEventId }
        : describe(first, true);
      return c.body(JSON.stringify(document));
    }
    const collection: SubscriptionsDocument | LegacySubscriptionsDocument = isLegacy
      ? describeLegacyCollection(path, lastEventId, found)
      : {
        id: path,
        type: "subscriptions",
        subscriptions: found.map((subscription) => describe(subscription, true)),
      };
    return c.body(JSON.stringify(collection));
  };
  for (const path of [root, `${root}/*`]) app.get(path, tagged(...RETAINED), answer);
}

/** The path as it was requested, neither decoded nor resolved: the grant is on this very spelling. */
function rawPath(url: string): string {
  return /^[a-z]+:\/\/[^/?#]*([^?#]*)/i.exec(url)?.[1] ?? "";
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
