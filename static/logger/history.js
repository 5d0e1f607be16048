// @ts-check
/// <reference lib="dom" />
/**
 * Reads what happened before from the history of the hub, page by page.
 *
 * @module
 */

import { describe, OpenError } from "./open_stream.js";
import { noAnswer, readRefusal } from "./refusal.js";

/** @typedef {import("./event_stream.js").StreamEvent} StreamEvent */

/**
 * @typedef {object} HistoryPage
 * @property {StreamEvent[]} events The oldest first.
 * @property {string | null} older What to ask for the page before it; null when there is nothing older.
 * @property {string | null} newer Likewise for the one after it.
 */

/** @typedef {{ before: string } | { after: string } | { until: string } | Record<string, never>} HistoryPlace */

export class History {
  #url;

  /** @param {URL} eventsUrl Of the stream, with its matchers. */
  constructor(eventsUrl) {
    this.#url = new URL(eventsUrl);
    this.#url.pathname = `${this.#url.pathname.replace(/\/$/, "")}/history`;
  }

  /**
   * @param {HistoryPlace} place Nothing stands for the newest.
   * @param {number} limit
   * @returns {Promise<HistoryPage>}
   * @throws {OpenError}
   */
  async read(place, limit) {
    const url = new URL(this.#url);
    for (const [name, value] of Object.entries({ ...place, limit })) url.searchParams.set(name, `${value}`);
    const response = await ask(url);
    if (!response.ok) {
      const refusal = await readRefusal(response);
      throw new OpenError(describe(refusal, response.statusText, ""), refusal);
    }
    const page = await response.json().catch(() => ({}));
    if (!Array.isArray(page.updates)) {
      throw new OpenError("The address of the history answers with something else.", noAnswer());
    }
    return { events: page.updates.map(toEvent), older: page.older ?? null, newer: page.newer ?? null };
  }
}

/** @param {URL} url */
async function ask(url) {
  try {
    return await fetch(url, { cache: "no-store", credentials: "omit" });
  } catch {
    throw new OpenError(`${url.host} cannot be reached.`, noAnswer());
  }
}

/**
 * @param {{ id: string, type?: string, data: string }} update
 * @returns {StreamEvent} As the stream would have brought it.
 */
function toEvent({ id, type = "message", data }) {
  return { id, type, data };
}
