// @ts-check
/**
 * Rules that somebody wants to be alerted by: a query alone, `k:signup`, or one that has to hold often enough within
 * some time, `k:error > 5 in 1m`.
 *
 * @module
 */

import { parseQuery } from "./query.js";

/** @typedef {import("./types.d.ts").Entry} Entry */

const COOLDOWN_MS = 60_000;
const COUNT_MAX = 100_000;
/** @type {Record<string, number>} */
const UNIT_MS = { s: 1_000, m: 60_000, h: 3_600_000 };
const THRESHOLD = /^(.*?)\s*>\s*(\d+)\s+in\s+(\d+)\s*([smh])$/s;

export class AlertRule {
  text;
  #matches;
  #count = 0;
  #windowMs = 0;
  /** @type {number[]} When the newest of those that count came: one more than the rule allows. */
  #times = [];
  #firedAt = -Infinity;

  /**
   * @param {string} text
   * @throws {SyntaxError} With a sentence that says what is wrong.
   */
  constructor(text) {
    this.text = text.trim();
    const [, left, count, length, unit = "s"] = THRESHOLD.exec(this.text) ?? [];
    const query = parseQuery(left ?? this.text, Date.now());
    if (query.problem !== "") throw new SyntaxError(query.problem);
    if (query.isEmpty) throw new SyntaxError("Say what the alert is about, such as k:error.");
    if (left === undefined && /(^|\s)>/.test(this.text)) {
      throw new SyntaxError("A threshold looks like this: k:error > 5 in 1m, with s, m or h.");
    }
    if (Number(count) > COUNT_MAX) throw new SyntaxError(`A rule counts to ${COUNT_MAX} at most.`);
    if (length !== undefined && Number(length) === 0) {
      throw new SyntaxError("The time has to be longer than that.");
    }
    this.#matches = query.matches;
    this.#count = Number(count ?? 0);
    this.#windowMs = Number(length ?? 0) * (UNIT_MS[unit] ?? 0);
  }

  /**
   * @param {Entry} entry
   * @param {number} now In ms of the epoch.
   * @returns {boolean} Whether it fires, which it does once a minute at most.
   */
  offer(entry, now) {
    if (entry.row !== "update" || !this.#matches(entry)) return false;
    this.#times.push(now);
    if (this.#times.length > this.#count + 1) this.#times.shift();
    const [first = now] = this.#times;
    const isReached = this.#times.length > this.#count && now - first <= this.#windowMs;
    if (!isReached || now - this.#firedAt < COOLDOWN_MS) return false;
    this.#firedAt = now;
    return true;
  }
}
