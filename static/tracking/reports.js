// @ts-check
/// <reference lib="dom" />
/**
 * What the page reports by the tracker, and what has become of each report: never more than the server has said.
 *
 * @module
 */

/** @typedef {import("../tracker/tracker.d.ts").Track} Track */
/** @typedef {import("../tracker/tracker.d.ts").TrackAnswer} TrackAnswer */

/**
 * That one thing has happened, once, however often that has to be said until it is heard: the tracker gives it an id,
 * by which the server knows what it has already.
 *
 * @typedef {object} Report
 * @property {string} type The kind of the event, such as "pill:red".
 * @property {State} state
 * @property {Reason} [reason] Why it waits or is lost.
 * @property {boolean} isRepeated Whether the visitor has made another attempt, and nothing is known of it yet.
 * @property {number} since When it was pressed, or last on its way again, on the clock that nobody sets.
 * @property {string} [id]
 *
 * `pending`: on its way. `waiting`: it did not get through, and the tracker keeps it. `lost`: it never will.
 *
 * @typedef {"pending" | "waiting" | "lost"} State
 */

export const OPENING = "log:open";

/**
 * Why something is not delivered, and what that means or what there is to do about it.
 *
 * @typedef {{ why: string, advice: string }} Reason
 */

/**
 * What the tracker gives up.
 *
 * @param {string} why
 * @returns {Reason}
 */
const refusal = (why) => ({ why, advice: "Trying again would not help." });
const SENSELESS = refusal("The server cannot make sense of it.");
/** @type {Record<number, Reason>} */
const REFUSALS = {
  400: SENSELESS,
  401: refusal("The server wants to know who reports."),
  403: refusal("The server takes no reports from this page."),
  410: refusal("The server takes no reports any more."),
  413: refusal("The server finds it too large."),
  422: SENSELESS,
};

/**
 * What may be over at the next attempt.
 *
 * @param {string} why
 * @returns {Reason}
 */
const obstacle = (why) => ({ why, advice: "" });
const OFFLINE = obstacle("This device is offline.");
const NO_ANSWER = { why: "No answer came.", advice: "The server is away, or an ad-blocker is in the way." };
/** @type {Record<number, Reason>} */
const OBSTACLES = {
  // A network that wants people to sign in first answers everything with a page.
  200: obstacle("Something else answered in place of the server."),
  404: obstacle("There is nothing at the address that reports go to."),
  429: obstacle("Too many reports at once."),
  503: obstacle("The channel behind the server is away."),
};

const OFF = refusal("The server wants no more reports from this page.");
const OPTED_OUT = { why: "Tracking is switched off in this browser for this site.", advice: "" };
const TOO_FAST = { why: "That was faster than the page may send.", advice: "Press again in a moment." };
const TOO_MANY = { why: "More reports are waiting than the page can keep.", advice: "" };
export const MISSING = {
  why: "The script that sends reports did not load.",
  advice: "An ad-blocker may have stopped it. Allow it here, and reload the page.",
};

export class Reports {
  /** @type {"loading" | "there" | "missing"} */
  tracker = "loading";
  /** When the tracker tries again by itself, in ms since 1970. @type {number | undefined} */
  retryAt;
  /** The type that was delivered last, of those that somebody waited for. */
  lastDelivered = "";
  /** What is not delivered, the oldest first. @type {Report[]} */
  #list = [];
  /** @type {Map<string, number>} */
  #delivered = new Map();
  /** Until it is there, reports are kept here. @type {Track | undefined} */
  #track;
  #onChange;
  /** What the tracker took last; what it ignores never gets so far. */
  #accepted = "";
  #isOff = false;
  /** The last thing that went wrong, and what was answered. */
  #obstacle = OFFLINE;
  #status = 0;

