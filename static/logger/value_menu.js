// @ts-check
/// <reference lib="dom" />
/**
 * What can be done with one value: show only it, hide it, highlight it, copy it.
 *
 * @module
 */

import { copy } from "./clipboard.js";
import { find } from "./dom.js";
import { openMenu } from "./menu.js";
import { FIELDS } from "./query.js";

const SHOWN_MAX = 200;

/**
 * @param {HTMLElement} anchor
 * @param {{ field: string, value: string }} chosen With "" for a field that the filter does not know.
 * @param {import("./panel_context.js").PanelContext} page
 */
export function showValueMenu(anchor, { field, value }, page) {
  const menu = find("[data-value-menu]", HTMLElement);
  find("[data-value]", HTMLElement).textContent = value.slice(0, SHOWN_MAX);
  for (const name of ["include", "exclude"]) {
    find(`[data-do=${name}]`, HTMLElement, menu).hidden = !Object.hasOwn(FIELDS, field);
  }
  openMenu(menu, anchor, (name) => {
    if (name === "copy") copy(value, page);
    else if (name === "highlight") page.highlight(value);
    else page.filterBy({ field, value, isExcluded: name === "exclude" });
  });
}
