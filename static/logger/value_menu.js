// @ts-check
/// <reference lib="dom" />
/**
 * What can be done with one value: show only it, hide it, highlight it, copy it.
 *
 * @module
 */

import { find } from "./find.js";
import { copy, openMenu } from "./panel.js";

/** Those that the filter knows. */
const FIELDS = ["k", "site", "sid", "level", "type", "id"];
const SHOWN_MAX = 200;

/**
 * @param {HTMLElement} anchor
 * @param {{ field: string, value: string }} chosen With "" for a field that the filter does not know.
 * @param {import("./logger_page.js").LoggerPage} page
 */
export function showValueMenu(anchor, { field, value }, page) {
  const menu = find("[data-value-menu]", HTMLElement);
  find("[data-value]", HTMLElement).textContent = value.slice(0, SHOWN_MAX);
  for (const name of ["include", "exclude"]) {
    find(`[data-do=${name}]`, HTMLElement, menu).hidden = !FIELDS.includes(field);
  }
  openMenu(menu, anchor, (name) => {
    if (name === "copy") copy(value, page);
    else if (name === "highlight") page.highlight(value);
    else page.filterBy({ field, value, isExcluded: name === "exclude" });
  });
}
