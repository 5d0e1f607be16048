// @ts-check
/// <reference lib="dom" />
/**
 * Draws the part of the log that is in view, with a few dozen rows that are used again and again. It follows the
 * newest row, or keeps the row under the reader's eyes where it is, whatever comes or goes above and below.
 *
 * @module
 */

import { Row } from "./row.js";

/** @typedef {import("./types.d.ts").FeedHandlers} FeedHandlers */

/** Rows beyond either edge, so that a scroll does not outrun them. */
const SPARE_ROWS = 4;
const TOP_ROWS = 10;
/** A slow scroll away from the end must get past one row before a flush pulls it back. */
const HOLD_MS = 400;
/** A scroll to the end lasts so long, and ends where that was. */
const SETTLE_MS = 500;
/** Lighting up every row of a burst would be noise. */
const LIT_ROWS_MAX = 3;

export class Feed {
  #scroller;
  #list;
  #template;
  #ring;
  #selection;
  #on;
  /** @type {Map<number, Row>} Those in the page, by seq. */
  #rows = new Map();
  /** @type {Row[]} */
  #spare = [];
  #height = 24;
  #viewHeight = 0;
  /** Where the list is as far as this class knows; anything else was the reader. */
  #top = 0;
  /** @type {"" | "scroll" | "wish"} Why it does not follow. */
  #pause = "";
  #holdUntil = 0;
  #downAt = -Infinity;
  #goal = 0;
  /** The row at the upper edge while not following, and how many of its pixels are above it. */
  #anchor = { seq: 0, offset: 0 };
  /** @type {number | undefined} */
  #active;
  /** @type {number | undefined} */
  #selected;
  #seenSeq = -Infinity;
  #drawnEnd = Infinity;
  /** @type {number | undefined} */
  #floor;
  #calm = matchMedia("(prefers-reduced-motion: reduce)");

