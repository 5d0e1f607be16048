// @ts-check
/// <reference lib="dom" />
/**
 * Everything that the page shows comes from here, each event once and in order: first the newest of the history, then
 * what happens. All tabs of a browser share one connection; the one that leads holds it and passes on what it brings.
 *
 * @module
 */

import { Backoff } from "./backoff.js";
import { History, isForgotten } from "./history.js";
import { LastingStream } from "./lasting_stream.js";
import { canShare, Leader } from "./leader.js";
import { RequestError } from "./refusal.js";
import { SeenIds } from "./seen_ids.js";
import { timeOf } from "./update.js";

/** @typedef {import("./types.d.ts").Message} Message */
/** @typedef {import("./types.d.ts").SourceHandlers} SourceHandlers */
/** @typedef {import("./types.d.ts").SourceState} SourceState */
/** @typedef {import("./types.d.ts").StreamEvent} StreamEvent */

const FIRST_PAGE = 500;
const PAGE = 1_000;
/** Messages that wait for the history; what is dropped of them is in there, too. */
const WAITING_MAX = 1_000;
/** An event that was made this long before the stream was opened was missed. */
const OLD_MS = 2_000;
/** What was missed comes in one go; a pause this long is its end. */
const PAUSE_MS = 500;
/** Where ids tell no time, a stream that never pauses counts as caught up after this long. */
const CATCH_UP_MS_MAX = 10_000;

export class Source {
  history;
  seenIds = new SeenIds();
  /** @type {string | null} What to ask for the page before all that is here; see `older.js`. */
  older = null;
  /** How far the clock of the server is ahead of this one. */
  aheadMs = 0;
  #handlers;
  #url;
  #stream;
  /** @type {Leader | undefined} None where each tab has a connection of its own. */
  #leader;
  /** Id of the newest event that was handed over; "earliest" when there is none, "" before that is known. */
  #lastId = "";
  /** @type {(Message & { kind: "events" })[] | undefined} What waits for the history, until that is there. */
  #waiting = [];
  /** @type {Promise<void> | undefined} */
  #reading;
  /** Ends the wait for the next attempt. */
  #readNow = () => {};
  /** @type {{ events: StreamEvent[], isLive: boolean }[]} What this tab's own stream has brought meanwhile. */
  #held = [];
  /** @type {StreamEvent[]} Of the chunk that is being read. */
  #chunk = [];
  /** @type {SourceState} */
  #state = { name: "connecting" };
  /** How far the history that is waited for is. @type {SourceState} */
  #reach = { name: "connecting" };
  /** @type {string | undefined} */
  #problem;
  #wasLive = false;
  #openedAt = -Infinity;
  /** When the last chunk came. */
  #broughtAt = -Infinity;
  #caughtUp = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #pauseTimer;

