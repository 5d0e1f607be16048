// @ts-check
/// <reference lib="dom" />
/**
 * The log of updates: newest first, bounded, and paused without losing what comes meanwhile.
 *
 * @module
 */

import { Announcer } from "../logger/announcer.js";
import { FlushTimer } from "../logger/flush_timer.js";
import { toUpdate } from "../logger/update.js";
import { clone, setText } from "./dom.js";
import { find } from "../logger/dom.js";
import { ENTRIES_MAX, EntryBuffer } from "./entry_buffer.js";
import { cut, DATA_CHARACTERS_MAX, isStructure, prettify } from "./pretty.js";

/** @typedef {import("../logger/types.d.ts").StreamEvent} StreamEvent */

/** @typedef {{ event: StreamEvent, at: number } | { gap: string }} Entry */

const LABEL_CHARACTERS_MAX = 200;
/** What a row shows of its data until one asks for more; the style cuts it to some lines. */
const PREVIEW_CHARACTERS_MAX = 400;
const PREVIEW_LINES_MAX = 3;
/** A bigger batch is a burst; lighting up every row of it would be noise and work. */
const LIT_ROWS_MAX = 10;

const clock = new Intl.DateTimeFormat("en-GB", {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  fractionalSecondDigits: 3,
});
const full = new Intl.DateTimeFormat("en-GB", { dateStyle: "full", timeStyle: "long" });

export class UpdatesView {
  /** @type {EntryBuffer<Entry>} */
  #buffer = new EntryBuffer();
  #flushTimer = new FlushTimer(() => this.#flush());
  #announcer = new Announcer(find("[data-summary]", HTMLElement));
  #total = 0;
  #isOpen = false;

  #root = find("#updates", HTMLElement);
  #list = find("[data-log]", HTMLElement, this.#root);
  #rowTemplate = find("template[data-row]", HTMLTemplateElement);
  #gapTemplate = find("template[data-gap]", HTMLTemplateElement);
  #pause = find("[data-pause]", HTMLButtonElement, this.#root);
  #clear = find("[data-clear]", HTMLButtonElement, this.#root);

  constructor() {
    this.#pause.addEventListener("click", () => {
      this.#buffer.isPaused = !this.#buffer.isPaused;
      this.#flush();
    });
    this.#clear.addEventListener("click", () => {
      this.#buffer.clear();
      this.#list.replaceChildren();
      this.#total = 0;
      this.#showCounts();
      find("[role=log]", HTMLElement, this.#root).focus();
    });
    this.#showCounts();
  }

  /** @param {StreamEvent} event */
  add(event) {
    this.#total++;
    this.#push({ event, at: Date.now() });
    this.#announcer.add({});
  }

  /** @param {string} reason */
  addGap(reason) {
    this.#push({ gap: reason });
    this.#announcer.add({ row: "gap" });
  }

  /**
   * An empty log says whether it waits for an update or for a click.
   *
   * @param {boolean} isOpen
   */
  noteState(isOpen) {
    this.#isOpen = isOpen;
    this.#showCounts();
  }

  /** @param {Entry} entry */
  #push(entry) {
    this.#buffer.add(entry);
    this.#flushTimer.request();
  }

  #flush() {
    const entries = this.#buffer.take();
    const rows = document.createDocumentFragment();
    for (const entry of entries) {
      const row = "gap" in entry ? this.#createGap(entry.gap) : this.#createRow(entry.event, entry.at);
      row.classList.toggle("is-new", entries.length <= LIT_ROWS_MAX);
      rows.prepend(row);
    }
    this.#list.prepend(rows);
    while (this.#list.childElementCount > ENTRIES_MAX) this.#list.lastElementChild?.remove();
    this.#showCounts();
  }

  #showCounts() {
    const { isPaused, waiting, dropped } = this.#buffer;
    const isEmpty = this.#list.childElementCount === 0;
    setText(find("[data-total]", HTMLElement, this.#root), String(this.#total));
    setText(find("[data-pause-label]", HTMLElement, this.#pause), isPaused ? "Resume" : "Pause");
    this.#pause.querySelector("use")?.setAttribute("href", isPaused ? "#icon-play" : "#icon-pause");
    this.#pause.dataset.paused = String(isPaused);
    const count = find("[data-waiting]", HTMLElement, this.#root);
    count.hidden = !isPaused;
    setText(count, waiting === 0 ? "Paused" : `Paused, ${waiting} waiting`);
    const note = find("[data-note]", HTMLElement, this.#root);
    note.hidden = dropped === 0;
    setText(
      note,
      `The newest ${ENTRIES_MAX} are kept; ${dropped} older ${
        dropped === 1 ? "row was" : "rows were"
      } dropped.`,
    );
    find("[data-empty=idle]", HTMLElement, this.#root).hidden = !isEmpty || this.#isOpen;
    find("[data-empty=open]", HTMLElement, this.#root).hidden = !isEmpty || !this.#isOpen;
    this.#clear.disabled = isEmpty && waiting === 0;
  }

  /**
   * @param {StreamEvent} event
   * @param {number} at
   */
  #createRow(event, at) {
    const row = clone(this.#rowTemplate);
    row.dataset.eventId = event.id;
    const time = new Date(toUpdate(event, at).time);
    const element = find("time", HTMLTimeElement, row);
    element.dateTime = time.toISOString();
    element.title = full.format(time);
    element.textContent = clock.format(time);
    setText(find("[data-part=type]", HTMLElement, row), cut(event.type, LABEL_CHARACTERS_MAX));
    setText(find("[data-part=id]", HTMLElement, row), cut(event.id, LABEL_CHARACTERS_MAX) || "no id");
    this.#fillData(row, cut(event.data, DATA_CHARACTERS_MAX));
    return row;
  }

  /**
   * @param {HTMLElement} row
   * @param {string} data
   */
  #fillData(row, data) {
    const element = find("[data-part=data]", HTMLElement, row);
    const button = find("button", HTMLButtonElement, row);
    element.dataset.isEmpty = String(data === "");
    element.textContent = data === "" ? "no data" : cut(data, PREVIEW_CHARACTERS_MAX);
    if (!isStructure(data) && !isLong(data)) return button.remove();
    button.addEventListener("click", () => {
      const isOpen = button.ariaExpanded !== "true";
      button.ariaExpanded = String(isOpen);
      row.dataset.isOpen = String(isOpen);
      element.textContent = isOpen ? prettify(data) ?? data : cut(data, PREVIEW_CHARACTERS_MAX);
    });
  }

  /** @param {string} reason */
  #createGap(reason) {
    const row = clone(this.#gapTemplate);
    const text = "Updates may be missing here";
    setText(
      find("[data-part=gap]", HTMLElement, row),
      reason === "" ? `${text}.` : `${text}: ${cut(reason, LABEL_CHARACTERS_MAX)}.`,
    );
    return row;
  }
}

/** @param {string} data */
function isLong(data) {
  return data.length > PREVIEW_CHARACTERS_MAX / 2 ||
    data.split("\n", PREVIEW_LINES_MAX + 1).length > PREVIEW_LINES_MAX;
}