  /**
   * @param {{scroller: HTMLElement, list: HTMLElement, template: HTMLTemplateElement}} elements
   * @param {{ring: import("./ring.js").Ring, selection: import("./selection.js").Selection}} log
   * @param {FeedHandlers} handlers
   */
  constructor({ scroller, list, template }, { ring, selection }, handlers) {
    this.#scroller = scroller;
    this.#list = list;
    this.#template = template;
    this.#ring = ring;
    this.#selection = selection;
    this.#on = handlers;
    scroller.addEventListener("scroll", () => this.#onScroll(), { passive: true });
    scroller.addEventListener("scrollend", () => {
      // After its own scrolls it would draw in every frame.
      if (this.isFollowing && performance.now() - this.#downAt < SETTLE_MS) this.draw();
    });
    list.addEventListener("focusin", ({ target }) => this.#active = this.#rowOf(target)?.seq ?? this.#active);
    list.addEventListener("click", ({ target }) => {
      const row = this.#rowOf(target);
      // Who selects text does not want to open anything.
      if (row === undefined || getSelection()?.type === "Range") return;
      this.#active = row.seq;
      handlers.onClick(row.seq, /** @type {Element} */ (target));
    });
    new ResizeObserver(() => this.measure()).observe(scroller);
  }

  get isFollowing() {
    return this.#pause === "";
  }

  /** Whether the first row is in view. */
  get isAtTop() {
    return this.#top < this.#height;
  }

  /** The first row that is shown, while others before it are not. */
  get floor() {
    return this.#floor;
  }

  /** The row that the keyboard is at. */
  get active() {
    return this.#active !== undefined && this.#ring.at(this.#active) !== undefined ? this.#active : undefined;
  }

  /** The newest row in view. */
  get newestInView() {
    return this.#size === 0 ? undefined : this.#seqAt(Math.max(0, this.#lastInView()));
  }

  get rowsPerScreen() {
    return Math.max(1, Math.floor(this.#viewHeight / this.#height) - 1);
  }

  /** How many rows came that the reader has not had in view. */
  get unseen() {
    if (this.isFollowing || this.#size === 0) return 0;
    const index = this.#indexOf(this.#seenSeq);
    return this.#size - index - (this.#seqAt(index) <= this.#seenSeq ? 1 : 0);
  }

  /** To be called when the height of rows may have changed. */
  measure() {
    this.#height = Math.round(parseFloat(getComputedStyle(this.#list).lineHeight)) || 24;
    this.#list.style.setProperty("--row-height", `${this.#height}px`);
    this.#viewHeight = this.#scroller.clientHeight;
    for (const row of this.#rows.values()) row.index = NaN;
    this.draw();
  }

  draw() {
    if (document.hidden || this.#viewHeight === 0) return;
    this.#list.setAttribute("aria-rowcount", `${this.#size}`);
    const { seq, offset } = this.#anchor;
    const end = performance.now() < this.#holdUntil ? this.#top : Infinity;
    this.#scrollTo(this.isFollowing ? end : this.#indexOf(seq) * this.#height + offset);
    this.#drawWindow();
  }

  /** @param {"scroll" | "wish"} cause After a scroll, another one to the end lets it follow again. */
  pause(cause) {
    if (this.isFollowing) this.#noteAnchor();
    this.#pause = cause;
    this.#on.onPlace();
  }

  follow() {
    this.#pause = "";
    this.#holdUntil = 0;
    this.draw();
    this.#on.onPlace();
  }

  /** Shows the next screen of what the reader has not seen. */
  step() {
    this.#scrollTo((this.#indexOf(this.#seenSeq) + 1) * this.#height);
    this.#noteAnchor();
    this.draw();
    this.#on.onPlace();
  }

  /** @param {number} rows Down if positive, from the row that the keyboard is at. */
  move(rows) {
    if (this.#size === 0) return undefined;
    const { active } = this;
    // The first key brings the keyboard to what is in view, without leaving a row out.
    const index = active === undefined
      ? this.#lastInView() + Math.min(rows, 0)
      : this.#indexOf(active) + rows;
    return this.moveTo(this.#seqAt(Math.max(0, Math.min(this.#size - 1, index))));
  }

  /**
   * Brings a row into view, and the focus to it.
   *
   * @param {number} seq
   * @param {boolean} [isCentered]
   */
  moveTo(seq, isCentered = false) {
    // Who asks for a row before it wants to see it.
    if (seq < (this.#floor ?? -Infinity)) this.#floor = undefined;
    const index = this.#indexOf(seq);
    const top = index * this.#height;
    const end = top + this.#height - this.#viewHeight;
    if (this.isFollowing && index < this.#size - 1) this.pause("scroll");
    this.#active = seq;
    if (!this.isFollowing) {
      if (isCentered) this.#scrollTo((top + end) / 2);
      else if (this.#top > top) this.#scrollTo(top);
      else if (this.#top < end) this.#scrollTo(end);
      this.#noteAnchor();
    }
    this.draw();
    this.#rows.get(seq)?.node.focus({ preventScroll: true });
    if (this.isAtTop) this.#reachTop();
    this.#on.onPlace();
    return seq;
  }

  /** @param {number | undefined} seq The row whose details are shown. */
  select(seq) {
    this.#selected = seq;
    for (const row of this.#rows.values()) this.#showSelected(row);
  }

  /** @param {number | undefined} seq The first row that is shown; undefined for all. */
  clearBefore(seq) {
    this.#floor = seq;
    this.draw();
  }

  /** Back to the row that had it. */
  focus() {
    const row = this.#rows.get(this.active ?? NaN);
    if (row !== undefined && !this.isFollowing) this.moveTo(row.seq);
    else {
      const node = row?.node ?? this.#list.querySelector("[tabindex='0']") ?? this.#scroller;
      node.focus({ preventScroll: true });
    }
  }

  get #base() {
    return this.#floor === undefined
      ? 0
      : Math.max(0, this.#selection.indexOf(this.#floor, { nearest: true }));
  }

  get #size() {
    return Math.max(0, this.#selection.size - this.#base);
  }

  /** @param {number} index */
  #seqAt(index) {
    return this.#selection.seqAt(this.#base + index) ?? NaN;
  }

  /** The place of a row, or of the one nearest to it. @param {number} seq */
  #indexOf(seq) {
    const kept = Math.max(this.#ring.first, Math.min(this.#ring.end - 1, seq));
    const index = this.#selection.indexOf(kept, { nearest: true }) - this.#base;
    return Math.max(0, Math.min(this.#size - 1, index));
  }

  #lastInView() {
    // Heights have fractions.
    return Math.min(this.#size, Math.floor((this.#top + this.#viewHeight + 1) / this.#height)) - 1;
  }

  /** @param {number} top */
  #scrollTo(top) {
    const height = this.#size * this.#height;
    this.#list.style.height = `${height}px`;
    const wanted = Math.max(0, Math.min(height - this.#viewHeight, top));
    if (Math.abs(this.#top - wanted) <= 0.5) return;
    this.#scroller.scrollTop = wanted;
    this.#top = this.#scroller.scrollTop;
  }

  #reachTop() {
    if (this.#floor === undefined) this.#on.onTop();
  }

  #noteAnchor() {
    if (this.#size === 0) return;
    const index = Math.min(Math.floor(this.#top / this.#height), this.#size - 1);
    this.#anchor = { seq: this.#seqAt(index), offset: this.#top - index * this.#height };
  }

  #onScroll() {
    const { scrollTop: top, clientHeight, scrollHeight } = this.#scroller;
    const by = top - this.#top;
    this.#top = top;
    // A feed that has become higher scrolls without its reader.
    if (clientHeight !== this.#viewHeight) return this.measure();
    if (Math.abs(by) < 1) return;
    const isUp = by < 0;
    if (!this.isFollowing) this.#noteAnchor();
    const now = performance.now();
    if (!isUp) {
      if (now - this.#downAt > SETTLE_MS) this.#goal = scrollHeight - clientHeight - 2;
      this.#downAt = now;
    }
    if (this.isFollowing && isUp && now - this.#downAt > SETTLE_MS) {
      this.#holdUntil = now + HOLD_MS;
      if (this.#size * this.#height - this.#viewHeight - top > this.#height) this.pause("scroll");
    } else if (this.#pause === "scroll" && !isUp && top >= this.#goal) return this.follow();
    this.#drawWindow();
    if (isUp && top < TOP_ROWS * this.#height) this.#reachTop();
    this.#on.onPlace();
  }

  #drawWindow() {
    const from = Math.max(0, Math.floor(this.#top / this.#height) - SPARE_ROWS);
    const to = Math.min(this.#size, Math.ceil((this.#top + this.#viewHeight) / this.#height) + SPARE_ROWS);
    const seqs = Array.from({ length: Math.max(0, to - from) }, (_, i) => this.#seqAt(from + i));
    const kept = this.#rowOf(document.activeElement) ?? this.#rows.get(this.#awaited() ?? NaN);
    this.#recycle(new Set(seqs), kept);

    // Between rows that stay they would make these move, and the one with the focus lose it.
    if (seqs.some((seq) => this.#rows.has(seq))) this.#spare.forEach(({ node }) => node.remove());
    // A row with the focus stays in the page, wherever it is: the focus belongs to the update, not to the element.
    const isAbove = kept !== undefined && kept.seq < (seqs[0] ?? 0);
    let place = isAbove ? kept.node.nextSibling : this.#list.firstChild;
    for (const [i, seq] of seqs.entries()) {
      const row = this.#rows.get(seq) ?? this.#make(seq);
      if (row === undefined) continue;
      if (row.node === place) place = place.nextSibling;
      else this.#list.insertBefore(row.node, place);
      this.#put(row, from + i);
    }
    if (kept !== undefined && this.#rows.has(kept.seq)) this.#put(kept, this.#indexOf(kept.seq));
    for (const row of this.#spare) row.node.remove();

    const tabStop = this.#rows.has(this.active ?? NaN) ? this.active : seqs.at(-1);
    for (const row of this.#rows.values()) row.node.tabIndex = row.seq === tabStop ? 0 : -1;
    this.#seenSeq = Math.max(this.#seenSeq, this.newestInView ?? -Infinity);
    this.#light(seqs.filter((seq) => seq >= this.#drawnEnd));
    this.#drawnEnd = this.#ring.end;
    this.#on.onDraw(this.#rows.values());
  }

  /** The row that the focus will come back to. */
  #awaited() {
    return document.querySelector("dialog:modal, :popover-open") === null ? this.#selected : this.#active;
  }

  /**
   * @param {Set<number>} wanted
   * @param {Row | undefined} kept
   */
  #recycle(wanted, kept) {
    for (const [seq, row] of this.#rows) {
      if (wanted.has(seq) || (row === kept && this.#selection.indexOf(seq) >= this.#base)) continue;
      // Its update is gone; the focus must not pass on to whatever the element shows next.
      if (row.node === document.activeElement) this.#scroller.focus({ preventScroll: true });
      this.#rows.delete(seq);
      this.#spare.push(row);
    }
  }

  /** @param {number} seq */
  #make(seq) {
    const entry = this.#ring.at(seq);
    if (entry === undefined) return undefined;
    // The first one, so that rows which are all exchanged keep their order and need not be moved.
    const row = this.#spare.shift() ?? new Row(this.#template);
    row.fill(entry);
    this.#rows.set(seq, row);
    this.#showSelected(row);
    return row;
  }

  /**
   * @param {Row} row
   * @param {number} index
   */
  #put(row, index) {
    if (row.index === index) return;
    row.index = index;
    row.node.setAttribute("aria-rowindex", `${index + 1}`);
    row.node.style.translate = `0 ${index * this.#height}px`;
  }

  /** @param {Row} row */
  #showSelected(row) {
    if (row.seq === this.#selected) row.node.setAttribute("aria-selected", "true");
    else row.node.removeAttribute("aria-selected");
  }

  /** @param {number[]} seqs */
  #light(seqs) {
    if (seqs.length > LIT_ROWS_MAX || this.#calm.matches) return;
    for (const seq of seqs) {
      if (!this.#ring.at(seq)?.isLive) continue;
      this.#rows.get(seq)?.node.animate({ opacity: [1, 0] }, { duration: 1_200, pseudoElement: "::before" });
    }
  }

  /** @param {EventTarget | null} target */
  #rowOf(target) {
    const node = target instanceof Element ? target.closest("[role=row]") : null;
    for (const row of this.#rows.values()) if (row.node === node) return row;
    return undefined;
  }
}
