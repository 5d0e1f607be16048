/**
 * Reads the history of the channel for all streams together. After a restart of the streamer every client comes
 * back and asks for much the same: each page is then read and encoded once, and its bytes are shared.
 */
import { BoundedCache } from "../lib/bounded_cache.ts";
import type { Channel, Cursor } from "../lib/channel.ts";
import { concatFrames } from "../lib/sse.ts";
import { chunkOf, type Framed, framesOf } from "./framed.ts";
import { Piece, Pieces } from "./pieces.ts";
import type { View } from "./view.ts";

/** What of an item is read of a page. */
type Item = Pick<Framed, "cursor" | "topics" | "private" | "frame">;
/** The same, but for the frame, of which the length says where it is. */
type IndexItem = readonly [cursor: Cursor, topics: readonly string[], isPrivate: boolean, length: number];

/** What all pages share. */
interface Shared {
  /** What was read of them lately. */
  readonly pieces: Pieces;
  /** The items of those that were read lately, and what they take, with the frames that they point into. */
  readonly items: BoundedCache<{ readonly items: readonly Item[]; readonly size: number }>;
}

/** Bytes that a page takes besides its frames and its index. */
const PAGE_BYTES = 1000;
/** Bytes that an item takes while it is read, about. */
const ITEM_BYTES = 500;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * Some updates in a row, as bytes. Hundreds of pages wait for the next reader, and whoever sees all needs no more; a
 * hundred thousand updates as objects would be most of a streamer's heap, which V8 then lets grow to a multiple.
 */
export class Page {
  /** The cursor of the last one. */
  readonly end: Cursor;
  /** Bytes that it takes, about. */
  readonly size: number;
  readonly #frames: Uint8Array;
  /** What decides who sees them, as JSON. */
  readonly #index: Uint8Array;
  readonly #hasPrivate: boolean;
  readonly #whole: Piece;
  readonly #key: string;
  readonly #shared: Shared;

  /** @param key tells it from the other pages that share with it. */
  constructor(items: readonly Framed[], { key, end, shared }: { key: string; end: Cursor; shared: Shared }) {
    this.end = end;
    this.#frames = concatFrames(items.map(({ frame }) => frame));
    this.#index = encoder.encode(JSON.stringify(
      items.map((item): IndexItem => [item.cursor, item.topics, item.private, item.frame.length]),
    ));
    this.#hasPrivate = items.some((item) => item.private);
    this.#whole = new Piece(this.#frames, end);
    this.#key = key;
    this.#shared = shared;
    this.size = PAGE_BYTES + this.#frames.buffer.byteLength + this.#index.length;
  }

  /** What a subscriber with this view receives of it: the same piece for all who have the view. */
  read(view: View): Piece {
    if (view.matchesAll && !this.#hasPrivate) return this.#whole;
    const { pieces } = this.#shared;
    const reading = { after: this.#key, view };
    return pieces.get(reading) ?? pieces.set(reading, this.#read(view));
  }

  #read(view: View): Piece {
    const items = this.#items();
    const { chunk, count } = chunkOf(items, view);
    return new Piece(chunk, count === items.length ? this.end : items[count - 1]?.cursor as Cursor);
  }

  #items(): readonly Item[] {
    const known = this.#shared.items.get(this.#key);
    if (known !== undefined) return known.items;
    const items = this.#decode();
    this.#shared.items.set(this.#key, { items, size: 2 * this.size + ITEM_BYTES * items.length });
    return items;
  }

  #decode(): Item[] {
    const index: IndexItem[] = JSON.parse(decoder.decode(this.#index));
    let start = 0;
    return index.map(([cursor, topics, isPrivate, length]) => {
      const frame = this.#frames.subarray(start, start + length);
      start += length;
      return { cursor, topics, private: isPrivate, frame };
    });
  }
}

/** Updates in a page, at most; they wait in memory until the reader takes them. */
const PAGE_LIMIT = 200;
/** Bytes of pages that are kept for the next reader; the ones that were not asked for longest go first. */
const CACHE_BYTES = 16 * 1024 * 1024;
/** Bytes of the items of pages that are read now. */
const ITEMS_BYTES = 8 * 1024 * 1024;

export class History {
  readonly #channel: Channel;
  /** In the order in which they were last asked for. No `BoundedCache`: one page alone may exceed the bound. */
  readonly #pages = new Map<Cursor, Page>();
  readonly #reads = new Map<Cursor | "earliest", Promise<Page | undefined>>();
  readonly #shared: Shared = {
    pieces: new Pieces(),
    items: new BoundedCache({ maxBytes: ITEMS_BYTES, sizeOf: ({ size }) => size }),
  };
  #bytes = 0;
  /** How many pages were made. */
  #count = 0;

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
    const page = after === "earliest" ? undefined : this.#take(after);
    if (page !== undefined) return Promise.resolve(page);
    const reading = this.#reads.get(after) ?? this.#read(after).finally(() => this.#reads.delete(after));
    this.#reads.set(after, reading);
    return reading;
  }

  #take(after: Cursor): Page | undefined {
    const page = this.#pages.get(after);
    if (page === undefined) return undefined;
    this.#pages.delete(after);
    this.#pages.set(after, page);
    return page;
  }

  async #read(after: Cursor | "earliest"): Promise<Page | undefined> {
    // Asked first, and within what is shared: where there is no history at all, a stream goes on from here.
    const end = after === "earliest" ? await this.#channel.latest() : undefined;
    const entries = await this.#channel.history(after, { limit: PAGE_LIMIT });
    const last = entries.at(-1)?.cursor ?? end;
    if (last === undefined) return undefined;
    const page = new Page(framesOf(entries), { key: `${this.#count++}`, end: last, shared: this.#shared });
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
