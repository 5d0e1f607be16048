// @ts-check
/// <reference lib="dom" />
/**
 * Brings what was before all that the page has, when someone asks for it. The source goes on from there, so what it
 * knows of the history is written here, too.
 *
 * @module
 */

import { noteEntry, toEntry } from "./entry.js";
import { find } from "./dom.js";
import { isForgotten } from "./history.js";

/** @typedef {import("./types.d.ts").Entry} Entry */
/** @typedef {import("./types.d.ts").StreamEvent} StreamEvent */
/** @typedef {import("./source.js").Source} Source */

const PAGE = 500;
/** Pages that are read for one that is not empty; then it is the reader's to ask again. */
const EMPTY_PAGES_MAX = 20;
/** Updates before the one that a link leads to. */
const CONTEXT_OF_LINK = 200;

export class Older {
  #log;
  #toasts;
  /** @type {Promise<void> | undefined} */
  #loading;

  /**
   * @param {import("./logger.js").Log} log
   * @param {import("./toasts.js").Toasts} toasts
   */
  constructor(log, toasts) {
    this.#log = log;
    this.#toasts = toasts;
  }

  /** One page more, if there is one. */
  async load() {
    if (this.#log.source.older === null || !this.#log.isLive || this.#loading !== undefined) return;
    await this.#alone(this.#loadPage());
  }

  async #loadPage() {
    const { source } = this.#log;
    const label = find("[data-older-label]", HTMLElement);
    label.textContent = "Loading…";
    try {
      const { events, hasMore } = await readOlder(source);
      this.#prepend(events, hasMore ? [] : ["The history that is kept begins here."], []);
    } catch (error) {
      this.#toasts.show(`Older updates cannot be loaded. ${error instanceof Error ? error.message : ""}`);
    } finally {
      label.textContent = "Older updates";
      this.#log.requestFlush();
    }
  }

  /** An update and what was before it, if anybody knows it. @param {string} id */
  async loadUntil(id) {
    await this.#loading;
    if (this.#log.ring.find(id) !== undefined) return;
    await this.#alone(this.#loadLink(id));
  }

  /** Two at once would get in each other's way. @param {Promise<void>} work */
  async #alone(work) {
    this.#loading = work;
    await work;
    this.#loading = undefined;
  }

  /** @param {string} id */
  async #loadLink(id) {
    try {
      const { events } = await readUntil(this.#log.source, id);
      if (events.length > 0) this.#prepend(events, [], ["Updates between these are not loaded."]);
    } catch {
      // Whatever the reason, the page says that it does not have the update.
    }
  }

  /**
   * @param {StreamEvent[]} events Oldest first.
   * @param {string[]} before Notes.
   * @param {string[]} after
   */
  #prepend(events, before, after) {
    const { ring, selection, feed, source, now } = this.#log;
    const updates = events.map((event) => toEntry(event, { arrived: now(), isLive: false }));
    const note = (/** @type {Entry | undefined} */ beside) => (/** @type {string} */ text) =>
      noteEntry("notice", text, beside?.time ?? now());
    const entries = [
      ...before.map(note(updates[0] ?? ring.at(ring.first))),
      ...updates,
      ...after.map(note(updates.at(-1))),
    ];
    // What does not fit would be the first to go.
    const count = ring.unshift(entries);
    if (count < entries.length) source.older = null;
    selection.update();
    feed.draw();
    this.#log.showFigures(entries.slice(entries.length - count));
  }
}

/**
 * The page before the oldest that was handed over.
 *
 * @param {Source} source
 * @returns {Promise<{ events: StreamEvent[], hasMore: boolean }>}
 * @throws {import("./refusal.js").RequestError}
 */
async function readOlder(source) {
  /** @type {StreamEvent[]} */
  let events = [];
  // With matchers that match little, a page may be empty though there is more.
  for (let count = 0; source.older !== null && events.length === 0 && count < EMPTY_PAGES_MAX; count++) {
    const page = await source.history.read({ before: source.older }, PAGE).catch((error) => {
      // Of the history that the place is of, nothing is left.
      if (isForgotten(error)) return { events: [], older: null };
      throw error;
    });
    source.older = page.older;
    events = page.events;
  }
  return { events, hasMore: source.older !== null };
}

/**
 * An update and what was before it; from there readOlder() goes on.
 *
 * @param {Source} source
 * @param {string} id
 * @throws {import("./refusal.js").RequestError} Also when nobody knows it any more.
 */
async function readUntil(source, id) {
  const { events, older } = await source.history.read({ until: id }, CONTEXT_OF_LINK);
  source.older = older;
  for (const event of events) source.seenIds.add(event.id);
  return { events, hasMore: older !== null };
}
