// @ts-check
/// <reference lib="dom" />
/**
 * Makes the rows of the feed from the templates in the page. Untrusted text enters the page here, and only as text.
 *
 * @module
 */

/** @typedef {import("./update.js").Update} Update */

const KNOWN_LEVELS = new Set(["debug", "info", "warning", "error"]);

/** A longer message is cut with a note, so that one update cannot fill the page. */
const MESSAGE_CHARACTERS_MAX = 2_000;
const LABEL_CHARACTERS_MAX = 60;
const REASON_CHARACTERS_MAX = 200;

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const full = new Intl.DateTimeFormat("en-GB", { dateStyle: "full", timeStyle: "long" });

/**
 * @param {HTMLTemplateElement} template
 * @param {Update} update
 */
export function createRow(template, update) {
  const row = clone(template);
  const level = KNOWN_LEVELS.has(update.level) ? update.level : "other";
  row.dataset.eventId = update.id;
  row.dataset.level = level;
  row.querySelector("use")?.setAttribute("href", `#level-${level}`);
  if (update.notify) row.dataset.notify = "";
  else row.querySelector('[data-part="alert"]')?.remove();

  setText(row, "level", cut(update.level, LABEL_CHARACTERS_MAX));
  setText(row, "message", cut(update.message, MESSAGE_CHARACTERS_MAX) || "(no message)");
  setText(row, "type", cut(update.type, LABEL_CHARACTERS_MAX));
  setTime(row, update.time);
  return row;
}

/**
 * The row that says that updates are missing between the row below it and the row above it.
 *
 * @param {HTMLTemplateElement} template
 * @param {string} reason May be "".
 */
export function createGapRow(template, reason) {
  const row = clone(template);
  const text = "Updates are missing here";
  setText(row, "gap", reason === "" ? `${text}.` : `${text}: ${cut(reason, REASON_CHARACTERS_MAX)}`);
  return row;
}

/** @param {HTMLTemplateElement} template */
function clone(template) {
  return /** @type {HTMLLIElement} */ (template.content.firstElementChild?.cloneNode(true));
}

/**
 * @param {Element} row
 * @param {string} part
 * @param {string} text
 */
function setText(row, part, text) {
  const element = row.querySelector(`[data-part="${part}"]`);
  if (element !== null) element.textContent = text;
}

/**
 * @param {Element} row
 * @param {number} time
 */
function setTime(row, time) {
  const date = new Date(time);
  const element = row.querySelector("time");
  if (element === null || Number.isNaN(date.getTime())) return;
  const isToday = date.toDateString() === new Date().toDateString();
  element.dateTime = date.toISOString();
  element.title = full.format(date);
  element.textContent = isToday ? clock.format(date) : `${day.format(date)} ${clock.format(date)}`;
}

/**
 * @param {string} text
 * @param {number} max
 */
function cut(text, max) {
  return text.length <= max ? text : `${text.slice(0, max)}… (${text.length - max} more characters)`;
}
