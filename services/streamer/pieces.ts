/** What streams have read lately, so that those who ask for the same are given the same, and it is made once. */
import { BoundedCache } from "../lib/bounded_cache.ts";
import type { Cursor } from "../lib/channel.ts";
import { Chunk } from "./chunk.ts";
import type { View } from "./view.ts";

/** What a subscriber receives next: one object for all who are given it. */
export class Piece {
  readonly chunk: Chunk;
  /** The cursor of the last update that was looked at: where to go on. Where the reading began, when it was none. */
  readonly end: Cursor;
  /** Whether it is short, and only because there was no more when it was read. */
  readonly isOpen: boolean;

  constructor(chunk: Uint8Array, end: Cursor, { isOpen = false } = {}) {
    this.chunk = new Chunk(chunk);
    this.end = end;
    this.isOpen = isOpen;
  }
}

/** What decides what a subscriber receives next. */
export interface Reading {
  /** A cursor, or what else names a place. */
  readonly after: string;
  readonly view: View;
  /** Whether it asked for the hub's own events. */
  readonly signals?: boolean;
}

/** Bytes of what is remembered. */
const MAX_BYTES = 8 * 1024 * 1024;

export class Pieces {
  readonly #pieces = new BoundedCache<Piece>({
    maxBytes: MAX_BYTES,
    // Twice, since the compressed bytes are kept with the others, and may be as many.
    sizeOf: ({ chunk, end }) => 2 * chunk.plain.buffer.byteLength + 2 * end.length,
  });

  get(reading: Reading): Piece | undefined {
    return this.#pieces.get(keyOf(reading));
  }

  set(reading: Reading, piece: Piece): Piece {
    this.#pieces.set(keyOf(reading), piece);
    return piece;
  }
}

/** Unique, because the keys of views are all of one length. */
function keyOf({ after, view, signals = false }: Reading): string {
  return `${view.key}${signals ? "+" : "-"}${after}`;
}
