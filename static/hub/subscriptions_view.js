// @ts-check
/// <reference lib="dom" />
/**
 * The part that shows who listens: the hub's list of active subscriptions, and then each change of it, live.
 *
 * @module
 */

import { FlushTimer } from "../logger/flush_timer.js";
import { noAnswer, readRefusal } from "../logger/refusal.js";
import { toUpdate } from "../logger/update.js";
import { clone, setText } from "./dom.js";
import { find } from "../logger/dom.js";
import { HubStream } from "./hub_stream.js";
import { readCursor } from "./link.js";
import { streamUrl } from "./matchers.js";
import { showNotice } from "./notice.js";
import { cut } from "./pretty.js";
import { explainRefusal } from "./refusal.js";
import { SubscriptionList } from "./subscription_list.js";

/** @typedef {import("./hub_stream.js").StreamState} StreamState */
/** @typedef {import("../logger/types.d.ts").Refusal} Refusal */
/** @typedef {import("./subscription_list.js").Listed} Listed */

const CELL_CHARACTERS_MAX = 500;
const RELOAD_MS_MIN = 10_000;
const SUBSCRIPTION_EVENT_TYPE = "mercure";

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const full = new Intl.DateTimeFormat("en-GB", { dateStyle: "full", timeStyle: "long" });

export class SubscriptionsView {
  #hubUrl;
  #readToken;
  #token = "";
  #list = new SubscriptionList();
  /** @type {Map<string, HTMLElement>} */
  #rows = new Map();
  #flushTimer = new FlushTimer(() => this.#flush());
  #stream;
  /** @type {AbortController | undefined} The reading of the list that counts. */
  #reading;
  #isFollowing = false;
  #loadedAt = 0;

  #root = find("#subscriptions", HTMLElement);
  #follow = find("[data-follow]", HTMLButtonElement, this.#root);
  #notice = find("[data-notice]", HTMLElement, this.#root);
  #state = find("[data-list-state]", HTMLElement, this.#root);
  #table = find("[data-table]", HTMLElement, this.#root);
  #body = find("[data-subscriptions]", HTMLElement, this.#root);
  #template = find("template[data-subscription]", HTMLTemplateElement);

  /** @param {{ hubUrl: URL, readToken: () => string }} options */
  constructor({ hubUrl, readToken }) {
    this.#hubUrl = hubUrl;
    this.#readToken = readToken;
    this.#stream = new HubStream({
      onEvent: (event) => {
        if (event.type !== SUBSCRIPTION_EVENT_TYPE) return;
        this.#list.apply(event.data, toUpdate(event, Date.now()).time);
        this.#flushTimer.request();
      },
      // What is missing cannot be made up for one by one; the list as it is now can be had at once.
      onGap: () => this.#reload(),
      onState: (state) => this.#showState(state),
    });
    this.#follow.addEventListener("click", () => this.#isFollowing ? this.#stop() : this.#start());
  }

  #start() {
    this.#token = this.#readToken();
    this.#setFollowing(true);
    this.#load();
  }

  #stop() {
    this.#reading?.abort();
    this.#setFollowing(false);
    this.#stream.close();
  }

  /** @param {boolean} isFollowing */
  #setFollowing(isFollowing) {
    this.#isFollowing = isFollowing;
    setText(this.#follow, isFollowing ? "Stop" : "List and follow");
  }

  #reload() {
    // A hub that does not know the cursor of its own list would have us read it for ever.
    if (Date.now() - this.#loadedAt > RELOAD_MS_MIN) this.#load();
  }

  async #load() {
    this.#loadedAt = Date.now();
    this.#reading?.abort();
    const reading = new AbortController();
    this.#reading = reading;
    setText(this.#state, "Reading the list…");
    showNotice(this.#notice, undefined);
    /** @type {Response} */
    let response;
    let text = "";
    try {
      response = await fetch(new URL(`${this.#hubUrl.pathname}/subscriptions`, this.#hubUrl), {
        headers: this.#token === "" ? {} : { Authorization: `Bearer ${this.#token}` },
        cache: "no-store",
        credentials: "omit",
        signal: reading.signal,
      });
      if (response.ok) text = await response.text();
    } catch {
      if (this.#reading === reading && !reading.signal.aborted) this.#fail(noAnswer());
      return;
    }
    if (reading.signal.aborted) return;
    if (!response.ok) return this.#fail(await readRefusal(response));
    this.#list.replace(text, Date.now());
    this.#flush();
    this.#stream.open({
      url: streamUrl(this.#hubUrl, {
        matchers: [{ type: "urlpattern", value: `${this.#hubUrl.pathname}/subscriptions{/*}?` }],
        lastEventId: "",
      }),
      token: this.#token,
      lastEventId: readCursor(response.headers.get("Link")) ?? "",
    });
  }

  /** @param {Refusal} refusal */
  #fail(refusal) {
    this.#stream.close();
    this.#setFollowing(false);
    this.#explain(refusal);
  }

  /** @param {Refusal} refusal */
  #explain(refusal) {
    const { title, advice } = explainRefusal(refusal, {
      action: "subscriptions",
      hasToken: this.#token !== "",
      hubUrl: this.#hubUrl,
    });
    showNotice(this.#notice, { level: "error", title, lines: advice, requestId: refusal.requestId });
  }

  /** @param {StreamState} state */
  #showState(state) {
    this.#table.dataset.isLive = String(state.name === "open");
    switch (state.name) {
      case "open":
        showNotice(this.#notice, undefined);
        return setText(this.#state, "Live: changes show up at once.");
      case "connecting":
        return setText(this.#state, "Connecting to the changes…");
      case "waiting":
        if (typeof state.cause === "object") this.#explain(state.cause);
        return setText(this.#state, "Not live at the moment; reconnecting.");
      case "closed":
        return setText(this.#state, this.#rows.size > 0 ? "No longer live." : "");
      case "refused":
        return this.#fail(state.refusal);
    }
  }

  #flush() {
    const listed = new Map([...this.#list.all].map((each) => [each.subscription.id, each]));
    for (const [id, row] of this.#rows) {
      if (listed.has(id)) continue;
      row.remove();
      this.#rows.delete(id);
    }
    for (const [id, each] of listed) {
      if (this.#rows.has(id)) continue;
      const row = this.#createRow(each);
      this.#rows.set(id, row);
      this.#body.append(row);
    }
    this.#table.hidden = false;
    const count = `${this.#list.size} active${this.#list.isCut ? ", and more" : ""}`;
    setText(find("[data-count]", HTMLElement, this.#root), count);
    find("[data-none]", HTMLElement, this.#root).hidden = this.#list.size > 0;
    find("table", HTMLTableElement, this.#root).hidden = this.#list.size === 0;
  }

  /** @param {Listed} listed */
  #createRow({ subscription, at, isExact }) {
    const row = clone(this.#template);
    const { matchType, match, subscriber, payload } = subscription;
    const fill = (/** @type {string} */ part, /** @type {string} */ text) =>
      setText(find(`[data-part=${part}]`, HTMLElement, row), cut(text, CELL_CHARACTERS_MAX));
    fill("match_type", matchType);
    fill("match", match);
    fill("subscriber", subscriber);
    fill("payload", payload || "none");
    const time = find("time", HTMLTimeElement, row);
    const date = new Date(at);
    time.dateTime = date.toISOString();
    time.title = full.format(date);
    time.textContent = isExact ? clock.format(date) : `before ${clock.format(date)}`;
    return row;
  }
}
