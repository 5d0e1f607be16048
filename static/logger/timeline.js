// @ts-check
/**
 * How much happened of what in the last five minutes, in steps of five seconds.
 *
 * @module
 */

/** @typedef {import("./types.d.ts").Entry} Entry */

/** @typedef {import("./types.d.ts").TimelineSnapshot} TimelineSnapshot */

/** Kinds that have no place of their own. */
export const OTHER = "…";
const BUCKET_MS = 5_000;
const BUCKETS = 60;
const KINDS_SHOWN = 5;
/** Of one bucket: strangers choose the names. */
const KINDS_MAX = 200;

export class Timeline {
  /** @type {Map<number, Map<string, number>>} By the number of the bucket since 1970. */
  #buckets = new Map();
  #from;

  /** @param {number} [from] From when on all is counted, in ms of the epoch. */
  constructor(from = 0) {
    this.#from = from;
  }

  /** @param {Entry} entry */
  add({ row, kind, time, arrived, isLive }) {
    if (row !== "update") return;
    // A clock that is ahead does not make a future.
    const number = Math.floor(Math.min(time, isLive ? arrived : Infinity) / BUCKET_MS);
    let bucket = this.#buckets.get(number);
    if (bucket === undefined) {
      bucket = new Map();
      this.#buckets.set(number, bucket);
      this.#forget(Math.floor(arrived / BUCKET_MS));
    }
    const key = bucket.has(kind) || bucket.size < KINDS_MAX ? kind : OTHER;
    bucket.set(key, (bucket.get(key) ?? 0) + 1);
  }

  /**
   * @param {number} now In ms of the epoch.
   * @returns {TimelineSnapshot}
   */
  snapshot(now) {
    const last = Math.floor(now / BUCKET_MS);
    const numbers = Array.from({ length: BUCKETS }, (_, index) => last - BUCKETS + 1 + index);
    /** @type {Map<string, number>} */
    const totals = new Map();
    for (const number of numbers) {
      for (const [kind, count] of this.#buckets.get(number) ?? []) {
        totals.set(kind, (totals.get(kind) ?? 0) + count);
      }
    }
    const ranked = [...totals].filter(([kind]) => kind !== OTHER).sort(([a, m], [b, n]) =>
      n - m || (a < b ? -1 : 1)
    );
    const kinds = ranked.slice(0, KINDS_SHOWN).map(([kind]) => kind);
    if (totals.size > kinds.length) kinds.push(OTHER);
    const buckets = numbers.map((number) => row(this.#buckets.get(number) ?? new Map(), kinds));
    const max = Math.max(...buckets.map((counts) => counts.reduce((sum, count) => sum + count, 0)));
    return {
      start: (last - BUCKETS + 1) * BUCKET_MS,
      bucketMs: BUCKET_MS,
      kinds,
      buckets,
      max,
      from: this.#from,
    };
  }

  /** @param {number} newest Number of the bucket that is now. */
  #forget(newest) {
    for (const number of this.#buckets.keys()) {
      if (number <= newest - BUCKETS) this.#buckets.delete(number);
    }
  }
}

/**
 * @param {Map<string, number>} bucket
 * @param {string[]} kinds
 */
function row(bucket, kinds) {
  const counts = kinds.map((kind) => kind === OTHER ? 0 : bucket.get(kind) ?? 0);
  const all = [...bucket.values()].reduce((sum, count) => sum + count, 0);
  const shown = counts.reduce((sum, count) => sum + count, 0);
  if (kinds.at(-1) === OTHER) counts[counts.length - 1] = all - shown;
  return counts;
}
