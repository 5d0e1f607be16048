// @ts-check
/// <reference lib="dom" />
/**
 * The figures above the rows: counters, the picture of the last minutes, and the kinds as chips.
 *
 * @module
 */

import { Chips } from "./chips.js";
import { showCounters } from "./counters_view.js";
import { find } from "./dom.js";
import { Stats } from "./stats.js";
import { Timeline } from "./timeline.js";
import { TimelineView } from "./timeline_view.js";

const SHOW_EVERY_MS = 500;

export class Figures {
  #log;
  #stats = new Stats();
  #timeline = new Timeline();
  /** @type {Timeline | undefined} Of what the filter lets through. */
  #matching;
  #view;
  #chips;

  /** @param {import("./logger.js").Log} log */
  constructor(log) {
    this.#log = log;
    const onRange = (/** @type {import("./types.d.ts").Range} */ range) =>
      log.use((controls) => controls.setRange(range));
    this.#view = new TimelineView(
      find("[data-timeline] canvas", HTMLCanvasElement),
      find("[data-timeline-text]", HTMLElement),
      onRange,
    );
    this.#chips = new Chips(
      find("[data-chips]", HTMLElement),
      find("[data-chip]", HTMLTemplateElement),
      (old, next) => log.use((controls) => controls.replaceTerm(old, next)),
    );
    find("[data-timeline-details]", HTMLElement).addEventListener("toggle", async () => {
      const { timelineTable } = await import("./timeline_table.js");
      find("[data-timeline-table]", HTMLElement).replaceChildren(
        timelineTable(this.#snapshot(log.now()), log.now(), onRange),
      );
    });
    setInterval(() => this.#show(), SHOW_EVERY_MS);
  }

  /** @param {import("./types.d.ts").Entry[]} entries */
  add(entries) {
    for (const entry of entries) {
      this.#stats.add(entry);
      this.#timeline.add(entry);
      this.#addMatching(entry);
    }
  }

  /** @param {readonly import("./types.d.ts").Entry[]} older Those that were scrolled back to since. */
  rebuild(older) {
    for (const entry of older) this.#stats.add(entry, true);
    for (const entry of older) this.#timeline.add(entry);
    const { ring, filter } = this.#log;
    // What the ring has forgotten cannot be tried any more.
    const from = ring.isFull ? ring.at(ring.first)?.arrived : 0;
    this.#matching = filter.isOn ? new Timeline(from) : undefined;
    for (const entry of filter.isOn ? ring : []) this.#addMatching(entry);
    this.#show();
  }

  #show() {
    if (document.hidden) return;
    const now = this.#log.now();
    const { terms, range } = this.#log.filter;
    const snapshot = this.#stats.snapshot(now);
    showCounters(snapshot);
    this.#view.show(this.#snapshot(now), range);
    this.#chips.show(snapshot.kinds, terms);
  }

  /** @param {number} now */
  #snapshot(now) {
    return (this.#matching ?? this.#timeline).snapshot(now);
  }

  /** @param {import("./types.d.ts").Entry} entry */
  #addMatching(entry) {
    if (this.#log.filter.matches(entry)) this.#matching?.add(entry);
  }
}
