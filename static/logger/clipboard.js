// @ts-check
/// <reference lib="dom" />
/**
 * Copies text for the reader.
 *
 * @module
 */

/**
 * Copies text, also where a page has no clipboard because it came over plain HTTP, and says so.
 *
 * @param {string} text
 * @param {import("./panel_context.js").PanelContext} page
 * @param {string} [done] What to say then.
 */
export async function copy(text, { toast }, done = "Copied.") {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    if (!copyBySelection(text)) done = "The browser does not let this page copy.";
  }
  toast(done);
}

/** @param {string} text */
function copyBySelection(text) {
  const { activeElement } = document;
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "visually-hidden";
  document.body.append(field);
  field.select();
  const isCopied = document.execCommand("copy");
  field.remove();
  if (activeElement instanceof HTMLElement) activeElement.focus();
  return isCopied;
}
