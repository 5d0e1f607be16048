// @ts-check
/// <reference lib="dom" />
/**
 * What the reader looks at, in the address of the page: it can be reloaded, kept and passed on. Parameters that it
 * does not know, such as matchers of the stream, stay as they are.
 *
 * @module
 */

/** @typedef {import("./types.d.ts").Range} Range */

/**
 * @typedef {object} ViewState
 * @property {string} query
 * @property {string} highlight
 * @property {Range} range
 * @property {string} selected Id of an update, or "".
 * @property {string} permalink Likewise, of one that the reader was sent to.
 */

/** Safari takes 100 changes of the address in 30 s. */
const WRITE_EVERY_MS = 350;

/**
 * @param {URL} url
 * @returns {ViewState}
 */
export function readUrl(url) {
  const { searchParams, hash } = url;
  return {
    query: searchParams.get("q") ?? "",
    highlight: searchParams.get("hl") ?? "",
    range: { ...readTime("from", searchParams), ...readTime("to", searchParams) },
    selected: searchParams.get("sel") ?? "",
    permalink: new URLSearchParams(hash.slice(1)).get("id") ?? "",
  };
}

/**
 * @param {URL} url
 * @param {ViewState} state
 */
export function writeUrl(url, { query, highlight, range: { from, to }, selected, permalink }) {
  const next = new URL(url);
  next.hash = permalink === "" ? "" : `${new URLSearchParams({ id: permalink })}`;
  const values = { q: query, hl: highlight, from: writeTime(from), to: writeTime(to), sel: selected };
  for (const [name, value] of Object.entries(values)) {
    if (value === "") next.searchParams.delete(name);
    else next.searchParams.set(name, value);
  }
  return next;
}

export class UrlWriter {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** @type {() => ViewState} */
  #read;

  /** @param {() => ViewState} read */
  constructor(read) {
    this.#read = read;
  }

  /** Writes soon what the state is then. */
  request() {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      const next = writeUrl(new URL(location.href), this.#read()).href;
      if (next !== location.href) history.replaceState(null, "", next);
    }, WRITE_EVERY_MS);
  }
}

/**
 * @param {"from" | "to"} name
 * @param {URLSearchParams} params
 */
function readTime(name, params) {
  const time = Date.parse(params.get(name) ?? "");
  return Number.isNaN(time) ? {} : { [name]: time };
}

/** @param {number | undefined} time */
function writeTime(time) {
  return time === undefined ? "" : new Date(time).toISOString();
}
