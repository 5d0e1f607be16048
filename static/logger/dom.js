// @ts-check
/// <reference lib="dom" />
/**
 * Elements that the page must have, and their text.
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

/**
 * Not the same text again: a live region may read it out.
 *
 * @param {Element} root
 * @param {string} selector
 * @param {string} text
 */
export function setText(root, selector, text) {
  const element = find(selector, Element, root);
  if (element.textContent !== text) element.textContent = text;
}
