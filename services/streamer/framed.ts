/** An entry of the channel as streams need it: its bytes, encoded once, and what decides who may have them. */
import type { Cursor, Entry } from "../lib/channel.ts";
import { Topic } from "../lib/matcher.ts";
import { concatFrames, encodeFrame } from "../lib/sse.ts";
import { SIGNAL_TYPE } from "../lib/update.ts";
import { readNotice } from "./subscription.ts";
import type { View } from "./view.ts";

export interface Framed {
  readonly cursor: Cursor;
  readonly id: string;
  /** What it is matched by; none for what streamers tell each other, which has its place in the order only. */
  readonly topics: readonly Topic[];
  readonly private: boolean;
  readonly frame: Uint8Array;
  /** What a subscriber that asked for signals receives here as well. */
  readonly signal?: Uint8Array;
}

const NOTHING = new Uint8Array();

export function frameOf({ cursor, update }: Entry): Framed {
  const { id, private: isPrivate } = update;
  const framed = { cursor, id, private: isPrivate };
  if (update.type !== SIGNAL_TYPE) {
    return { ...framed, topics: update.topics.map((name) => new Topic(name)), frame: encodeFrame(update) };
  }
  const notice = readNotice(update);
  if (notice?.kind !== "subscription") return { ...framed, topics: [], frame: NOTHING };
  const { type: _, ...untyped } = update;
  return {
    ...framed,
    topics: [new Topic(update.topics[0])],
    // Clients of the 0.x generation listen for events without a name.
    frame: encodeFrame(notice.legacy ? untyped : update),
  };
}

/** What a subscriber with this view receives of the items, as one chunk. */
export function chunkOf(items: readonly Framed[], view: View, { signals = false } = {}): Uint8Array {
  const frames: Uint8Array[] = [];
  for (const item of items) {
    if (view.sees(item)) frames.push(item.frame);
    if (signals && item.signal !== undefined) frames.push(item.signal);
  }
  return concatFrames(frames);
}
