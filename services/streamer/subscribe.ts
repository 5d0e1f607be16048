/**
 * Opens a stream for a request, and brings it from where its client left off to where the hub is: from the history
 * in pages, then from the recent frames, each at the pace of the reader, and then live.
 */
import { type Channel, type Cursor, HistoryLostError } from "../lib/channel.ts";
import { type Log, messageOf, stackOf } from "../lib/log.ts";
import { whenReachable } from "../lib/reachability.ts";
import { pause } from "../lib/shutdown.ts";
import { concatFrames, encodePreamble } from "../lib/sse.ts";
import type { History, Page } from "./history.ts";
import type { Hub } from "./hub.ts";
import { Subscriber } from "./subscriber.ts";

export interface SubscribeOptions {
  readonly hub: Hub;
  readonly history: History;
  readonly channel: Channel;
  readonly log: Log;
}

/** Bytes of recent frames written in one step. */
const CHUNK_BYTES = 64 * 1024;
/** Milliseconds after which a stream looks again whether the hub has come to where it is. */
const LOOK_AGAIN_MS = 250;
/** Milliseconds that a client waits before it reconnects, and how many more at random: not all at one moment. */
const RECONNECT_MS = 1000;
const RECONNECT_JITTER_MS = 1000;

/**
 * Opens a stream of all public updates after the one with the id `lastEventId`, or of all that are kept when it
 * is `earliest`; without it, or when nobody knows the id, of those to come.
 */
export function subscribe(
  lastEventId: string | undefined,
  options: SubscribeOptions,
): ReadableStream<Uint8Array> {
  const { hub, log } = options;
  const subscriber = new Subscriber({
    preamble: encodePreamble(RECONNECT_MS + Math.random() * RECONNECT_JITTER_MS),
    place: lastEventId === undefined ? "live" : { locate: lastEventId },
    onEnded: (subscriber) => hub.remove(subscriber),
    onRoom: async (subscriber) => {
      try {
        while (subscriber.hasRoom && subscriber.place !== "live") {
          await whenReachable(() => step(subscriber, options), subscriber.ended);
        }
      } catch (error) {
        if (subscriber.ended.aborted) return;
        // The client comes back with its last id, and finds whatever could not be read now.
        log.error(`Cannot go on with a stream: ${messageOf(error)}`, { stack: stackOf(error) });
        subscriber.close();
      }
    },
  });
  hub.add(subscriber);
  if (lastEventId === undefined) hub.goLive(subscriber);
  return subscriber.stream;
}

/** Brings a subscriber that is not live one step on. */
async function step(subscriber: Subscriber, options: SubscribeOptions): Promise<void> {
  const { place } = subscriber;
  if (place === "live") return;
  if ("locate" in place) await locate(subscriber, place.locate, options);
  else await readOn(subscriber, place.after, options);
}

/** Finds the place of an id. */
async function locate(
  subscriber: Subscriber,
  id: string,
  { hub, channel, log }: SubscribeOptions,
): Promise<void> {
  // The hub may know an id that the channel has lost with its history.
  const after = id === "earliest" ? id : await channel.locate(id) ?? hub.recent.locate(id);
  if (subscriber.ended.aborted) return;
  if (after !== undefined) {
    subscriber.place = { after };
  } else {
    log.debug("Nobody knows the last event id; the stream goes on live");
    hub.goLive(subscriber);
  }
}

/** Writes what comes next after a cursor; makes the subscriber live when that is nothing. */
async function readOn(
  subscriber: Subscriber,
  after: Cursor | "earliest",
  { hub, history, channel, log }: SubscribeOptions,
): Promise<void> {
  const recent = after === "earliest" ? undefined : hub.recent.read(after, CHUNK_BYTES);
  if (recent !== undefined) {
    const last = recent.at(-1);
    // Nothing after the cursor is what the hub has not dispatched yet, so nothing comes between this and live.
    if (last === undefined) return hub.goLive(subscriber);
    return write(subscriber, { chunk: concatFrames(recent.map(({ frame }) => frame)), end: last.cursor });
  }
  const { advanced } = hub;
  try {
    // Asked first: if there is no history at all, this is the place from which the stream goes on.
    const end = after === "earliest" ? await channel.latest() : undefined;
    const page = await history.read(after);
    if (page !== undefined) return write(subscriber, page);
    if (end !== undefined) subscriber.place = { after: end };
    // The reader is at the end of the history, and the hub is about to come there.
    else await Promise.race([advanced, pause(LOOK_AGAIN_MS, subscriber.ended)]);
  } catch (error) {
    if (!(error instanceof HistoryLostError)) throw error;
    log.warn("A stream cannot go on where it was; it goes on with what is kept", { reason: error.message });
    subscriber.place = { after: "earliest" };
  }
}

function write(subscriber: Subscriber, { chunk, end }: Page): void {
  if (subscriber.ended.aborted) return;
  if (chunk.length > 0) subscriber.write(chunk);
  subscriber.place = { after: end };
}
