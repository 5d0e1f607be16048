// @ts-check
/// <reference lib="dom" />
/**
 * The tracking page: reports that it was opened and each press of a pill, and never claims more than the server
 * has confirmed.
 *
 * @module
 */

import { ReportStatus } from "./report_status.js";
import { OPENING, Reports } from "./reports.js";

/** @typedef {import("../tracker/tracker.d.ts").Track} Track */
/** @typedef {import("./reports.js").Report} Report */

/** One pill: its button, and what has become of its presses. */
class Pill {
  #button;
  #type;
  #reports;

  /**
   * @param {HTMLElement} button
   * @param {Reports} reports
   */
  constructor(button, reports) {
    this.#button = button;
    this.#type = button.dataset.event ?? "";
    this.#reports = reports;
    button.addEventListener("click", () => reports.add(this.#type));
  }

  show() {
    const [state, text, icon] = this.#look();
    this.#button.dataset.state = state;
    this.#button.setAttribute("aria-busy", String(state === "pending"));
    // The state takes the place of the tagline, which stays in the name of the button.
    this.#button.querySelector("[data-pill-tagline]")?.classList.toggle("visually-hidden", text !== "");
    const label = this.#button.querySelector("[data-pill-state]");
    if (label !== null) label.textContent = text;
    this.#button.querySelector("use")?.setAttribute("href", icon);
  }

  /** @returns {[state: string, text: string, icon: string]} */
  #look() {
    const has = (/** @type {Report["state"]} */ state) =>
      this.#reports.inState(state).some(({ type }) => type === this.#type);
    if (has("pending")) return ["pending", "On its way…", "#icon-pending"];
    const isRetried = has("waiting") && this.#reports.retryAt !== undefined;
    if (isRetried) return ["waiting", "Still trying", "#icon-waiting"];
    if (has("waiting") || has("lost")) return ["failed", "Not delivered", "#icon-failed"];
    const count = this.#reports.delivered(this.#type);
    if (count === 0) return ["idle", "", "#icon-idle"];
    return ["confirmed", count > 1 ? `Delivered × ${count}` : "Delivered", "#icon-confirmed"];
  }
}

const reports = new Reports(show);
const status = new ReportStatus(reports);
/** @type {Pill[]} */
const pills = [];
for (const button of document.querySelectorAll("button[data-event]")) {
  if (button instanceof HTMLElement) pills.push(new Pill(button, reports));
}

/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;
/** Waits are told by the second. */
function show() {
  clearTimeout(timer);
  status.show();
  for (const pill of pills) pill.show();
  if (reports.lastDelivered !== OPENING) document.body.dataset.chosen = reports.lastDelivered;
  if (reports.inState("pending", "waiting").length > 0) timer = setTimeout(show, 1000);
}

// Every script of the page has run by then, or will not: one that was blocked says nothing in some browsers.
document.addEventListener("DOMContentLoaded", () => {
  const { track } = /** @type {{ track?: Track }} */ (/** @type {unknown} */ (window));
  reports.setTracker(typeof track?.flush === "function" ? track : undefined);
});
// The tracker makes use of it too.
addEventListener("online", () => reports.tryAgain());

/**
 * Nobody is asked before the opening is reported, so those who ask not to be tracked, by Global Privacy Control or Do
 * Not Track, are left in peace. A press is what the visitor wants to be known.
 */
function reportOpening() {
  const asksNotToBeTracked = "globalPrivacyControl" in navigator && navigator.globalPrivacyControl === true ||
    navigator.doNotTrack === "1";
  if (!asksNotToBeTracked) return reports.add(OPENING);
  const notice = document.querySelector("[data-privacy-notice]");
  if (notice !== null) {
    notice.textContent = "Your browser asks not to be tracked, so only a pill that you press is reported.";
  }
}

// A page that the browser prepares before anybody has asked for it is not open yet.
if ("prerendering" in document && document.prerendering) {
  document.addEventListener("prerenderingchange", reportOpening, { once: true });
} else {
  reportOpening();
}
// A page that comes back from the back/forward cache is opened again, but runs no script anew.
addEventListener("pageshow", (event) => {
  if (event.persisted) reportOpening();
});
