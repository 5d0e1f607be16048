// @ts-check
/**
 * Reads JSON that others wrote and that need not be any.
 *
 * @module
 */

/**
 * @param {string} text
 * @returns {Record<string, unknown>} Or the list, if it is one; empty for any other text.
 */
export function parseObject(text) {
  try {
    const value = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    // Publishers may send any text; who asks decides what that means.
    return {};
  }
}
