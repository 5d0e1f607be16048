// @ts-check
/// <reference lib="dom" />
/**
 * One stream of the hub, opened and closed at will, and the state that it is in. It ends with a refusal that would
 * be the same at each attempt.
 *
 * @module
 */

import { LastingStream } from "../logger/lasting_stream.js";
import { RequestError } from "../logger/refusal.js";
import { isPassing } from "./refusal.js";

/** @typedef {import("../logger/lasting_stream.js").LastingStreamHandlers} LastingStreamHandlers */
/** @typedef {import("../logger/types.d.ts").Wait} Wait */
/** @typedef {import("../logger/types.d.ts").StreamRequest} StreamRequest */
/** @typedef {import("../logger/types.d.ts").Refusal} Refusal */

/**
 * @typedef {{ name: "closed" }
 *   | { name: "connecting", isAgain: boolean }
 *   | { name: "open", since: number }
 *   | { name: "waiting", retryAt: number, cause: "ended" | "endedAtOnce" | "broken" | "offline" | Refusal }
 *   | { name: "refused", refusal: Refusal }} StreamState Times are in ms of the epoch.
 */

/** @typedef {Pick<LastingStreamHandlers, "onEvent" | "onGap"> & { onState(state: StreamState): void }} StreamHandlers */

/** A hub that has too many streams may open one more only to say when to come back. */
const AT_ONCE_MS = 1_000;

export class HubStream {
  #onState;
  #stream;
  #isAgain = false;

  /** @param {StreamHandlers} handlers */
  constructor({ onEvent, onGap, onState }) {
    this.#onState = onState;
    this.#stream = new LastingStream({
      onEvent,
      onGap,
      onConnecting: () => {
        onState({ name: "connecting", isAgain: this.#isAgain });
        this.#isAgain = true;
      },
      onOpen: (since) => onState({ name: "open", since }),
      onWait: (wait) => this.#enterWait(wait),
    });
  }

  /**
   * Opens a stream, instead of the one before.
   *
   * @param {StreamRequest} request
   */
  open(request) {
    this.#isAgain = false;
    this.#stream.open(request);
  }

  close() {
    this.#stream.close();
    this.#onState({ name: "closed" });
  }

  /** @param {Wait} wait */
  #enterWait({ cause, openMs, retryAt }) {
    if (!(cause instanceof RequestError)) {
      const isAtOnce = cause === "ended" && openMs < AT_ONCE_MS;
      return this.#onState({ name: "waiting", retryAt, cause: isAtOnce ? "endedAtOnce" : cause });
    }
    const { refusal } = cause;
    if (isPassing(refusal)) return this.#onState({ name: "waiting", retryAt, cause: refusal });
    this.#stream.close();
    this.#onState({ name: "refused", refusal });
  }
}
