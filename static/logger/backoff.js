// @ts-check
/**
 * Decides how long to wait before the next attempt. It owns no timer.
 *
 * @module
 */

const DELAY_MS_MIN = 1_000;
const DELAY_MS_MAX = 30_000;
/** A server under load may ask for more patience than our own back-off has, but not for ever. */
const RETRY_AFTER_MS_MAX = 120_000;

export class Backoff {
  #baseMs = DELAY_MS_MIN;
  #exponent = 0;

  /**
   * The delay that the server asks for with `retry:`; it is where the back-off starts, as far as our own longest
   * delay lets it.
   *
   * @param {number} ms
   */
  set baseMs(ms) {
    this.#baseMs = Math.max(ms, DELAY_MS_MIN);
  }

  reset() {
    this.#exponent = 0;
  }

  /**
   * Half fixed, half random, from the first attempt on: the readers of a restarted server must not all come back
   * at once.
   *
   * @param {number} retryAfterMs What the refusal asked for, or 0.
   */
  next(retryAfterMs) {
    const ceilingMs = Math.min(this.#baseMs * 2 ** (this.#exponent + 1), DELAY_MS_MAX);
    if (ceilingMs < DELAY_MS_MAX) this.#exponent++;
    const delayMs = ceilingMs / 2 + Math.random() * ceilingMs / 2;
    return Math.max(delayMs, Math.min(retryAfterMs, RETRY_AFTER_MS_MAX));
  }
}
