// @ts-check
/**
 * The newest entries, up to a bound; each has a place that it keeps while older ones are forgotten.
 *
 * @module
 */

/** @typedef {import("./types.d.ts").Entry} Entry */

export class Ring {
  /** Place of the oldest entry, and the place after the newest. */
  first = 0;
  end = 0;
  #capacity;
  /** @type {Entry[]} */
  #slots = [];

  constructor(capacity = 100_000) {
    this.#capacity = capacity;
  }

  get size() {
    return this.end - this.first;
  }

  get isFull() {
    return this.size === this.#capacity;
  }

  /** @param {number} seq */
  at(seq) {
    return seq >= this.first && seq < this.end ? this.#slots[this.#slot(seq)] : undefined;
  }

  /** @param {Entry} entry The newest. */
  push(entry) {
    entry.seq = this.end++;
    this.#slots[this.#slot(entry.seq)] = entry;
    if (this.size > this.#capacity) this.first++;
  }

  /**
   * @param {readonly Entry[]} entries Older than all others, the oldest first.
   * @returns {number} How many found room: the newest of them.
   */
  unshift(entries) {
    const count = Math.min(entries.length, this.#capacity - this.size);
    for (const entry of entries.slice(entries.length - count).reverse()) {
      entry.seq = --this.first;
      this.#slots[this.#slot(entry.seq)] = entry;
    }
    return count;
  }

  /** @param {string} id */
  find(id) {
    // What is looked for is mostly new.
    for (let seq = this.end - 1; seq >= this.first; seq--) {
      const entry = this.at(seq);
      if (entry?.id === id) return entry;
    }
    return undefined;
  }

  /** From the oldest to the newest. @returns {Generator<Entry>} */
  *[Symbol.iterator]() {
    for (let seq = this.first; seq < this.end; seq++) {
      const entry = this.at(seq);
      if (entry !== undefined) yield entry;
    }
  }

  /** @param {number} seq */
  #slot(seq) {
    return ((seq % this.#capacity) + this.#capacity) % this.#capacity;
  }
}
