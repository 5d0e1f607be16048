// @ts-check
/**
 * Holds what is on its way to the log, as long as the log is paused too, and counts what finds no room.
 *
 * @module
 */

/** Rows in the log, and entries that wait for it. */
export const ENTRIES_MAX = 500;

/** @template T */
export class EntryBuffer {
  /** @type {T[]} Oldest first. */
  #waiting = [];
  #shown = 0;
  #dropped = 0;
  isPaused = false;

  /** How many have come since the last clear() and are neither shown nor waiting. */
  get dropped() {
    return this.#dropped;
  }

  get waiting() {
    return this.#waiting.length;
  }

  get shown() {
    return this.#shown;
  }

  /** @param {T} entry */
  add(entry) {
    this.#waiting.push(entry);
    if (this.#waiting.length <= ENTRIES_MAX) return;
    this.#waiting.shift();
    this.#dropped++;
  }

  /**
   * What the log shows next, on top of what it shows; it keeps `ENTRIES_MAX` in all.
   *
   * @returns {T[]} Oldest first; empty while it is paused.
   */
  take() {
    if (this.isPaused) return [];
    const taken = this.#waiting;
    this.#waiting = [];
    const total = this.#shown + taken.length;
    this.#shown = Math.min(total, ENTRIES_MAX);
    this.#dropped += total - this.#shown;
    return taken;
  }

  clear() {
    this.#waiting = [];
    this.#shown = this.#dropped = 0;
  }
}
