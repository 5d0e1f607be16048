// @ts-check
/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/**
 * Owns the list of updates: newest first, bounded, and still under the eyes of a reader who has scrolled down. Where
 * updates are missing, a row says so.
 *
 * @module
 */

import { createGapRow, createRow } from "./row.js";

/** @typedef {import("./update.js").Update} Update */

/** @typedef {{ update: Update, isNew: boolean } | { gapReason: string }} Item What becomes a row. */

/**
 * @typedef {object} FeedElements
 * @property {HTMLElement} header Covers the top of the list while the page is scrolled.
 * @property {HTMLElement} log The region around the list; it has a place on the page even while the list is empty.
 * @property {HTMLElement} list
 * @property {HTMLTemplateElement} rowTemplate
 * @property {HTMLTemplateElement} gapTemplate
 * @property {HTMLElement} total
 * @property {HTMLElement} note Says that older rows have left the page.
 * @property {HTMLButtonElement} jump Leads back to the newest row and counts those that the reader has not seen.
 */

/** Rows on the page. More make every layout slower and nobody reads them. */
const ROWS_MAX = 1_000;
/** A bigger batch is a burst; lighting up every row of it would be noise and work. */
const LIT_ROWS_MAX = 10;

export class Feed {
  #elements;
  /** @type {Item[]} Oldest first. */
  #pending = [];
  /** @type {Item | undefined} */
  #newest;
  #total = 0;
  #gaps = 0;
  #unseen = 0;
  #scrollCarry = 0;

  /** @param {FeedElements} elements */
  constructor(elements) {
    this.#elements = elements;
    elements.jump.addEventListener("click", () => this.#jumpToNewest());
    addEventListener("scroll", () => this.#noticeReturn(), { passive: true });
  }

  /**
   * @param {Update} update
   * @param {boolean} isNew Whether it happened just now; then its row lights up for a moment.
   */
  add(update, isNew) {
    this.#total++;
    this.#push({ update, isNew });
  }

  /**
   * Updates are missing after what has been added so far.
   *
   * @param {string} reason
   */
  addGap(reason) {
    // A stream that breaks off again before any update meets the same gap again.
    if (this.#newest !== undefined && "gapReason" in this.#newest) return;
    this.#gaps++;
    this.#push({ gapReason: reason });
  }

  /** @param {Item} item */
  #push(item) {
    this.#newest = item;
    this.#pending.push(item);
    // Rows that would leave the page in the same flush are never made. Cutting rarely keeps this cheap.
    if (this.#pending.length > 2 * ROWS_MAX) this.#pending = this.#pending.slice(-ROWS_MAX);
  }

  flush() {
    const batch = this.#pending.slice(-ROWS_MAX);
    if (batch.length === 0) return;
    this.#pending = [];

    const { list, total, note } = this.#elements;
    const isReading = this.#isReading();
    const anchor = isReading ? list.firstElementChild : null;
    const anchorTop = anchor?.getBoundingClientRect().top ?? 0;

    list.prepend(this.#createRows(batch));
    this.#dropOldRows();
    total.textContent = String(this.#total);
    note.hidden = this.#total + this.#gaps <= ROWS_MAX;

    if (anchor?.isConnected) {
      this.#moveBy(anchor.getBoundingClientRect().top - anchorTop);
    }
    if (isReading) this.#showUnseen(this.#unseen + batch.filter((item) => "update" in item).length);
  }

  /** @param {Item[]} batch */
  #createRows(batch) {
    const rows = document.createDocumentFragment();
    for (const item of batch) rows.prepend(this.#createRow(item, batch.length <= LIT_ROWS_MAX));
    return rows;
  }

  /**
   * @param {Item} item
   * @param {boolean} mayLight
   */
  #createRow(item, mayLight) {
    const { rowTemplate, gapTemplate } = this.#elements;
    if ("gapReason" in item) return createGapRow(gapTemplate, item.gapReason);
    const row = createRow(rowTemplate, item.update);
    row.classList.toggle("is-new", item.isNew && mayLight);
    return row;
  }

  #dropOldRows() {
    const { list } = this.#elements;
    while (list.childElementCount > ROWS_MAX) list.lastElementChild?.remove();
  }

  /** The reader has scrolled when the top of the list is hidden under the header. */
  #isReading() {
    const { header, log } = this.#elements;
    return log.getBoundingClientRect().top < header.getBoundingClientRect().bottom;
  }

  /**
   * The browser scrolls by whole pixels, rows have fractions: without the carry the page creeps under the reader.
   *
   * @param {number} distance
   */
  #moveBy(distance) {
    const exact = distance + this.#scrollCarry;
    const whole = Math.round(exact);
    this.#scrollCarry = exact - whole;
    scrollBy({ top: whole, behavior: "instant" });
  }

  #noticeReturn() {
    if (this.#unseen > 0 && !this.#isReading()) this.#showUnseen(0);
  }

  /** @param {number} count */
  #showUnseen(count) {
    const { jump } = this.#elements;
    this.#unseen = count;
    jump.hidden = count === 0;
    const label = jump.querySelector("[data-unseen]");
    if (label !== null) label.textContent = String(count);
  }

  #jumpToNewest() {
    scrollTo({ top: 0, behavior: "instant" });
    this.#showUnseen(0);
    // The button is gone; the list is where its user wanted to be.
    this.#elements.log.focus({ preventScroll: true });
  }
}
