// @ts-check
/// <reference lib="dom" />
/**
 * Keeps one event stream going for as long as it is wanted: connects, notices a dead connection, waits, and resumes
 * after the last event that it has seen. It hands over each update's event once, and says where updates are
 * missing. What a page shows of this is the page's to know.
 *
 * Why not `EventSource`: it has to know the types in advance, and any may come; it gives up for ever on an answer
 * other than 200, and hides why; and it cannot send a token.
 *
 * @module
 */

import { Backoff } from "./backoff.js";
import { EventStreamParser } from "./event_stream.js";
import { openStream } from "./open_stream.js";
import { RequestError } from "./refusal.js";
import { SeenIds } from "./seen_ids.js";
import { readSignal } from "./signal.js";

/** @typedef {import("./types.d.ts").LastingStreamHandlers} LastingStreamHandlers */
/** @typedef {import("./types.d.ts").StreamEvent} StreamEvent */
/** @typedef {import("./types.d.ts").StreamRequest} StreamRequest */
/** @typedef {import("./types.d.ts").Wait} Wait */

/** The server sends a heartbeat every 10 s; three missed ones mean a dead connection. */
const SILENCE_MS_MAX = 30_000;
const WATCH_EVERY_MS = 5_000;
/** A computer that wakes up gives its connection one heartbeat's time before it counts as dead. */
const WAKE_GRACE_MS = 11_000;
/** A connection that lasted this long was a good one: the back-off starts anew. */
const STABLE_MS = 10_000;

export class LastingStream {
  #handlers;
  #backoff = new Backoff();
  #seenIds = new SeenIds();
  /** @type {StreamRequest | undefined} What is asked for, as long as a stream is wanted. */
  #request;
  #lastEventId = "";
  #hasOpened = false;
  /** @type {AbortController | undefined} The attempt that counts; one that was replaced has nothing more to say. */
  #current;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #retryTimer;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #watchTimer;
  #watchedAt = 0;
  /** How long nothing was heard while this page was awake. */
  #silentMs = 0;

  /**
   * It follows the life of the page from now on.
   *
   * @param {LastingStreamHandlers} handlers
   */
  constructor(handlers) {
    this.#handlers = handlers;
    addEventListener("online", () => this.retryNow());
    // A dead connection would take the watchdog 30 s to notice.
    addEventListener("offline", () => {
      if (this.#current !== undefined) this.#retryLater("offline", 0);
    });
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") this.retryNow();
    });
    // A page in the back/forward cache must not hold a connection; when it comes back it resumes.
    addEventListener("pagehide", () => this.#disconnect());
    addEventListener("pageshow", (event) => {
      if (event.persisted) this.#connect();
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
    this.#hasOpened = false;
    this.#seenIds = new SeenIds();
    this.#backoff = new Backoff();
    this.#connect();
  }

  close() {
    this.#disconnect();
    this.#request = undefined;
  }

  /** Ends the wait for the next attempt, if there is one. */
  retryNow() {
    if (this.#retryTimer !== undefined) this.#connect();
  }

  async #connect() {
    if (this.#request === undefined) return;
    this.#disconnect();
    const attempt = new AbortController();
    this.#current = attempt;
    this.#watch();
    this.#handlers.onConnecting();

    /** @type {number | undefined} */
    let openedAt;
    /** @type {Wait["cause"]} */
    let cause = "ended";
    try {
      const body = await openStream({ ...this.#request, lastEventId: this.#lastEventId }, attempt.signal);
      openedAt = Date.now();
      if (this.#current === attempt) this.#enterOpen(openedAt);
      await this.#read(body, attempt);
    } catch (error) {
      // Otherwise the connection was cut, or an event is too large to be one.
      cause = error instanceof RequestError ? error : "broken";
    }
    if (this.#current === attempt) {
      this.#retryLater(cause, openedAt === undefined ? 0 : Date.now() - openedAt);
    }
  }

  /** @param {number} now */
  #enterOpen(now) {
    if (this.#hasOpened && this.#lastEventId === "") {
      this.#handlers.onGap("no update had come yet, so there was no id to go on after");
    }
    this.#hasOpened = true;
    this.#handlers.onOpen(now);
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
      this.#silentMs = 0;
      parser.feed(decoder.decode(value, { stream: true }));
    }
  }

  /** @param {StreamEvent} event */
  #deliver(event) {
    const signal = readSignal(event);
    if (signal !== undefined) {
      if (signal.type === "gap") this.#handlers.onGap(signal.reason);
      else this.#handlers.onSignal?.(signal);
      return;
    }
    if (event.id === "" || this.#seenIds.add(event.id)) this.#handlers.onEvent(event);
  }

  /**
   * @param {Wait["cause"]} cause
   * @param {number} openMs
   */
  #retryLater(cause, openMs) {
    this.#disconnect();
    if (openMs >= STABLE_MS) this.#backoff.reset();
    const delayMs = this.#backoff.next(cause instanceof RequestError ? cause.refusal.retryAfterMs : 0);
    this.#retryTimer = setTimeout(() => this.#connect(), delayMs);
    this.#handlers.onWait({ cause, openMs, retryAt: Date.now() + delayMs });
  }

  #disconnect() {
    clearTimeout(this.#retryTimer);
    clearInterval(this.#watchTimer);
    this.#retryTimer = undefined;
    const attempt = this.#current;
    this.#current = undefined;
    attempt?.abort();
  }

  #watch() {
    this.#silentMs = 0;
    this.#watchedAt = Date.now();
    this.#watchTimer = setInterval(() => this.#checkSilence(), WATCH_EVERY_MS);
  }

  #checkSilence() {
    const now = Date.now();
    const passed = now - this.#watchedAt;
    this.#silentMs = passed > 2 * WATCH_EVERY_MS
      ? Math.max(this.#silentMs + 2 * WATCH_EVERY_MS, SILENCE_MS_MAX - WAKE_GRACE_MS)
      : this.#silentMs + passed;
    this.#watchedAt = now;
    if (this.#silentMs > SILENCE_MS_MAX) this.#connect();
  }
}
