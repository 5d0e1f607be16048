// @ts-check
/// <reference lib="dom" />
/**
 * The part that subscribes: what to ask for, whether the stream is open, and if not, why.
 *
 * @module
 */

import { eventSourceCode, subscribeCommand } from "./commands.js";
import { setText } from "./dom.js";
import { find } from "../logger/dom.js";
import { formatDuration } from "./duration.js";
import { HubStream } from "./hub_stream.js";
import { readSelection, streamUrl, writeSelection } from "./matchers.js";
import { MatchersView } from "./matchers_view.js";
import { showNotice } from "./notice.js";
import { explainRefusal } from "./refusal.js";

/** @typedef {import("../logger/types.d.ts").StreamEvent} StreamEvent */
/** @typedef {import("./hub_stream.js").StreamState} StreamState */
/** @typedef {import("./matchers.js").Selection} Selection */
/** @typedef {import("./notice.js").NoticeText} NoticeText */

/** @type {Record<StreamState["name"], string>} */
const LABELS = {
  closed: "Not connected",
  connecting: "Connecting…",
  open: "Open",
  waiting: "Reconnecting",
  refused: "Refused",
};

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

/** @param {StreamState} state */
function labelFor(state) {
  if (state.name === "connecting" && state.isAgain) return "Reconnecting…";
  if (state.name === "refused") return `${LABELS.refused} (${state.refusal.status})`;
  return LABELS[state.name];
}

export class SubscribeView {
  #hubUrl;
  #readToken;
  #matchers;
  #stream;
  /** @type {StreamState} */
  #state = { name: "closed" };
  /** @type {string | undefined} What the stream was opened with, to compare with what is typed now. */
  #opened;
  #isTokenUsed = false;
  /** @type {string | undefined} */
  #noticed;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #countdownTimer;

  #root;
  #status;
  #notice;
  #begin;
  #beginAfter;
  #connect;
  #reconnect;
  #disconnect;

  /**
   * @param {{ hubUrl: URL, readToken: () => string, onEvent: (event: StreamEvent) => void, onGap: (reason: string) => void, onState: (state: StreamState) => void }} options
   */
  constructor({ hubUrl, readToken, onEvent, onGap, onState }) {
    this.#hubUrl = hubUrl;
    this.#readToken = readToken;
    this.#root = find("#subscribe", HTMLElement);
    this.#status = find("[role=status][data-state]", HTMLElement);
    this.#notice = find("[data-notice]", HTMLElement, this.#root);
    this.#begin = find("[data-begin]", HTMLSelectElement, this.#root);
    this.#beginAfter = find("[data-begin-after]", HTMLInputElement, this.#root);
    this.#connect = find("[data-connect]", HTMLButtonElement, this.#root);
    this.#reconnect = find("[data-reconnect]", HTMLButtonElement, this.#root);
    this.#disconnect = find("[data-disconnect]", HTMLButtonElement, this.#root);
    this.#matchers = new MatchersView({
      list: find("[data-matchers]", HTMLElement, this.#root),
      template: find("template[data-matcher]", HTMLTemplateElement),
      add: find("[data-add]", HTMLButtonElement, this.#root),
    }, () => this.#change());
    this.#stream = new HubStream({
      onEvent,
      onGap,
      onState: (state) => {
        this.#show(state);
        onState(state);
      },
    });

