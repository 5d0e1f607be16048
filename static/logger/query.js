// @ts-check
/**
 * The language of the filter: `k:click site:shop -k:scroll level:error is:alert "two words" /regex/i ts>10:30`.
 * Terms of one field are alternatives, everything else has to hold together; `-` before a term turns it round.
 *
 * @module
 */

/** @typedef {import("./entry.js").Entry} Entry */
/** @typedef {{ field: string, value: string, isExcluded: boolean }} Term A term that asks for a value of a field. */
/** @typedef {(entry: Entry) => boolean} Test */

/**
 * @typedef {object} Query
 * @property {boolean} isEmpty
 * @property {string} problem What of it could not be understood, as a sentence; "" when all was.
 * @property {Test} matches
 * @property {Term[]} facets
 */

/** @type {Record<string, (entry: Entry) => string>} */
const FIELDS = {
  k: ({ kind }) => kind,
  site: ({ site }) => site,
  sid: ({ sid }) => sid,
  level: ({ level }) => level,
  type: ({ type }) => type,
  id: ({ id }) => id,
};

/**
 * Of the text of an entry that a regular expression of the user is tried on. No slice can interrupt a match; the
 * worst pattern is his own, and this bounds what it has to work on.
 */
const REGEX_TEXT_MAX = 2_000;

// One alternative for each kind of term; the last takes what is left, so that every character belongs to one.
const TERM =
  /(-?)(?:(k|site|sid|level|type|id|is):("(?:[^"\\]|\\.)*"|\S+)|ts([<>])(\S+)|\/((?:[^/\\]|\\.)+)\/([a-z]*)(?=\s|$)|"((?:[^"\\]|\\.)*)"|(\S+))/g;

/**
 * @param {string} text
 * @param {number} now In ms of the epoch; a time without a date is of this day.
 * @returns {Query}
 */
export function parseQuery(text, now) {
  /** @type {Map<string, { some: Test[] }>} */
  const alternatives = new Map();
  /** @type {Test[]} */
  const tests = [];
  /** @type {Term[]} */
  const facets = [];
  let problem = "";
  for (const match of text.matchAll(TERM)) {
    const [whole, minus, field, given, order, time, pattern, flags = "", quoted, word = ""] = match;
    const isExcluded = minus === "-";
    /** @type {Test | undefined} */
    let test;
    if (field !== undefined && given !== undefined) {
      const value = unquote(given);
      test = field === "is" ? isTest(value) : fieldTest(field, value);
      if (field !== "is") facets.push({ field, value, isExcluded });
      if (field !== "is" && !isExcluded) {
        const group = alternatives.get(field) ?? { some: [] };
        group.some.push(test ?? (() => false));
        alternatives.set(field, group);
        continue;
      }
    } else if (order !== undefined && time !== undefined) {
      const at = readTime(time, now);
      if (at !== undefined) test = (entry) => order === ">" ? entry.time > at : entry.time < at;
    } else if (pattern !== undefined) {
      test = regexTest(pattern, flags);
    } else {
      test = textTest(quoted === undefined ? word : unescape(quoted));
    }
    if (test === undefined) {
      problem ||= `${whole} cannot be understood, and is searched as text.`;
      test = textTest(isExcluded ? whole.slice(1) : whole);
    }
    const found = test;
    tests.push(isExcluded ? (entry) => !found(entry) : found);
  }
  for (const { some } of alternatives.values()) {
    tests.push(
      some.length === 1 && some[0] !== undefined ? some[0] : (entry) => some.some((test) => test(entry)),
    );
  }
  const [only] = tests;
  return {
    isEmpty: tests.length === 0,
    problem,
    matches: tests.length === 1 && only !== undefined ? only : (entry) => tests.every((test) => test(entry)),
    facets,
  };
}

/**
 * The query with a term more; its opposite is taken out.
 *
 * @param {string} text
 * @param {Term} term
 */
export function withTerm(text, term) {
  const without = withoutTerm(withoutTerm(text, term), { ...term, isExcluded: !term.isExcluded });
  return `${without} ${formatTerm(term)}`.trim();
}

/**
 * @param {string} text
 * @param {Term} term
 */
export function withoutTerm(text, { field, value, isExcluded }) {
  return text.replace(TERM, (whole, minus, name, given) => {
    const isIt = name === field && given !== undefined && unquote(given) === value &&
      (minus === "-") === isExcluded;
    return isIt ? "" : whole;
  }).replace(/ {2,}/g, " ").trim();
}

/** @param {Term} term */
function formatTerm({ field, value, isExcluded }) {
  const isPlain = /^[^\s"\\]+$/.test(value);
  const shown = isPlain ? value : `"${value.replace(/["\\]/g, "\\$&")}"`;
  return `${isExcluded ? "-" : ""}${field}:${shown}`;
}

/** @param {string} value */
function unquote(value) {
  return value.length > 1 && value.startsWith('"') && value.endsWith('"')
    ? unescape(value.slice(1, -1))
    : value;
}

/** @param {string} text */
function unescape(text) {
  return text.replace(/\\(.)/gs, "$1");
}

/**
 * @param {string} field
 * @param {string} value
 * @returns {Test}
 */
function fieldTest(field, value) {
  const of = FIELDS[field] ?? (() => "");
  return (entry) => of(entry) === value;
}

/**
 * @param {string} value
 * @returns {Test | undefined}
 */
function isTest(value) {
  return value === "alert" ? ({ notify }) => notify : undefined;
}

/**
 * @param {string} value
 * @returns {Test}
 */
function textTest(value) {
  const wanted = value.toLowerCase();
  return ({ text }) => text.includes(wanted);
}

/**
 * @param {string} pattern
 * @param {string} flags
 * @returns {Test | undefined}
 */
function regexTest(pattern, flags) {
  try {
    // The text is in small letters; "g" and "y" would remember where the last match was.
    const regex = new RegExp(pattern, `${flags.replace(/[giy]/g, "")}i`);
    return ({ text }) => regex.test(text.length > REGEX_TEXT_MAX ? text.slice(0, REGEX_TEXT_MAX) : text);
  } catch {
    // It is no regular expression, which the caller says.
    return undefined;
  }
}

/**
 * @param {string} text `10:30`, `10:30:15`, or what a Date can be made of.
 * @param {number} now
 */
function readTime(text, now) {
  const [, hours, minutes, seconds = "0"] = /^(\d{1,2}):(\d{2})(?::(\d{2}))?$/.exec(text) ?? [];
  const time = hours === undefined
    ? Date.parse(text)
    : new Date(now).setHours(Number(hours), Number(minutes), Number(seconds), 0);
  return Number.isNaN(time) ? undefined : time;
}
