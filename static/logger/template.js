// @ts-check
/// <reference lib="dom" />
/**
 * Makes elements from the templates of the page.
 *
 * @module
 */

import { find } from "./dom.js";

/** The content of a template, anew. @param {string} selector */
export function cloneTemplate(selector) {
  return document.importNode(find(selector, HTMLTemplateElement).content, true);
}
