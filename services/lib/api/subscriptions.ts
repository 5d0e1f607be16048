/**
 * Active subscriptions, as the hub lists and announces them.
 * Source: draft-dunglas-mercure-08, "Active subscriptions"; for the 0.x generation, draft-dunglas-mercure-07.
 */
import * as v from "valibot";

/** What the documents of the 0.x generation, which are JSON-LD, begin with. */
export const LEGACY_CONTEXT = "https://mercure.rocks/";

const MATCH_TYPE = v.picklist(["exact", "urlpattern"]);

/** What all descriptions of a subscription have. */
const SHARED = {
  id: v.pipe(v.string(), v.description("The path of the subscription, which is the topic of its updates")),
  subscriber: v.pipe(v.string(), v.description("Names the stream; all its subscriptions have the same")),
  active: v.pipe(v.boolean(), v.description("Whether it has begun, or ended")),
  payload: v.optional(v.pipe(v.unknown(), v.description("What the token says of the subscriber"))),
};

export const SUBSCRIPTION = v.object({
  ...SHARED,
  type: v.literal("subscription"),
  match_type: MATCH_TYPE,
  match: v.string(),
});

export type SubscriptionDocument = v.InferOutput<typeof SUBSCRIPTION>;

/** A subscription of the 0.x generation, as a member of a collection. */
export const LEGACY_MEMBER = v.object({
  ...SHARED,
  type: v.literal("Subscription"),
  topic: v.string(),
});

export type LegacyMember = v.InferOutput<typeof LEGACY_MEMBER>;

const LEGACY_HEAD = { "@context": v.literal(LEGACY_CONTEXT) };
const LEGACY_ID = v.pipe(v.string(), v.description("The id of the last update before the answer"));

/** A subscription of the 0.x generation by itself. */
export const LEGACY_SUBSCRIPTION = v.object({
  ...LEGACY_HEAD,
  ...LEGACY_MEMBER.entries,
  lastEventID: v.optional(LEGACY_ID),
});

export type LegacySubscriptionDocument = v.InferOutput<typeof LEGACY_SUBSCRIPTION>;

export const SUBSCRIPTIONS = v.object({
  id: v.pipe(v.string(), v.description("The path that was asked for")),
  type: v.literal("subscriptions"),
  subscriptions: v.array(v.union([SUBSCRIPTION, LEGACY_SUBSCRIPTION])),
});

export type SubscriptionsDocument = v.InferOutput<typeof SUBSCRIPTIONS>;

export const LEGACY_SUBSCRIPTIONS = v.object({
  ...LEGACY_HEAD,
  id: v.string(),
  type: v.literal("Subscriptions"),
  lastEventID: LEGACY_ID,
  subscriptions: v.array(LEGACY_MEMBER),
});

export type LegacySubscriptionsDocument = v.InferOutput<typeof LEGACY_SUBSCRIPTIONS>;

/** The parts of a path below that of all subscriptions, percent-encoded. */
export const SUBSCRIPTION_PATH = {
  match_type: MATCH_TYPE,
  match: v.pipe(v.string(), v.description("The matcher, as it was given")),
  subscriber: v.pipe(v.string(), v.description("The stream")),
  topic: v.pipe(v.string(), v.description("The topic or the URI template, as it was given")),
};
