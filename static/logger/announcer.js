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
   * @param {boolean} isAlert
   * @param {boolean} [isError]
   */
  add(isAlert, isError = false) {
    this.#updates++;
    if (isAlert) this.#alerts++;
    if (isError) this.#errors++;
    this.#schedule();
  }

  addGap() {
    this.#hasGap = true;
    this.#schedule();
  }

  /** @param {string} text What someone wants to hear word by word; of many only the newest. */
  addMatch(text) {
    this.#matches.push(text);
    if (this.#matches.length > MATCHES_MAX) this.#matches.shift();
    this.#schedule();
  }

  /** @param {string} text What cannot wait. */
  say(text) {
    this.#region.textContent = text;
  }

  #schedule() {
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
    this.say([...sentences, ...this.#matches].join(" "));
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
