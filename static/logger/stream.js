// @ts-check
/// <reference lib="dom" />
/**
 * The stream of the page, open for as long as the page lives, and the state that it is in.
 *
 * @module
 */

import { LastingStream } from "./lasting_stream.js";
import { OpenError } from "./open_stream.js";

/** @typedef {import("./lasting_stream.js").LastingStreamHandlers} LastingStreamHandlers */

/**
 * @typedef {object} StreamState
 * @property {"connecting" | "live" | "reconnecting" | "offline"} name
 * @property {number} [retryAt] When the next attempt starts, in ms of the epoch; absent while one is under way.
 * @property {string} [problem] Why the last attempt failed, as a sentence; absent after a mere interruption.
 */

/** @typedef {Pick<LastingStreamHandlers, "onEvent" | "onGap"> & { onState(state: StreamState): void }} StreamHandlers */

export class Stream {
  #url;
  #onState;
  #stream;
  #wasLive = false;
  /** @type {string | undefined} */
  #problem;

  /**
   * @param {URL} url
   * @param {StreamHandlers} handlers
   */
  constructor(url, { onEvent, onGap, onState }) {
    this.#url = url;
    this.#onState = onState;
    this.#stream = new LastingStream({
      onEvent,
      onGap,
      onConnecting: () => this.#enterWait(),
      onOpen: () => this.#enterLive(),
      onWait: ({ cause, retryAt }) => {
        // The end of a connection that was open is an interruption, not yet a problem worth a message.
        this.#problem = cause instanceof OpenError ? cause.message : undefined;
        this.#enterWait(retryAt);
      },
    });
  }

  start() {
    this.#stream.open({ url: this.#url, lastEventId: "earliest" });
  }

  /** Ends the wait for the next attempt, if there is one. */
  retryNow() {
    this.#stream.retryNow();
  }

  #enterLive() {
    this.#wasLive = true;
    this.#problem = undefined;
    this.#onState({ name: "live" });
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
    this.#onState(state);
  }
}
