// @ts-check
/**
 * Keeps the active subscriptions: first those of the hub's list, then what its subscription updates change.
 * Source: the Mercure protocol, "Active Subscriptions". All text in them is that of strangers.
 *
 * @module
 */

import { parseObject } from "../logger/json.js";

/**
 * @typedef {object} Subscription
 * @property {string} id
 * @property {string} matchType
 * @property {string} match
 * @property {string} subscriber
 * @property {string} payload As JSON; "" when there is none.
 * @property {boolean} isActive
 */

/**
 * @typedef {object} Listed
 * @property {Subscription} subscription
 * @property {number} at In ms of the epoch: when it began, or by when it had.
 * @property {boolean} isExact Whether `at` is when it began.
 */

/** More are counted only: the page is a place to look, not a data base. */
const LISTED_MAX = 1_000;

export class SubscriptionList {
  /** @type {Map<string, Listed>} In the order in which they came. */
  #listed = new Map();
  #isCut = false;

  /** Whether there were more than the list keeps. */
  get isCut() {
    return this.#isCut;
  }

  /** @returns {Iterable<Listed>} */
  get all() {
    return this.#listed.values();
  }

  get size() {
    return this.#listed.size;
  }

  /**
   * Begins anew with what the hub lists.
   *
   * @param {string} text The JSON of the collection.
   * @param {number} at
   */
  replace(text, at) {
    this.#listed.clear();
    this.#isCut = false;
    const { subscriptions } = parseObject(text);
    if (!Array.isArray(subscriptions)) return;
    for (const document of subscriptions) this.#put(readSubscription(document), at, false);
  }

  /**
   * @param {string} data The data of a subscription update.
   * @param {number} at
   */
  apply(data, at) {
    this.#put(readSubscription(parseObject(data)), at, true);
  }

  /**
   * @param {Subscription | undefined} subscription
   * @param {number} at
   * @param {boolean} isExact
   */
  #put(subscription, at, isExact) {
    if (subscription === undefined) return;
    if (!subscription.isActive) {
      this.#listed.delete(subscription.id);
    } else if (this.#listed.has(subscription.id)) {
      // The hub tells of a subscription that its list has already; what the list says stands.
    } else if (this.#listed.size >= LISTED_MAX) {
      this.#isCut = true;
    } else {
      this.#listed.set(subscription.id, { subscription, at, isExact });
    }
  }
}

/**
 * @param {unknown} value
 * @returns {Subscription | undefined} Undefined when it is no subscription.
 */
export function readSubscription(value) {
  if (typeof value !== "object" || value === null) return undefined;
  const document = /** @type {Record<string, unknown>} */ (value);
  const { id, match_type, match, topic, subscriber, active, payload } = document;
  if (typeof id !== "string" || typeof subscriber !== "string") return undefined;
  return {
    id,
    // Subscriptions of Mercure 0.x have a topic instead of a matcher.
    matchType: typeof match_type === "string" ? match_type : "topic",
    match: text(match ?? topic),
    subscriber,
    payload: payload === undefined ? "" : JSON.stringify(payload),
    isActive: active === true,
  };
}

/** @param {unknown} value */
function text(value) {
  return typeof value === "string" ? value : "";
}
