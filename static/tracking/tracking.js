// @ts-check
/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/**
 * The tracking page: reports that it was opened and each press of a pill, and never claims more than the server
 * has confirmed.
 *
 * @module
 */

import { Report } from "./report.js";

const OPENING = "log:open";
/** Nobody waits for the report of the opening, so it gets a few quiet attempts of its own. */
const OPENING_RETRY_DELAYS_MS = [2_000, 5_000, 15_000];

/** How the page calls what it reports. @type {Record<string, string>} */
const NAMES = { [OPENING]: "opening of this page", "pill:blue": "blue pill", "pill:red": "red pill" };

/** What could not be delivered, the sentence about it, and the button that tries again. */
class ReportStatus {
  #region = find("[data-report-status]");
  #text = find("[data-report-text]");
  #openText = find("[data-open-text]");
  #retry = find("[data-retry]");
  /** @type {{ type: string, resend: () => void }[]} */
  #undelivered = [];

  constructor() {
    this.#retry.addEventListener("click", () => {
      const undelivered = this.#undelivered;
      this.#undelivered = [];
      this.#say("Trying again…");
      for (const { resend } of undelivered) resend();
    });
  }

  /**
   * @param {string} type
   * @param {number} count How often this type has been delivered since the page was opened.
   */
  delivered(type, count) {
    // As long as something is undelivered, that is what the visitor must know.
    if (this.#undelivered.length > 0) return;
    const name = NAMES[type] ?? type;
    this.#say(
      `${name.charAt(0).toUpperCase()}${name.slice(1)} delivered${count > 1 ? `, ${count} times` : ""}.`,
    );
    this.#hideRetry();
  }

  /**
   * @param {string} type
   * @param {string} reason
   * @param {() => void} resend What the button does about it.
   */
  failed(type, reason, resend) {
    this.#undelivered.push({ type, resend });
    this.#say(`Not delivered: ${this.#listUndelivered()}. ${reason}`);
    this.#region.dataset.failed = "";
    this.#retry.hidden = false;
  }

  /**
   * The quiet line about the report of the opening.
   *
   * @param {string} text
   */
  sayAboutOpening(text) {
    this.#openText.textContent = text;
  }

  #listUndelivered() {
    /** @type {Map<string, number>} */
    const counts = new Map();
    for (const { type } of this.#undelivered) counts.set(type, (counts.get(type) ?? 0) + 1);
    return [...counts].map(([type, count]) => `${NAMES[type] ?? type}${count > 1 ? ` (${count} times)` : ""}`)
      .join(", ");
  }

  /** @param {string} text */
  #say(text) {
    delete this.#region.dataset.failed;
    this.#text.textContent = text;
  }

  #hideRetry() {
    // The keyboard's place on the page must not vanish together with the button.
    if (document.activeElement === this.#retry) this.#region.focus();
    this.#retry.hidden = true;
  }
}

/** One pill: its button, and what has become of its reports. */
class Pill {
  #button;
  #status;
  #type;
  #pending = 0;
  #delivered = 0;
  #hasFailed = false;

  /**
   * @param {HTMLElement} button
   * @param {ReportStatus} status
   */
  constructor(button, status) {
    this.#button = button;
    this.#status = status;
    this.#type = button.dataset.event ?? "";
    button.addEventListener("click", () => this.#send(new Report(this.#type)));
  }

  /**
   * Every press is a report of its own; none waits for another.
   *
   * @param {Report} report
   */
  async #send(report) {
    this.#pending++;
    this.#hasFailed = false;
    this.#show();
    const outcome = await report.send();
    this.#pending--;
    if (outcome.isDelivered) {
      this.#delivered++;
      document.body.dataset.chosen = this.#type;
      this.#status.delivered(this.#type, this.#delivered);
    } else {
      this.#hasFailed = true;
      this.#status.failed(this.#type, outcome.reason, () => this.#send(report));
    }
    this.#show();
  }

  #show() {
    const [state, text, icon] = this.#look();
    this.#button.dataset.state = state;
    this.#button.setAttribute("aria-busy", String(state === "pending"));
    // The state takes the place of the tagline, which stays in the name of the button.
    this.#button.querySelector("[data-pill-tagline]")?.classList.add("visually-hidden");
    const label = this.#button.querySelector("[data-pill-state]");
    if (label !== null) label.textContent = text;
    this.#button.querySelector("use")?.setAttribute("href", icon);
  }

  /** @returns {[state: string, text: string, icon: string]} */
  #look() {
    if (this.#pending > 0) return ["pending", "On its way…", "#icon-pending"];
    if (this.#hasFailed) return ["failed", "Not delivered", "#icon-failed"];
    const times = this.#delivered > 1 ? `Delivered × ${this.#delivered}` : "Delivered";
    return ["confirmed", times, "#icon-confirmed"];
  }
}

/** @param {ReportStatus} status */
async function reportOpening(status) {
  const report = new Report(OPENING);
  for (const delayMs of [...OPENING_RETRY_DELAYS_MS, undefined]) {
    const outcome = await report.send();
    if (outcome.isDelivered) return status.sayAboutOpening("");
    if (!outcome.canRetry || delayMs === undefined) {
      status.sayAboutOpening("");
      return status.failed(OPENING, outcome.reason, () => resendOpening(report, status));
    }
    status.sayAboutOpening("The opening of this page is not reported yet. The page keeps trying.");
    await new Promise((resolve) => setTimeout(resolve, Math.max(delayMs, outcome.retryAfterMs)));
  }
}

/**
 * @param {Report} report
 * @param {ReportStatus} status
 */
async function resendOpening(report, status) {
  const outcome = await report.send();
  if (outcome.isDelivered) status.delivered(OPENING, 1);
  else status.failed(OPENING, outcome.reason, () => resendOpening(report, status));
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

const status = new ReportStatus();
for (const button of document.querySelectorAll("button[data-event]")) {
  if (button instanceof HTMLElement) new Pill(button, status);
}

// A page that the browser prepares before anybody has asked for it is not open yet.
if ("prerendering" in document && document.prerendering) {
  document.addEventListener("prerenderingchange", () => reportOpening(status), { once: true });
} else {
  reportOpening(status);
}
// A page that comes back from the back/forward cache is opened again, but runs no script anew.
addEventListener("pageshow", (event) => {
  if (event.persisted) reportOpening(status);
});
