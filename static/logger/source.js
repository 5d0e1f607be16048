// @ts-check
/// <reference lib="dom" />
/**
 * Everything that the page shows comes from here, each event once and in order: first the newest of the history, then
 * what happens. All tabs of a browser share one connection; the one that leads holds it and passes on what it brings.
 *
 * @module
 */

import { History } from "./history.js";
import { LastingStream } from "./lasting_stream.js";
import { canShare, Leader } from "./leader.js";
import { OpenError } from "./open_stream.js";
import { SeenIds } from "./seen_ids.js";
import { toUpdate } from "./update.js";

/** @typedef {import("./event_stream.js").StreamEvent} StreamEvent */

/**
 * @typedef {object} SourceState
 * @property {"connecting" | "catching-up" | "live" | "reconnecting" | "offline"} name
 * @property {number} [retryAt] When the next attempt starts, in ms of the epoch; absent while one is under way.
 * @property {string} [problem] Why the last attempt failed, as a sentence; absent after a mere interruption.
 * @property {number} [count] How many came so far while it catches up.
 */

/**
 * @typedef {object} SourceHandlers
 * @property {(events: StreamEvent[], how: { isLive: boolean }) => void} onEvents
 * @property {(reason: string) => void} onGap
 * @property {(state: SourceState) => void} onState
 */

/**
 * What the leader tells the other tabs: what came after the event with this id, and how the connection is.
 *
 * @typedef {{ kind: "who" }
 *   | { kind: "events", after: string, events: StreamEvent[], isLive: boolean }
 *   | { kind: "gap", reason: string }
 *   | { kind: "state", state: SourceState }
 *   | { kind: "beat" }} Message
 */

const FIRST_PAGE = 500;
const PAGE = 1_000;
/** Events that may wait for the history; it comes within a moment, or the rest would be worth nothing. */
const WAITING_MAX = 20_000;
/** An event that was made this long before the stream was opened is one of those that were missed. */
const OLD_MS = 2_000;
/** What was missed comes in one go; a pause this long is its end. */
const PAUSE_MS = 500;

export class Source {
  #handlers;
  #url;
  #history;
  #stream;
  /** @type {Leader | undefined} None where each tab has a connection of its own. */
  #leader;
  #seenIds = new SeenIds();
  /** Id of the newest event that was handed over. */
  #lastId = "";
  /** @type {string | null} What to ask for the page before all that is here. */
  #older = null;
  /** @type {StreamEvent[] | undefined} What waits for the history; undefined once that is there. */
  #waiting = [];
  #isReading = false;
  /** @type {StreamEvent[]} Of the chunk that is being read. */
  #chunk = [];
  /** @type {SourceState} */
  #state = { name: "connecting" };
  /** @type {string | undefined} */
  #problem;
  #wasLive = false;
  #openedAt = Infinity;
  #caughtUp = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #pauseTimer;

