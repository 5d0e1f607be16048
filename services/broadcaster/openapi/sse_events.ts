/**
 * The events of a stream, by their fields.
 * Source: WHATWG HTML, section 9.2 "Server-sent events".
 */
import * as v from "valibot";
import { SIGNAL } from "../../lib/api/signal.ts";
import { LEGACY_SUBSCRIPTION, SUBSCRIPTION } from "../../lib/api/subscriptions.ts";
import { SIGNAL_TYPE } from "../../lib/update.ts";
import { REPORTED_DATA, REPORTED_TYPE, TRACKED_DATA, TRACKED_TYPE } from "../tracking_schemas.ts";
import { jsonText } from "./json_text.ts";

const id = v.pipe(v.string(), v.description("The id of the update, with which to come back"));

/** What a page reported in a batch. */
export const TRACKED_SSE_EVENT = v.object({
  id,
  event: v.literal(TRACKED_TYPE),
  data: jsonText(["TrackedData"], TRACKED_DATA),
});

/** What the demo page reported, by itself or in a batch. */
export const REPORTED_SSE_EVENT = v.object({
  id,
  event: REPORTED_TYPE,
  data: jsonText(["ReportedData", "TrackedData"], v.union([TRACKED_DATA, REPORTED_DATA])),
});

/** That a subscription begins or ends, for who may know. */
export const SUBSCRIPTION_SSE_EVENT = v.object({
  id,
  event: v.optional(v.pipe(
    v.literal(SIGNAL_TYPE),
    v.description("Missing where the subscription is of the 0.x generation"),
  )),
  data: jsonText(["Subscription", "LegacySubscription"], v.union([SUBSCRIPTION, LEGACY_SUBSCRIPTION])),
});

/** Without an id: it does not move the place from which a client resumes. */
export const SIGNAL_SSE_EVENT = v.object({
  event: v.literal(SIGNAL_TYPE),
  data: jsonText(["Signal"], SIGNAL),
});

/** Whatever else somebody published. */
export const UPDATE_SSE_EVENT = v.object({
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

/** Any event of a stream. */
export const SSE_EVENT = v.union([
  TRACKED_SSE_EVENT,
  REPORTED_SSE_EVENT,
  SUBSCRIPTION_SSE_EVENT,
  SIGNAL_SSE_EVENT,
  UPDATE_SSE_EVENT,
]);
