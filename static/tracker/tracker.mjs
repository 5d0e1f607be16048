// @ts-check
/**
 * The tracker for bundlers and pages with modules of their own.
 *
 * @module
 */

import "./tracker.js";

/** @type {(options: import("./tracker.d.ts").TrackerOptions, base: string) => import("./tracker.d.ts").Track} */
const initAt = Reflect.get(globalThis, Symbol.for("tracker.init"));

/**
 * Starts to track this page.
 *
 * @param {import("./tracker.d.ts").TrackerOptions} [options] The endpoint is relative to this module.
 * @returns {import("./tracker.d.ts").Track}
 */
// deno-lint-ignore explicit-module-boundary-types -- JSDoc says it
export function init(options = {}) {
  return initAt(options, import.meta.url);
}
