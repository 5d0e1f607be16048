/**
 * The reference adapter: a channel inside one process. It shows in one page what the contract means, and tests
 * use it where a real bus would add nothing. It refuses nothing and forgets all when the process ends.
 */
import {
  type Channel,
  type ChannelStatus,
  ChannelUnavailableError,
  type Cursor,
  type Entry,
  HistoryLostError,
  type PublishOptions,
} from "../channel.ts";
import { aborted } from "../shutdown.ts";
import type { Update } from "../update.ts";

/** Most entries in one batch, so that a subscriber far behind does not take all history in one step. */
const BATCH_LIMIT = 1000;

export class MemoryChannel implements Channel {
  /** Names this history; a cursor of another channel is noticed by it. */
  readonly #epoch = crypto.randomUUID();
  readonly #keep: number;
  readonly #closed = new AbortController();
  readonly #kept: { readonly entry: Entry; readonly requestKey: string | undefined; readonly at: number }[] =
    [];
  readonly #byRequestKey = new Map<string, Entry>();
  /** How many entries retention has taken; entry number n stands at index n - 1 - #forgotten. */
  #forgotten = 0;
  #arrival = Promise.withResolvers<void>();

  constructor({ keep = 10_000 }: { keep?: number } = {}) {
    this.#keep = keep;
  }

  // deno-lint-ignore require-await -- a contract that others fulfil by waiting
  async publish(update: Update, { requestKey, signal }: PublishOptions = {}): Promise<Entry> {
    signal?.throwIfAborted();
    this.#refuseWhenClosed();
    const known = requestKey === undefined ? undefined : this.#byRequestKey.get(requestKey);
    if (known !== undefined) return known;
    const entry = { cursor: this.#cursorOf(this.#end + 1), update };
    this.#kept.push({ entry, requestKey, at: performance.now() });
    if (requestKey !== undefined) this.#byRequestKey.set(requestKey, entry);
    this.#forget();
    this.#arrival.resolve();
    this.#arrival = Promise.withResolvers();
    return entry;
  }

  subscribe(
    after: Cursor | "earliest" | "latest",
    { signal }: { signal: AbortSignal },
  ): AsyncIterable<Entry[]> {
    // Read here and not in the generator, whose body does not run before its first batch is asked for.
    const start = after === "latest" ? this.#cursorOf(this.#end) : after;
    return this.#follow(start, AbortSignal.any([signal, this.#closed.signal]));
  }

  // deno-lint-ignore require-await -- as above
  async history(after: Cursor | "earliest", { limit }: { limit: number }): Promise<Entry[]> {
    this.#refuseWhenClosed();
    return this.#read(after, limit);
  }

  // deno-lint-ignore require-await -- as above
  async historyBefore(
    before: Cursor | "latest",
    { limit, inclusive = false }: { limit: number; inclusive?: boolean },
  ): Promise<Entry[]> {
    this.#refuseWhenClosed();
    const last = before === "latest" ? this.#end : this.#numberOf(before) - (inclusive ? 0 : 1);
    const end = Math.max(0, last - this.#forgotten);
    return this.#kept.slice(Math.max(0, end - limit), end).map(({ entry }) => entry);
  }

  // deno-lint-ignore require-await -- as above
  async locate(id: string): Promise<Cursor | undefined> {
    this.#refuseWhenClosed();
    return this.#kept.find(({ entry }) => entry.update.id === id)?.entry.cursor;
  }

  // deno-lint-ignore require-await -- as above
  async latest({ msAgo = 0 }: { msAgo?: number } = {}): Promise<Cursor> {
    this.#refuseWhenClosed();
    const then = performance.now() - msAgo;
    const newer = msAgo === 0 ? 0 : this.#kept.length - 1 - this.#kept.findLastIndex(({ at }) => at <= then);
    return this.#cursorOf(this.#end - newer);
  }

  // deno-lint-ignore require-await -- as above
  async epoch(): Promise<string> {
    this.#refuseWhenClosed();
    return this.#epoch;
  }

  status(): ChannelStatus {
    return this.#closed.signal.aborted
      ? { reachable: false, reason: "The channel is closed" }
      : { reachable: true };
  }

  // deno-lint-ignore require-await -- as above
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort();
  }

  /** The number of the newest entry; the first one ever published has number 1. */
  get #end(): number {
    return this.#forgotten + this.#kept.length;
  }

  async *#follow(start: Cursor | "earliest", signal: AbortSignal): AsyncGenerator<Entry[]> {
    const end = aborted(signal);
    let after = start;
    while (!signal.aborted) {
      const arrival = this.#arrival.promise;
      const batch = this.#read(after, BATCH_LIMIT);
      const last = batch.at(-1);
      if (last === undefined) {
        await Promise.race([arrival, end]);
      } else {
        after = last.cursor;
        yield batch;
      }
    }
  }

  #read(after: Cursor | "earliest", limit: number): Entry[] {
    const index = after === "earliest" ? 0 : this.#numberOf(after) - this.#forgotten;
    if (index < 0) throw new HistoryLostError(`Cannot read after ${after}: it is older than what is kept`);
    return this.#kept.slice(index, index + limit).map(({ entry }) => entry);
  }

  #forget(): void {
    while (this.#kept.length > this.#keep) {
      const oldest = this.#kept.shift();
      if (oldest?.requestKey !== undefined) this.#byRequestKey.delete(oldest.requestKey);
      this.#forgotten++;
    }
  }

  #cursorOf(number: number): Cursor {
    return `${this.#epoch}/${number}` as Cursor;
  }

  #numberOf(cursor: Cursor): number {
    const [epoch, number] = cursor.split("/");
    if (epoch !== this.#epoch) {
      throw new HistoryLostError(`Cannot read after ${cursor}: it is of another channel`);
    }
    return Number(number);
  }

  #refuseWhenClosed(): void {
    if (this.#closed.signal.aborted) {
      throw new ChannelUnavailableError("Cannot use the channel: it is closed");
    }
  }
}
