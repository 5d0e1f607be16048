// @ts-check
/// <reference lib="dom" />
/**
 * The picture of the last minutes as a table, for those who do not see it, and a way to choose a minute without a
 * pointer.
 *
 * @module
 */

import { clock } from "./timeline_view.js";

const BUCKETS_PER_ROW = 12;

/**
 * @param {import("./types.d.ts").TimelineSnapshot} snapshot
 * @param {number} now In ms of the epoch.
 * @param {(range: {from: number, to: number}) => void} onRange
 */
export function timelineTable({ start, bucketMs, buckets, kinds }, now, onRange) {
  const table = document.createElement("table");
  table.createCaption().textContent = `Events per minute, by kind, until ${clock(now)}`;
  const head = table.createTHead().insertRow();
  for (const name of ["Time", ...kinds]) head.append(headCell(name, "col"));
  const body = table.createTBody();
  for (let i = 0; i < buckets.length; i += BUCKETS_PER_ROW) {
    const minute = buckets.slice(i, i + BUCKETS_PER_ROW);
    const from = start + i * bucketMs;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "link";
    button.textContent = clock(from);
    button.title = "Show only this minute";
    button.addEventListener("click", () => onRange({ from, to: from + minute.length * bucketMs }));
    const row = body.insertRow();
    const cell = headCell("", "row");
    cell.append(button);
    row.append(cell);
    for (const k of kinds.keys()) {
      row.insertCell().textContent = `${minute.reduce((sum, counts) => sum + (counts[k] ?? 0), 0)}`;
    }
  }
  return table;
}

/**
 * @param {string} text
 * @param {string} scope
 */
function headCell(text, scope) {
  const cell = document.createElement("th");
  cell.scope = scope;
  cell.textContent = text;
  return cell;
}
