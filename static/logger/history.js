// @ts-check
/// <reference lib="dom" />
/**
 * Reads what happened before from the history of the hub, page by page.
 *
 * @module
 */

import { parseObject } from "./json.js";
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
    const text = await response.text().catch(() => undefined);
    const { updates, older, newer } = parseObject(text ?? "");
    if (!Array.isArray(updates)) {
      // Where the connection breaks within it, it may be one the next time.
      const status = text === undefined ? 0 : response.status;
      throw new OpenError("The address of the history answers with something else.", {
        ...noAnswer(),
        status,
      });
    }
    return { events: updates.flatMap(toEvents), older: toPlace(older), newer: toPlace(newer) };
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
 * @param {unknown} update
 * @returns {StreamEvent[]} As the stream would have brought it; none for what is no update.
 */
function toEvents(update) {
  const { id, type, data } = /** @type {Record<string, unknown>} */ (update ?? {});
  if (typeof id !== "string" || typeof data !== "string") return [];
  return [{ id, type: typeof type === "string" ? type : "message", data }];
}

/** @param {unknown} place */
const toPlace = (place) => typeof place === "string" ? place : null;

/**
 * Whether the history does not know from where to go on, or no longer.
 *
 * @param {unknown} error
 */
export function isForgotten(error) {
  return error instanceof OpenError && [404, 410].includes(error.refusal.status);
}
