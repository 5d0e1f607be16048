/**
 * Opens a stream for a request, and brings it from where its client left off to where the hub is: from the log in
 * pages, then from the recent frames, each at the pace of the reader, and then live.
 */
import { type Channel, ChannelUnavailableError, HistoryLostError } from "../lib/channel.ts";
import { type Log, messageOf } from "../lib/log.ts";
import { pause } from "../lib/shutdown.ts";
import { concatFrames, encodePreamble } from "../lib/sse.ts";
import type { Hub } from "./hub.ts";
import { type Framed, frameOf } from "./recent.ts";
import { Subscriber } from "./subscriber.ts";

export interface SubscribeOptions {
  readonly hub: Hub;
  readonly channel: Channel;
  readonly log: Log;
}

/** Bytes of recent frames written in one step. */
const CHUNK_BYTES = 64 * 1024;
/** Updates read from the log in one step; they wait in memory until the reader takes them. */
const PAGE_LIMIT = 500;
/** Milliseconds before an unreachable channel is asked again, besides what the asking itself takes. */
const RETRY_MS = 250;
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
  let unlocated = lastEventId;
  const subscriber = new Subscriber({
    preamble: encodePreamble(RECONNECT_MS + Math.random() * RECONNECT_JITTER_MS),
    pull: async (subscriber) => {
      try {
        const id = unlocated;
        unlocated = undefined;
        if (id !== undefined) await patiently(subscriber, () => locate(subscriber, id, options));
        while (subscriber.hasRoom && !hub.isLive(subscriber)) {
          await patiently(subscriber, () => readOn(subscriber, options));
        }
      } catch (error) {
        // The client comes back with its last id, and finds whatever could not be read now.
        log.error(`Cannot go on with a stream: ${messageOf(error)}`);
        subscriber.close();
      }
    },
    ended: (subscriber) => hub.remove(subscriber),
  });
  hub.add(subscriber);
  if (lastEventId === undefined) hub.join(subscriber);
  return subscriber.stream;
}

/** Finds the place of the id. */
async function locate(
  subscriber: Subscriber,
  id: string,
  { hub, channel, log }: SubscribeOptions,
): Promise<void> {
  subscriber.cursor = id === "earliest" ? "earliest" : await channel.locate(id);
  if (subscriber.cursor !== undefined) return;
  log.debug("Nobody knows the last event id; the stream goes on live");
  hub.join(subscriber);
}

/** Writes what comes next after the subscriber's cursor; makes it live when that is nothing. */
async function readOn(subscriber: Subscriber, { hub, channel, log }: SubscribeOptions): Promise<void> {
  const { cursor } = subscriber;
  if (cursor === undefined) return hub.join(subscriber);
  const recent = cursor === "earliest" ? undefined : hub.recent.read(cursor, CHUNK_BYTES);
  if (recent !== undefined) {
    // Nothing after the cursor is what the hub has not dispatched yet, so nothing comes between this and live.
    return recent.length === 0 ? hub.join(subscriber) : write(subscriber, recent);
  }
  const advanced = hub.advanced;
  try {
    const entries = await channel.history(cursor, { limit: PAGE_LIMIT });
    if (entries.length > 0) return write(subscriber, entries.map(frameOf));
    // The reader is at the end of the log, and the hub is about to come there.
    await Promise.race([advanced, pause(RETRY_MS, subscriber.ended)]);
  } catch (error) {
    if (!(error instanceof HistoryLostError)) throw error;
    log.warn("A stream cannot go on where it was; it goes on with what is kept", { reason: error.message });
    subscriber.cursor = "earliest";
  }
}

function write(subscriber: Subscriber, items: readonly Framed[]): void {
  if (subscriber.ended.aborted) return;
  const chunk = concatFrames(items.map(({ frame }) => frame));
  if (chunk.length > 0) subscriber.write(chunk);
  subscriber.cursor = items.at(-1)?.cursor;
}

/** Repeats what fails because the channel is away: the stream stays open, keeps its heartbeat and goes on. */
async function patiently(subscriber: Subscriber, action: () => Promise<void>): Promise<void> {
  while (!subscriber.ended.aborted) {
    try {
      return await action();
    } catch (error) {
      if (!(error instanceof ChannelUnavailableError)) throw error;
      await pause(RETRY_MS, subscriber.ended);
    }
  }
}
