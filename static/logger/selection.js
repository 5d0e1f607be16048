// @ts-check
/**
 * Which entries are shown: all of the ring as long as nothing is filtered, else a list of places that is kept up to
 * date. A filter is tried on the newest entries first and in short slices, so that typing never waits for it.
 *
 * @module
 */

/** @typedef {import("./entry.js").Entry} Entry */
/** @typedef {import("./ring.js").Ring} Ring */
/** @typedef {import("./query.js").Query} Query */

/**
 * @typedef {object} Filter
 * @property {Pick<Query, "isEmpty" | "matches">} query
 * @property {number} [from] In ms of the epoch.
 * @property {number} [to]
 */

/** Milliseconds that a slice of the scan may take: half of a frame. */
const SLICE_MS = 8;
/** Entries between two looks at the clock. */
const LOOK_EVERY = 256;

export class Selection {
  /** @type {() => void} Called when it has changed by itself. */
  onChange = () => {};
  #ring;
  /** @type {Filter | undefined} Undefined while everything is shown. */
  #filter;
  /** Places that match, rising; those before #head were forgotten by the ring. */
  /** @type {number[]} */
  #seqs = [];
  #head = 0;
  /** What was judged: from here, to there. */
  #from = 0;
  #to = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} Of the next slice. */
  #timer;

  /** @param {Ring} ring */
  constructor(ring) {
    this.#ring = ring;
  }

  get size() {
    return this.#filter === undefined ? this.#ring.size : this.#seqs.length - this.#head;
  }

  /** Whether older entries have still to be judged. */
  get isScanning() {
    return this.#filter !== undefined && this.#from > this.#ring.first;
  }

  /** @param {Filter} filter */
  setFilter(filter) {
    const { query, from, to } = filter;
    this.#filter = query.isEmpty && from === undefined && to === undefined ? undefined : filter;
    this.#seqs = [];
    this.#head = 0;
    this.#from = this.#to = this.#ring.end;
    this.#scanOn();
  }

  /** Judges what has come since, and forgets what the ring has forgotten. */
  update() {
    const filter = this.#filter;
    if (filter === undefined) return;
    const { first, end } = this.#ring;
    this.#to = Math.max(this.#to, first);
    for (; this.#to < end; this.#to++) {
      if (this.#judge(this.#to, filter)) this.#seqs.push(this.#to);
    }
    while (this.#head < this.#seqs.length && (this.#seqs[this.#head] ?? 0) < first) this.#head++;
    // Cutting rarely keeps this cheap.
    if (this.#head > 10_000) {
      this.#seqs = this.#seqs.slice(this.#head);
      this.#head = 0;
    }
    this.#from = Math.max(this.#from, first);
    if (this.isScanning && this.#timer === undefined) this.#scanOn();
  }

  /** @param {number} index From 0, the oldest. */
  seqAt(index) {
    if (index < 0 || index >= this.size) return undefined;
    return this.#filter === undefined ? this.#ring.first + index : this.#seqs[this.#head + index];
  }

  /**
   * @param {number} seq
   * @param {{ nearest?: boolean }} [options] With `nearest`, the first one at or after the place, or the last.
   * @returns {number} -1 when it is not shown.
   */
  indexOf(seq, { nearest = false } = {}) {
    const index = this.#filter === undefined ? seq - this.#ring.first : this.#lowerBound(seq) - this.#head;
    if (nearest) return Math.max(0, Math.min(index, this.size - 1));
    return this.seqAt(index) === seq ? index : -1;
  }

  /** @param {number} seq */
  #lowerBound(seq) {
    let low = this.#head;
    let high = this.#seqs.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#seqs[middle] ?? 0) < seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /**
   * @param {number} seq
   * @param {Filter} filter
   */
  #judge(seq, { query, from, to }) {
    const entry = this.#ring.at(seq);
    if (entry === undefined) return false;
    if (from !== undefined && entry.time < from || to !== undefined && entry.time >= to) return false;
    return entry.row !== "update" || query.matches(entry);
  }

  /** Judges older entries, from the newest on, as long as a slice lasts. */
  #scanOn() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const filter = this.#filter;
    if (filter === undefined) return;
    const start = performance.now();
    /** @type {number[]} */
    const found = [];
    for (let looked = 1; this.#from > this.#ring.first; looked++) {
      this.#from--;
      if (this.#judge(this.#from, filter)) found.push(this.#from);
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
