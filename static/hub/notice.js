// @ts-check
/// <reference lib="dom" />
/**
 * A notice: what has happened, what to do about it, and what the log of the streamer knows the request by.
 *
 * @module
 */

import { createCode, setRichText } from "./dom.js";

/** @typedef {"good" | "info" | "warning" | "error"} Level */

/**
 * @typedef {object} NoticeText Code stands between backticks.
 * @property {Level} level
 * @property {string} title
 * @property {readonly string[]} [lines]
 * @property {string} [requestId]
 */

/**
 * @param {HTMLElement} element Has `data-notice`, and stands in a live region.
 * @param {NoticeText | undefined} notice Undefined hides it.
 */
export function showNotice(element, notice) {
  element.hidden = notice === undefined;
  if (notice === undefined) return element.replaceChildren();
  const { level, title, lines = [], requestId = "" } = notice;
  element.dataset.level = level;
  const heading = document.createElement("p");
  heading.className = "notice__title";
  setRichText(heading, title);
  element.replaceChildren(heading, ...lines.map(createLine));
  if (requestId !== "") {
    const line = createLine("Request id ");
    line.append(createCode(requestId));
    element.append(line);
  }
}

/** @param {string} text */
function createLine(text) {
  const line = document.createElement("p");
  setRichText(line, text);
  return line;
}
