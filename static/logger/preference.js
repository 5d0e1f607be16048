// @ts-check
/**
 * What a reader has chosen, for the next visit. Where storage is forbidden a choice lasts as long as the page.
 *
 * @module
 */

/** Names of those that are read before what writes them is loaded. */
export const DENSITY = "logger.density";
export const SHORTCUTS = "logger.shortcuts";

/** @param {string} key */
export function read(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

/**
 * @param {string} key
 * @param {string} value
 */
export function write(key, value) {
  try {
    localStorage.setItem(key, value);
  } catch {
    // Said above.
  }
}
