/**
 * The fan-out inside one streamer: follows the channel, encodes each update once, and hands everything that one
 * turn brought to every live subscriber as one chunk.
 *
 * A subscriber is either *live*, and then has had all that the hub dispatched, or it reads after a cursor of its
 * own (see `subscribe.ts`) until it has caught up with the hub. A slow one never waits here: when it has no room,
 * it stops being live and remembers its cursor, and nobody else notices.
 */
import {
  type Channel,
  type ChannelStatus,
  type Cursor,
  type Entry,
  HistoryLostError,
} from "../lib/channel.ts";
import type { Log } from "../lib/log.ts";
import { whenReachable } from "../lib/reachability.ts";
import { encodeSignal, HEARTBEAT } from "../lib/sse.ts";
import { chunkOf, type Framed, frameOf, Recent } from "./recent.ts";
import type { Subscriber } from "./subscriber.ts";

export interface HubOptions {
  readonly channel: Channel;
  readonly log: Log;
  /** Milliseconds of silence after which a stream gets a comment. */
  readonly heartbeatMs?: number;
  /** Milliseconds between two heartbeats of those who asked for signals; comments are invisible to pages. */
  readonly signalMs?: number;
  /** Bytes of recent frames that are kept. */
  readonly recentBytes?: number;
}

/** Bytes of one chunk, so that a burst of large updates does not fill the memory of every stream at once. */
const CHUNK_BYTES = 256 * 1024;

/** How many times within one heartbeat the hub looks which streams were silent. */
const HEARTBEAT_LOOKS = 10;

export class Hub {
  readonly recent: Recent;
  readonly #channel: Channel;
  readonly #log: Log;
  readonly #heartbeatMs: number;
  readonly #signalMs: number;
  readonly #subscribers = new Set<Subscriber>();
  readonly #live = new Set<Subscriber>();
  /** Updates that were dispatched since the last heartbeat of the signals. */
  #updates = 0;
  #advance = Promise.withResolvers<void>();

  constructor(options: HubOptions) {
    const { channel, log, heartbeatMs = 15_000, signalMs = 10_000, recentBytes = 64 * 1024 * 1024 } = options;
    this.#channel = channel;
    this.#log = log;
    this.#heartbeatMs = heartbeatMs;
    this.#signalMs = signalMs;
    this.recent = new Recent(recentBytes);
  }

  /** Whether it can do its work now: it follows the channel, and the channel can be reached. */
  status(): ChannelStatus {
    const status = this.#channel.status();
    if (!status.reachable || this.recent.end !== undefined) return status;
    return { reachable: false, reason: "The end of the channel is not known yet" };
  }

  /** How many streams are open. */
  get size(): number {
    return this.#subscribers.size;
  }

  /** How many of them are live. */
  get live(): number {
    return this.#live.size;
  }

  /** Resolves when the hub has next dispatched something. */
  get advanced(): Promise<void> {
    return this.#advance.promise;
  }

  /** Takes part in heartbeats and in the end from now on. */
  add(subscriber: Subscriber): void {
    this.#subscribers.add(subscriber);
  }

  remove(subscriber: Subscriber): void {
    this.#subscribers.delete(subscriber);
    this.#live.delete(subscriber);
  }

  /** Makes a subscriber live: it receives all that is dispatched after this call, and nothing from before. */
  goLive(subscriber: Subscriber): void {
    subscriber.place = "live";
    this.#live.add(subscriber);
  }

  /** Follows the channel until the signal aborts, then ends every stream. */
  async run(signal: AbortSignal): Promise<void> {
    const timers = [
      setInterval(() => this.#beat(), this.#heartbeatMs / HEARTBEAT_LOOKS),
      setInterval(() => this.#signalHeartbeat(), this.#signalMs),
    ];
    try {
      await this.#follow(signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      timers.forEach(clearInterval);
      for (const subscriber of this.#subscribers) subscriber.close();
    }
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const opened = performance.now();
    // As it was when the first stream may have been opened: an unreachable channel must not cost it anything.
    const msAgo = () => performance.now() - opened;
    const start = await whenReachable(() => this.#channel.latest({ msAgo: msAgo() }), signal);
    this.recent.begin(start);
    let after: Cursor | "earliest" = start;
    while (true) {
      try {
        for await (const entries of this.#channel.subscribe(after, { signal })) this.#dispatch(entries);
        return;
      } catch (error) {
        if (!(error instanceof HistoryLostError)) throw error;
        this.#log.warn("Updates were lost with the history of the channel; going on with what it keeps", {
          reason: error.message,
        });
        this.#signalGap("the history was lost");
        after = "earliest";
      }
    }
  }

  #dispatch(entries: readonly Entry[]): void {
    this.#updates += entries.length;
    let chunk: Framed[] = [];
    let bytes = 0;
    for (const entry of entries) {
      const item = frameOf(entry);
      chunk.push(item);
      bytes += item.frame.length;
      if (bytes < CHUNK_BYTES) continue;
      this.#send(chunk);
      chunk = [];
      bytes = 0;
    }
    this.#send(chunk);
    this.#advance.resolve();
    this.#advance = Promise.withResolvers();
  }

  /** Appends the items to the recent ones and writes them to all live subscribers, encoded once. */
  #send(items: readonly Framed[]): void {
    const before = this.recent.end;
    for (const item of items) this.recent.append(item);
    const chunk = chunkOf(items, { signals: false });
    if (chunk.length > 0) this.#write(before, () => chunk);
  }

  /** Tells those who asked for it that updates are missing here, now or when they come to this place. */
  #signalGap(reason: string): void {
    const before = this.recent.end;
    const signal = encodeSignal({ type: "gap", reason });
    this.recent.mark(signal);
    this.#write(before, (subscriber) => subscriber.signals ? signal : undefined);
  }

  /** Writes to all live subscribers; those without room go on after the cursor when they have some. */
  #write(before: Cursor | undefined, chunkFor: (subscriber: Subscriber) => Uint8Array | undefined): void {
    for (const subscriber of this.#live) {
      const chunk = chunkFor(subscriber);
      if (chunk === undefined) continue;
      if (subscriber.hasRoom) {
        subscriber.write(chunk);
      } else {
        this.#live.delete(subscriber);
        subscriber.place = { after: before ?? "earliest" };
      }
    }
  }

  #signalHeartbeat(): void {
    const rate = Math.round(this.#updates * 1000 / this.#signalMs * 10) / 10;
    this.#updates = 0;
    const signal = encodeSignal({ type: "heartbeat", now: Date.now(), rate, subscribers: this.size });
    for (const subscriber of this.#subscribers) {
      if (subscriber.signals && subscriber.hasRoom) subscriber.write(signal);
    }
  }

  #beat(): void {
    for (const subscriber of this.#subscribers) {
      if (subscriber.idle >= this.#heartbeatMs && subscriber.hasRoom) subscriber.write(HEARTBEAT);
    }
  }
}
