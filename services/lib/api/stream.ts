/**
 * The events of a stream, by their fields.
 * Source: WHATWG HTML, section 9.2 "Server-sent events".
 */
import * as v from "valibot";
import { SIGNAL_TYPE } from "../update.ts";
import { jsonText } from "./json_text.ts";
import { LEGACY_SUBSCRIPTION, SUBSCRIPTION } from "./subscriptions.ts";
import { REPORT_EVENT, REPORTED, TRACK_EVENT, TRACKED } from "./tracking.ts";

const now = v.pipe(v.number(), v.description("The streamer's clock, in ms since 1970"));

/** What the hub itself has to say to a stream that asked for it. */
export const SIGNAL = v.variant("type", [
  v.object({
    type: v.pipe(v.literal("hello"), v.description("The first one")),
    now,
    oldest: v.pipe(v.nullable(v.string()), v.description("Id of the oldest update that is kept")),
  }),
  v.object({
    type: v.pipe(v.literal("heartbeat"), v.description("From time to time")),
    now,
    rate: v.pipe(v.number(), v.description("Updates per second since the last one")),
    subscribers: v.pipe(v.number(), v.description("Open streams")),
  }),
  v.object({
    type: v.pipe(v.literal("gap"), v.description("Updates are missing here")),
    reason: v.pipe(v.string(), v.description("Why, for people")),
  }),
]);

export type Signal = Readonly<v.InferOutput<typeof SIGNAL>>;

const id = v.pipe(v.string(), v.description("The id of the update, with which to come back"));

/** What a page reported in a batch. */
export const TRACKED_EVENT = v.object({
  id,
  event: v.literal(TRACK_EVENT),
  data: jsonText(["Tracked"], TRACKED),
});

/** What the demo page reported, by itself or in a batch. */
export const REPORTED_EVENT = v.object({
  id,
  event: REPORT_EVENT,
  data: jsonText(["Reported", "Tracked"], v.union([TRACKED, REPORTED])),
});

/** That a subscription begins or ends, for who may know. */
export const SUBSCRIPTION_EVENT = v.object({
  id,
  event: v.optional(v.pipe(
    v.literal(SIGNAL_TYPE),
    v.description("Missing where the subscription is of the 0.x generation"),
  )),
  data: jsonText(["Subscription", "LegacySubscription"], v.union([SUBSCRIPTION, LEGACY_SUBSCRIPTION])),
});

/** Without an id: it does not move the place from which a client resumes. */
export const SIGNAL_EVENT = v.object({
  event: v.literal(SIGNAL_TYPE),
  data: jsonText(["Signal"], SIGNAL),
});

/** Whatever else somebody published. */
export const UPDATE_EVENT = v.object({
  id,
  event: v.optional(v.string()),
  retry: v.optional(v.pipe(
    v.number(),
    v.integer(),
    v.minValue(0),
    v.description("Milliseconds to wait before a reconnection"),
  )),
  data: v.pipe(v.string(), v.description("Free text, most often JSON")),
});

export const STREAM_EVENT = v.union([
  TRACKED_EVENT,
  REPORTED_EVENT,
  SUBSCRIPTION_EVENT,
  SIGNAL_EVENT,
  UPDATE_EVENT,
]);
