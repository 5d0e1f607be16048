/**
 * Which subscriptions are active, at this streamer and at all others on the channel. Each streamer publishes the
 * begin and the end of its own as the private updates that the protocol has for that, and every streamer makes the
 * same list of what it reads there.
 *
 * A streamer that dies cannot publish its ends. While there are subscriptions, each one publishes a heartbeat too;
 * who has seen some of its own since the last one of another publishes the ends for that other. The channel orders
 * both, so no clock is compared, and while the channel is away nobody is declared dead.
 */
import {
  type Channel,
  ChannelUnavailableError,
  type Cursor,
  type Entry,
  HistoryLostError,
} from "../lib/channel.ts";
import { type Log, messageOf } from "../lib/log.ts";
import { whenReachable } from "../lib/reachability.ts";
import { atMost, pause } from "../lib/shutdown.ts";
import { SIGNAL_TYPE, type Update } from "../lib/update.ts";
import type { HubObserver } from "./hub.ts";
import { heartbeatUpdate, readNotice, type Subscription, subscriptionUpdate } from "./subscription.ts";

export interface PresenceOptions {
  readonly channel: Channel;
  readonly log: Log;
  readonly hubPath: string;
  /** Milliseconds between two heartbeats. */
  readonly intervalMs: number;
  /** Milliseconds that a stream lives at most, here and at the other streamers; 0 for as long as it likes. */
  readonly maxStreamLifeMs: number;
}

/** Own heartbeats after the last one of another streamer, from which on it counts as dead. */
const MISSED_HEARTBEATS = 3;
/** Entries in one page of history. */
const PAGE_LIMIT = 1000;
/** Milliseconds that the ends of all streams may take when the streamer ends; the others publish what is missing. */
const DRAIN_MS = 1000;

/** Changes that are on their way at one time. */
const BATCH_LIMIT = 500;

/** An update to be published about a subscription. */
interface Change {
  readonly update: Update;
  /** The same for all streamers that publish the same. */
  readonly requestKey: string;
  /** Whether it is of a stream of ours that begins: its end makes it void, if it has not been sent. */
  readonly isBegin: boolean;
}

/** An active subscription, and who said so. */
interface Active {
  readonly subscription: Subscription;
  readonly streamer: string;
  /** The id of the update that said so. */
  readonly announcedBy: string;
}

export class Presence implements HubObserver {
  readonly #options: PresenceOptions;
  /** The name of this streamer: a new one each time it starts. */
  readonly #streamer = crypto.randomUUID();
  readonly #active = new Map<string, Active>();
  /** The subscriptions of our own streams. */
  readonly #own = new Map<string, Subscription>();
  /** What is to be published, by subscription: what it comes to while the channel is away is all that waits. */
  readonly #changes = new Map<string, Change>();
  /** Settles when there are no changes left. */
  #publishing: Promise<void> | undefined;
  /** For every other streamer, how many heartbeats of our own came since its last sign of life. */
  readonly #missed = new Map<string, number>();
  /** What the hub dispatched while the history was read. */
  #early: Update[] | undefined = [];
  readonly #loaded = Promise.withResolvers<void>();
  #lastPublicId: string | undefined;
  readonly #ended = new AbortController();

  constructor(options: PresenceOptions) {
    this.#options = options;
  }

  /** Whether it is known what there was before this streamer began. */
  get isLoaded(): boolean {
    return this.#early === undefined;
  }

  /** Resolves when it is known. */
  get loaded(): Promise<void> {
    return this.#loaded.promise;
  }

