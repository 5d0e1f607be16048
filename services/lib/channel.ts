/**
 * The contract between the services: an ordered bus with a history. Adapters are in `channels/`, and
 * `testing/channel_contract.ts` holds each of them to what is said here.
 */
import type { Update } from "./update.ts";

/**
 * The place of an update in the channel. Opaque: only the adapter that issued it reads it, and every other room
 * may do no more than hand it back.
 */
export type Cursor = string & { readonly brand: unique symbol };

/** An update with its place in the channel. */
export interface Entry {
  readonly cursor: Cursor;
  readonly update: Update;
}

export interface PublishOptions {
  /** Two publishes with one key store one update: the second resolves with the entry of the first. */
  readonly requestKey?: string;
  /** Gives up waiting. The update may be stored all the same. */
  readonly signal?: AbortSignal;
}

export type ChannelStatus =
  | { readonly reachable: true }
  /** The reason is one sentence for an operator. */
  | { readonly reachable: false; readonly reason: string };

export interface Channel extends AsyncDisposable {
  /**
   * Resolves once the update is stored, with the entry as every subscriber will see it. Safe to retry.
   *
   * @throws {ChannelUnavailableError} when the channel did not acknowledge in time; nothing is claimed then.
   * @throws {InvalidUpdateError} when the channel refuses the update.
   */
  publish(update: Update, options?: PublishOptions): Promise<Entry>;

  /**
   * Yields every entry after the cursor, in batches that are never empty, in order and without a gap, then
   * follows the live end until the signal aborts or the channel is disposed. `latest` is the end at the moment
   * of the call. An unreachable channel is waited for.
   *
   * A consumer that is slow to ask for its next batch holds up nobody, and no more than a bounded number of
   * entries waits for it.
   *
   * @throws {HistoryLostError} when what follows the cursor is no longer kept. All that is kept is then new to
   * the consumer, who may go on from `earliest`.
   */
  subscribe(after: Cursor | "earliest" | "latest", options: { signal: AbortSignal }): AsyncIterable<Entry[]>;

  /**
   * Resolves with at most `limit` entries after the cursor, possibly fewer; none means that the cursor is the end.
   *
   * @throws {HistoryLostError} when the cursor is older than what is kept, or not of this channel.
   * @throws {ChannelUnavailableError} when the channel cannot be reached.
   */
  history(after: Cursor | "earliest", options: { limit: number }): Promise<Entry[]>;

  /**
   * Resolves with at most `limit` entries right before the cursor, the oldest first, possibly fewer; none means that
   * nothing older is kept. `latest` stands for the end at the moment of the call. With `inclusive` the last of them is
   * the one that the cursor stands for, while it is kept.
   *
   * @throws {HistoryLostError} when the cursor is not of this channel.
   * @throws {ChannelUnavailableError} when the channel cannot be reached.
   */
  historyBefore(
    before: Cursor | "latest",
    options: { limit: number; inclusive?: boolean },
  ): Promise<Entry[]>;

  /**
   * The cursor of the first kept update that bears this id, or undefined.
   *
   * @throws {ChannelUnavailableError} when the channel cannot be reached.
   */
  locate(id: string): Promise<Cursor | undefined>;

  /**
   * The cursor of the newest entry, or the place before the first one: where `latest` begins. With `msAgo`, where
   * it began so many milliseconds ago, or the oldest place that is kept since then.
   *
   * @throws {ChannelUnavailableError} when the channel cannot be reached.
   */
  latest(options?: { msAgo?: number }): Promise<Cursor>;

  /**
   * Names the history: the same for all who have the channel open, and another one once the history is lost. It is
   * nobody else's to know, so that it can serve as a secret that they share.
   *
   * @throws {ChannelUnavailableError} when the channel cannot be reached.
   */
  epoch(): Promise<string>;

  /** Whether the channel can be reached now; readiness probes ask it. */
  status(): ChannelStatus;
}

/** The channel did not answer in time, refused for now, or is disposed. Try again later. */
export class ChannelUnavailableError extends Error {
  override readonly name = "ChannelUnavailableError";
}

/** What follows a cursor is no longer kept, or the cursor belongs to another history. */
export class HistoryLostError extends Error {
  override readonly name = "HistoryLostError";
}
