// @ts-check
/**
 * Reads an answer that is not the one hoped for.
 *
 * @module
 */

import { parseObject } from "./json.js";

/**
 * @typedef {object} Refusal
 * @property {number} status 0 when there was no answer at all.
 * @property {string} detail What the server says, "" when it says nothing.
 * @property {string} requestId What the log of the server knows the request by; "" when the answer has none.
 * @property {number} retryAfterMs What the server asks to wait; 0 when it does not ask.
 */

/** Problem details are text of whoever answered; a page of it would hide the page. */
const DETAIL_CHARACTERS_MAX = 300;

/**
 * @param {Response} response Its body is read, or cancelled.
 * @returns {Promise<Refusal>}
 */
export async function readRefusal(response) {
  const seconds = Number(response.headers.get("Retry-After"));
  return {
    status: response.status,
    detail: await readDetail(response),
    requestId: response.headers.get("X-Request-Id") ?? "",
    retryAfterMs: Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : 0,
  };
}

/**
 * `fetch` hides the cause (refused, no route, CORS, CSP) from the page on purpose.
 *
 * @returns {Refusal}
 */
export function noAnswer() {
  return { status: 0, detail: "", requestId: "", retryAfterMs: 0 };
}

/**
 * Our services explain an error as RFC 9457 problem details; a proxy in between sends HTML, which is no use here.
 *
 * @param {Response} response
 */
async function readDetail(response) {
  try {
    if (!response.headers.get("Content-Type")?.startsWith("application/problem+json")) {
      await response.body?.cancel();
      return "";
    }
    const { detail } = parseObject(await response.text());
    return typeof detail === "string" ? detail.slice(0, DETAIL_CHARACTERS_MAX) : "";
  } catch {
    // The connection broke within the body; the status says enough.
    return "";
  }
}
