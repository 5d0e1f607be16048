// @ts-check
/// <reference lib="dom" />
/**
 * Turns any number of requests to draw into at most ten drawings a second, each inside an animation frame. A burst
 * of a thousand events then costs one layout instead of a thousand.
 *
 * @module
 */

/** A hidden tab gets no animation frames; a timer draws instead, so that its state and memory stay current. */
const FRAME_MS_MAX = 250;

export class FlushTimer {
  /** Between two drawings. */
  everyMs = 100;
  #flush;
  #isRequested = false;
  #flushedAt = -Infinity;

  /** @param {() => void} flush */
  constructor(flush) {
    this.#flush = flush;
  }

  request() {
    if (this.#isRequested) return;
    this.#isRequested = true;
    const waitMs = Math.max(0, this.#flushedAt + this.everyMs - performance.now());
    setTimeout(() => this.#awaitFrame(), waitMs);
  }

  #awaitFrame() {
    const run = () => {
      cancelAnimationFrame(frame);
      clearTimeout(timer);
      this.#isRequested = false;
      this.#flushedAt = performance.now();
      this.#flush();
    };
    const frame = requestAnimationFrame(run);
    const timer = setTimeout(run, FRAME_MS_MAX);
  }
}
