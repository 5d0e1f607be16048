/**
 * Opens a stream for a request, and brings it from where its client left off to where the hub is: from the history
 * in pages, then from the recent frames, each at the pace of the reader, and then live.
 */
import { type Channel, ChannelUnavailableError, type Cursor, HistoryLostError } from "../lib/channel.ts";
import { type Log, messageOf, stackOf } from "../lib/log.ts";
import { whenReachable } from "../lib/reachability.ts";
import { atMost, nextTurn, pause } from "../lib/shutdown.ts";
import { concatFrames, encodePreamble, encodeSignal } from "../lib/sse.ts";
import { Chunk } from "./chunk.ts";
import { frameOf } from "./framed.ts";
import type { History, Page } from "./history.ts";
import { HISTORY_LOST, type Hub } from "./hub.ts";
import type { Piece } from "./pieces.ts";
import { type Place, Subscriber } from "./subscriber.ts";
import type { View } from "./view.ts";

export interface SubscribeOptions {
  readonly hub: Hub;
  readonly history: History;
  readonly channel: Channel;
  readonly log: Log;
  /** Bytes that may wait for one client. */
  readonly maxWaiting: number;
}

/** Milliseconds that a stream waits for the channel before it opens without its answer. */
const ANSWER_MS = 1000;
/** For a client whose last id nobody knows. */
const UNKNOWN_ID = new Chunk(encodeSignal({ type: "gap", reason: "what was seen last is no longer kept" }));
/** Milliseconds after which a stream looks again whether the hub has come to where it is. */
const LOOK_AGAIN_MS = 250;
/** Milliseconds that a client waits before it reconnects, and how many more at random: not all at one moment. */
const RECONNECT_MS = 1000;
const RECONNECT_JITTER_MS = 1000;

/** What a client asks for. */
export interface SubscribeRequest {
  /** What it gets to see. */
  readonly view: View;
  /**
   * The id of the update that it saw last, or `earliest`; without one, the stream begins with what comes. An empty
   * one is an id that nobody knows.
   */
  readonly lastEventId?: string | undefined;
  /** Whether it remembers an id that comes without data; other clients may take that for an event. */
  readonly remembersIds: boolean;
  /** When the stream has to be over, in milliseconds since 1970. */
  readonly closesAt?: number | undefined;
  /** Whether it wants the hub's own events. */
  readonly signals: boolean;
  /** Whether its bytes are to be compressed. */
  readonly gzip: boolean;
}

export interface OpenStream {
  readonly subscriber: Subscriber;
  /**
   * The id of the update before the first one that is sent: the one that was asked for, or `earliest` when nobody
   * knows it. Undefined when none was asked for, or when the channel could not be asked in time.
   */
  readonly lastEventId: string | undefined;
}

/** Opens a stream of what a client may see after an update. An unreachable channel does not keep it from opening. */
export async function subscribe(request: SubscribeRequest, options: SubscribeOptions): Promise<OpenStream> {
  const { hub } = options;
  const { lastEventId, signals, remembersIds, view } = request;
  const live: Place = "live";
  const [place, oldest] = await Promise.all([
    lastEventId === undefined ? live : inTime(() => locate(lastEventId, options)),
    signals ? inTime(() => oldestId(view, options)) : undefined,
  ]);
  // What comes after this id is what comes from now on, or was private and may be seen a second time.
  const id = place === "live" && remembersIds ? hub.recent.lastPublicId : undefined;
  const frames: Uint8Array[] = [encodePreamble(RECONNECT_MS + Math.random() * RECONNECT_JITTER_MS, id)];
  if (signals) frames.push(encodeSignal({ type: "hello", now: Date.now(), oldest: oldest ?? null }));
  const isUnknown = lastEventId !== undefined && place === "live";
  if (signals && isUnknown) frames.push(UNKNOWN_ID.plain);
  const { historyLosses } = hub;
  const subscriber = new Subscriber({
    preamble: new Chunk(concatFrames(frames)),
    place: place ?? { locate: lastEventId ?? "" },
    view,
    closesAt: request.closesAt,
    signals,
    gzip: request.gzip,
    maxWaiting: options.maxWaiting,
    patience: hub.patience,
    onRoom: (subscriber) => catchUp(subscriber, { ...options, historyLosses }),
  });
  hub.add(subscriber);
  if (place === "live") hub.goLive(subscriber);
  return {
    subscriber,
    lastEventId: place === undefined ? undefined : isUnknown ? "earliest" : lastEventId,
  };
}

