// @ts-check
/// <reference lib="dom" />
/**
 * Of all tabs of a browser that want the same stream, one holds the connection and tells the others. Who leads is who
 * has the lock; a leader that is not heard of any more (phones freeze tabs) loses it.
 *
 * @module
 */

/** @typedef {import("./types.d.ts").LeaderHandlers} LeaderHandlers */

/** The stream's own heartbeat comes every 10 s and is passed on, so that no throttled timer decides. */
const BEAT_MS = 10_000;
const SILENCE_MS_MAX = 2 * BEAT_MS + 5_000;
/** A leader answers who is new at once. */
const ANSWER_MS_MAX = 3_000;

/** Whether this browser can share a connection; without locks (plain HTTP in some) each tab has its own. */
export const canShare = () => "locks" in navigator && "BroadcastChannel" in globalThis;

export class Leader {
  isLeader = false;
  #name;
  #handlers;
  /** @type {BroadcastChannel | undefined} */
  #channel;
  /** @type {(() => void) | undefined} Gives the lock back. */
  #release;
  /** @type {AbortController | undefined} Ends the wait for it. */
  #waiting;
  /** How long nobody was heard while this tab was awake. */
  #silentMs = 0;
  #lookedAt = 0;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;

  /**
   * @param {string} name Of what is shared.
   * @param {LeaderHandlers} handlers
   */
  constructor(name, handlers) {
    this.#name = name;
    this.#handlers = handlers;
  }

  /** Joins the others: as the leader, if there is none. */
  join() {
    this.#channel = new BroadcastChannel(this.#name);
    this.#channel.onmessage = ({ data }) => {
      this.#silentMs = 0;
      this.#handlers.onMessage(data);
    };
    this.#lookedAt = Date.now();
    this.#silentMs = SILENCE_MS_MAX - ANSWER_MS_MAX;
    this.#timer = setInterval(() => this.#look(), BEAT_MS / 2);
    this.#want({});
  }

  leave() {
    clearInterval(this.#timer);
    this.#waiting?.abort();
    this.#waiting = undefined;
    this.isLeader = false;
    this.#release?.();
    this.#channel?.close();
    this.#channel = undefined;
  }

  /** @param {unknown} message To all others. */
  tell(message) {
    this.#channel?.postMessage(message);
  }

  /** @param {LockOptions} options */
  async #want(options) {
    this.#waiting?.abort();
    const waiting = new AbortController();
    this.#waiting = waiting;
    try {
      // A lock that is stolen cannot be waited for.
      await navigator.locks.request(
        this.#name,
        options.steal ? options : { signal: waiting.signal },
        () => this.#waiting === waiting ? this.#lead() : undefined,
      );
    } catch (error) {
      // Otherwise it was stolen from here, or is not waited for any more.
      const isDenied = error instanceof DOMException && error.name === "SecurityError";
      if (isDenied && this.#waiting === waiting) return void this.#lead();
    }
    // Who has left, and perhaps come back, learns of it late.
    if (this.#waiting !== waiting || !this.isLeader) return;
    this.isLeader = false;
    this.#handlers.onFollow();
    this.#silentMs = 0;
    this.#want({});
  }

  /** @returns {Promise<void>} Settles when the lock is given back. */
  #lead() {
    this.isLeader = true;
    this.#handlers.onLead();
    return new Promise((resolve) => this.#release = resolve);
  }

  #look() {
    const now = Date.now();
    // A tab that was frozen itself has heard nobody meanwhile.
    this.#silentMs += Math.min(now - this.#lookedAt, BEAT_MS);
    this.#lookedAt = now;
    // A sign of life also while there is no connection that brings any.
    if (this.isLeader) this.tell(null);
    else if (this.#silentMs > SILENCE_MS_MAX) {
      this.#silentMs = 0;
      this.#want({ steal: true });
    }
  }
}
