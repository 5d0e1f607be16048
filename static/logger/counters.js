// @ts-check
/// <reference lib="dom" />
/**
 * Counts every update that arrives, whether its row is still on the page or not.
 *
 * @module
 */

/** @typedef {import("./update.js").Update} Update */

/** @type {Record<string, (update: Update) => boolean>} */
const RULES = {
  logins: (update) => update.type === "login",
  clicks: (update) => update.type === "user:btn",
  alerts: (update) => update.notify,
};

export class Counters {
  #counters;

  /** @param {ParentNode} root Holds one element with `data-counter` for each rule. */
  constructor(root) {
    this.#counters = Object.entries(RULES).map(([name, matches]) => ({
      matches,
      element: root.querySelector(`[data-counter="${name}"]`),
      count: 0,
      shown: 0,
    }));
  }

  /** @param {Update} update */
  add(update) {
    for (const counter of this.#counters) {
      if (counter.matches(update)) counter.count++;
    }
  }

  flush() {
    for (const counter of this.#counters) {
      if (counter.shown === counter.count || counter.element === null) continue;
      counter.shown = counter.count;
      counter.element.textContent = String(counter.count);
    }
  }
}
