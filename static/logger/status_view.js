// @ts-check
/// <reference lib="dom" />
/**
 * Shows the state of the stream: the pill in the bar, the banner that explains a problem, and what stands where the
 * rows will be.
 *
 * @module
 */

import { setText } from "./dom.js";

/** @typedef {import("./types.d.ts").SourceState} SourceState */

/** @type {Record<SourceState["name"], string>} */
const LABELS = {
  connecting: "Connecting…",
  "catching-up": "Catching up",
  live: "Live",
  reconnecting: "Reconnecting",
  offline: "Offline",
};

export class StatusView {
  #elements;
  /** @type {SourceState} */
  #state = { name: "connecting" };
  #log = { isFollowing: true, unseen: 0, kept: 0, shown: 0, isFiltered: false };
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {Record<"status" | "problem" | "waiting" | "empty" | "noMatch", HTMLElement>} elements */
  constructor(elements) {
    this.#elements = elements;
  }

  /** @param {SourceState} state */
  showState(state) {
    this.#state = state;
    this.#show();
  }

  /** @param {{isFollowing: boolean, unseen: number, kept: number, shown: number, isFiltered: boolean}} log */
  showLog(log) {
    this.#log = log;
    this.#show();
  }

  #show() {
    const { status, problem, waiting, empty, noMatch } = this.#elements;
    const { name, retryAt, count, problem: cause } = this.#state;
    const { isFollowing, unseen, kept, shown, isFiltered } = this.#log;
    const isLive = name === "live";
    const isPaused = isLive && !isFollowing;
    const left = Math.max(0, (retryAt ?? 0) - Date.now());
    const wait = left > 0 ? `in ${Math.ceil(left / 1000)} s` : "…";
    let detail = "";
    if (isPaused && unseen > 0) detail = ` · ${unseen.toLocaleString("en")} new`;
    else if (name === "catching-up" && count) detail = ` ${count.toLocaleString("en")}`;
    else if (name === "reconnecting") detail = ` ${wait}`;
    status.dataset.state = name;
    status.toggleAttribute("data-paused", isPaused);
    // A live region: its label changes with the state only. A number read out every second helps nobody.
    setText(status, "[data-status-label]", isPaused ? "Paused" : LABELS[name]);
    setText(status, "[data-status-detail]", detail);

    const reason = name === "offline" ? "This device seems to be without a network." : cause;
    problem.hidden = reason === undefined;
    setText(problem, "[data-problem-reason]", reason ?? "");
    setText(problem, "[data-countdown]", `Trying again ${wait}`);
    waiting.hidden = reason !== undefined || kept > 0 || isLive;
    empty.hidden = kept > 0 || !isLive;
    noMatch.hidden = !isFiltered || kept === 0 || shown > 0;

    clearTimeout(this.#timer);
    if (left > 0) this.#timer = setTimeout(() => this.#show(), left % 1000 || 1000);
  }
}
