// @ts-check
/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/**
 * The few ways in which the parts of the page touch the document. Text enters it as text only.
 *
 * @module
 */

/** How long a button says what has come of it. */
const COPIED_MS = 2_000;

/**
 * @template {Element} T
 * @param {ParentNode} root
 * @param {string} selector
 * @param {new () => T} type
 * @returns {T}
 */
export function find(root, selector, type) {
  const element = root.querySelector(selector);
  if (element instanceof type) return element;
  throw new TypeError(`The page has no ${type.name} that matches ${selector}.`);
}

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
    const source = find(document, `#${button.dataset.copy}`, HTMLElement);
    button.addEventListener("click", () => copy(source, button));
  }
}

/**
 * @param {HTMLElement} source
 * @param {HTMLButtonElement} button
 */
async function copy(source, button) {
  const label = find(button, "[data-copy-label]", HTMLElement);
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
