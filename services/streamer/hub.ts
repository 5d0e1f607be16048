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
import { concatFrames, HEARTBEAT } from "../lib/sse.ts";
import { type Framed, frameOf, Recent } from "./recent.ts";
import type { Subscriber } from "./subscriber.ts";

export interface HubOptions {
  readonly channel: Channel;
  readonly log: Log;
  /** Milliseconds of silence after which a stream gets a comment. */
  readonly heartbeatMs?: number;
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
  readonly #subscribers = new Set<Subscriber>();
  readonly #live = new Set<Subscriber>();
  #advance = Promise.withResolvers<void>();

  constructor({ channel, log, heartbeatMs = 15_000, recentBytes = 64 * 1024 * 1024 }: HubOptions) {
    this.#channel = channel;
    this.#log = log;
    this.#heartbeatMs = heartbeatMs;
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
    const timer = setInterval(() => this.#beat(), this.#heartbeatMs / HEARTBEAT_LOOKS);
    try {
      await this.#follow(signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      clearInterval(timer);
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
        after = "earliest";
      }
    }
  }

  #dispatch(entries: readonly Entry[]): void {
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
    const chunk = concatFrames(items.map(({ frame }) => frame));
    if (chunk.length === 0) return;
    for (const subscriber of this.#live) {
      if (subscriber.hasRoom) {
        subscriber.write(chunk);
      } else {
        this.#live.delete(subscriber);
        subscriber.place = { after: before ?? "earliest" };
      }
    }
  }

  #beat(): void {
    for (const subscriber of this.#subscribers) {
      if (subscriber.idle >= this.#heartbeatMs && subscriber.hasRoom) subscriber.write(HEARTBEAT);
    }
  }
}
