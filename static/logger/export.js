// @ts-check
/**
 * Entries as files for other programs.
 *
 * @module
 */

import { parseObject } from "./json.js";

/** @typedef {import("./types.d.ts").Entry} Entry */

/** @type {(keyof Entry)[]} */
const COLUMNS = ["time", "kind", "site", "sid", "n", "level", "message", "type", "id", "data"];

/**
 * One JSON object a line. Source: jsonlines.org.
 *
 * @param {Iterable<Entry>} entries
 * @returns {string[]} Parts of the file.
 */
export function toJsonLines(entries) {
  return Array.from(entries, ({ id, type, time, data, row, message }) => {
    if (row !== "update") return `${JSON.stringify({ row, time: iso(time), message })}\n`;
    const head = JSON.stringify({ id, type, time: iso(time) });
    return `${head.slice(0, -1)},"data":${inOneLine(data)}}\n`;
  });
}

/**
 * Source: RFC 4180.
 *
 * @param {Iterable<Entry>} entries
 * @returns {string[]} Parts of the file.
 */
export function toCsv(entries) {
  const lines = Array.from(entries, (entry) => {
    const cells = COLUMNS.map((column) => column === "time" ? iso(entry.time) : `${entry[column]}`);
    return `${cells.map(cell).join(",")}\r\n`;
  });
  return [`${COLUMNS.join(",")}\r\n`, ...lines];
}

/**
 * A cell that begins so would be a formula to a spreadsheet, and anybody may publish.
 * Source: OWASP, "CSV Injection".
 *
 * @param {string} value
 */
function cell(value) {
  const safe = /^[=+\-@＝＋－＠\t\r\n]/.test(value) && !/^-?\d+(\.\d+)?$/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/**
 * JSON that has parts as it came, for a parser would round its large numbers; anything else as a string.
 *
 * @param {string} data
 */
function inOneLine(data) {
  const isJson = Object.keys(parseObject(data)).length > 0;
  // Line breaks stand between the tokens of JSON only.
  return isJson ? data.replace(/[\r\n]+/g, " ") : JSON.stringify(data);
}

/** @param {number} time */
function iso(time) {
  return new Date(time).toISOString();
}
