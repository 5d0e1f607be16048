// @ts-check
/**
 * The places of those entries that a filter lets through, kept up to date. The filter is tried on the newest entries
 * first and in short slices, so that typing never waits for it.
 *
 * @module
 */

/** @typedef {import("./types.d.ts").Entry} Entry */
/** @typedef {import("./ring.js").Ring} Ring */

/**
 * @typedef {object} Filter
 * @property {(entry: Entry) => boolean} matches
 * @property {number} [from] In ms of the epoch.
 * @property {number} [to]
 */

/** Milliseconds that a slice of the scan may take: half of a frame. */
const SLICE_MS = 8;
/** Entries between two looks at the clock. */
const LOOK_EVERY = 256;
/** Places of forgotten entries that are kept before they are cut off: to cut rarely is cheap. */
const FORGOTTEN_MAX = 10_000;

export class Matches {
  /** @type {() => void} Called when a slice is done. */
  onChange = () => {};
  #ring;
  #filter;
  /** @type {number[]} Places that match, rising; those before #head were forgotten by the ring. */
  #seqs = [];
  #head = 0;
  /** What was judged: from here, to there. */
  #from;
  #to;
  /** @type {ReturnType<typeof setTimeout> | undefined} Of the next slice. */
  #timer;

  /**
   * @param {Ring} ring
   * @param {Filter} filter
   */
  constructor(ring, filter) {
    this.#ring = ring;
    this.#filter = filter;
    this.#from = this.#to = ring.end;
    this.#scanOn();
  }

  get size() {
    return this.#seqs.length - this.#head;
  }

  /** Whether older entries have still to be judged. */
  get isScanning() {
    return this.#from > this.#ring.first;
  }

  /** Judges what has come since, and forgets what the ring has forgotten. */
  update() {
    const { first, end } = this.#ring;
    this.#to = Math.max(this.#to, first);
    for (; this.#to < end; this.#to++) {
      if (this.#judge(this.#to)) this.#seqs.push(this.#to);
    }
    while (this.#head < this.#seqs.length && (this.#seqs[this.#head] ?? 0) < first) this.#head++;
    if (this.#head > FORGOTTEN_MAX) {
      this.#seqs = this.#seqs.slice(this.#head);
      this.#head = 0;
    }
    if (this.isScanning && this.#timer === undefined) this.#scanOn();
  }

  /** @param {number} index From 0, the oldest. */
  seqAt(index) {
    return this.#seqs[this.#head + index];
  }

  /** The index of the first one at or after a place. @param {number} seq */
  lowerBound(seq) {
    let low = this.#head;
    let high = this.#seqs.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#seqs[middle] ?? 0) < seq) low = middle + 1;
      else high = middle;
    }
    return low - this.#head;
  }

  /** To be called when another filter takes its place. */
  stop() {
    clearTimeout(this.#timer);
  }

  /** @param {number} seq */
  #judge(seq) {
    const { matches, from, to } = this.#filter;
    const entry = this.#ring.at(seq);
    if (entry === undefined) return false;
    if (from !== undefined && entry.time < from || to !== undefined && entry.time >= to) return false;
    return entry.row !== "update" || matches(entry);
  }

  /** Judges older entries, from the newest on, as long as a slice lasts. */
  #scanOn() {
    this.#timer = undefined;
    const start = performance.now();
    /** @type {number[]} */
    const found = [];
    for (let looked = 1; this.isScanning; looked++) {
      this.#from--;
      if (this.#judge(this.#from)) found.push(this.#from);
      if (looked % LOOK_EVERY === 0 && performance.now() - start > SLICE_MS) break;
    }
    this.#seqs = found.reverse().concat(this.#seqs.slice(this.#head));
    this.#head = 0;
    if (!this.isScanning) return;
    this.#timer = setTimeout(() => {
      this.#scanOn();
      this.onChange();
    });
  }
}
