// @ts-check
/// <reference lib="dom" />
/**
 * Asks for an event stream and judges the answer: either its body, or an error that says in plain words why not.
 *
 * @module
 */

/** Problem details are text of the server; a page of it would hide the page. */
const DETAIL_CHARACTERS_MAX = 200;

/** The stream could not be opened. The message is a sentence to show. */
export class OpenError extends Error {
  /**
   * @param {string} message
   * @param {number} retryAfterMs The time that the server asks us to wait, or 0.
   */
  constructor(message, retryAfterMs = 0) {
    super(message);
    this.retryAfterMs = retryAfterMs;
  }
}

/**
 * @param {URL} url
 * @param {string} lastEventId
 * @param {AbortSignal} signal
 * @returns {Promise<ReadableStream<Uint8Array<ArrayBuffer>>>}
 */
export async function openStream(url, lastEventId, signal) {
  const response = await request(url, lastEventId, signal);
  if (response.status !== 200) {
    throw new OpenError(await describeRefusal(response), readRetryAfterMs(response));
  }
  const type = response.headers.get("Content-Type") ?? "no content type";
  if (!type.startsWith("text/event-stream") || response.body === null) {
    await response.body?.cancel();
    throw new OpenError(`The address of the stream answers with ${type}, which is no event stream.`);
  }
  return response.body;
}

/**
 * @param {URL} url
 * @param {string} lastEventId
 * @param {AbortSignal} signal
 */
async function request(url, lastEventId, signal) {
  const address = new URL(url);
  address.searchParams.set("last_event_id", lastEventId);
  address.searchParams.set("signals", "1");
  try {
    return await fetch(address, {
      headers: { Accept: "text/event-stream" },
      cache: "no-store",
      credentials: "omit",
      signal,
    });
  } catch {
    // fetch hides the cause (refused, no route, CORS, CSP) from the page on purpose: there is no more to say.
    throw new OpenError(`${address.host} cannot be reached.`);
  }
}

/** @param {Response} response */
async function describeRefusal(response) {
  const answer = `The server answers ${response.status} ${response.statusText}`.trim();
  const detail = await readProblemDetail(response);
  return detail === "" ? `${answer}.` : `${answer}: ${detail}`;
}

/**
 * Our services explain an error as RFC 9457 problem details; a proxy in between sends HTML, which is no use here.
 *
 * @param {Response} response
 */
async function readProblemDetail(response) {
  if (!response.headers.get("Content-Type")?.startsWith("application/problem+json")) {
    await response.body?.cancel();
    return "";
  }
  try {
    const { detail, title } = await response.json();
    const text = detail ?? title;
    return typeof text === "string" ? text.slice(0, DETAIL_CHARACTERS_MAX) : "";
  } catch {
    // A body that is not what its type says adds nothing to the status.
    return "";
  }
}

/** @param {Response} response */
function readRetryAfterMs(response) {
  const seconds = Number(response.headers.get("Retry-After"));
  return Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : 0;
}
