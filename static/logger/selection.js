// @ts-check
/**
 * Which entries are shown: all of the ring, or those that a filter lets through.
 *
 * @module
 */

/** @typedef {import("./matches.js").Matches} Matches */
/** @typedef {import("./ring.js").Ring} Ring */

export class Selection {
  /** @type {() => void} Called when it has changed by itself. */
  onChange = () => {};
  #ring;
  /** @type {Matches | undefined} Undefined while everything is shown. */
  #matches;

  /** @param {Ring} ring */
  constructor(ring) {
    this.#ring = ring;
  }

  get size() {
    return this.#matches?.size ?? this.#ring.size;
  }

  /** Whether older entries have still to be judged. */
  get isScanning() {
    return this.#matches?.isScanning ?? false;
  }

  /** @param {Matches | undefined} matches Undefined for everything. */
  show(matches) {
    this.#matches?.stop();
    this.#matches = matches;
    if (matches !== undefined) matches.onChange = () => this.onChange();
  }

  /** To be called when the ring has changed. */
  update() {
    this.#matches?.update();
  }

  /** @param {number} index From 0, the oldest. */
  seqAt(index) {
    if (index < 0 || index >= this.size) return undefined;
    return this.#matches === undefined ? this.#ring.first + index : this.#matches.seqAt(index);
  }

  /**
   * @param {number} seq
   * @param {{ nearest?: boolean }} [options] With `nearest`, the first one at or after the place, or the last.
   * @returns {number} -1 when it is not shown.
   */
  indexOf(seq, { nearest = false } = {}) {
    const index = this.#matches?.lowerBound(seq) ?? seq - this.#ring.first;
    if (nearest) return Math.max(0, Math.min(index, this.size - 1));
    return this.seqAt(index) === seq ? index : -1;
  }
}
