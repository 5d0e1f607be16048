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
import { pause } from "../lib/shutdown.ts";
import { concatFrames, encodeRetry, encodeSignal, HEARTBEAT } from "../lib/sse.ts";
import { Chunk } from "./chunk.ts";
import { type Framed, framesOf } from "./framed.ts";
import { type Group, Groups } from "./groups.ts";
import { Recent } from "./recent.ts";
import { END_REASONS, type EndReason, type Patience, type Subscriber } from "./subscriber.ts";

export interface HubOptions {
  readonly channel: Channel;
  readonly log: Log;
  /** Milliseconds of silence after which a stream gets a comment; 0 for never. */
  readonly heartbeatMs?: number;
  /** Milliseconds between two heartbeats of those who asked for signals; comments are invisible to pages. */
  readonly signalMs?: number;
  /** Bytes of recent frames that are kept. */
  readonly recentBytes?: number;
  /** Milliseconds for which updates may be held back, under load only, so that more of them share a write. */
  readonly maxBatchDelayMs?: number;
  /** Milliseconds without progress after which a stream that something waits for is given up. */
  readonly stallMs?: number;
}

/** What the hub has done since it began. */
export interface HubCounters {
  /** Updates that came from the channel. */
  updates: number;
  /** Frames that were handed to live subscribers: an update counts once for each. */
  frames: number;
  /** How often a live subscriber was too slow, and went on at its own pace. */
  fellBehind: number;
  /** Streams that are over, by the reason. */
  readonly ended: Record<EndReason, number>;
}

/** Who else has to know what comes from the channel. */
export interface HubObserver {
  /** Called with everything that the hub has dispatched, in order. */
  onEntries(entries: readonly Entry[]): void;
  /** Called when the channel has lost what it had. */
  onHistoryLost(): void;
}

/** Bytes of one chunk, so that a burst of large updates does not fill the memory of every stream at once. */
const CHUNK_BYTES = 64 * 1024;

/**
 * How many times as long as the last writing took the hub rests after it, up to the longest delay. What comes in that
 * time goes out in one write: under load a quarter of a processor is busy with writing, and at low rates the rest is
 * over before the next update comes.
 */
const REST = 3;
/** Shorter rests, in milliseconds, are not worth a timer. */
const SHORTEST_REST_MS = 1;
/** Updates that came together and need no more company: as many may wait already, and a rest would let them pile up. */
const FULL_BATCH = 500;

/** Most distinct patterns of all subscribers. Each costs every update some 50 ns; one with expressions, some µs. */
const MAX_PATTERNS = 10_000;
/** Most characters of regular expressions in them: the worst of so many cost an update some 20 ms. */
const MAX_EXPRESSIONS = 64 * 1024;

/** How many times within one heartbeat the hub looks which streams were silent. */
const HEARTBEAT_LOOKS = 10;
/** Milliseconds between two looks at all streams, at most. */
const LOOK_MS = 1000;

/** For so many streams that end together, clients are told to come back within one second more. */
const RETURNS_PER_SECOND = 1000;
const RETURN_MS = { least: 1000, spread: 1000, most: 30_000 };
/** Different times that they are told; each is encoded once. */
const RETURN_TIMES = 200;

const HEARTBEAT_CHUNK = new Chunk(HEARTBEAT);

/** What those who asked for signals are told when the channel has lost what it had. */
export const HISTORY_LOST = new Chunk(encodeSignal({ type: "gap", reason: "the history was lost" }));