  /** @param {SourceHandlers & { eventsUrl: URL }} options The address of the stream, with its matchers. */
  constructor({ eventsUrl, ...handlers }) {
    this.#handlers = handlers;
    this.#url = eventsUrl;
    this.history = new History(eventsUrl);
    this.#stream = new LastingStream({
      onEvent: (event) => this.#collect(event),
      onGap: (reason) => {
        this.#tell({ kind: "gap", reason });
        handlers.onGap(reason);
      },
      onSignal: ({ now }) => {
        if (now !== undefined) this.aheadMs = now - Date.now();
        // A sign of life for the other tabs.
        this.#setState(this.#state);
      },
      onConnecting: () => this.#setState(this.#lost()),
      onOpen: () => this.#enterOpen(),
      onWait: ({ cause, retryAt }) => {
        // The end of a connection that was open is an interruption, not yet a problem worth a message.
        this.#problem = cause instanceof RequestError ? cause.message : undefined;
        this.#setState(this.#lost(retryAt));
      },
    });
  }

  /** Whether this tab holds the connection. */
  get isLeader() {
    return this.#leader?.isLeader ?? true;
  }

  start() {
    addEventListener("online", () => this.retryNow());
    document.addEventListener("visibilitychange", () => document.hidden || this.retryNow());
    if (canShare()) {
      this.#leader = new Leader(`live ${this.#url}`, {
        onLead: () => this.#open(),
        onFollow: () => {
          this.#stream.close();
          this.#held = [];
          this.#tell({ kind: "who" });
        },
        onMessage: (message) => this.#hear(message),
      });
      this.#join();
      addEventListener("pagehide", () => this.#leave());
      addEventListener("pageshow", (event) => {
        if (event.persisted) this.#join();
      });
    } else {
      this.#open();
    }
  }

  /** Ends the wait for the next attempt, if there is one, also of the tab that leads. */
  retryNow() {
    this.#readNow();
    this.#stream.retryNow();
    // Where locks are denied all lead, and would tell each other for ever.
    if (!this.isLeader) this.#tell({ kind: "retry" });
  }

  #join() {
    this.#leader?.join();
    this.#waiting ??= [];
    this.#showState(this.#lost());
    this.#tell({ kind: "who" });
  }

  #leave() {
    this.#leader?.leave();
    this.#stream.close();
  }

  async #open() {
    // First, so that the stream begins where the history ends.
    while (this.#waiting !== undefined) await this.#readHistory();
    if (this.isLeader) this.#stream.open({ url: this.#url, lastEventId: this.#lastId });
  }

  /** @param {Message} message */
  #tell(message) {
    this.#leader?.tell(message);
  }

  /** @param {unknown} data */
  #hear(data) {
    if (typeof data !== "object" || data === null) return;
    const message = /** @type {Message} */ (data);
    if (this.isLeader) {
      if (message.kind === "who") this.#tellState();
      else if (message.kind === "retry") this.retryNow();
    } else if (message.kind === "events") this.#receive(message);
    else if (message.kind === "gap") this.#handlers.onGap(message.reason);
    else if (message.kind === "state") this.#follow(message);
  }

  /** @param {Message & { kind: "state" }} message */
  #follow({ state, last, aheadMs }) {
    this.aheadMs = aheadMs;
    this.#showState(state);
    if (state.name !== "live" && state.name !== "catching-up") return;
    // A tab that was frozen may not have heard all.
    if (last !== "" && !this.#knows(last)) this.#waiting ??= [];
    if (this.#waiting !== undefined) this.#readHistory();
  }

  /** @param {Message & { kind: "events" }} message */
  #receive(message) {
    if (!this.#knows(message.after)) this.#waiting ??= [];
    if (this.#waiting === undefined) return this.#deliver(message.events, message.isLive);
    this.#waiting.push(message);
    if (this.#waiting.length > WAITING_MAX) this.#waiting.shift();
    this.#readHistory();
  }

  /** @param {string} id */
  #knows(id) {
    return id === this.#lastId || this.seenIds.has(id);
  }

  /** @param {StreamEvent} event */
  #collect(event) {
    if (this.#chunk.length === 0) queueMicrotask(() => this.#takeChunk());
    this.#chunk.push(event);
  }

  #takeChunk() {
    const events = this.#chunk;
    this.#chunk = [];
    const isLive = !this.#isCatchingUp(events);
    if (this.#waiting === undefined) this.#bring(events, isLive);
    else this.#held.push({ events, isLive });
  }

  /**
   * @param {StreamEvent[]} events
   * @param {boolean} isLive
   */
  #bring(events, isLive) {
    this.#tell({ kind: "events", after: this.#lastId, events, isLive });
    this.#deliver(events, isLive);
  }

  /** @param {readonly StreamEvent[]} events */
  #isCatchingUp(events) {
    const now = Date.now();
    const isNew = now > this.#openedAt + CATCH_UP_MS_MAX || now > this.#broughtAt + OLD_MS;
    this.#broughtAt = now;
    const time = timeOf(events[0]?.id ?? "") ?? (isNew ? Infinity : -Infinity);
    const isOld = time < this.#openedAt + this.aheadMs - OLD_MS;
    clearTimeout(this.#pauseTimer);
    if (!isOld) {
      this.#endCatchUp();
      return false;
    }
    this.#caughtUp += events.length;
    this.#setState({ name: "catching-up", count: this.#caughtUp });
    this.#pauseTimer = setTimeout(() => this.#endCatchUp(), PAUSE_MS);
    return true;
  }

  #endCatchUp() {
    this.#openedAt = -Infinity;
    this.#caughtUp = 0;
    if (this.#state.name === "catching-up") this.#setState({ name: "live" });
  }

  #readHistory() {
    return this.#reading ??= this.#read();
  }

  /** Brings what is missing from the history, and then what has waited for it. */
  async #read() {
    const backoff = new Backoff();
    /** @type {boolean | undefined} */
    let isRead;
    while (isRead === undefined) isRead = await this.#readOnce(backoff);
    const waiting = this.#waiting ?? [];
    this.#waiting = this.#problem = this.#reading = undefined;
    this.#reach = { name: "connecting" };
    for (const message of waiting) {
      if (isRead) this.#receive(message);
      else this.#deliver(message.events, message.isLive);
    }
    if (this.#waiting === undefined) {
      for (const { events, isLive } of this.#held.splice(0)) this.#bring(events, isLive);
    }
    this.#showState(this.#state);
  }

  /**
   * @param {Backoff} backoff
   * @returns {Promise<boolean | undefined>} Whether there is a history; undefined when nobody knows now.
   */
  async #readOnce(backoff) {
    // What has come so far is in there, or older.
    const before = this.#waiting ?? [];
    this.#waiting = [];
    try {
      await (this.#lastId === "" ? this.#readNewest() : this.#readMissed());
      return true;
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      const { status, retryAfterMs } = error.refusal;
      if (status > 0 && status < 500 && status !== 429) {
        // Another hub may have none.
        const isNone = this.#lastId === "" && (status === 404 || status === 200);
        if (!isNone) this.#handlers.onGap(`the history cannot be read: ${error.message}`);
        this.#waiting.unshift(...before);
        return false;
      }
      this.#problem = error.message;
      const waitMs = backoff.next(retryAfterMs);
      this.#reach = this.#lost(Date.now() + waitMs);
      const isOpen = this.#state.name === "live" || this.#state.name === "catching-up";
      if (this.isLeader && !isOpen) this.#setState(this.#reach);
      else this.#showState(this.#state);
      await new Promise((resolve) => {
        this.#readNow = () => resolve(undefined);
        setTimeout(resolve, waitMs);
      });
      return undefined;
    }
  }

  async #readNewest() {
    const { events, older } = await this.history.read({}, FIRST_PAGE);
    this.older = older;
    this.#deliver(events, false);
    // Where nothing has ever happened, this is where to go on.
    if (older === null) this.#lastId ||= "earliest";
  }

  async #readMissed() {
    try {
      for (let place = this.#lastId; place !== "";) {
        const { events, newer } = await this.history.read({ after: place }, PAGE);
        this.#deliver(events, false);
        place = newer ?? "";
      }
    } catch (error) {
      if (!isForgotten(error)) throw error;
      this.#handlers.onGap("what came after the last one is no longer kept");
      const { events } = await this.history.read({}, FIRST_PAGE);
      this.#deliver(events, false);
    }
  }

  /**
   * @param {readonly StreamEvent[]} events
   * @param {boolean} isLive
   */
  #deliver(events, isLive) {
    const unseen = events.filter(({ id }) => id === "" || this.seenIds.add(id));
    const last = unseen.findLast(({ id }) => id !== "");
    if (last !== undefined) this.#lastId = last.id;
    if (unseen.length > 0) this.#handlers.onEvents(unseen, { isLive });
  }

  #enterOpen() {
    this.#problem = undefined;
    this.#openedAt = this.#wasLive ? Date.now() : -Infinity;
    this.#broughtAt = Date.now();
    this.#setState({ name: "live" });
    if (this.#lastId !== "") return;
    // Nothing told the stream where to begin: what came before it did is in the history.
    this.#waiting ??= [];
    this.#readHistory();
  }

  /**
   * @param {number} [retryAt]
   * @returns {SourceState}
   */
  #lost(retryAt) {
    const name = this.#wasLive || this.#problem !== undefined ? "reconnecting" : "connecting";
    // The browser can be wrong (a server on this computer needs no network), so attempts go on while offline.
    return { name: navigator.onLine ? name : "offline", retryAt, problem: this.#problem };
  }

  /** @param {SourceState} state */
  #setState(state) {
    this.#showState(state);
    this.#tellState();
  }

  #tellState() {
    this.#tell({ kind: "state", state: this.#state, last: this.#lastId, aheadMs: this.aheadMs });
  }

  /** @param {SourceState} state */
  #showState(state) {
    this.#state = state;
    this.#wasLive ||= state.name === "live";
    // Before its history is there, a page that is live would look as if nothing had ever happened.
    const isReady = this.#waiting === undefined || state.name !== "live";
    this.#handlers.onState(isReady ? state : this.#reach);
  }
}
