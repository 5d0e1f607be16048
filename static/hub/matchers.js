// @ts-check
/**
 * Matchers as the query component names them: in the address of a stream, and in the address of the page.
 *
 * @module
 */

/** @typedef {"exact" | "urlpattern"} MatcherType */

/**
 * @typedef {object} Matcher
 * @property {MatcherType} type
 * @property {string} value "*" matches every topic, whatever the type.
 */

/**
 * @typedef {object} Selection What a stream is asked for.
 * @property {Matcher[]} matchers
 * @property {string} lastEventId "" begins with what comes, "earliest" with all that is kept.
 */

/** @type {Record<string, MatcherType>} */
const TYPES = { match: "exact", match_exact: "exact", match_urlpattern: "urlpattern" };

/** @type {Record<MatcherType, string>} */
const PARAMETERS = { exact: "match", urlpattern: "match_urlpattern" };

/**
 * @param {URLSearchParams} parameters
 * @returns {Selection} Without matchers when there are none.
 */
export function readSelection(parameters) {
  /** @type {Matcher[]} */
  const matchers = [];
  for (const [name, value] of parameters) {
    const type = Object.hasOwn(TYPES, name) ? TYPES[name] : undefined;
    if (type !== undefined) matchers.push({ type, value });
  }
  return { matchers, lastEventId: parameters.get("last_event_id") ?? "" };
}

/**
 * Readable where the syntax allows it: `*`, `/`, `:` and the like stand for themselves in a query component, also
 * for a shell within single quotes. `'` would end those, and so stays encoded.
 *
 * @param {Selection} selection
 * @returns {string} Without the question mark.
 */
export function writeSelection({ matchers, lastEventId }) {
  /** @type {[string, string][]} */
  const pairs = matchers.map(({ type, value }) => [PARAMETERS[type], value]);
  if (lastEventId !== "") pairs.push(["last_event_id", lastEventId]);
  return pairs.map(([name, value]) => `${name}=${encodeValue(value)}`).join("&");
}

/**
 * @param {URL} hubUrl
 * @param {Selection} selection
 */
export function streamUrl(hubUrl, selection) {
  const url = new URL(hubUrl);
  url.search = writeSelection(selection);
  return url;
}

/** @param {string} value */
function encodeValue(value) {
  return encodeURIComponent(value.toWellFormed())
    .replaceAll("'", "%27")
    .replace(/%(?:2F|3A|40|2C|3F)/g, (octet) => decodeURIComponent(octet));
}