/** Resolves with the answer of the channel, or with undefined when it does not come soon. */
async function inTime<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await atMost(ANSWER_MS, ask());
  } catch (error) {
    if (error instanceof ChannelUnavailableError) return undefined;
    throw error;
  }
}

/** The place after an id: `live` when nobody knows it. */
async function locate(id: string, { hub, channel, log }: SubscribeOptions): Promise<Place> {
  if (id === "earliest") return { after: id };
  if (id === "") return "live";
  // The hub may know an id that the channel has lost with its history.
  const after = await channel.locate(id) ?? hub.recent.locate(id);
  if (after !== undefined) return { after };
  log.debug("Nobody knows the last event id; the stream goes on live");
  return "live";
}

async function oldestId(view: View, { channel }: SubscribeOptions): Promise<string | undefined> {
  const [oldest] = await channel.history("earliest", { limit: 1 });
  // Not even the id of a private update is anybody's business.
  return oldest !== undefined && view.sees(frameOf(oldest)) ? oldest.update.id : undefined;
}

interface ReadOptions extends SubscribeOptions {
  /** How often the channel had lost what it had when the stream began. */
  readonly historyLosses: number;
}

/** Writes to a subscriber, piece by piece as its client takes them, until it is live. */
async function catchUp(subscriber: Subscriber, options: ReadOptions): Promise<void> {
  try {
    while (subscriber.isDrained && subscriber.place !== "live") {
      await whenReachable(() => step(subscriber, options), subscriber.ended);
    }
  } catch (error) {
    if (subscriber.ended.aborted) return;
    if (error instanceof HistoryLostError) {
      options.log.warn("A stream ends, since what it has to go on with is no longer kept", {
        reason: error.message,
      });
      return subscriber.close("lagged");
    }
    // The client comes back with its last id, and finds whatever could not be read now.
    options.log.error(`Cannot go on with a stream: ${messageOf(error)}`, { stack: stackOf(error) });
    subscriber.close("failed");
  }
}

/** Brings a subscriber that is not live one step on. */
async function step(subscriber: Subscriber, options: ReadOptions): Promise<void> {
  const { place } = subscriber;
  if (place === "live") return;
  if ("after" in place) return await writeNext(subscriber, place.after, options);
  const located = await locate(place.locate, options);
  if (subscriber.ended.aborted) return;
  subscriber.place = located;
  if (located !== "live") return;
  if (subscriber.signals) subscriber.write(UNKNOWN_ID);
  options.hub.goLive(subscriber);
}

/** Writes what comes next after a cursor; makes the subscriber live when that is nothing. */
async function writeNext(
  subscriber: Subscriber,
  after: Cursor | "earliest",
  options: ReadOptions,
): Promise<void> {
  const { hub, history } = options;
  const { view, signals } = subscriber;
  const recent = after === "earliest" ? undefined : hub.recent.next({ after, view, signals });
  // Nothing after the cursor is what the hub has not dispatched yet, so nothing comes between this and live.
  if (recent?.end === after) return hub.goLive(subscriber);
  if (recent !== undefined) return await write(subscriber, recent);
  const { advanced } = hub;
  let page: Page | undefined;
  try {
    page = await history.read(after);
  } catch (error) {
    if (!(error instanceof HistoryLostError) || !await isAllLost(options)) throw error;
    options.log.warn("A stream goes on with what there is of the new history", { reason: error.message });
    if (signals) subscriber.write(HISTORY_LOST);
    subscriber.place = { after: "earliest" };
    return;
  }
  if (page !== undefined) return await write(subscriber, page.read(view));
  // The reader is at the end of the history, and the hub is about to come there.
  await Promise.race([advanced, pause(LOOK_AGAIN_MS, subscriber.ended)]);
}

/** Whether the channel has lost all that it had, and not only what one reader was too slow for. */
async function isAllLost({ hub, channel, historyLosses }: ReadOptions): Promise<boolean> {
  // The hub notices it on its own, sooner or later than a reader does.
  if (hub.historyLosses > historyLosses) return true;
  try {
    await channel.history(hub.recent.end ?? "earliest", { limit: 1 });
    return false;
  } catch (error) {
    if (!(error instanceof HistoryLostError)) throw error;
    return true;
  }
}

async function write(subscriber: Subscriber, { chunk, end }: Piece): Promise<void> {
  // The stream may have come to its end while the chunk was read.
  if (subscriber.isOver) return;
  subscriber.place = { after: end };
  if (chunk.plain.length > 0) subscriber.write(chunk);
  // There may be much to look through, and all the others want their turn.
  await nextTurn();
}
