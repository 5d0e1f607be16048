// @ts-check
/// <reference lib="dom" />
/**
 * One stream of the hub, opened and closed at will: it resumes after the last event that it has seen, hands over
 * each update once, says where updates are missing, and in which state it is.
 *
 * Why not `EventSource`: it cannot send a token, hides why a hub refuses, hands over named events only to listeners
 * for these names, and does not see the comments that tell a silent stream from a dead one.
 *
 * @module
 */

import { Backoff } from "../logger/backoff.js";
import { EventStreamParser } from "../logger/event_stream.js";
import { SeenIds } from "../logger/seen_ids.js";
import { readSignal } from "../logger/signal.js";
import { isPassing, noAnswer, readRefusal } from "./refusal.js";

/** @typedef {import("../logger/event_stream.js").StreamEvent} StreamEvent */
/** @typedef {import("./refusal.js").Refusal} Refusal */

/**
 * @typedef {object} StreamRequest
 * @property {URL} url With its matchers.
 * @property {string} token "" for none.
 * @property {string} lastEventId "" begins with what comes.
 */

/**
 * @typedef {{ name: "closed" }
 *   | { name: "connecting", isAgain: boolean }
 *   | { name: "open", since: number }
 *   | { name: "waiting", retryAt: number, cause: "ended" | "endedAtOnce" | "broken" | "offline" | Refusal }
 *   | { name: "refused", refusal: Refusal }} StreamState Times are in ms of the epoch.
 */

/**
 * @typedef {object} StreamHandlers
 * @property {(event: StreamEvent) => void} onEvent
 * @property {(reason: string) => void} onGap
 * @property {(state: StreamState) => void} onState
 */

/** Asked for signals, a hub sends a heartbeat every 10 s: after this long without one the connection is dead. */
const SILENCE_MS_MAX = 40_000;
const WATCH_EVERY_MS = 5_000;
/** A computer that wakes up gives its connection some time before it counts as dead. */
const WAKE_GRACE_MS = 16_000;
/** A connection that lasted this long was a good one: the back-off starts anew. */
const STABLE_MS = 10_000;
/** A hub that has too many streams may open one more only to say when to come back. */
const AT_ONCE_MS = 1_000;

export class HubStream {
  #handlers;
  #backoff = new Backoff();
  #seenIds = new SeenIds();
  /** @type {StreamRequest | undefined} What is asked for, as long as a stream is wanted. */
  #request;
  #lastEventId = "";
  #hasOpened = false;
  #isAgain = false;
  /** @type {AbortController | undefined} The attempt that counts; one that was replaced has nothing more to say. */
  #current;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #retryTimer;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #watchTimer;
  #watchedAt = 0;
  #heardAt = 0;

