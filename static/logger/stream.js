// @ts-check
/// <reference lib="dom" />
/**
 * Keeps one event stream open for as long as the page lives: connects, notices a dead connection, waits, and
 * resumes after the last event that it has seen. It hands over each update's event once, says where updates are
 * missing, and says in which state it is.
 *
 * Why not `EventSource`: it hands over named events only to listeners for these names, and any type may come; it
 * gives up for ever on an answer other than 200; and it hides the heartbeat comments that show a dead connection.
 *
 * @module
 */

import { Backoff } from "./backoff.js";
import { EventStreamParser } from "./event_stream.js";
import { OpenError, openStream } from "./open_stream.js";
import { SeenIds } from "./seen_ids.js";
import { readSignal } from "./signal.js";

/** @typedef {import("./event_stream.js").StreamEvent} StreamEvent */

/**
 * @typedef {object} StreamState
 * @property {"connecting" | "live" | "reconnecting" | "offline"} name
 * @property {number} [retryAt] When the next attempt starts, in ms of the epoch; absent while one is under way.
 * @property {string} [problem] Why the last attempt failed, as a sentence; absent after a mere interruption.
 */

/**
 * @typedef {object} StreamHandlers
 * @property {(event: StreamEvent) => void} onEvent
 * @property {(reason: string) => void} onGap The server could not go on where the stream had ended.
 * @property {(state: StreamState) => void} onState
 */

/** The server sends a comment or a heartbeat at least every 15 s; two missed ones and some slack mean a dead connection. */
const SILENCE_MS_MAX = 40_000;
const WATCH_EVERY_MS = 5_000;
/** A computer that wakes up gives its connection one heartbeat's time before it counts as dead. */
const WAKE_GRACE_MS = 16_000;
/** A connection that lasted this long was a good one: the back-off starts anew. */
const STABLE_MS = 10_000;

export class Stream {
  #url;
  #handlers;
  #backoff = new Backoff();
  #seenIds = new SeenIds();
  #lastEventId = "earliest";
  #wasLive = false;
  /** @type {string | undefined} */
  #problem;
  /** @type {AbortController | undefined} The attempt that counts; one that was replaced has nothing more to say. */
  #current;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #retryTimer;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #watchTimer;
  #watchedAt = 0;
  #heardAt = 0;

  /**
   * @param {URL} url
   * @param {StreamHandlers} handlers
   */
  constructor(url, handlers) {
    this.#url = url;
    this.#handlers = handlers;
  }

  /** Opens the stream and follows the life of the page from now on. */
  start() {
    addEventListener("online", () => this.retryNow());
    addEventListener("offline", () => this.#interrupt());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") this.retryNow();
    });
    // A page in the back/forward cache must not hold a connection; when it comes back it resumes.
    addEventListener("pagehide", () => this.#close());
    addEventListener("pageshow", (event) => {
      if (event.persisted) this.#connect();
    });
    this.#connect();
  }

  /** Ends the wait for the next attempt, if there is one. */
  retryNow() {
    if (this.#retryTimer !== undefined) this.#connect();
  }

  async #connect() {
    this.#close();
    const attempt = new AbortController();
    this.#current = attempt;
    this.#watch();
    this.#enterWait();

    /** @type {number | undefined} */
    let openedAt;
    /** @type {unknown} */
    let failure;
    try {
      const body = await openStream(this.#url, this.#lastEventId, attempt.signal);
      openedAt = Date.now();
      if (this.#current === attempt) this.#enterLive();
      await this.#read(body, attempt);
    } catch (error) {
      failure = error;
    }
    if (this.#current === attempt) this.#retryLater(failure, openedAt);
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

  /**
   * @param {unknown} failure
   * @param {number | undefined} openedAt
   */
  #retryLater(failure, openedAt) {
    this.#close();
    if (openedAt !== undefined && Date.now() - openedAt >= STABLE_MS) this.#backoff.reset();
    // The end of a connection that was open is an interruption, not yet a problem worth a message.
    const refusal = failure instanceof OpenError ? failure : undefined;
    this.#problem = refusal?.message;

    const delayMs = this.#backoff.next(refusal?.retryAfterMs ?? 0);
    this.#retryTimer = setTimeout(() => this.#connect(), delayMs);
    this.#enterWait(Date.now() + delayMs);
  }

  /** The browser says that the network is gone; a dead connection would take the watchdog 40 s to notice. */
  #interrupt() {
    if (this.#current !== undefined) this.#retryLater(undefined, undefined);
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

  #enterLive() {
    this.#wasLive = true;
    this.#problem = undefined;
    this.#handlers.onState({ name: "live" });
  }

  /** @param {number} [retryAt] */
  #enterWait(retryAt) {
    const isFirst = !this.#wasLive && this.#problem === undefined;
    /** @type {StreamState} */
    const state = { name: isFirst ? "connecting" : "reconnecting" };
    // The browser can be wrong (a server on this computer needs no network), so attempts go on while offline.
    if (!navigator.onLine) state.name = "offline";
    if (retryAt !== undefined) state.retryAt = retryAt;
    if (this.#problem !== undefined) state.problem = this.#problem;
    this.#handlers.onState(state);
  }
}
