// @ts-check
/**
 * Reads what happened before from the history of the hub, page by page.
 *
 * @module
 */

import { parseObject } from "./json.js";
import { ask, errorOf, noAnswer, RequestError } from "./refusal.js";

/** @typedef {import("./types.d.ts").HistoryPage} HistoryPage */
/** @typedef {import("./types.d.ts").HistoryPlace} HistoryPlace */
/** @typedef {import("./types.d.ts").StreamEvent} StreamEvent */

/** A connection that died without a word answers never. */
const ANSWER_MS_MAX = 30_000;

export class History {
  /** Of the history; a page of it is asked for by parameters. */
  url;

  /** @param {URL} eventsUrl Of the stream, with its matchers. */
  constructor(eventsUrl) {
    this.url = new URL(eventsUrl);
    this.url.pathname = `${this.url.pathname.replace(/\/$/, "")}/history`;
  }

  /**
   * @param {HistoryPlace} place Nothing stands for the newest.
   * @param {number} limit
   * @returns {Promise<HistoryPage>}
   * @throws {RequestError}
   */
  async read(place, limit) {
    const url = new URL(this.url);
    for (const [name, value] of Object.entries({ ...place, limit })) url.searchParams.set(name, `${value}`);
    const response = await ask(url, { signal: AbortSignal.timeout(ANSWER_MS_MAX) });
    if (!response.ok) throw await errorOf(response);
    const text = await response.text().catch(() => undefined);
    const { updates, older, newer } = parseObject(text ?? "");
    if (!Array.isArray(updates)) {
      // Where the connection breaks within it, it may be one the next time.
      const status = text === undefined ? 0 : response.status;
      throw new RequestError("The address of the history answers with something else.", {
        ...noAnswer(),
        status,
      });
    }
    return { events: updates.flatMap(toEvents), older: toPlace(older), newer: toPlace(newer) };
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
  return error instanceof RequestError && [404, 410].includes(error.refusal.status);
}
