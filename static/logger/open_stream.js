// @ts-check
/// <reference lib="dom" />
/**
 * Asks for an event stream and judges the answer: either its body, or an error that says in plain words why not.
 *
 * @module
 */

import { noAnswer, readRefusal } from "./refusal.js";

/** @typedef {import("./refusal.js").Refusal} Refusal */

/**
 * @typedef {object} StreamRequest
 * @property {URL} url
 * @property {string} [token] "" or none when there is none.
 * @property {string} lastEventId What to go on after; "" for what comes from now on.
 */

/** The stream could not be opened. The message is a sentence to show. */
export class OpenError extends Error {
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
 * @param {StreamRequest} request
 * @param {AbortSignal} signal Ends the stream, too.
 * @returns {Promise<ReadableStream<Uint8Array<ArrayBuffer>>>}
 */
export async function openStream(request, signal) {
  const response = await ask(request, signal);
  const type = response.headers.get("Content-Type") ?? "no content type";
  if (response.status === 200 && type.startsWith("text/event-stream") && response.body !== null) {
    return response.body;
  }
  const refusal = await readRefusal(response);
  throw new OpenError(describe(refusal, response.statusText, type), refusal);
}

/**
 * @param {StreamRequest} request
 * @param {AbortSignal} signal
 */
async function ask({ url, token = "", lastEventId }, signal) {
  const address = new URL(url);
  if (lastEventId !== "") address.searchParams.set("last_event_id", lastEventId);
  address.searchParams.set("signals", "1");
  try {
    return await fetch(address, {
      headers: {
        Accept: "text/event-stream",
        ...(token === "" ? {} : { Authorization: `Bearer ${token}` }),
      },
      cache: "no-store",
      credentials: "omit",
      signal,
    });
  } catch {
    throw new OpenError(`${address.host} cannot be reached.`, noAnswer());
  }
}

/**
 * @param {Refusal} refusal
 * @param {string} statusText
 * @param {string} type
 */
export function describe({ status, detail }, statusText, type) {
  if (status === 200) return `The address of the stream answers with ${type}, which is no event stream.`;
  const answer = `The server answers ${status} ${statusText}`.trim();
  return detail === "" ? `${answer}.` : `${answer}: ${detail}`;
}