  /** The active subscriptions. */
  list(): Subscription[] {
    return Array.from(this.#active.values(), ({ subscription }) => subscription);
  }

  /** The id of the newest public update of before; undefined when there was none. */
  get lastPublicId(): string | undefined {
    return this.#lastPublicId;
  }

  /** Publishes that a stream has these subscriptions; returns what publishes that it has them no longer. */
  begin(subscriptions: readonly Subscription[]): () => void {
    for (const subscription of subscriptions) {
      this.#own.set(subscription.id, subscription);
      this.#announce(subscription, { isBegin: true });
    }
    return () => {
      for (const subscription of subscriptions) {
        this.#own.delete(subscription.id);
        // Nobody has heard of it.
        if (this.#changes.get(subscription.id)?.isBegin) this.#changes.delete(subscription.id);
        else this.#change(this.#updateOf(subscription, { active: false, streamer: this.#streamer }));
      }
    };
  }

  /** Learns what there was before, and publishes heartbeats, until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    try {
      await this.#load(signal);
      while (!signal.aborted) {
        await this.#beat();
        await pause(this.#options.intervalMs, signal);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  /** Waits until all is published, for a while: the last ends come when the last streams have ended. */
  async drain(): Promise<void> {
    if (this.#publishing !== undefined) await atMost(DRAIN_MS, this.#publishing);
    this.#ended.abort();
  }

  onEntries(entries: readonly Entry[]): void {
    for (const { update } of entries) {
      if (update.type !== SIGNAL_TYPE) continue;
      if (this.#early !== undefined) this.#early.push(update);
      else this.#take(update);
    }
  }

  /** The new history knows nothing of what goes on here. */
  onHistoryLost(): void {
    // Who is still there says so, as we do; an end may have been lost.
    for (const [id, { streamer }] of this.#active) if (streamer !== this.#streamer) this.#active.delete(id);
    for (const subscription of this.#own.values()) this.#announce(subscription);
  }

  /** Reads what was published in the time that a stream that is still open may have begun in. */
  async #load(signal: AbortSignal): Promise<void> {
    const { channel, maxStreamLifeMs } = this.#options;
    let after: Cursor | "earliest" = maxStreamLifeMs === 0
      ? "earliest"
      : await whenReachable(() => channel.latest({ msAgo: maxStreamLifeMs }), signal);
    while (true) {
      const from: Cursor | "earliest" = after;
      const page = await whenReachable(() => this.#readPage(from), signal);
      const last = page.at(-1);
      if (last === undefined) break;
      for (const { update } of page) if (update.type === SIGNAL_TYPE) this.#take(update);
      after = last.cursor;
      this.#lastPublicId = page.findLast(({ update }) => !update.private)?.update.id ?? this.#lastPublicId;
    }
    // Some of it was in the history as well: taken in order once more, it comes to the same.
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const update of early) this.#take(update);
    this.#loaded.resolve();
  }

  async #readPage(after: Cursor | "earliest"): Promise<Entry[]> {
    const { channel } = this.#options;
    try {
      return await channel.history(after, { limit: PAGE_LIMIT });
    } catch (error) {
      if (!(error instanceof HistoryLostError)) throw error;
      return await channel.history("earliest", { limit: PAGE_LIMIT });
    }
  }

  #take(update: Update): void {
    const notice = readNotice(update);
    if (notice === undefined) return;
    const { streamer } = notice;
    if (streamer !== this.#streamer) this.#missed.set(streamer, 0);
    else if (notice.kind === "heartbeat") this.#countMissed();
    if (notice.kind === "heartbeat") return;
    const { subscription, active } = notice;
    if (active) {
      this.#active.set(subscription.id, { subscription, streamer, announcedBy: update.id });
    } else {
      this.#active.delete(subscription.id);
      // Somebody took us for dead; we are not.
      const own = this.#own.get(subscription.id);
      if (own !== undefined) this.#announce(own);
    }
  }

  #countMissed(): void {
    for (const [streamer, missed] of this.#missed) {
      if (missed + 1 < MISSED_HEARTBEATS) this.#missed.set(streamer, missed + 1);
      else this.#bury(streamer);
    }
  }

  /** Publishes the ends of the subscriptions of a streamer that is gone. */
  #bury(streamer: string): void {
    this.#missed.delete(streamer);
    for (const active of this.#active.values()) {
      if (active.streamer !== streamer) continue;
      const { subscription, announcedBy } = active;
      // All the others do the same: the key has the channel take it from one of them.
      this.#change(this.#updateOf(subscription, { active: false, streamer }), `end ${announcedBy}`);
    }
  }

  async #beat(): Promise<void> {
    if (this.#active.size === 0 && this.#own.size === 0) return;
    const { channel, hubPath } = this.#options;
    try {
      await channel.publish(heartbeatUpdate({ hubPath, streamer: this.#streamer }));
    } catch (error) {
      // The next one is soon, and nobody counts while the channel is away.
      if (!(error instanceof ChannelUnavailableError)) throw error;
    }
  }

  #announce(subscription: Subscription, { isBegin = false } = {}): void {
    const update = this.#updateOf(subscription, { active: true, streamer: this.#streamer });
    this.#change(update, update.id, { isBegin });
  }

  #updateOf(subscription: Subscription, { active, streamer }: { active: boolean; streamer: string }): Update {
    return subscriptionUpdate(subscription, { active, streamer, hubPath: this.#options.hubPath });
  }

  #change(update: Update, requestKey: string = update.id, { isBegin = false } = {}): void {
    this.#changes.set(update.topics[0], { update, requestKey, isBegin });
    this.#publishing ??= this.#publishChanges();
  }

  /** One batch after the other: what is published of one subscription must arrive in its order. */
  async #publishChanges(): Promise<void> {
    // A stream that begins and ends in one turn is not worth a word.
    await Promise.resolve();
    while (this.#changes.size > 0 && !this.#ended.signal.aborted) {
      const batch = [...this.#changes.entries().take(BATCH_LIMIT)];
      for (const [id] of batch) this.#changes.delete(id);
      await Promise.all(batch.map(([, change]) => this.#publish(change)));
    }
    this.#publishing = undefined;
  }

  async #publish({ update, requestKey }: Change): Promise<void> {
    const { channel, log } = this.#options;
    try {
      await whenReachable(() => channel.publish(update, { requestKey }), this.#ended.signal);
    } catch (error) {
      if (this.#ended.signal.aborted) return;
      log.error(`Cannot publish an active subscription: ${messageOf(error)}`);
    }
  }
}
