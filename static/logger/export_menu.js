// @ts-check
/// <reference lib="dom" />
/**
 * Saves what is shown as a file.
 *
 * @module
 */

import { toCsv, toJsonLines } from "./export.js";
import { find } from "./dom.js";
import { openMenu } from "./menu.js";

/** @typedef {import("./types.d.ts").Entry} Entry */

/** Rows of one slice of work: a few milliseconds. */
const SLICE_ROWS = 1_000;
/** The browser reads the file from its address after the click. */
const REVOKE_AFTER_MS = 60_000;

/**
 * @param {HTMLElement} anchor
 * @param {import("./panel_context.js").PanelContext} page
 */
export function openExport(anchor, { ring, selection, floor, toast }) {
  const first = () => selection.indexOf(floor() ?? ring.first, { nearest: true });
  const count = (selection.size - first()).toLocaleString("en");
  find("[data-export-count]", HTMLElement).textContent = `Save ${count} row${count === "1" ? "" : "s"} as`;
  openMenu(find("[data-export-menu]", HTMLElement), anchor, async (name) => {
    while (selection.isScanning) await rest();
    // What comes or goes while the file is made does not change it.
    const start = first();
    const entries = Array.from(
      { length: selection.size - start },
      (_, i) => ring.at(selection.seqAt(start + i) ?? NaN),
    ).filter((entry) => entry !== undefined);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await toFile(entries, name === "csv" ? toCsv : toJsonLines));
    link.download = `updates-${new Date().toISOString().slice(0, 19).replace(/[:T]/g, "-")}.${name}`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), REVOKE_AFTER_MS);
    toast(`${link.download} is saved.`);
  });
}

/**
 * In slices with a rest for the page between them, so that 100,000 rows do not freeze it.
 *
 * @param {readonly Entry[]} entries
 * @param {(entries: Iterable<Entry>) => string[]} format
 */
export async function toFile(entries, format) {
  const head = format([]);
  /** @type {BlobPart[]} */
  const parts = [...head];
  for (let from = 0; from < entries.length; from += SLICE_ROWS) {
    // A blob need not stay in the memory of the page.
    parts.push(new Blob(format(entries.slice(from, from + SLICE_ROWS)).slice(head.length)));
    await rest();
  }
  return new Blob(parts, { type: "application/octet-stream" });
}

function rest() {
  return new Promise((resolve) => setTimeout(resolve));
}