  /** @param {() => void} onChange */
  constructor(onChange) {
    this.#onChange = onChange;
    document.addEventListener("track:sent", ({ detail }) => this.#sent(detail.ids, detail.answer));
    document.addEventListener("track:failed", ({ detail }) => this.#failed(detail));
  }

  /**
   * The reports in one of these states.
   *
   * @param {State[]} states
   */
  inState(...states) {
    return this.#list.filter(({ state }) => states.includes(state));
  }

  /** What waits and is to be told: not the opening, as long as the tracker tries by itself, since nobody waits for it. */
  get waiting() {
    return this.inState("waiting").filter(({ type }) => type !== OPENING || this.retryAt === undefined);
  }

  /**
   * How often this type has been delivered.
   *
   * @param {string} type
   */
  delivered(type) {
    return this.#delivered.get(type) ?? 0;
  }

  /**
   * Every call is a report of its own; none waits for another.
   *
   * @param {string} type
   */
  add(type) {
    // What is lost stays said until something takes its place.
    this.#list = this.#list.filter((each) =>
      each.state !== "lost" || each.type !== type && each.type !== OPENING
    );
    /** @type {Report} */
    const report = { type, state: "pending", isRepeated: false, since: performance.now() };
    this.#list.push(report);
    this.#handOver(report);
    this.#onChange();
  }

  /** @param {Track | undefined} track What its script has left on the page; undefined when it did not load. */
  setTracker(track) {
    this.#track = track;
    this.tracker = track === undefined ? "missing" : "there";
    track?.use((event) => {
      this.#accepted = event.id;
      // Nothing about the visitor, such as where they came from.
      const { id, n, t, k, u } = event;
      return { id, n, t, k, u };
    });
    for (const report of this.inState("pending")) this.#handOver(report);
    this.#onChange();
  }

  /** Sends at once what waits. */
  tryAgain() {
    this.#attempt();
    this.#track?.flush();
    this.#onChange();
  }

  /** @param {Report} report */
  #handOver(report) {
    if (this.tracker === "missing") return settle(report, "lost", MISSING);
    if (this.#track === undefined) return;
    const { dropped } = this.#track.status();
    // Each press is an attempt, also at what waits, except when the server has asked for a pause.
    const isPause = this.#status === 429 && (this.retryAt ?? 0) > Date.now();
    const id = this.#track(report.type, {}, { now: !isPause });
    if (this.#accepted !== id) {
      const isTooFast = this.#track.status().dropped > dropped;
      const reason = isTooFast ? TOO_FAST : this.#isOff ? OFF : OPTED_OUT;
      // Who wants it so need not hear of it before pressing anything.
      if (report.type === OPENING && reason === OPTED_OUT) return this.#forget(report);
      return settle(report, "lost", reason);
    }
    report.id = id;
    if (isPause) settle(report, "waiting", this.#obstacle);
    else this.#attempt();
    this.#loseForgotten();
  }

  /** What waits is tried again because of the visitor. */
  #attempt() {
    const told = this.waiting;
    this.#underWay();
    for (const report of told) report.isRepeated = true;
  }

  /**
   * @param {string[]} ids
   * @param {TrackAnswer} [answer] Taken is not stored: it may say so.
   */
  #sent(ids, answer) {
    if (answer?.off) this.#isOff = true;
    for (const [index, id] of ids.entries()) {
      const report = this.#find(id);
      if (report === undefined) continue;
      const rejection = answer?.rejected?.find((each) => each.index === index);
      const objection = answer?.off
        ? OFF
        : rejection && refusal(`The server rejects it: ${rejection.reason}.`);
      if (objection === undefined) this.#countDelivered(report);
      else settle(report, "lost", objection);
    }
    this.#next();
  }

  /** @param {{ ids: string[], status: number, retryAt?: number }} detail */
  #failed({ ids, status, retryAt }) {
    const final = REFUSALS[status];
    if (final !== undefined) {
      for (const id of ids) {
        const report = this.#find(id);
        if (report !== undefined) settle(report, "lost", final);
      }
      return this.#next();
    }
    this.#status = status;
    this.#obstacle = status === 0
      ? navigator.onLine ? NO_ANSWER : OFFLINE
      : OBSTACLES[status] ?? obstacle(`The server answered ${status}.`);
    this.retryAt = retryAt;
    // The tracker sends one request at a time: what was behind this one waits with it.
    for (const report of this.inState("pending", "waiting")) settle(report, "waiting", this.#obstacle);
    this.#loseForgotten();
    this.#onChange();
  }

  /** @param {Report} report */
  #countDelivered(report) {
    this.#forget(report);
    this.#delivered.set(report.type, this.delivered(report.type) + 1);
    // Nobody waits for the opening, unless the visitor was told that it did not get through.
    if (report.type !== OPENING || report.isRepeated) this.lastDelivered = report.type;
  }

  /** @param {Report} report */
  #forget(report) {
    this.#list = this.#list.filter((each) => each !== report);
  }

  /** The tracker is through with a request, and sends what is left in the next one. */
  #next() {
    this.#underWay();
    this.#loseForgotten();
    this.#onChange();
  }

  /** The tracker sends what waited. */
  #underWay() {
    this.#status = 0;
    this.retryAt = undefined;
    for (const report of this.inState("waiting")) {
      settle(report, "pending");
      report.since = performance.now();
    }
  }

  /** Nothing waits for ever: what the tracker does not have any more will not arrive. It drops the oldest first. */
  #loseForgotten() {
    const kept = this.inState("pending", "waiting").filter(({ id }) => id !== undefined);
    const surplus = Math.max(0, kept.length - (this.#track?.status().queued ?? kept.length));
    for (const report of kept.slice(0, surplus)) settle(report, "lost", this.#isOff ? OFF : TOO_MANY);
  }

  /**
   * A report that is not settled yet; a beacon and a later request may tell of the same one.
   *
   * @param {string} id
   */
  #find(id) {
    return this.inState("pending", "waiting").find((report) => report.id === id);
  }
}

/**
 * @param {Report} report
 * @param {State} state
 * @param {Reason} [reason]
 */
function settle(report, state, reason) {
  Object.assign(report, { state, reason, isRepeated: state === "pending" && report.isRepeated });
}
