// @ts-check
/**
 * Asks a server, and says why the answer is not the one hoped for.
 *
 * @module
 */

import { parseObject } from "./json.js";

/** @typedef {import("./types.d.ts").Refusal} Refusal */

/** Problem details are text of whoever answered; a page of it would hide the page. */
const DETAIL_CHARACTERS_MAX = 300;

/** A request that did not bring what was asked for. The message is a sentence to show. */
export class RequestError extends Error {
  /**
   * @param {string} message
   * @param {Refusal} refusal
   */
  constructor(message, refusal) {
    super(message);
    this.refusal = refusal;
  }
}

/**
 * @param {URL} url
 * @param {RequestInit} [init]
 * @throws {RequestError} When nobody answers.
 */
export async function ask(url, init) {
  try {
    return await fetch(url, { cache: "no-store", credentials: "omit", ...init });
  } catch {
    throw new RequestError(`${url.host} cannot be reached.`, noAnswer());
  }
}

/** @param {Response} response Its body is read, or cancelled. */
export async function errorOf(response) {
  const refusal = await readRefusal(response);
  const answer = `The server answers ${response.status} ${response.statusText}`.trim();
  return new RequestError(refusal.detail === "" ? `${answer}.` : `${answer}: ${refusal.detail}`, refusal);
}

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
