// @ts-check
/**
 * Reads where a list of subscriptions stands in the history: the `last-event-id` of its link to the hub
 * (RFC 8288; the Mercure protocol, "Active Subscriptions").
 *
 * @module
 */

/** A parameter: its name, and its value as a quoted string or as a token. */
const PARAMETER = /;\s*([a-z0-9!#$&+.^_`|~-]+)(?:\*?=(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*)))?/gi;
/** A link: its target, and all of its parameters. */
const LINK = new RegExp(`<[^>]*>((?:\\s*${PARAMETER.source})*)`, "gi");

/**
 * @param {string | null} header The value of all `Link` fields, as `Headers` joins them.
 * @returns {string | undefined}
 */
export function readCursor(header) {
  for (const [, parameters = ""] of (header ?? "").matchAll(LINK)) {
    const values = readParameters(parameters);
    const relations = (values.get("rel") ?? "").toLowerCase().split(/\s+/);
    if (relations.includes("mercure") && values.has("last-event-id")) return values.get("last-event-id");
  }
  return undefined;
}

/** @param {string} text */
function readParameters(text) {
  /** @type {Map<string, string>} */
  const values = new Map();
  for (const [, name = "", quoted, token] of text.matchAll(PARAMETER)) {
    const value = decodeBytes(quoted?.replace(/\\(.)/g, "$1") ?? token ?? "");
    // RFC 8288: of a parameter that comes twice, the first one counts.
    if (!values.has(name.toLowerCase())) values.set(name.toLowerCase(), value);
  }
  return values;
}

/**
 * Ids are UTF-8, and a browser hands a header over one character per byte.
 *
 * @param {string} text
 */
function decodeBytes(text) {
  return new TextDecoder().decode(Uint8Array.from(text, (char) => char.charCodeAt(0)));
}
