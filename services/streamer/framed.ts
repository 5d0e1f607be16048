/** An entry of the channel as streams need it: its bytes, encoded once, and what decides who may have them. */
import type { Cursor, Entry } from "../lib/channel.ts";
import { concatFrames, encodeFrames } from "../lib/sse.ts";
import { SIGNAL_TYPE, type Update } from "../lib/update.ts";
import { readNotice } from "./subscription.ts";
import type { View } from "./view.ts";

export interface Framed {
  readonly cursor: Cursor;
  readonly id: string;
  /** What it is matched by; none for what streamers tell each other, which has its place in the order only. */
  readonly topics: readonly string[];
  readonly private: boolean;
  readonly frame: Uint8Array;
  /** Bytes of memory that it takes, about. */
  readonly size: number;
  /** What a subscriber that asked for signals receives here as well. */
  readonly signal?: Uint8Array;
}

/** Bytes that an item takes besides its texts: objects, a place in an array and in an index. */
const OVERHEAD_BYTES = 500;
/** The same for each topic. */
const TOPIC_OVERHEAD_BYTES = 50;

const NOTHING = new Uint8Array();

/** Items for the entries, whose frames lie one after the other. */
export function framesOf(entries: readonly Entry[]): Framed[] {
  const shown = entries.map(({ update }) => shownOf(update));
  const frames = encodeFrames(shown.flatMap((each) => each?.update ?? [])).values();
  return entries.map(({ cursor, update }, index) => {
    const topics = shown[index]?.topics ?? [];
    const frame = topics.length > 0 ? frames.next().value as Uint8Array : NOTHING;
    return {
      cursor,
      id: update.id,
      topics,
      private: update.private,
      frame,
      size: topics.reduce(
        (size, topic) => size + 2 * topic.length + TOPIC_OVERHEAD_BYTES,
        frame.length + 2 * update.id.length + OVERHEAD_BYTES,
      ),
    };
  });
}

/** The item for one entry. */
export function frameOf(entry: Entry): Framed {
  return framesOf([entry])[0] as Framed;
}

/** What streams show of an update, and what it is matched by; undefined for what streamers tell each other. */
export function shownOf(update: Update): Pick<Framed, "topics"> & { readonly update: Update } | undefined {
  if (update.type !== SIGNAL_TYPE) return { update, topics: update.topics };
  const notice = readNotice(update);
  if (notice?.kind !== "subscription") return undefined;
  const { type: _, ...untyped } = update;
  return {
    // Clients of the 0.x generation listen for events without a name.
    update: notice.legacy ? untyped : update,
    // The other one is for streamers.
    topics: [update.topics[0]],
  };
}

/** A signal in its place among the updates. */
export function signalItem(cursor: Cursor, signal: Uint8Array): Framed {
  return { cursor, id: "", private: false, topics: [], frame: NOTHING, size: OVERHEAD_BYTES, signal };
}

/** Milliseconds in one go for what one subscriber sees: many matchers, and others want their turn. */
const GO_MS = 5;
/** Most items between two looks at the clock, which takes as long as most of them. */
const MAX_UNTIMED = 16;

/**
 * What a subscriber with this view receives of the items, as one chunk, and how many of them that was: one at least,
 * and all unless matching takes too long.
 */
export function chunkOf(
  items: readonly Pick<Framed, "topics" | "private" | "frame" | "signal">[],
  view: View,
  { signals = false } = {},
): { chunk: Uint8Array; count: number } {
  const end = performance.now() + GO_MS;
  const frames: Uint8Array[] = [];
  let count = 0;
  let nextLook = 1;
  for (const item of items) {
    if (view.sees(item)) frames.push(item.frame);
    if (signals && item.signal !== undefined) frames.push(item.signal);
    count++;
    if (count < nextLook) continue;
    if (performance.now() > end) break;
    // The first ones tell how long it takes; as many again take as long again.
    nextLook += Math.min(count, MAX_UNTIMED);
  }
  return { chunk: concatFrames(frames), count };
}
