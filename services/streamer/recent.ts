/**
 * The newest entries, encoded, in the order of the channel: what most resuming and slow subscribers need, without
 * a question to the log. Bounded in bytes; the oldest go first.
 */
import type { Cursor } from "../lib/channel.ts";
import { Topic } from "../lib/matcher.ts";
import { chunkOf, type Framed, signalItem } from "./framed.ts";
import { Piece, Pieces, type Reading } from "./pieces.ts";

/** What is told about an item to find out whether it fits. */
export interface Asked extends Pick<Framed, "id" | "private"> {
  readonly topics: readonly Topic[];
}

const NOTHING = new Uint8Array();

/** Items looked at in one reading, so that a reader to whom few of them matter does not hold up everybody else. */
const MAX_ITEMS = 2000;
/** Bytes of frames looked at in one reading. */
const MAX_BYTES = 64 * 1024;
/** A reading of less is short. */
const SHORT_BYTES = MAX_BYTES / 4;

export class Recent {
  readonly #maxBytes: number;
  /** Oldest first. The first `#gone` of them are evicted and wait for their memory to be given back. */
  #items: Framed[] = [];
  #gone = 0;
  #bytes = 0;
  /** How many items were cut off the array so far: item i of the array has the number #cut + i. */
  #cut = 0;
  /** For each cursor that can be resumed from, the number of the item after it. */
  readonly #after = new Map<Cursor, number>();
  #lastPublicId: string | undefined;
  /** For each id the newest cursor that bears it. */
  readonly #byId = new Map<string, Cursor>();
  /**
   * The numbers of the items at which a block begins, the first and the next one left out: nobody reads across those,
   * so that readers who come from different places go on with the same pieces.
   */
  #blocks: number[] = [];
  #blockBytes = 0;
  #blockItems = 0;
  readonly #pieces = new Pieces();
  /** The cursor before the oldest item; undefined until the place of the first item is known. */
  #base: Cursor | undefined;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The cursor of the newest item, or the place where the first one will be appended. */
  get end(): Cursor | undefined {
    return this.#items.length > this.#gone ? this.#items.at(-1)?.cursor : this.#base;
  }

  /** Sets the place after which the first item will be appended. */
  begin(cursor: Cursor): void {
    this.#base = cursor;
    this.#after.set(cursor, this.#cut + this.#items.length);
  }

  append(item: Framed): void {
    this.#items.push(item);
    this.#bytes += item.size;
    this.#after.set(item.cursor, this.#cut + this.#items.length);
    this.#byId.set(item.id, item.cursor);
    if (!item.private && item.topics.length > 0) this.#lastPublicId = item.id;
    this.#blockBytes += item.frame.length;
    this.#blockItems++;
    if (this.#blockBytes >= MAX_BYTES || this.#blockItems >= MAX_ITEMS) this.#endBlock();
    while (this.#bytes > this.#maxBytes && this.#gone < this.#items.length) this.#evict();
  }

  /** Puts a signal after the newest item, for those that have not come so far. */
  mark(signal: Uint8Array): void {
    // A place of its own, that no channel knows: who falls off the recent items here has lost its place anyway.
    const cursor = `signal ${this.#cut + this.#items.length}` as Cursor;
    this.append(signalItem(cursor, signal));
  }

  #endBlock(): void {
    this.#blocks.push(this.#cut + this.#items.length);
    this.#blockBytes = 0;
    this.#blockItems = 0;
  }

  /** The id of the newest update that fits; undefined when there is none among the newest thousands. */
  newestId(fits: (item: Asked) => boolean): string | undefined {
    const oldest = Math.max(this.#gone, this.#items.length - MAX_ITEMS);
    for (let index = this.#items.length - 1; index >= oldest; index--) {
      const item = this.#items[index] as Framed;
      if (item.topics.length === 0) continue;
      if (fits({ ...item, topics: item.topics.map((topic) => Topic.of(topic)) })) return item.id;
    }
    return undefined;
  }

  /** The id of the newest update that is nobody's secret. */
  get lastPublicId(): string | undefined {
    return this.#lastPublicId;
  }

  /** The cursor of an update that is here. The channel is to be asked first: it knows where an id stood first. */
  locate(id: string): Cursor | undefined {
    return this.#byId.get(id);
  }

  /**
   * What a subscriber receives next: the same piece for all who ask for the same, also when more has come since; one
   * that ends where the reading began when there is nothing. Undefined when what follows is not, or no longer, here.
   */
  next(reading: Reading & { readonly after: Cursor }): Piece | undefined {
    const number = this.#after.get(reading.after);
    if (number === undefined) return undefined;
    const start = number - this.#cut;
    const end = Math.min(this.#items.length, this.#blockEnd(number) - this.#cut);
    if (start === end) return new Piece(NOTHING, reading.after);
    const known = this.#pieces.get(reading);
    if (known !== undefined && (!known.isOpen || known.end === this.#items[end - 1]?.cursor)) return known;
    return this.#pieces.set(reading, this.#piece(this.#items.slice(start, end), reading));
  }

  #piece(items: readonly Framed[], { view, signals = false }: Reading): Piece {
    const { chunk, count } = chunkOf(items, view, { signals });
    const bytes = items.reduce((sum, { frame }) => sum + frame.length, 0);
    const isOpen = count === items.length && bytes < SHORT_BYTES;
    return new Piece(chunk, items[count - 1]?.cursor as Cursor, { isOpen });
  }

  /** The number of the item at which the block ends that the given one is in; beyond all for the newest block. */
  #blockEnd(number: number): number {
    let low = 0;
    let high = this.#blocks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#blocks[middle] as number <= number) low = middle + 1;
      else high = middle;
    }
    return this.#blocks[low] ?? Infinity;
  }

  #evict(): void {
    const item = this.#items[this.#gone] as Framed;
    if (this.#base !== undefined) this.#after.delete(this.#base);
    this.#base = item.cursor;
    if (this.#byId.get(item.id) === item.cursor) this.#byId.delete(item.id);
    this.#bytes -= item.size;
    this.#gone++;
    // Cut in large pieces: moving the whole array for each eviction would cost as much as it has items.
    if (this.#gone < 1024 || this.#gone < this.#items.length / 2) return;
    this.#items = this.#items.slice(this.#gone);
    this.#cut += this.#gone;
    this.#blocks = this.#blocks.filter((number) => number > this.#cut);
    this.#gone = 0;
  }
}
