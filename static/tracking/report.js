// @ts-check
/// <reference lib="dom" />
/**
 * Sends a report to the broadcaster, and tells in words why one was not delivered.
 *
 * @module
 */

/**
 * @typedef {{ isDelivered: true } | { isDelivered: false, reason: string, canRetry: boolean, retryAfterMs: number }} Outcome
 */

/** Somebody who has waited this long wants to be told. */
const ANSWER_MS_MAX = 10_000;
const RETRY_AFTER_MS_MAX = 60_000;

/** @type {Record<number, string>} */
const REASONS = {
  404: "The server does not know this event.",
  413: "The server finds the report too large.",
  429: "Too many reports at once.",
  503: "The channel behind the server is away.",
};

/** That one tracking event has happened, once, however often that has to be said until it is heard. */
export class Report {
  /** @type {string} The type of the tracking event, such as "pill:red". */
  type;
  /** An answer may get lost after the report has arrived; by the key the server knows what it has already. */
  #key = randomUuid();

  /** @param {string} type */
  constructor(type) {
    this.type = type;
  }

  /**
   * Sends the report, or sends it again. The request outlives the page, so that a press just before leaving counts
   * too.
   *
   * @returns {Promise<Outcome>}
   */
  async send() {
    try {
      const response = await fetch("event/" + this.type, {
        method: "POST",
        headers: { "Idempotency-Key": this.#key },
        keepalive: true,
        credentials: "omit",
        signal: AbortSignal.timeout(ANSWER_MS_MAX),
      });
      return response.ok ? { isDelivered: true } : refusal(response);
    } catch (error) {
      const isTimeout = error instanceof DOMException && error.name === "TimeoutError";
      const reason = isTimeout ? "The server did not answer in time." : "The server cannot be reached.";
      return { isDelivered: false, reason, canRetry: true, retryAfterMs: 0 };
    }
  }
}

/**
 * @param {Response} response
 * @returns {Outcome}
 */
function refusal(response) {
  const { status } = response;
  const retryAfterMs = Number(response.headers.get("Retry-After")) * 1000 || 0;
  return {
    isDelivered: false,
    reason: REASONS[status] ?? `The server answered ${status}.`,
    // Any other 4xx says that the request itself is wrong: it would be refused again.
    canRetry: status === 408 || status === 429 || status >= 500,
    retryAfterMs: Math.min(Math.max(retryAfterMs, 0), RETRY_AFTER_MS_MAX),
  };
}

/** A version 4 UUID (RFC 9562). */
function randomUuid() {
  // Browsers keep randomUUID from pages that came over plain HTTP, as they do from a computer in the same room.
  if ("randomUUID" in crypto) return crypto.randomUUID();
  const bytes = /** @type {Crypto} */ (crypto).getRandomValues(new Uint8Array(16));
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  const variant = "89ab".charAt((bytes[8] ?? 0) % 4);
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `4${hex.slice(13, 16)}`,
    variant + hex.slice(17, 20),
    hex.slice(20),
  ]
    .join("-");
}
