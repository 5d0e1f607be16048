// @ts-check
/// <reference lib="dom" />
/**
 * Draws how much happened in the last minutes, stacked by kind, and tells it in words. A click or a drag chooses a
 * stretch of time.
 *
 * @module
 */

import { kindLook } from "./kind_look.js";
import { OTHER } from "./timeline.js";

/** @typedef {import("./types.d.ts").TimelineSnapshot} TimelineSnapshot */
/** @typedef {import("./types.d.ts").Range} Range */

const DRAG_PIXELS_MIN = 4;

export class TimelineView {
  #canvas;
  #text;
  #context;
  /** @type {TimelineSnapshot} */
  #snapshot = { start: 0, bucketMs: 1, kinds: [], buckets: [], max: 0, from: 0 };
  /** @type {Range} */
  #range = {};
  /** @type {[number, number] | undefined} Pixels. */
  #drag;
  /** @type {Map<string, string>} */
  #colors = new Map();

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {Element} text
   * @param {(range: Range) => void} onRange
   */
  constructor(canvas, text, onRange) {
    this.#canvas = canvas;
    this.#text = text;
    this.#context = canvas.getContext("2d");
    new ResizeObserver(() => this.#draw()).observe(canvas);
    canvas.addEventListener("pointerdown", ({ button, pointerId, offsetX }) => {
      if (button !== 0) return;
      canvas.setPointerCapture(pointerId);
      this.#drag = [offsetX, offsetX];
    });
    canvas.addEventListener("pointermove", ({ offsetX }) => {
      if (this.#drag === undefined) return;
      this.#drag[1] = offsetX;
      this.#draw();
    });
    canvas.addEventListener("pointerup", () => {
      if (this.#drag !== undefined) onRange(this.#choose(this.#drag));
      this.#drag = undefined;
    });
    canvas.addEventListener("pointercancel", () => this.#drag = undefined);
  }

  /**
   * @param {TimelineSnapshot} snapshot
   * @param {Range} range The one that is chosen.
   */
  show(snapshot, range) {
    this.#snapshot = snapshot;
    this.#range = range;
    this.#draw();
    const text = describe(snapshot);
    if (this.#text.textContent !== text) this.#text.textContent = text;
  }

  /** A probe: the value of a custom property is not computed before it is used. @param {string} name */
  #color(name) {
    const { style } = this.#canvas;
    let color = this.#colors.get(name);
    if (color === undefined) {
      style.color = `var(${name})`;
      color = getComputedStyle(this.#canvas).color;
      style.color = "";
      this.#colors.set(name, color);
    }
    return color;
  }

  #draw() {
    const context = this.#context;
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    const { buckets, kinds, max } = this.#snapshot;
    if (context === null || width === 0) return;
    // The theme may have changed since.
    this.#colors.clear();
    this.#canvas.width = width * devicePixelRatio;
    this.#canvas.height = height * devicePixelRatio;
    context.scale(devicePixelRatio, devicePixelRatio);
    const step = width / buckets.length;
    const unit = height / Math.max(max, 4);
    for (const [i, bucket] of buckets.entries()) {
      let y = height;
      for (const [k, count] of bucket.entries()) {
        y -= count * unit;
        context.fillStyle = this.#color(`--kind-${kinds[k] === OTHER ? "7" : kindLook(kinds[k] ?? "").hue}`);
        // A seam between kinds of the same hue.
        context.fillRect(i * step, y, Math.max(1, step - 1), Math.max(count * unit - 1, count * unit / 2));
      }
    }
    const { from, to } = this.#range;
    if (this.#drag === undefined && from === undefined && to === undefined) return;
    const [left = 0, right = 0] = this.#drag?.toSorted((a, b) => a - b) ??
      [from === undefined ? 0 : this.#xAt(from), to === undefined ? width : this.#xAt(to)];
    context.fillStyle = this.#color("--focus");
    for (const x of [left, right]) context.fillRect(x - 1, 0, 2, height);
    context.globalAlpha = 0.2;
    context.fillRect(left, 0, right - left, height);
  }

  /** @param {number} time */
  #xAt(time) {
    const { start, bucketMs, buckets } = this.#snapshot;
    return (time - start) / (bucketMs * buckets.length) * this.#canvas.clientWidth;
  }

  /**
   * @param {[number, number]} drag
   * @returns {Range} Whole buckets.
   */
  #choose(drag) {
    const { start, bucketMs, buckets } = this.#snapshot;
    const [first = 0, last = 0] = drag.toSorted((a, b) => a - b).map((x) =>
      x / this.#canvas.clientWidth * buckets.length
    );
    const isClick = Math.abs(drag[1] - drag[0]) < DRAG_PIXELS_MIN;
    const end = isClick ? Math.floor(first) + 1 : Math.ceil(last);
    return { from: start + Math.floor(first) * bucketMs, to: start + end * bucketMs };
  }
}

/** @param {TimelineSnapshot} snapshot */
export function describe({ start, bucketMs, buckets, kinds, from }) {
  const sum = (/** @type {number[]} */ counts) => counts.reduce((a, b) => a + b, 0);
  const sums = buckets.map(sum);
  const total = sum(sums);
  const since = from > start ? `since ${clock(from)}` : "";
  if (total === 0) return `Nothing ${since || "in the last 5 minutes"}`;
  const parts = kinds.map((kind, k) => ({ kind, part: sum(buckets.map((each) => each[k] ?? 0)) / total }))
    .sort((a, b) => b.part - a.part).slice(0, 3).map(({ kind, part }) =>
      `${kind === OTHER ? "others" : kind} ${Math.round(100 * part)} %`
    );
  const peak = Math.max(...sums);
  const peakAt = clock(start + sums.indexOf(peak) * bucketMs);
  return `${total.toLocaleString("en")} ${since || "in 5 minutes"}: ${
    parts.join(", ")
  }. Most at ${peakAt}: ${peak} in ${bucketMs / 1000} s`;
}

/** The time of day of this place. @param {number} time In ms of the epoch. */
export function clock(time) {
  return new Date(time).toTimeString().slice(0, 8);
}
