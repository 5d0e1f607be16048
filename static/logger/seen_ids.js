// @ts-check
/**
 * Remembers the ids of the newest events, so that one which a reconnect brings again is dropped.
 *
 * @module
 */

/** More than a server replays at once; at about 100 bytes each a long-lived page stays small. */
const IDS_MAX = 20_000;

export class SeenIds {
  /** @type {Set<string>} A Set iterates in the order of insertion, so its first value is the oldest. */
  #ids = new Set();

  /** @param {string} id */
  has(id) {
    return this.#ids.has(id);
  }

  /**
   * @param {string} id
   * @returns {boolean} Whether the id is new.
   */
  add(id) {
    if (this.#ids.has(id)) return false;
    this.#ids.add(id);
    if (this.#ids.size > IDS_MAX) {
      const [oldest = ""] = this.#ids;
      this.#ids.delete(oldest);
    }
    return true;
  }
}
