// @ts-check
/// <reference lib="dom" />
/**
 * Finds the elements that the page must have.
 *
 * @module
 */

/**
 * @template {Element} T
 * @param {string} selector
 * @param {new () => T} type
 * @param {ParentNode} [root]
 * @returns {T}
 * @throws {TypeError} When there is none such.
 */
export function find(selector, type, root = document) {
  const element = root.querySelector(selector);
  if (element instanceof type) return element;
  throw new TypeError(`The page has no ${type.name} that matches ${selector}.`);
}
