// @ts-check
/**
 * Shows data for people: a structure in JSON indented, everything else as it is, and neither without end.
 *
 * @module
 */

/** What a row keeps of its data. */
export const DATA_CHARACTERS_MAX = 100_000;

/** A string, a mark of the structure, or a number or name. */
const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g;

/**
 * Whether it looks like an object or array in JSON; cheap, for each of many.
 *
 * @param {string} data
 */
export function isStructure(data) {
  return /^\s*[{[]/.test(data);
}

/**
 * Indents the text instead of what it parses to, which would round long numbers and drop a name that comes twice.
 *
 * @param {string} data
 * @returns {string | undefined} Undefined when it is no object or array in JSON.
 */
export function prettify(data) {
  if (!isStructure(data)) return undefined;
  try {
    JSON.parse(data);
  } catch {
    // Any text may begin with a bracket.
    return undefined;
  }
  let pretty = "";
  let depth = 0;
  let last = "";
  const breakLine = () => `\n${"  ".repeat(depth)}`;
  for (const [token] of data.matchAll(TOKEN)) {
    const opened = last === "{" || last === "[";
    if (token === "}" || token === "]") {
      depth--;
      pretty += opened ? token : breakLine() + token;
    } else {
      if (opened || last === ",") pretty += breakLine();
      pretty += token === ":" ? ": " : token;
      if (token === "{" || token === "[") depth++;
    }
    last = token;
  }
  return pretty;
}

/**
 * @param {string} text
 * @param {number} max
 */
export function cut(text, max) {
  return text.length <= max ? text : `${text.slice(0, max)}… (${text.length - max} more characters)`;
}
