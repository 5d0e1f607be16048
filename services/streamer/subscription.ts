/**
 * Active subscriptions as the protocol describes them, and the private updates by which streamers tell subscribers,
 * and each other, of them.
 * Source: draft-dunglas-mercure-08, "Active subscriptions"; for the 0.x generation, draft-dunglas-mercure-07.
 */
import {
  LEGACY_CONTEXT,
  type LegacyMember,
  type LegacySubscriptionDocument,
  type LegacySubscriptionsDocument,
  type SubscriptionDocument,
} from "../lib/api/subscriptions.ts";
import type { Matcher } from "../lib/matcher.ts";
import { isObject, type JsonObject, type JsonValue } from "../lib/json.ts";
import { newUpdateId, SIGNAL_TYPE, type Update } from "../lib/update.ts";

/** One matcher of one open stream. */
export interface Subscription {
  /** The path under which it can be asked for, which is also the topic of its updates. */
  readonly id: string;
  readonly matcher: Pick<Matcher, "type" | "pattern">;
  /** Names the stream; all matchers of a stream have the same. */
  readonly subscriber: string;
  /** An object; in tokens of the 0.x generation, anything. */
  readonly payload?: JsonValue;
}

/** What an update of the type `mercure` says. */
export type Notice =
  | {
    readonly kind: "subscription";
    readonly subscription: Subscription;
    readonly active: boolean;
    /** The streamer that has the stream. */
    readonly streamer: string;
    readonly legacy: boolean;
  }
  | { readonly kind: "heartbeat"; readonly streamer: string };

/** Where streamers name themselves, below the hub's path: no topic that anybody else can use or see. */
const STREAMERS = "/streamers/";

/** Source: RFC 6570, section 3.2.1: whatever is not unreserved is encoded, `!'()*` as well. */
function encodeVariable(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** The subscription of a stream by one of its matchers. */
export function subscriptionOf(
  matcher: Matcher,
  { hubPath, subscriber, payload }: { hubPath: string; subscriber: string; payload?: JsonValue | undefined },
): Subscription {
  const { type, pattern } = matcher;
  const path = type === "template" ? [pattern, subscriber] : [type, pattern, subscriber];
  return {
    id: `${hubPath}/subscriptions/${path.map(encodeVariable).join("/")}`,
    matcher: { type, pattern },
    subscriber,
    ...(payload !== undefined && { payload }),
  };
}

/** A subscription as clients read it. */
export function describe(
  subscription: Subscription,
  active: boolean,
): SubscriptionDocument | LegacySubscriptionDocument {
  const { id, matcher: { type, pattern }, subscriber, payload } = subscription;
  if (type === "template") return { "@context": LEGACY_CONTEXT, ...describeLegacy(subscription, active) };
  return {
    id,
    type: "subscription",
    match_type: type,
    match: pattern,
    subscriber,
    active,
    ...(payload !== undefined && { payload }),
  };
}

/** A subscription as those of the 0.x generation see it, as a member of a collection. */
export function describeLegacy(subscription: Subscription, active: boolean): LegacyMember {
  const { id, matcher, subscriber, payload } = subscription;
  return {
    id,
    type: "Subscription",
    subscriber,
    topic: matcher.pattern,
    active,
    ...(payload !== undefined && { payload }),
  };
}

/** A collection of subscriptions for the 0.x generation. */
export function describeLegacyCollection(
  id: string,
  lastEventID: string,
  members: readonly Subscription[],
): LegacySubscriptionsDocument {
  return {
    "@context": LEGACY_CONTEXT,
    id,
    type: "Subscriptions",
    lastEventID,
    subscriptions: members.map((subscription) => describeLegacy(subscription, true)),
  };
}

/** The update that tells of a subscription. Its second topic names the streamer, for the other streamers. */
export function subscriptionUpdate(
  subscription: Subscription,
  { active, hubPath, streamer }: { active: boolean; hubPath: string; streamer: string },
): Update {
  return {
    id: newUpdateId(),
    topics: [subscription.id, `${hubPath}${STREAMERS}${streamer}`],
    type: SIGNAL_TYPE,
    data: JSON.stringify(describe(subscription, active)),
    private: true,
  };
}

/** The update by which a streamer says that it lives. */
export function heartbeatUpdate({ hubPath, streamer }: { hubPath: string; streamer: string }): Update {
  return {
    id: newUpdateId(),
    topics: [`${hubPath}${STREAMERS}${streamer}`],
    type: SIGNAL_TYPE,
    data: "",
    private: true,
  };
}

/** Reads an update of the type `mercure`; undefined for what no streamer of ours has written. */
export function readNotice({ topics, data }: Update): Notice | undefined {
  const streamer = topics.at(-1)?.split(STREAMERS).at(-1);
  if (streamer === undefined || !topics.at(-1)?.includes(STREAMERS)) return undefined;
  if (topics.length === 1) return { kind: "heartbeat", streamer };
  const document = parseObject(data);
  if (document === undefined) return undefined;
  const { id, match_type, match, topic, subscriber, active, payload } = document;
  const legacy = "@context" in document;
  const matcher = legacy ? { type: "template", pattern: topic } : { type: match_type, pattern: match };
  if (typeof id !== "string" || typeof subscriber !== "string" || typeof active !== "boolean") {
    return undefined;
  }
  if (!isMatcher(matcher)) return undefined;
  const subscription = { id, matcher, subscriber, ...(payload !== undefined && { payload }) };
  return { kind: "subscription", subscription, active, streamer, legacy };
}

function parseObject(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function isMatcher(value: { type: unknown; pattern: unknown }): value is Subscription["matcher"] {
  return typeof value.pattern === "string" && typeof value.type === "string" &&
    ["exact", "urlpattern", "template"].includes(value.type);
}