    this.#begin.addEventListener("change", () => {
      this.#change();
      if (!this.#beginAfter.hidden) this.#beginAfter.focus();
    });
    this.#beginAfter.addEventListener("input", () => this.#change());
    find("form", HTMLFormElement, this.#root).addEventListener("submit", (event) => {
      event.preventDefault();
      this.#open();
    });
    this.#disconnect.addEventListener("click", () => {
      this.#stream.close();
      this.#connect.focus();
    });
    this.#restore();
    this.#show(this.#state);
  }

  /** The token has changed, so the commands have, and perhaps what an open stream should use. */
  refresh() {
    this.#showCommands();
    this.#showButtons();
  }

  #restore() {
    const { matchers, lastEventId } = readSelection(new URLSearchParams(location.search));
    this.#matchers.show(matchers.length > 0 ? matchers : [{ type: "exact", value: "*" }]);
    this.#begin.value = lastEventId === "" ? "now" : lastEventId === "earliest" ? "earliest" : "after";
    if (this.#begin.value === "after") this.#beginAfter.value = lastEventId;
    this.#showBegin();
    this.#showCommands();
  }

  /** @returns {Selection} */
  #read() {
    const lastEventId = { now: "", earliest: "earliest", after: this.#beginAfter.value.trim() }[
      /** @type {"now" | "earliest" | "after"} */ (this.#begin.value)
    ];
    return { matchers: this.#matchers.read(), lastEventId };
  }

  #change() {
    // So that the view can be shared and survives a reload; never with the token.
    history.replaceState(null, "", `?${writeSelection(this.#read())}`);
    this.#showBegin();
    this.#showCommands();
    this.#showButtons();
  }

  #open() {
    if (!this.#matchers.check()) {
      this.#showNotice({
        level: "error",
        title: "A matcher has no value",
        lines: ["Type one, `*` for everything, or remove the row."],
      });
      return;
    }
    const selection = this.#read();
    const token = this.#readToken();
    this.#opened = this.#fingerprint();
    this.#isTokenUsed = token !== "";
    this.#stream.open({
      url: streamUrl(this.#hubUrl, { ...selection, lastEventId: "" }),
      token,
      lastEventId: selection.lastEventId,
    });
  }

  /** What the stream depends on. */
  #fingerprint() {
    return JSON.stringify([this.#read(), this.#readToken()]);
  }

  #showBegin() {
    this.#beginAfter.hidden = this.#begin.value !== "after";
  }

  #showCommands() {
    const url = streamUrl(this.#hubUrl, this.#read());
    const hasToken = this.#readToken() !== "";
    setText(find("#subscribe-curl", HTMLElement), subscribeCommand(url, hasToken));
    setText(find("#subscribe-code", HTMLElement), eventSourceCode(url));
    find("[data-no-header]", HTMLElement, this.#root).hidden = !hasToken;
  }

  /** @param {StreamState} state */
  #show(state) {
    this.#state = state;
    this.#status.dataset.state = state.name;
    setText(find("[data-status-label]", HTMLElement, this.#status), labelFor(state));
    // While it tries again, why it has to is still what there is to know.
    if (state.name !== "connecting" || !state.isAgain) this.#showNotice(this.#noticeFor(state));
    this.#showButtons();
    this.#countDown();
  }

  /** @param {NoticeText | undefined} notice */
  #showNotice(notice) {
    // The same failure of each attempt is no news, and would be read out each time.
    const text = JSON.stringify(notice);
    if (text === this.#noticed) return;
    this.#noticed = text;
    showNotice(this.#notice, notice);
  }

  #showButtons() {
    const { name } = this.#state;
    const isActive = name === "connecting" || name === "open" || name === "waiting";
    const isChanged = isActive && this.#opened !== this.#fingerprint();
    const hadFocus = document.activeElement === this.#connect || document.activeElement === this.#reconnect;
    this.#connect.hidden = isActive;
    this.#reconnect.hidden = !isChanged;
    this.#disconnect.hidden = !isActive;
    find("[data-changed]", HTMLElement, this.#root).hidden = !isChanged;
    // The keyboard's place must not vanish together with a button.
    if (hadFocus && isActive && !isChanged) this.#disconnect.focus();
  }

  /**
   * @param {StreamState} state
   * @returns {NoticeText | undefined}
   */
  #noticeFor(state) {
    switch (state.name) {
      case "open":
        return {
          level: "good",
          title: `The stream is open since ${clock.format(state.since)}`,
          lines: [
            this.#isTokenUsed
              ? "With your token: public updates, and the private ones that it grants."
              : "Without a token: public updates only.",
          ],
        };
      case "waiting":
        return this.#noticeForWait(state.cause);
      case "refused":
        return this.#noticeForRefusal(state.refusal);
      default:
        return undefined;
    }
  }

  /**
   * @param {Extract<StreamState, { name: "waiting" }>["cause"]} cause
   * @returns {NoticeText}
   */
  #noticeForWait(cause) {
    switch (cause) {
      case "ended":
        return {
          level: "info",
          title: "The hub has ended the stream",
          lines: [
            "Streams have a longest life, and end when their token expires. The next one goes on after the last update.",
          ],
        };
      case "endedAtOnce":
        return {
          level: "warning",
          title: "The hub has ended the stream at once",
          lines: ["It may have too many streams already (`MAX_STREAMS`), and says when to come back."],
        };
      case "broken":
        return {
          level: "warning",
          title: "The connection broke off",
          lines: ["The next one goes on after the last update."],
        };
      case "offline":
        return { level: "warning", title: "This device seems to be without a network" };
      default:
        return this.#noticeForRefusal(cause);
    }
  }

  /**
   * @param {import("../logger/types.d.ts").Refusal} refusal
   * @returns {NoticeText}
   */
  #noticeForRefusal(refusal) {
    const { title, advice } = explainRefusal(refusal, {
      action: "subscribe",
      hasToken: this.#isTokenUsed,
      hubUrl: this.#hubUrl,
    });
    return { level: "error", title, lines: advice, requestId: refusal.requestId };
  }

  /** The countdown is hidden from screen readers: a number that is read out every second helps nobody. */
  #countDown() {
    clearTimeout(this.#countdownTimer);
    const element = find("[data-countdown]", HTMLElement, this.#status);
    if (this.#state.name !== "waiting") return setText(element, "");
    const leftMs = Math.max(0, this.#state.retryAt - Date.now());
    setText(element, leftMs > 0 ? ` in ${formatDuration(Math.ceil(leftMs / 1000) * 1000)}` : "…");
    if (leftMs > 0) this.#countdownTimer = setTimeout(() => this.#countDown(), leftMs % 1000 || 1000);
  }
}
