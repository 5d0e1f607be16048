// @ts-check
/**
 * Counts what the stream brings, whether a row of it is on the page or not. All of it is bounded: kinds and sessions
 * are names that strangers choose.
 *
 * @module
 */

import { OTHER } from "./timeline.js";

/** @typedef {import("./types.d.ts").Entry} Entry */

/** @typedef {import("./types.d.ts").StatsSnapshot} StatsSnapshot */

const NAMES_MAX = 1_000;
const SESSIONS_MAX = 50_000;
const SESSION_MS = 5 * 60_000;
const LATENCIES_MAX = 1_000;
const RATE_SECONDS = 10;

export class Stats {
  #counts = { total: 0, errors: 0, dropped: 0, logins: 0, clicks: 0, alerts: 0 };
  /** @type {Map<string, number>} */
  #kinds = new Map();
  /** @type {Map<string, number>} When each was seen last; the one that was heard of longest ago comes first. */
  #sessions = new Map();
  /** @type {number[]} The newest, in any order. */
  #latencies = [];
  #latencyCount = 0;
  /** How many live ones came in each of the last seconds. @type {Map<number, number>} */
  #seconds = new Map();

  /**
   * @param {Entry} entry
   * @param {boolean} [isOlder] It was scrolled back to, and says nothing of the newest.
   */
  add(entry, isOlder) {
    if (entry.row !== "update") return;
    const counts = this.#counts;
    counts.total++;
    counts.dropped += entry.dropped;
    if (entry.level === "error") counts.errors++;
    if (entry.type === "login") counts.logins++;
    if (entry.type === "user:btn" || entry.kind === "click") counts.clicks++;
    if (entry.notify) counts.alerts++;
    increment(this.#kinds, entry.kind);
    if (entry.sid !== "") this.#seeSession(entry.sid, Math.min(entry.time, entry.arrived));
    if (isOlder) return;
    if (entry.latency >= 0) this.#latencies[this.#latencyCount++ % LATENCIES_MAX] = entry.latency;
    if (entry.isLive) this.#seeSecond(entry.arrived);
  }

  /**
   * @param {number} now In ms of the epoch.
   * @returns {StatsSnapshot}
   */
  snapshot(now) {
    // All of them: what comes late was seen long ago.
    for (const [sid, seen] of this.#sessions) if (seen <= now - SESSION_MS) this.#sessions.delete(sid);
    const latencies = this.#latencies.toSorted((a, b) => a - b);
    const second = Math.floor(now / 1000);
    let recent = 0;
    for (let past = 1; past <= RATE_SECONDS; past++) recent += this.#seconds.get(second - past) ?? 0;
    return {
      ...this.#counts,
      kinds: this.#kinds,
      sessions: this.#sessions.size,
      p50: latencies[Math.ceil(latencies.length * 0.5) - 1],
      p95: latencies[Math.ceil(latencies.length * 0.95) - 1],
      rate: recent / RATE_SECONDS,
    };
  }

  /**
   * @param {string} sid
   * @param {number} time
   */
  #seeSession(sid, time) {
    const seen = Math.max(time, this.#sessions.get(sid) ?? 0);
    this.#sessions.delete(sid);
    this.#sessions.set(sid, seen);
    if (this.#sessions.size > SESSIONS_MAX) dropFirst(this.#sessions);
  }

  /** @param {number} arrived */
  #seeSecond(arrived) {
    const second = Math.floor(arrived / 1000);
    this.#seconds.set(second, (this.#seconds.get(second) ?? 0) + 1);
    if (this.#seconds.size > RATE_SECONDS + 1) dropFirst(this.#seconds);
  }
}

/**
 * @param {Map<string, number>} counts
 * @param {string} name
 */
function increment(counts, name) {
  const key = counts.has(name) || counts.size < NAMES_MAX ? name : OTHER;
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

/** @param {Map<unknown, unknown>} map */
function dropFirst(map) {
  const [first] = map.keys();
  map.delete(first);
}