  /** @param {SourceHandlers & { eventsUrl: URL }} options The address of the stream, with its matchers. */
  constructor({ eventsUrl, ...handlers }) {
    this.#handlers = handlers;
    this.#url = eventsUrl;
    this.#history = new History(eventsUrl);
    this.#stream = new LastingStream({
      onEvent: (event) => this.#collect(event),
      onGap: (reason) => this.#announceGap(reason),
      // A sign of life for the other tabs, where nothing happens.
      onSignal: () => this.#tell({ kind: "beat" }),
      onConnecting: () => this.#enterWait(),
      onOpen: () => this.#enterOpen(),
      onWait: ({ cause, retryAt }) => {
        // The end of a connection that was open is an interruption, not yet a problem worth a message.
        this.#problem = cause instanceof OpenError ? cause.message : undefined;
        this.#enterWait(retryAt);
      },
    });
  }

  /** Whether this tab holds the connection. */
  get isLeader() {
    return this.#leader?.isLeader ?? true;
  }

  start() {
    if (canShare()) {
      this.#leader = new Leader(`live ${this.#url}`, {
        onLead: () => this.#open(),
        onFollow: () => this.#stream.close(),
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

  /** Ends the wait for the next attempt, if there is one. */
  retryNow() {
    this.#stream.retryNow();
  }

  /**
   * The page before the oldest that was handed over.
   *
   * @returns {Promise<{ events: StreamEvent[], hasMore: boolean }>}
   * @throws {OpenError}
   */
  async older() {
    /** @type {StreamEvent[]} */
    let events = [];
    // With matchers that match little, a page may be empty though there is more.
    while (this.#older !== null && events.length === 0) {
      const page = await this.#history.read({ before: this.#older }, FIRST_PAGE);
      this.#older = page.older;
      events = page.events;
    }
    return { events, hasMore: this.#older !== null };
  }

  /**
   * The newest ones up to this one; from there older() goes on.
   *
   * @param {string} id
   * @param {number} limit
   * @throws {OpenError} Also when nobody knows it any more.
   */
  async until(id, limit) {
    const { events, older } = await this.#history.read({ until: id }, limit);
    this.#older = older;
    for (const event of events) this.#seenIds.add(event.id);
    return { events, hasMore: older !== null };
  }

  #join() {
    this.#leader?.join();
    this.#waiting ??= [];
    this.#tell({ kind: "who" });
  }

  #leave() {
    this.#leader?.leave();
    this.#stream.close();
  }

  #open() {
    this.#stream.open({ url: this.#url, lastEventId: this.#lastId });
  }

  /** @param {Message} message */
  #tell(message) {
    this.#leader?.tell(message);
  }

  /** @param {unknown} data */
  #hear(data) {
    if (typeof data !== "object" || data === null) return;
    const message = /** @type {Message} */ (data);
    if (message.kind === "who" && this.isLeader) this.#tell({ kind: "state", state: this.#state });
    if (this.isLeader) return;
    switch (message.kind) {
      case "events":
        this.#receive(message);
        break;
      case "gap":
        this.#handlers.onGap(message.reason);
        break;
      case "state":
        this.#follow(message.state);
        break;
    }
  }

  /** @param {SourceState} state Of the leader. */
  #follow(state) {
    this.#showState(state);
    if ((state.name === "live" || state.name === "catching-up") && this.#waiting !== undefined) {
      this.#readHistory();
    }
  }

  /** @param {Message & { kind: "events" }} message */
  #receive({ after, events, isLive }) {
    const isNext = after === "" || after === this.#lastId || this.#seenIds.has(after);
    if (this.#waiting === undefined && !isNext) this.#waiting = [];
    if (this.#waiting === undefined) return this.#deliver(events, isLive);
    this.#wait(events);
    this.#readHistory();
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
    this.#tell({ kind: "events", after: this.#lastId, events, isLive });
    if (this.#waiting === undefined) this.#deliver(events, isLive);
    else this.#wait(events);
  }

  /** @param {readonly StreamEvent[]} events */
  #isCatchingUp(events) {
    const [first] = events;
    const isOld = this.#openedAt !== Infinity && first !== undefined &&
      toUpdate(first, Infinity, {}).time < this.#openedAt - OLD_MS;
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
    this.#openedAt = Infinity;
    this.#caughtUp = 0;
    if (this.#state.name === "catching-up") this.#setState({ name: "live" });
  }

  /** @param {readonly StreamEvent[]} events */
  #wait(events) {
    this.#waiting?.push(...events);
    if ((this.#waiting?.length ?? 0) <= WAITING_MAX) return;
    this.#waiting = this.#waiting?.slice(-WAITING_MAX);
    this.#handlers.onGap("more came than could wait for the history");
  }

  /** Brings what is missing from the history, and then what has waited for it. */
  async #readHistory() {
    if (this.#isReading) return;
    this.#isReading = true;
    try {
      if (this.#lastId === "") await this.#readNewest();
      else await this.#readMissed();
    } catch (error) {
      // Another hub may have none, and then the page begins with what comes.
      const isNone = error instanceof OpenError && error.refusal.status === 404 && this.#lastId === "";
      if (!isNone) {
        this.#handlers.onGap(`the history cannot be read: ${error instanceof Error ? error.message : error}`);
      }
    }
    this.#isReading = false;
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    this.#deliver(waiting, true);
    this.#stream.goOnAfter(this.#lastId);
    this.#showState(this.#state);
  }

  async #readNewest() {
    const { events, older } = await this.#history.read({}, FIRST_PAGE);
    this.#older = older;
    this.#deliver(events, false);
  }

  async #readMissed() {
    for (let place = this.#lastId; place !== "";) {
      const { events, newer } = await this.#history.read({ after: place }, PAGE);
      this.#deliver(events, false);
      place = newer ?? "";
    }
  }

  /**
   * @param {readonly StreamEvent[]} events
   * @param {boolean} isLive
   */
  #deliver(events, isLive) {
    const unseen = events.filter(({ id }) => id === "" || this.#seenIds.add(id));
    const last = unseen.findLast(({ id }) => id !== "");
    if (last !== undefined) this.#lastId = last.id;
    if (unseen.length > 0) this.#handlers.onEvents(unseen, { isLive });
  }

  /** @param {string} reason */
  #announceGap(reason) {
    this.#tell({ kind: "gap", reason });
    this.#handlers.onGap(reason);
  }

  #enterOpen() {
    this.#problem = undefined;
    this.#openedAt = this.#wasLive ? Date.now() : Infinity;
    this.#wasLive = true;
    this.#setState({ name: "live" });
    if (this.#waiting !== undefined) this.#readHistory();
  }

  /** @param {number} [retryAt] */
  #enterWait(retryAt) {
    const isFirst = !this.#wasLive && this.#problem === undefined;
    /** @type {SourceState} */
    const state = { name: isFirst ? "connecting" : "reconnecting" };
    // The browser can be wrong (a server on this computer needs no network), so attempts go on while offline.
    if (!navigator.onLine) state.name = "offline";
    if (retryAt !== undefined) state.retryAt = retryAt;
    if (this.#problem !== undefined) state.problem = this.#problem;
    this.#setState(state);
  }

  /** @param {SourceState} state */
  #setState(state) {
    this.#tell({ kind: "state", state });
    this.#showState(state);
  }

  /** @param {SourceState} state */
  #showState(state) {
    this.#state = state;
    // Before its history is there, a page that is live would look as if nothing had ever happened.
    const isReady = this.#waiting === undefined || state.name !== "live";
    this.#handlers.onState(isReady ? state : { name: "connecting" });
  }
}
