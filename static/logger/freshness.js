// @ts-check
/// <reference lib="dom" />
/**
 * Tells what happens now from what is replayed: the stream opens with the history, and nobody wants to be alerted
 * to, or see lit up, what happened yesterday.
 *
 * @module
 */

/** @typedef {import("./update.js").Update} Update */

/** The history comes in one go; the first pause this long after the connection is its end. */
const PAUSE_MS = 1_000;

export class Freshness {
  #openedAt = Date.now();
  #isCatchingUp = true;
  /** @type {number | undefined} */
  #heardAt;

  /** The stream is open: the history comes now. */
  begin() {
    this.#heardAt ??= Date.now();
  }

  /**
   * While the history comes, only the time in the id can tell, and clocks may differ; after it, all is new.
   *
   * @param {Update} update
   */
  isNew(update) {
    const now = Date.now();
    if (this.#isCatchingUp && this.#heardAt !== undefined && now - this.#heardAt > PAUSE_MS) {
      this.#isCatchingUp = false;
    }
    this.#heardAt = now;
    return !this.#isCatchingUp || (update.id !== "" && update.time >= this.#openedAt);
  }
}
