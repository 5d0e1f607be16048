// @ts-check
/**
 * The language of the filter: `k:click site:shop -k:scroll level:error is:alert "two words" /regex/i ts>10:30`.
 * Terms of one field are alternatives, everything else has to hold together; `-` before a term turns it round.
 *
 * @module
 */

/** @typedef {import("./types.d.ts").Entry} Entry */
/** @typedef {import("./types.d.ts").Term} Term */
/** @typedef {(entry: Entry) => boolean} Test */

/**
 * @typedef {object} Query
 * @property {boolean} isEmpty
 * @property {string} problem What of it could not be understood, as a sentence; "" when all was.
 * @property {Test} matches
 * @property {Term[]} facets
 */

/** What a term can ask for. @type {Record<string, (entry: Entry) => string>} */
export const FIELDS = {
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

// One alternative for each kind of term; the last takes what is left, so that every character belongs to one. What
// looks like a regular expression but for its flags is a path: /checkout/confirm.
const TERM =
  /(-?)(?:(k|site|sid|level|type|id|is):("(?:[^"\\]|\\.)*"|\S+)|ts([<>])(\S+)|\/((?:[^/\\]|\\.)+)\/([dgimsuvy]*)(?=\s|$)|"((?:[^"\\]|\\.)*)"|(\S+))/g;

const CLOCK = /^([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d)(?:\.(\d{1,3}))?)?$/;

/**
 * @param {string} text
 * @param {number} now In ms of the epoch; a time without a date is of this day.
 * @returns {Query}
 */
export function parseQuery(text, now) {
  /** @type {Map<string, Test[]>} */
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
    if (field === "is") test = isTest(unquote(given ?? ""));
    else if (field !== undefined) {
      const value = unquote(given ?? "");
      test = fieldTest(field, value);
      facets.push({ field, value, isExcluded });
      if (!isExcluded) {
        alternatives.set(field, [...alternatives.get(field) ?? [], test]);
        continue;
      }
    } else if (order !== undefined) test = timeTest(order, readTime(time ?? "", now));
    else if (pattern !== undefined) test = regexTest(pattern, flags);
    else test = textTest(quoted === undefined ? word : unescape(quoted));
    if (test === undefined) problem ||= `${whole} cannot be understood.`;
    else tests.push(isExcluded ? not(test) : test);
  }
  for (const some of alternatives.values()) tests.push(any(some));
  return { isEmpty: tests.length === 0, problem, matches: all(tests), facets };
}

/**
 * The query with a term more; its opposite is taken out.
 *
 * @param {string} text
 * @param {Term} term
 */
export function withTerm(text, term) {
  const rest = withoutTerm(withoutTerm(text, term), { ...term, isExcluded: !term.isExcluded });
  // In front, where a quote that is still open behind it cannot swallow it.
  return `${formatTerm(term)} ${rest}`.trim();
}

/**
 * @param {string} text
 * @param {Term} term
 */
export function withoutTerm(text, { field, value, isExcluded }) {
  const rest = [...text.matchAll(TERM)].filter(([, minus, name, given = ""]) =>
    name !== field || unquote(given) !== value || (minus === "-") !== isExcluded
  );
  return rest.map(([whole]) => whole).join(" ");
}

/** @param {Term} term */
function formatTerm({ field, value, isExcluded }) {
  const isPlain = /^[^\s"\\]+$/.test(value);
  // A field of one line would drop its breaks.
  const inOneLine = value.replace(/["\\]/g, "\\$&").replaceAll("\n", "\\n").replaceAll("\r", "\\r");
  const shown = isPlain ? value : `"${inOneLine}"`;
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
  return text.replace(/\\(.)/gs, (_, char) => ({ n: "\n", r: "\r" })[/** @type {string} */ (char)] ?? char);
}

/** @param {Test} test @returns {Test} */
const not = (test) => (entry) => !test(entry);

/**
 * @param {readonly Test[]} tests
 * @returns {Test}
 */
function all(tests) {
  const [only] = tests;
  // The one test of most queries need not pay for more.
  return tests.length === 1 && only !== undefined ? only : (entry) => tests.every((test) => test(entry));
}

/**
 * @param {readonly Test[]} tests
 * @returns {Test}
 */
function any(tests) {
  const [only] = tests;
  return tests.length === 1 && only !== undefined ? only : (entry) => tests.some((test) => test(entry));
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
 * @param {string} order
 * @param {number | undefined} at
 * @returns {Test | undefined}
 */
function timeTest(order, at) {
  if (at === undefined) return undefined;
  return order === ">" ? ({ time }) => time > at : ({ time }) => time < at;
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
 * @param {string} text `10:30`, `10:30:15.250`, `2026-01-02`, `2026-01-02T10:30`; of this place, unless it says more.
 * @param {number} now
 */
function readTime(text, now) {
  const [, hours, minutes, seconds = "0", part = ""] = CLOCK.exec(text) ?? [];
  if (hours !== undefined) {
    return new Date(now).setHours(
      Number(hours),
      Number(minutes),
      Number(seconds),
      Number(part.padEnd(3, "0")),
    );
  }
  // Anything else that Date.parse() takes is a guess: "10" would be a day in October 2001.
  if (!/^\d{4}-\d{2}-\d{2}(T.*)?$/.test(text)) return undefined;
  const time = Date.parse(text.includes("T") ? text : `${text}T00:00`);
  return Number.isNaN(time) ? undefined : time;
}
