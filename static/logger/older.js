// @ts-check
/// <reference lib="dom" />
/**
 * Reads what was before all that the page has, when someone asks for it.
 *
 * @module
 */

import { isForgotten } from "./history.js";

/** @typedef {import("./event_stream.js").StreamEvent} StreamEvent */
/** @typedef {import("./source.js").Source} Source */

const PAGE = 500;
/** Pages that are read for one that is not empty; then it is the reader's to ask again. */
const EMPTY_PAGES_MAX = 20;

/**
 * The page before the oldest that was handed over.
 *
 * @param {Source} source
 * @returns {Promise<{ events: StreamEvent[], hasMore: boolean }>}
 * @throws {import("./open_stream.js").OpenError}
 */
export async function readOlder(source) {
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
 * The newest ones up to this one; from there readOlder() goes on.
 *
 * @param {Source} source
 * @param {string} id
 * @param {number} limit
 * @throws {import("./open_stream.js").OpenError} Also when nobody knows it any more.
 */
export async function readUntil(source, id, limit) {
  const { events, older } = await source.history.read({ until: id }, limit);
  source.older = older;
  for (const event of events) source.seenIds.add(event.id);
  return { events, hasMore: older !== null };
}
