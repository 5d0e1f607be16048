/**
 * Reads the history of the channel for all streams together. After a restart of the streamer every client comes
 * back and asks for much the same: each page is then read and encoded once, and its bytes are shared.
 */
import type { Channel, Cursor } from "../lib/channel.ts";
import { concatFrames } from "../lib/sse.ts";
import { chunkOf, type Framed, frameOf } from "./framed.ts";
import type { View } from "./view.ts";

/** Some updates in a row. */
export class Page {
  readonly items: readonly Framed[];
  /** The cursor of the last one. */
  readonly end: Cursor;
  /** Bytes that it takes. */
  readonly size: number;
  #last: { readonly view: string; readonly chunk: Uint8Array } | undefined;

  constructor(items: readonly Framed[], end: Cursor) {
    this.items = items;
    this.end = end;
    this.size = items.reduce((sum, { size }) => sum + size, OVERHEAD_BYTES);
  }

  /**
   * What a subscriber with this view receives of it, up to a cursor. Those who come one after another with one view
   * share it.
   */
  read(view: View): { chunk: Uint8Array; end: Cursor } {
    if (this.#last?.view === view.key) return { chunk: this.#last.chunk, end: this.end };
    const { chunk, count } = chunkOf(this.items, view);
    if (count < this.items.length) return { chunk, end: this.items[count - 1]?.cursor ?? this.end };
    this.#last = { view: view.key, chunk };
    return { chunk, end: this.end };
  }
}

/** Updates in a page, at most; they wait in memory until the reader takes them. */
const PAGE_LIMIT = 200;
/** Bytes that a page takes besides its items. */
const OVERHEAD_BYTES = 500;
/** Bytes of pages that are kept for the next reader; the ones that were not asked for longest go first. */
const CACHE_BYTES = 16 * 1024 * 1024;

export class History {
  readonly #channel: Channel;
  /** In the order in which they were last asked for. */
  readonly #pages = new Map<Cursor | "earliest", Page>();
  readonly #reads = new Map<Cursor | "earliest", Promise<Page | undefined>>();
  #bytes = 0;

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  /**
   * The page after a cursor, or undefined when the cursor is the end. A page may end before the history does, and
   * may be some time old: what follows a cursor never changes.
   *
   * @throws what the channel throws.
   */
  read(after: Cursor | "earliest"): Promise<Page | undefined> {
    const page = this.#pages.get(after);
    if (page !== undefined) {
      this.#pages.delete(after);
      this.#pages.set(after, page);
      return Promise.resolve(page);
    }
    const reading = this.#reads.get(after) ?? this.#read(after).finally(() => this.#reads.delete(after));
    this.#reads.set(after, reading);
    return reading;
  }

  async #read(after: Cursor | "earliest"): Promise<Page | undefined> {
    // Asked first, and within what is shared: where there is no history at all, a stream goes on from here.
    const end = after === "earliest" ? await this.#channel.latest() : undefined;
    const entries = await this.#channel.history(after, { limit: PAGE_LIMIT });
    const last = entries.at(-1);
    if (last === undefined) return end && new Page([], end);
    const page = new Page(inOneBuffer(entries.map(frameOf)), last.cursor);
    // What follows "earliest" does change, when the oldest updates are forgotten.
    if (after !== "earliest") this.#keep(after, page);
    return page;
  }

  #keep(after: Cursor, page: Page): void {
    this.#pages.set(after, page);
    this.#bytes += page.size;
    for (const [oldest, { size }] of this.#pages) {
      if (this.#bytes <= CACHE_BYTES) break;
      this.#pages.delete(oldest);
      this.#bytes -= size;
    }
  }
}

/** The same items, with their frames in one buffer: each buffer takes memory of its own, and is collected late. */
function inOneBuffer(items: readonly Framed[]): Framed[] {
  const buffer = concatFrames(items.map(({ frame }) => frame));
  let start = 0;
  return items.map((item) => {
    const end = start + item.frame.length;
    const frame = buffer.subarray(start, end);
    start = end;
    return { ...item, frame };
  });
}
