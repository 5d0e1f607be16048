/** An entry of the channel as streams need it: its bytes, encoded once, and what decides who may have them. */
import type { Cursor, Entry } from "../lib/channel.ts";
import { Topic } from "../lib/matcher.ts";
import { concatFrames, encodeFrame } from "../lib/sse.ts";
import { SIGNAL_TYPE, type Update } from "../lib/update.ts";
import { readNotice } from "./subscription.ts";
import type { View } from "./view.ts";

export interface Framed {
  readonly cursor: Cursor;
  readonly id: string;
  /** What it is matched by; none for what streamers tell each other, which has its place in the order only. */
  readonly topics: readonly Topic[];
  readonly private: boolean;
  readonly frame: Uint8Array;
  /** Bytes of memory that it takes, about. */
  readonly size: number;
  /** What a subscriber that asked for signals receives here as well. */
  readonly signal?: Uint8Array;
}

/** Bytes that an item takes besides its texts: objects, a place in an array and in an index. */
const OVERHEAD_BYTES = 400;
/** The same for each topic, with what matching has found out about it. */
const TOPIC_OVERHEAD_BYTES = 200;

const NOTHING = new Uint8Array();

export function frameOf({ cursor, update }: Entry): Framed {
  if (update.type !== SIGNAL_TYPE) return framed(cursor, update, update.topics);
  const notice = readNotice(update);
  if (notice?.kind !== "subscription") return framed(cursor, update, []);
  const { type: _, ...untyped } = update;
  // Clients of the 0.x generation listen for events without a name.
  return framed(cursor, notice.legacy ? untyped : update, [update.topics[0]]);
}

/** @param topics those that it is matched by. */
function framed(cursor: Cursor, update: Update, topics: readonly string[]): Framed {
  const frame = topics.length === 0 ? NOTHING : encodeFrame(update);
  return {
    cursor,
    id: update.id,
    private: update.private,
    topics: topics.map((name) => new Topic(name)),
    frame,
    size: topics.reduce(
      (size, topic) => size + 2 * topic.length + TOPIC_OVERHEAD_BYTES,
      frame.length + 2 * update.id.length + OVERHEAD_BYTES,
    ),
  };
}

/** A signal in its place among the updates. */
export function signalItem(cursor: Cursor, signal: Uint8Array): Framed {
  return { cursor, id: "", private: false, topics: [], frame: NOTHING, size: OVERHEAD_BYTES, signal };
}

/** Milliseconds in one go for what one subscriber sees: many matchers, and others want their turn. */
const GO_MS = 5;

/**
 * What a subscriber with this view receives of the items, as one chunk, and how many of them that was: one at least,
 * and all unless matching takes too long.
 */
export function chunkOf(
  items: readonly Framed[],
  view: View,
  { signals = false } = {},
): { chunk: Uint8Array; count: number } {
  const end = performance.now() + GO_MS;
  const frames: Uint8Array[] = [];
  let count = 0;
  for (const item of items) {
    if (view.sees(item)) frames.push(item.frame);
    if (signals && item.signal !== undefined) frames.push(item.signal);
    count++;
    if (performance.now() > end) break;
  }
  return { chunk: concatFrames(frames), count };
}
