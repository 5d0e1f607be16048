/**
 * The fan-out inside one streamer: follows the channel, encodes each update once, and hands everything that one
 * turn brought to every live subscriber that may see it as one chunk, shared by all with the same view.
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
import { concatFrames, encodeSignal, HEARTBEAT } from "../lib/sse.ts";
import { type Framed, frameOf } from "./framed.ts";
import { type Group, Groups } from "./groups.ts";
import { Recent } from "./recent.ts";
import type { Subscriber } from "./subscriber.ts";

export interface HubOptions {
  readonly channel: Channel;
  readonly log: Log;
  /** Milliseconds of silence after which a stream gets a comment; 0 for never. */
  readonly heartbeatMs?: number;
  /** Milliseconds between two heartbeats of those who asked for signals; comments are invisible to pages. */
  readonly signalMs?: number;
  /** Bytes of recent frames that are kept. */
  readonly recentBytes?: number;
}

/** Who else has to know what comes from the channel. */
export interface HubObserver {
  /** Called with everything that the hub has dispatched, in order. */
  onEntries(entries: readonly Entry[]): void;
  /** Called when the channel has lost what it had. */
  onHistoryLost(): void;
}

/** Bytes of one chunk, so that a burst of large updates does not fill the memory of every stream at once. */
const CHUNK_BYTES = 256 * 1024;

/** Most distinct patterns of all subscribers. Each costs every update some 50 ns; one with expressions, some µs. */
const MAX_PATTERNS = 10_000;
/** Most characters of regular expressions in them: the worst of so many cost an update some 20 ms. */
const MAX_EXPRESSIONS = 64 * 1024;

/** How many times within one heartbeat the hub looks which streams were silent. */
const HEARTBEAT_LOOKS = 10;

export class Hub {
  readonly recent: Recent;
  readonly #channel: Channel;
  readonly #log: Log;
  readonly #heartbeatMs: number;
  readonly #signalMs: number;
  readonly #subscribers = new Map<Subscriber, Group>();
  readonly #groups = new Groups();
  readonly #observers: HubObserver[] = [];
  #live = 0;
  #isOver = false;
  /** Public updates that were dispatched since the last heartbeat of the signals. */
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
    return this.#live;
  }

  /** Whether more patterns would make each update too slow, or take too much memory. */
  get hasTooManyPatterns(): boolean {
    return this.#groups.patterns >= MAX_PATTERNS || this.#groups.size >= MAX_EXPRESSIONS;
  }

  /** Resolves when the hub has next dispatched something. */
  get advanced(): Promise<void> {
    return this.#advance.promise;
  }

  observe(observer: HubObserver): void {
    this.#observers.push(observer);
  }

  /** Takes part in heartbeats and in the end from now on. */
  add(subscriber: Subscriber): void {
    if (this.#isOver) return subscriber.close();
    this.#subscribers.set(subscriber, this.#groups.join(subscriber.view));
  }

  remove(subscriber: Subscriber): void {
    const group = this.#subscribers.get(subscriber);
    if (group === undefined) return;
    this.#subscribers.delete(subscriber);
    this.#leaveLive(group, subscriber);
    this.#groups.leave(group);
  }

  /** Makes a subscriber live: it receives all that is dispatched after this call, and nothing from before. */
  goLive(subscriber: Subscriber): void {
    subscriber.place = "live";
    const live = this.#subscribers.get(subscriber)?.live;
    if (live === undefined || live.has(subscriber)) return;
    live.add(subscriber);
    this.#live++;
  }

  #leaveLive({ live }: Group, subscriber: Subscriber): void {
    if (live.delete(subscriber)) this.#live--;
  }

  /** Follows the channel until the signal aborts, then ends every stream. */
  async run(signal: AbortSignal): Promise<void> {
    const timers = [setInterval(() => this.#signalHeartbeat(), this.#signalMs)];
    if (this.#heartbeatMs > 0) {
      timers.push(setInterval(() => this.#beat(), this.#heartbeatMs / HEARTBEAT_LOOKS));
    }
    try {
      await this.#follow(signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      timers.forEach(clearInterval);
      this.#isOver = true;
      for (const subscriber of [...this.#subscribers.keys()]) subscriber.close();
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
        for (const observer of this.#observers) observer.onHistoryLost();
        after = "earliest";
      }
    }
  }

  #dispatch(entries: readonly Entry[]): void {
    // The rest is not for everybody who is told the rate.
    this.#updates += entries.filter(({ update }) => !update.private).length;
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
    for (const observer of this.#observers) observer.onEntries(entries);
    this.#advance.resolve();
    this.#advance = Promise.withResolvers();
  }

  /** Appends the items to the recent ones and writes them to the live subscribers that may see them. */
  #send(items: readonly Framed[]): void {
    const before = this.recent.end;
    const touched = new Set<Group>();
    for (const item of items) {
      this.recent.append(item);
      for (const group of this.#groups.routedTo(item.topics)) {
        if (group.live.size === 0 || !group.view.mayRead(item)) continue;
        group.pending.push(item);
        touched.add(group);
      }
    }
    for (const group of touched) {
      const chunk = concatFrames(group.pending.map(({ frame }) => frame));
      group.pending = [];
      for (const subscriber of group.live) this.#write(subscriber, group, chunk, before);
    }
  }

  /** Tells those who asked for it that updates are missing here, now or when they come to this place. */
  #signalGap(reason: string): void {
    const before = this.recent.end;
    const signal = encodeSignal({ type: "gap", reason });
    this.recent.mark(signal);
    for (const [subscriber, group] of this.#subscribers) {
      if (subscriber.signals && group.live.has(subscriber)) this.#write(subscriber, group, signal, before);
    }
  }

  /** Writes to a live subscriber; without room it goes on after the cursor when it has some. */
  #write(subscriber: Subscriber, group: Group, chunk: Uint8Array, before: Cursor | undefined): void {
    if (subscriber.hasRoom) {
      subscriber.write(chunk);
    } else {
      this.#leaveLive(group, subscriber);
      subscriber.place = { after: before ?? "earliest" };
    }
  }

  #signalHeartbeat(): void {
    const rate = Math.round(this.#updates * 1000 / this.#signalMs * 10) / 10;
    this.#updates = 0;
    const signal = encodeSignal({ type: "heartbeat", now: Date.now(), rate, subscribers: this.size });
    for (const subscriber of this.#subscribers.keys()) {
      if (subscriber.signals && subscriber.hasRoom) subscriber.write(signal);
    }
  }

  #beat(): void {
    for (const subscriber of this.#subscribers.keys()) {
      if (subscriber.idle >= this.#heartbeatMs && subscriber.hasRoom) subscriber.write(HEARTBEAT);
    }
  }
}
