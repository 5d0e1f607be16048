// @ts-check
/// <reference lib="dom" />
/**
 * Tells screen readers what came in, as one short sentence at most every ten seconds. The list itself is silent:
 * a busy stream read out row by row would drown everything else.
 *
 * @module
 */

const ANNOUNCE_EVERY_MS = 10_000;
const MATCHES_MAX = 3;

export class Announcer {
  #region;
  #updates = 0;
  #alerts = 0;
  #errors = 0;
  #hasGap = false;
  /** @type {string[]} */
  #matches = [];
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {Element} region A polite live region. */
  constructor(region) {
    this.#region = region;
  }

  /**
   * @param {Partial<import("./types.d.ts").Entry>} entry An update, or a gap.
   * @param {boolean} [isWanted] Whether someone wants to hear it word by word; of many only the newest are.
   */
  add({ row, notify, level, message = "" }, isWanted) {
    if (row === "gap") this.#hasGap = true;
    else this.#updates++;
    if (notify) this.#alerts++;
    if (level === "error") this.#errors++;
    if (isWanted) this.#matches = [...this.#matches, message].slice(-MATCHES_MAX);
    this.#timer ??= setTimeout(() => this.#announce(), ANNOUNCE_EVERY_MS);
  }

  #announce() {
    const sentences = [];
    if (this.#updates > 0) {
      const parts = [`${count(this.#updates, "update")} received`];
      if (this.#alerts > 0) parts.push(count(this.#alerts, "alert"));
      if (this.#errors > 0) parts.push(count(this.#errors, "error"));
      sentences.push(`${parts.join(", ")}.`);
    }
    if (this.#hasGap) sentences.push("Updates are missing.");
    this.#region.textContent = [...sentences, ...this.#matches].join(" ");
    this.#updates = this.#alerts = this.#errors = 0;
    this.#hasGap = false;
    this.#matches = [];
    this.#timer = undefined;
  }
}

/**
 * @param {number} number
 * @param {string} noun
 */
function count(number, noun) {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