export class Hub {
  readonly recent: Recent;
  readonly patience: Patience;
  readonly #channel: Channel;
  readonly #log: Log;
  readonly #signalMs: number;
  readonly #maxBatchDelayMs: number;
  readonly #counters: HubCounters = {
    updates: 0,
    frames: 0,
    fellBehind: 0,
    ended: Object.fromEntries(END_REASONS.map((reason) => [reason, 0])) as Record<EndReason, number>,
  };
  readonly #subscribers = new Map<Subscriber, Group>();
  readonly #groups = new Groups();
  readonly #observers: HubObserver[] = [];
  #live = 0;
  #isOver = false;
  #historyLosses = 0;
  /** Public updates that were dispatched since the last heartbeat of the signals. */
  #updates = 0;
  #advance = Promise.withResolvers<void>();

  constructor(options: HubOptions) {
    const {
      channel,
      log,
      heartbeatMs = 15_000,
      signalMs = 10_000,
      recentBytes = 64 * 1024 * 1024,
      maxBatchDelayMs = 25,
      stallMs = 30_000,
    } = options;
    this.#channel = channel;
    this.#log = log;
    this.patience = { heartbeatMs, stallMs };
    this.#signalMs = signalMs;
    this.#maxBatchDelayMs = maxBatchDelayMs;
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

  /** How often the channel has lost what it had. */
  get historyLosses(): number {
    return this.#historyLosses;
  }

  get counters(): Readonly<HubCounters> {
    return this.#counters;
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

  /** Takes part in heartbeats and in the end from now on, until it is over. */
  add(subscriber: Subscriber): void {
    if (this.#isOver) return subscriber.close("shutdown");
    const group = this.#groups.join(subscriber.view);
    this.#subscribers.set(subscriber, group);
    subscriber.onEnd((reason) => {
      this.#counters.ended[reason]++;
      this.#subscribers.delete(subscriber);
      this.#leaveLive(group, subscriber);
      this.#groups.leave(group);
    });
    // Its time may be up before the next look.
    this.#look(subscriber, performance.now());
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
    const timers = [
      setInterval(() => this.#signalHeartbeat(), this.#signalMs),
      setInterval(() => this.#lookAtAll(), this.#lookMs),
    ];
    try {
      await this.#follow(signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      timers.forEach(clearInterval);
      this.#isOver = true;
      this.#endAll();
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
        for await (const entries of this.#channel.subscribe(after, { signal })) {
          const start = performance.now();
          this.#dispatch(entries);
          const rest = Math.min(this.#maxBatchDelayMs, REST * (performance.now() - start));
          if (rest >= SHORTEST_REST_MS && entries.length < FULL_BATCH) await pause(rest, signal);
        }
        return;
      } catch (error) {
        if (!(error instanceof HistoryLostError)) throw error;
        this.#log.warn("Updates were lost with the history of the channel; going on with what it keeps", {
          reason: error.message,
        });
        this.#historyLosses++;
        this.#signalHistoryLost();
        for (const observer of this.#observers) observer.onHistoryLost();
        after = "earliest";
      }
    }
  }

  #dispatch(entries: readonly Entry[]): void {
    this.#counters.updates += entries.length;
    // The rest is not for everybody who is told the rate.
    this.#updates += entries.filter(({ update }) => !update.private).length;
    let chunk: Framed[] = [];
    let bytes = 0;
    for (const item of framesOf(entries)) {
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
      for (const group of this.#groups.seeing(item)) {
        if (group.live.size === 0) continue;
        group.pending.push(item);
        touched.add(group);
      }
    }
    for (const group of touched) {
      const chunk = new Chunk(concatFrames(group.pending.map(({ frame }) => frame)));
      this.#counters.frames += group.pending.length * group.live.size;
      group.pending = [];
      for (const subscriber of group.live) this.#write(subscriber, group, chunk, before);
    }
  }

  /** Tells those who asked for it that updates are missing here, now or when they come to this place. */
  #signalHistoryLost(): void {
    const before = this.recent.end;
    this.recent.mark(HISTORY_LOST.plain);
    for (const [subscriber, group] of this.#subscribers) {
      if (subscriber.signals && group.live.has(subscriber)) {
        this.#write(subscriber, group, HISTORY_LOST, before);
      }
    }
  }

  /** Writes to a live subscriber; without room it goes on after the cursor when it has some. */
  #write(subscriber: Subscriber, group: Group, chunk: Chunk, before: Cursor | undefined): void {
    if (subscriber.hasRoom) {
      subscriber.write(chunk);
    } else if (!subscriber.isOver) {
      this.#leaveLive(group, subscriber);
      subscriber.place = { after: before ?? "earliest" };
      this.#counters.fellBehind++;
    }
  }

  #signalHeartbeat(): void {
    const rate = Math.round(this.#updates * 1000 / this.#signalMs * 10) / 10;
    this.#updates = 0;
    const signal = encodeSignal({ type: "heartbeat", now: Date.now(), rate, subscribers: this.size });
    const chunk = new Chunk(signal);
    for (const subscriber of this.#subscribers.keys()) {
      if (subscriber.signals && subscriber.hasRoom) subscriber.write(chunk);
    }
  }

  /** One timer looks at all streams: 10,000 timers of their own would take more memory than the streams. */
  get #lookMs(): number {
    const { heartbeatMs } = this.patience;
    return heartbeatMs === 0 ? LOOK_MS : Math.min(LOOK_MS, heartbeatMs / HEARTBEAT_LOOKS);
  }

  #lookAtAll(): void {
    const now = performance.now();
    for (const subscriber of this.#subscribers.keys()) this.#look(subscriber, now);
  }

  #look(subscriber: Subscriber, now: number): void {
    subscriber.look(now, 2 * this.#lookMs, HEARTBEAT_CHUNK);
  }

  /** Ends every stream, and spreads the return of those who had them. */
  #endAll(): void {
    const { least, spread, most } = RETURN_MS;
    const span = Math.min(most, Math.max(spread, this.size / RETURNS_PER_SECOND * 1000));
    const times = Math.min(RETURN_TIMES, this.size);
    const farewells = Array.from(
      { length: times },
      (_, index) => new Chunk(encodeRetry(least + span * (index + Math.random()) / times)),
    );
    let next = 0;
    for (const subscriber of [...this.#subscribers.keys()]) {
      subscriber.close("shutdown", farewells[next++ % times]);
    }
  }
}
