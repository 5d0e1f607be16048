// @ts-check
/// <reference lib="dom" />
/**
 * The few ways in which the parts of the page touch the document. Text enters it as text only.
 *
 * @module
 */

import { find } from "../logger/dom.js";

/** How long a button says what has come of it. */
const COPIED_MS = 2_000;

/**
 * Leaves equal text alone: a live region may read out what is written, even if it is the same.
 *
 * @param {Element} element
 * @param {string} text
 */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Shows what stands between backticks as code.
 *
 * @param {Element} element
 * @param {string} text
 */
export function setRichText(element, text) {
  element.replaceChildren(...text.split("`").map((piece, i) => i % 2 === 0 ? piece : createCode(piece)));
}

/** @param {string} text */
export function createCode(text) {
  const code = document.createElement("code");
  code.textContent = text;
  return code;
}

/**
 * @param {HTMLTemplateElement} template
 * @returns {HTMLElement}
 */
export function clone(template) {
  return /** @type {HTMLElement} */ (template.content.firstElementChild?.cloneNode(true));
}

/** Makes each button with `data-copy` copy the text of the element that it names. */
export function enableCopying() {
  for (const button of document.querySelectorAll("button[data-copy]")) {
    if (!(button instanceof HTMLButtonElement)) continue;
    const source = find(`#${button.dataset.copy}`, HTMLElement);
    button.addEventListener("click", () => copy(source, button));
  }
}

/**
 * @param {HTMLElement} source
 * @param {HTMLButtonElement} button
 */
async function copy(source, button) {
  const label = find("[data-copy-label]", HTMLElement, button);
  try {
    await navigator.clipboard.writeText(source.textContent ?? "");
    label.textContent = "Copied";
  } catch {
    // Browsers keep the clipboard from pages that came over plain HTTP; the keyboard can copy what is selected.
    getSelection()?.selectAllChildren(source);
    label.textContent = "Selected";
  }
  setTimeout(() => label.textContent = "Copy", COPIED_MS);
}
