// @ts-check
/// <reference lib="dom" />
/**
 * Tells screen readers what came in, as one short sentence at most every ten seconds. The list itself is silent:
 * a busy stream read out row by row would drown everything else.
 *
 * @module
 */

const ANNOUNCE_EVERY_MS = 10_000;

export class Announcer {
  #region;
  #updates = 0;
  #alerts = 0;
  #hasGap = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {Element} region A polite live region. */
  constructor(region) {
    this.#region = region;
  }

  /** @param {boolean} isAlert */
  add(isAlert) {
    this.#updates++;
    if (isAlert) this.#alerts++;
    this.#schedule();
  }

  addGap() {
    this.#hasGap = true;
    this.#schedule();
  }

  #schedule() {
    this.#timer ??= setTimeout(() => this.#announce(), ANNOUNCE_EVERY_MS);
  }

  #announce() {
    const updates = `${this.#updates} ${this.#updates === 1 ? "update" : "updates"} received`;
    const alerts = `${this.#alerts} ${this.#alerts === 1 ? "alert" : "alerts"}`;
    const sentences = [];
    if (this.#updates > 0) sentences.push(this.#alerts === 0 ? `${updates}.` : `${updates}, ${alerts}.`);
    if (this.#hasGap) sentences.push("Updates are missing.");
    this.#region.textContent = sentences.join(" ");
    this.#updates = this.#alerts = 0;
    this.#hasGap = false;
    this.#timer = undefined;
  }
}
