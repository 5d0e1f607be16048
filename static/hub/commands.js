// @ts-check
/**
 * What the page does, as one would write it in a shell or in a page of one's own. The token is never part of it.
 *
 * @module
 */

/**
 * @typedef {object} Publication The fields of an update; "" stands for a field that is not sent.
 * @property {string[]} topics
 * @property {string} data
 * @property {boolean} isPrivate
 * @property {string} id
 * @property {string} type
 * @property {string} retry
 */

const AUTHORIZATION = '-H "Authorization: Bearer $TOKEN"';

/**
 * @param {URL} url
 * @param {boolean} hasToken
 */
export function subscribeCommand(url, hasToken) {
  return joinLines([`curl -N ${quote(url.href)}`, ...(hasToken ? [AUTHORIZATION] : [])]);
}

/** @param {URL} url */
export function eventSourceCode(url) {
  return `const updates = new EventSource(${JSON.stringify(url.href)});\n` +
    "updates.onmessage = ({ data }) => console.log(data);";
}

/**
 * @param {URL} hubUrl
 * @param {Publication} publication
 */
export function publishCommand(hubUrl, publication) {
  return joinLines([
    `curl ${quote(hubUrl.href)}`,
    AUTHORIZATION,
    ...publicationFields(publication).map(([name, value]) => `--data-urlencode ${quote(`${name}=${value}`)}`),
  ]);
}

/**
 * The fields as they are sent.
 *
 * @param {Publication} publication
 * @returns {[name: string, value: string][]}
 */
export function publicationFields({ topics, data, isPrivate, id, type, retry }) {
  /** @type {[string, string][]} */
  const optional = [["id", id], ["type", type], ["retry", retry]];
  return [
    ...topics.map((topic) => /** @type {[string, string]} */ (["topic", topic])),
    ["data", data],
    ...(isPrivate ? [/** @type {[string, string]} */ (["private", "on"])] : []),
    ...optional.filter(([, value]) => value !== ""),
  ];
}

/**
 * One topic per line. Blank lines are no topics, and spaces around one are a slip of the hand.
 *
 * @param {string} text
 */
export function readTopics(text) {
  return text.split(/\r\n|\n|\r/).map((line) => line.trim()).filter((line) => line !== "");
}

/**
 * A word for a POSIX shell, whatever is in it.
 *
 * @param {string} text
 */
function quote(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** @param {string[]} lines */
function joinLines(lines) {
  return lines.join(" \\\n  ");
}
