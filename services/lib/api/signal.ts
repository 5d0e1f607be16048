/** What the hub tells of itself. */
import * as v from "valibot";

const now = v.pipe(v.number(), v.description("The streamer's clock, in ms since 1970"));

/** What the hub itself has to say to a stream that asked for it: the data of an event. */
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
