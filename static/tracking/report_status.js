// @ts-check
/// <reference lib="dom" />
/**
 * Says what has become of the reports of the page.
 *
 * @module
 */

import { MISSING, OPENING } from "./reports.js";

/** @typedef {import("./reports.js").Report} Report */
/** @typedef {import("./reports.js").Reports} Reports */

/** Somebody who has waited this long wants to be told. */
const LATE_MS = 10_000;
/** Up to so many seconds are told as seconds. */
const SECONDS_MAX = 120;

const OPENING_WAITS = "The opening of this page is not reported yet. The page keeps trying.";

/** How the page calls what it reports. @type {Record<string, string>} */
const NAMES = { [OPENING]: "opening of this page", "pill:blue": "blue pill", "pill:red": "red pill" };

/** What was not delivered and why, or else what was, and the button that does something about it. */
export class ReportStatus {
  #region = find("[data-report-status]");
  #text = find("[data-report-text]");
  #advice = find("[data-report-advice]");
  #wait = find("[data-report-wait]");
  #button = find("[data-retry]");
  #reports;

  /** @param {Reports} reports */
  constructor(reports) {
    this.#reports = reports;
    this.#button.addEventListener("click", () => {
      if (reports.tracker === "missing") location.reload();
      else reports.tryAgain();
    });
  }

  show() {
    const { text, advice = "", isFailure = false } = this.#message();
    this.#region.toggleAttribute("data-failed", isFailure);
    say(this.#text, text);
    say(this.#advice, advice);
    say(this.#wait, this.#nextTry());
    this.#showButton();
  }

  /** @returns {{ text: string, advice?: string, isFailure?: boolean }} */
  #message() {
    const { tracker, waiting } = this.#reports;
    const lost = this.#reports.inState("lost");
    if (lost.length + waiting.length > 0) {
      const reasons = [...lost, ...waiting].map(({ reason }) => reason?.advice);
      return {
        text: [...sentences("Not delivered", lost), ...sentences("Not delivered yet", waiting)].join(" "),
        advice: [...new Set(reasons)].filter(Boolean).join(" "),
        isFailure: true,
      };
    }
    if (tracker === "missing") return { text: MISSING.why, advice: MISSING.advice, isFailure: true };
    const late = this.#late();
    if (late.length > 0) {
      return tracker === "loading"
        ? { text: `Not sent yet: ${list(late)}.`, advice: "A script of this page is still loading." }
        : { text: `No answer yet: ${list(late)}.`, advice: "The page keeps waiting." };
    }
    if (this.#isRepeated()) return { text: "Trying again…" };
    const isOpeningWaiting = this.#reports.inState("waiting").length > 0;
    return { text: this.#news(), advice: isOpeningWaiting ? OPENING_WAITS : "" };
  }

  #news() {
    const type = this.#reports.lastDelivered;
    if (type === "") return "";
    const count = this.#reports.delivered(type);
    const name = NAMES[type] ?? type;
    const times = count > 1 && type !== OPENING ? `, ${count} times` : "";
    return `${name.charAt(0).toUpperCase()}${name.slice(1)} delivered${times}.`;
  }

  #late() {
    return this.#reports.inState("pending").filter(({ type, since }) =>
      type !== OPENING && performance.now() - since >= LATE_MS
    );
  }

  #isRepeated() {
    return this.#reports.inState("pending").some(({ isRepeated }) => isRepeated);
  }

  /** No live region: it changes every second. */
  #nextTry() {
    const { retryAt, waiting } = this.#reports;
    if (retryAt === undefined || waiting.length === 0) return "";
    const seconds = Math.ceil((retryAt - Date.now()) / 1000);
    if (seconds <= 0) return "Trying again now…";
    return seconds <= SECONDS_MAX
      ? `Next try in ${seconds} s.`
      : `Next try in ${Math.round(seconds / 60)} minutes.`;
  }

  #showButton() {
    const isMissing = this.#reports.tracker === "missing";
    const isUseful = isMissing || this.#reports.waiting.length > 0 || this.#isRepeated();
    // The keyboard's place on the page must not vanish together with the button.
    if (!isUseful && document.activeElement === this.#button) this.#region.focus();
    this.#button.hidden = !isUseful;
    say(this.#button, isMissing ? "Reload the page" : "Try again");
  }
}

/**
 * What is to be said of these reports: one sentence for each reason.
 *
 * @param {string} prefix
 * @param {Report[]} reports
 */
function sentences(prefix, reports) {
  return [...Map.groupBy(reports, ({ reason }) => reason?.why)].map(([why, each]) =>
    `${prefix}: ${list(each)}. ${why}`
  );
}

/**
 * The names of these reports, each once.
 *
 * @param {Report[]} reports
 */
function list(reports) {
  return [...Map.groupBy(reports, ({ type }) => type)].map(([type, { length }]) =>
    `${NAMES[type] ?? type}${length > 1 ? ` (${length} times)` : ""}`
  ).join(", ");
}

/**
 * The same text said again would be read out again.
 *
 * @param {HTMLElement} element
 * @param {string} text
 */
function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * @param {string} selector
 * @returns {HTMLElement}
 */
function find(selector) {
  const element = document.querySelector(selector);
  if (element instanceof HTMLElement) return element;
  throw new TypeError(`The page has no element that matches ${selector}.`);
}
