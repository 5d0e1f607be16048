// @ts-check
/// <reference lib="dom" />
/**
 * Shows the state of the stream: the pill in the header, the panel that explains a problem, and the panel that
 * stands where the rows will be.
 *
 * @module
 */

/** @typedef {import("./stream.js").StreamState} StreamState */

/**
 * @typedef {object} ConnectionElements
 * @property {HTMLElement} status A live region; its text changes only when the state does.
 * @property {HTMLElement} problem
 * @property {HTMLElement} waiting
 * @property {HTMLElement} empty
 */

/** @type {Record<StreamState["name"], string>} */
const LABELS = {
  connecting: "Connecting…",
  live: "Live",
  reconnecting: "Reconnecting",
  offline: "Offline",
};

export class ConnectionView {
  #elements;
  /** @type {StreamState} */
  #state = { name: "connecting" };
  #hasRows = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #countdownTimer;

  /** @param {ConnectionElements} elements */
  constructor(elements) {
    this.#elements = elements;
  }

  /** @param {StreamState} state */
  show(state) {
    this.#state = state;
    this.#showStatus();
    this.#showPanels();
    this.#countDown();
  }

  /** The first row has come: the panels make room for the list. */
  showRows() {
    if (this.#hasRows) return;
    this.#hasRows = true;
    this.#showPanels();
  }

  #showStatus() {
    const { status } = this.#elements;
    status.dataset.state = this.#state.name;
    setText(status, "[data-status-label]", LABELS[this.#state.name]);
  }

  #showPanels() {
    const { problem, waiting, empty } = this.#elements;
    const reason = this.#reason();
    problem.hidden = reason === undefined;
    waiting.hidden = reason !== undefined || this.#hasRows || this.#state.name === "live";
    empty.hidden = this.#hasRows || this.#state.name !== "live";
    if (reason !== undefined) setText(problem, "[data-problem-reason]", reason);
  }

  #reason() {
    if (this.#state.name === "offline") return "This device seems to be without a network.";
    return this.#state.problem;
  }

  /** The countdown is hidden from screen readers: a number that is read out every second helps nobody. */
  #countDown() {
    clearTimeout(this.#countdownTimer);
    const { retryAt, name } = this.#state;
    const leftMs = retryAt === undefined ? 0 : Math.max(0, retryAt - Date.now());
    const text = leftMs > 0 ? ` in ${Math.ceil(leftMs / 1000)} s` : "…";
    setText(this.#elements.status, "[data-countdown]", name === "reconnecting" ? text : "");
    setText(this.#elements.problem, "[data-countdown]", text);
    if (leftMs > 0) this.#countdownTimer = setTimeout(() => this.#countDown(), leftMs % 1000 || 1000);
  }
}

/**
 * Leaves equal text alone: a live region may read out what is written, even if it is the same.
 *
 * @param {Element} root
 * @param {string} selector
 * @param {string} text
 */
function setText(root, selector, text) {
  const element = root.querySelector(selector);
  if (element !== null && element.textContent !== text) element.textContent = text;
}