  /** @param {StreamHandlers} handlers */
  constructor(handlers) {
    this.#handlers = handlers;
    addEventListener("online", () => this.retryNow());
    addEventListener("offline", () => {
      if (this.#current !== undefined) this.#retryLater("offline", undefined);
    });
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") this.retryNow();
    });
    // A page in the back/forward cache must not hold a connection; when it comes back it resumes.
    addEventListener("pagehide", () => this.#close());
    addEventListener("pageshow", (event) => {
      if (event.persisted && this.#request !== undefined) this.#connect();
    });
  }

  /**
   * Opens a stream, instead of the one before.
   *
   * @param {StreamRequest} request
   */
  open(request) {
    this.#request = request;
    this.#lastEventId = request.lastEventId;
    this.#hasOpened = this.#isAgain = false;
    this.#seenIds = new SeenIds();
    this.#backoff = new Backoff();
    this.#connect();
  }

  close() {
    this.#close();
    this.#request = undefined;
    this.#handlers.onState({ name: "closed" });
  }

  /** Ends the wait for the next attempt, if there is one. */
  retryNow() {
    if (this.#retryTimer !== undefined) this.#connect();
  }

  async #connect() {
    if (this.#request === undefined) return;
    this.#close();
    const attempt = new AbortController();
    this.#current = attempt;
    this.#watch();
    this.#handlers.onState({ name: "connecting", isAgain: this.#isAgain });
    this.#isAgain = true;
    const { cause, openedAt } = await this.#run(this.#request, attempt);
    if (this.#current !== attempt) return;
    if (typeof cause === "object" && !isPassing(cause)) this.#giveUp(cause);
    else this.#retryLater(cause, openedAt);
  }

  /**
   * Opens a connection and reads it to its end.
   *
   * @param {StreamRequest} request
   * @param {AbortController} attempt
   * @returns {Promise<{ cause: "ended" | "endedAtOnce" | "broken" | Refusal, openedAt?: number }>}
   */
  async #run({ url, token }, attempt) {
    /** @type {Response} */
    let response;
    try {
      response = await fetch(this.#address(url), {
        headers: {
          Accept: "text/event-stream",
          ...(token === "" ? {} : { Authorization: `Bearer ${token}` }),
        },
        cache: "no-store",
        credentials: "omit",
        signal: attempt.signal,
      });
    } catch {
      return { cause: noAnswer() };
    }
    const type = response.headers.get("Content-Type") ?? "";
    if (response.status !== 200 || !type.startsWith("text/event-stream") || response.body === null) {
      return { cause: await readRefusal(response) };
    }
    const openedAt = Date.now();
    try {
      if (this.#current === attempt) this.#enterOpen(openedAt);
      await this.#read(response.body, attempt);
      return { cause: Date.now() - openedAt < AT_ONCE_MS ? "endedAtOnce" : "ended", openedAt };
    } catch {
      // The connection was cut, or an event is too large to be one.
      return { cause: "broken", openedAt };
    }
  }

  /** @param {URL} url */
  #address(url) {
    const address = new URL(url);
    if (this.#lastEventId !== "") address.searchParams.set("last_event_id", this.#lastEventId);
    address.searchParams.set("signals", "1");
    return address;
  }

  /** @param {number} now */
  #enterOpen(now) {
    if (this.#hasOpened && this.#lastEventId === "") {
      this.#handlers.onGap("no update had come yet, so there was no id to go on after");
    }
    this.#hasOpened = true;
    this.#handlers.onState({ name: "open", since: now });
  }

  /**
   * @param {ReadableStream<Uint8Array<ArrayBuffer>>} body
   * @param {AbortController} attempt
   */
  async #read(body, attempt) {
    // The parser takes off the byte order mark: some decoders do so at the beginning of any chunk.
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    const parser = new EventStreamParser({
      onEvent: (event) => this.#deliver(event),
      onLastEventId: (id) => this.#lastEventId = id || this.#lastEventId,
      onRetry: (ms) => this.#backoff.baseMs = ms,
    });
    const reader = body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done || this.#current !== attempt) return;
      this.#heardAt = Date.now();
      parser.feed(decoder.decode(value, { stream: true }));
    }
  }

  /** @param {StreamEvent} event */
  #deliver(event) {
    const signal = readSignal(event);
    if (signal !== undefined) {
      // The others are signs of life, and have done their work by coming.
      if (signal.type === "gap") this.#handlers.onGap(signal.reason);
      return;
    }
    if (event.id === "" || this.#seenIds.add(event.id)) this.#handlers.onEvent(event);
  }

  /** @param {Refusal} refusal */
  #giveUp(refusal) {
    this.#close();
    this.#request = undefined;
    this.#handlers.onState({ name: "refused", refusal });
  }

  /**
   * @param {"ended" | "endedAtOnce" | "broken" | "offline" | Refusal} cause
   * @param {number | undefined} openedAt
   */
  #retryLater(cause, openedAt) {
    this.#close();
    if (openedAt !== undefined && Date.now() - openedAt >= STABLE_MS) this.#backoff.reset();
    const delayMs = this.#backoff.next(typeof cause === "object" ? cause.retryAfterMs : 0);
    this.#retryTimer = setTimeout(() => this.#connect(), delayMs);
    this.#handlers.onState({ name: "waiting", retryAt: Date.now() + delayMs, cause });
  }

  #close() {
    clearTimeout(this.#retryTimer);
    clearInterval(this.#watchTimer);
    this.#retryTimer = undefined;
    const attempt = this.#current;
    this.#current = undefined;
    attempt?.abort();
  }

  #watch() {
    this.#heardAt = this.#watchedAt = Date.now();
    this.#watchTimer = setInterval(() => this.#checkSilence(), WATCH_EVERY_MS);
  }

  #checkSilence() {
    const now = Date.now();
    const slept = now - this.#watchedAt > 2 * WATCH_EVERY_MS;
    this.#watchedAt = now;
    if (slept) this.#heardAt = Math.max(this.#heardAt, now - SILENCE_MS_MAX + WAKE_GRACE_MS);
    if (now - this.#heardAt > SILENCE_MS_MAX) this.#connect();
  }
}
