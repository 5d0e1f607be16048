// @ts-check
/// <reference lib="dom" />
/**
 * Wires the logger page: what the stream brings goes to the counters, the feed and the notifications.
 *
 * @module
 */

import { Announcer } from "./announcer.js";
import { ConnectionView } from "./connection_view.js";
import { Counters } from "./counters.js";
import { Feed } from "./feed.js";
import { FlushTimer } from "./flush_timer.js";
import { Freshness } from "./freshness.js";
import { Notifications } from "./notifications.js";
import { Stream } from "./stream.js";
import { toUpdate } from "./update.js";

/**
 * @template {Element} T
 * @param {string} selector
 * @param {new () => T} type
 * @returns {T}
 */
function find(selector, type) {
  const element = document.querySelector(selector);
  if (element instanceof type) return element;
  throw new TypeError(`The page has no ${type.name} that matches ${selector}.`);
}

const connection = new ConnectionView({
  status: find("[role=status][data-state]", HTMLElement),
  problem: find("[data-problem]", HTMLElement),
  waiting: find("[data-waiting]", HTMLElement),
  empty: find("[data-empty]", HTMLElement),
});
const feed = new Feed({
  header: find("[data-header]", HTMLElement),
  log: find("[role=log]", HTMLElement),
  list: find("[data-feed]", HTMLElement),
  rowTemplate: find("[data-row]", HTMLTemplateElement),
  gapTemplate: find("[data-gap-row]", HTMLTemplateElement),
  total: find("[data-total]", HTMLElement),
  note: find("[data-note]", HTMLElement),
  jump: find("[data-jump]", HTMLButtonElement),
});
const notifications = new Notifications({
  button: find("[data-notifications]", HTMLButtonElement),
  help: find("[data-notifications-help]", HTMLElement),
});
const counters = new Counters(document);
const announcer = new Announcer(find("[data-summary]", HTMLElement));
const freshness = new Freshness();

const flushTimer = new FlushTimer(() => {
  connection.showRows();
  counters.flush();
  feed.flush();
});

const eventsUrl = new URL(find("meta[name=events-url]", HTMLMetaElement).content, document.baseURI);
const stream = new Stream(eventsUrl, {
  onEvent(event) {
    const update = toUpdate(event, Date.now());
    const isNew = freshness.isNew(update);
    counters.add(update);
    feed.add(update, isNew);
    announcer.add(update.notify);
    if (isNew && update.notify) notifications.raise(update);
    flushTimer.request();
  },
  onGap(reason) {
    feed.addGap(reason);
    announcer.addGap();
    flushTimer.request();
  },
  onState(state) {
    if (state.name === "live") freshness.begin();
    connection.show(state);
  },
});

find("[data-retry]", HTMLButtonElement).addEventListener("click", () => stream.retryNow());
stream.start();
