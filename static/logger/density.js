// @ts-check
/// <reference lib="dom" />
/**
 * How high the rows are: dense, or roomy for who wants it so.
 *
 * @module
 */

import { find } from "./dom.js";
import { DENSITY, write } from "./preference.js";

export function isDense() {
  return document.documentElement.dataset.density !== "roomy";
}

/** @param {boolean} isDense */
export function setDensity(isDense) {
  const density = isDense ? "dense" : "roomy";
  document.documentElement.dataset.density = density;
  write(DENSITY, density);
  sayDensity();
}

/** To those who do not see it. */
export function sayDensity() {
  find("[data-action=density]", HTMLElement).setAttribute("aria-pressed", `${isDense()}`);
}
