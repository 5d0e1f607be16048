// @ts-check
/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/**
 * The tracking page: reports that it was opened and each press of a pill, and never claims more than the server
 * has confirmed.
 *
 * @module
 */

/**
 * @typedef {{ isDelivered: true } | { isDelivered: false, reason: string, canRetry: boolean, retryAfterMs: number }} Outcome
 */

const OPEN_EVENT = "log:open";
/** Somebody who has waited this long wants to be told. */
const ANSWER_MS_MAX = 10_000;
/** Nobody waits for the report of the opening, so it gets a few quiet attempts of its own. */
const OPEN_RETRY_DELAYS_MS = [2_000, 5_000, 15_000];
const RETRY_AFTER_MS_MAX = 60_000;

/** How the page calls what it reports. @type {Record<string, string>} */
const NAMES = { [OPEN_EVENT]: "opening of this page", "pill:blue": "blue pill", "pill:red": "red pill" };

/** @type {Record<number, string>} */
const REASONS = {
  404: "The server does not know this event.",
  413: "The server finds the report too large.",
  429: "Too many reports at once.",
  503: "The channel behind the server is away.",
};

/**
 * Sends one report. The request outlives the page, so that a press just before leaving counts too.
 *
 * @param {string} event
 * @returns {Promise<Outcome>}
 */
async function report(event) {
  try {
    const response = await fetch("event/" + event, {
      method: "POST",
      keepalive: true,
      credentials: "omit",
      signal: AbortSignal.timeout(ANSWER_MS_MAX),
    });
    return response.ok ? { isDelivered: true } : refusal(response);
  } catch (error) {
    const isTimeout = error instanceof DOMException && error.name === "TimeoutError";
    const reason = isTimeout ? "The server did not answer in time." : "The server cannot be reached.";
    return { isDelivered: false, reason, canRetry: true, retryAfterMs: 0 };
  }
}

/**
 * @param {Response} response
 * @returns {Outcome}
 */
function refusal(response) {
  const { status } = response;
  const retryAfterMs = Number(response.headers.get("Retry-After")) * 1000 || 0;
  return {
    isDelivered: false,
    reason: REASONS[status] ?? `The server answered ${status}.`,
    // Any other 4xx says that the request itself is wrong: it would be refused again.
    canRetry: status === 408 || status === 429 || status >= 500,
    retryAfterMs: Math.min(Math.max(retryAfterMs, 0), RETRY_AFTER_MS_MAX),
  };
}

/** What could not be delivered, the sentence about it, and the button that tries again. */
class ReportStatus {
  #region = find("[data-report-status]");
  #text = find("[data-report-text]");
  #openText = find("[data-open-text]");
  #retry = find("[data-retry]");
  /** @type {Map<string, number>} How often each event is undelivered. */
  #undelivered = new Map();

  /** @param {(event: string) => void} resend */
  constructor(resend) {
    this.#retry.addEventListener("click", () => {
      const undelivered = this.#undelivered;
      this.#undelivered = new Map();
      this.#say("Trying again…");
      for (const [event, count] of undelivered) {
        for (let i = 0; i < count; i++) resend(event);
      }
    });
  }

  /**
   * @param {string} event
   * @param {number} count How often this event has been delivered since the page was opened.
   */
  delivered(event, count) {
    // As long as something is undelivered, that is what the visitor must know.
    if (this.#undelivered.size > 0) return;
    const name = NAMES[event] ?? event;
    this.#say(
      `${name.charAt(0).toUpperCase()}${name.slice(1)} delivered${count > 1 ? `, ${count} times` : ""}.`,
    );
    this.#hideRetry();
  }

  /**
   * @param {string} event
   * @param {string} reason
   */
  failed(event, reason) {
    this.#undelivered.set(event, (this.#undelivered.get(event) ?? 0) + 1);
    const list = [...this.#undelivered].map(([key, count]) =>
      `${NAMES[key] ?? key}${count > 1 ? ` (${count} times)` : ""}`
    );
    this.#say(`Not delivered: ${list.join(", ")}. ${reason}`);
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
  #event;
  #pending = 0;
  #delivered = 0;
  #hasFailed = false;

  /** @param {HTMLElement} button */
  constructor(button) {
    this.#button = button;
    this.#event = button.dataset.event ?? "";
    button.addEventListener("click", () => this.send());
  }

  get event() {
    return this.#event;
  }

  /** Every press is a report of its own; none waits for another. */
  async send() {
    this.#pending++;
    this.#hasFailed = false;
    this.#show();
    const outcome = await report(this.#event);
    this.#pending--;
    if (outcome.isDelivered) {
      this.#delivered++;
      document.body.dataset.chosen = this.#event;
      status.delivered(this.#event, this.#delivered);
    } else {
      this.#hasFailed = true;
      status.failed(this.#event, outcome.reason);
    }
    this.#show();
  }

  #show() {
    const [state, text, icon] = this.#look();
    this.#button.dataset.state = state;
    this.#button.setAttribute("aria-busy", String(state === "pending"));
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

async function reportOpening() {
  for (const delayMs of [...OPEN_RETRY_DELAYS_MS, undefined]) {
    const outcome = await report(OPEN_EVENT);
    if (outcome.isDelivered) return status.sayAboutOpening("");
    if (!outcome.canRetry || delayMs === undefined) {
      status.sayAboutOpening("");
      return status.failed(OPEN_EVENT, outcome.reason);
    }
    status.sayAboutOpening("The opening of this page is not reported yet. The page keeps trying.");
    await new Promise((resolve) => setTimeout(resolve, Math.max(delayMs, outcome.retryAfterMs)));
  }
}

async function resendOpening() {
  const outcome = await report(OPEN_EVENT);
  if (outcome.isDelivered) status.delivered(OPEN_EVENT, 1);
  else status.failed(OPEN_EVENT, outcome.reason);
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

const pills = [...document.querySelectorAll("button[data-event]")]
  .filter((button) => button instanceof HTMLElement)
  .map((button) => new Pill(button));
const status = new ReportStatus((event) => {
  const pill = pills.find((candidate) => candidate.event === event);
  if (pill === undefined) resendOpening();
  else pill.send();
});

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
