// @ts-check
/// <reference lib="dom" />
/**
 * All that a reader can do with the page: filter, highlight, look into a row, go back in time, mark, clear.
 *
 * @module
 */

import { isDense, sayDensity, setDensity } from "./density.js";
import { find } from "./dom.js";
import { paintHighlight } from "./highlight.js";
import { Keyboard } from "./keyboard.js";
import { panelContext } from "./panel_context.js";
import { Matches } from "./matches.js";
import { Older } from "./older.js";
import { parseQuery, withoutTerm, withTerm } from "./query.js";
import { clock } from "./timeline_view.js";
import { Toasts } from "./toasts.js";
import { readUrl, UrlWriter } from "./url_state.js";

/** @typedef {import("./types.d.ts").Entry} Entry */
/** @typedef {import("./types.d.ts").Term} Term */
/** @typedef {import("./types.d.ts").Range} Range */

/** An element that is hidden or removed takes the focus with it, and not every browser tells of it. */
const LOOK_FOR_FOCUS_MS = 200;
const FIGURES_WAIT_MS = 150;
const TIME = "time";

// Nothing opens before it looks like something.
await loadStyle("panels.css");

export class Controls {
  toasts;
  #log;
  #older;
  #page;
  #field = find("[data-query]", HTMLInputElement);
  #highlightField = find("[data-highlight]", HTMLInputElement);
  #problem = find("[data-query-problem]", HTMLElement);
  #keyboard;
  #url;
  #query = parseQuery("", Date.now());
  /** @type {Iterable<import("./row.js").Row>} */
  #rows = [];
  /** @type {number | undefined} */
  #selected;
  /** @type {import("./drawer.js").Drawer | undefined} */
  #drawer;
  /** What had the focus last. */
  #focused = document.activeElement;
  /** The update that the address names, as long as it is not there. */
  #link = { permalink: "", selected: "" };
  #marks = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #figuresTimer;
  /** @type {Record<string, (button: HTMLElement) => unknown>} */
  #actions = {
    pause: () => this.#togglePause(),
    alerts: () => this.#openAlerts(),
    export: (button) => this.#openExport(button),
    density: () => this.#toggleDensity(),
    help: () => this.#openHelp(),
    follow: () => this.#goNewest(),
    step: () => this.#log.feed.step(),
    older: () => this.loadOlder(),
    retry: () => this.#log.source.retryNow(),
    "clear-filters": () => this.#clearFilters(),
    announce: (button) => {
      this.#log.isReadAloud = !this.#log.isReadAloud;
      button.setAttribute("aria-pressed", `${this.#log.isReadAloud}`);
    },
  };

  /**
   * @param {import("./logger.js").Log} log
   */
  constructor(log) {
    this.#log = log;
    this.#page = panelContext(log);
    this.toasts = new Toasts(find("[data-toasts]", HTMLElement));
    this.#older = new Older(log, this.toasts);
    this.#keyboard = this.#createKeyboard();
    const opened = readUrl(new URL(location.href));
    this.#link = { permalink: opened.permalink, selected: opened.selected };
    const { filter, ring } = log;
    this.#url = new UrlWriter(() => ({
      query: filter.text,
      highlight: this.#highlightField.value,
      range: filter.range,
      // Until the update is there, a reload has to find its link again.
      selected: this.#selected === undefined ? this.#link.selected : ring.at(this.#selected)?.id ?? "",
      permalink: this.#link.permalink,
    }));

    // What was typed before the controls were there counts, too.
    this.#field.value ||= opened.query;
    this.#highlightField.value ||= opened.highlight;
    this.#field.addEventListener("input", () => this.#setQuery(this.#field.value));
    this.#highlightField.addEventListener("input", () => this.#setHighlight());
    log.onDraw = (rows) => {
      this.#rows = rows;
      this.#drawer?.showNewSteps();
      paintHighlight(rows, this.#highlightField.value);
    };
    document.addEventListener("click", (event) => this.#onClick(event));
    find("[data-rows]", HTMLElement).addEventListener("keydown", (event) => this.#onRowKey(event));
    document.addEventListener("focusin", () => this.#focused = document.activeElement);
    setInterval(() => this.#keepFocus(), LOOK_FOR_FOCUS_MS);
    addEventListener("hashchange", () => this.#changeLink(readUrl(new URL(location.href)).permalink));

    sayDensity();
    filter.range = opened.range;
    this.#setQuery(this.#field.value);
    log.onLive = () => {
      log.onLive = () => {};
      this.#openLink();
    };
    if (log.isLive) log.onLive();
  }

  /** @param {Event} event One that came before the controls did. */
  take(event) {
    if (event instanceof KeyboardEvent) {
      if (event.target instanceof Element && event.target.closest("[data-rows]") !== null) {
        this.#onRowKey(event);
      }
      this.#keyboard.take(event);
    } else if (event.type === "click") this.#onClick(event);
  }

  /**
   * A row was clicked, or a value in it.
   *
   * @param {number} seq
   * @param {Element} target
   */
  async open(seq, target) {
    const part = target.closest("[data-field]");
    const entry = this.#log.ring.at(seq);
    // A finger aims at the row.
    if (
      entry?.row !== "update" || !(part instanceof HTMLElement) || matchMedia("(pointer: coarse)").matches
    ) {
      return this.select(seq);
    }
    const { showValueMenu } = await import("./value_menu.js");
    const field = part.dataset.field ?? "";
    showValueMenu(
      part,
      { field, value: { k: entry.kind, site: entry.site, sid: entry.sid }[field] ?? "" },
      this.#page,
    );
  }

  /** @param {number | undefined} seq */
  async select(seq) {
    const { feed, ring } = this.#log;
    const entry = seq === undefined ? undefined : ring.at(seq);
    if (entry?.row !== "update") {
      if (this.#selected === undefined) return;
      this.#selected = undefined;
      feed.select(undefined);
      this.#drawer?.close();
      feed.focus();
      return this.#url.request();
    }
    this.#selected = entry.seq;
    this.#link = { permalink: "", selected: "" };
    if (feed.isFollowing) feed.pause("scroll");
    feed.select(entry.seq);
    feed.moveTo(entry.seq);
    this.#url.request();
    if (this.#drawer === undefined) {
      const { Drawer } = await import("./drawer.js");
      this.#drawer ??= new Drawer(this.#page);
    }
    if (this.#selected === entry.seq) this.#drawer.show(entry);
  }

  /**
   * @param {Term | undefined} old
   * @param {Term | undefined} next
   */
  replaceTerm(old, next) {
    if (old?.field === TIME) return this.setRange({});
    const rest = old === undefined ? this.#field.value : withoutTerm(this.#field.value, old);
    this.#writeQuery(next === undefined ? rest : withTerm(rest, next));
  }

  /** @param {string} text */
  writeHighlight(text) {
    this.#highlightField.value = text;
    this.#setHighlight();
  }

  /** @param {Range} range */
  setRange(range) {
    this.#log.filter.range = range;
    this.#applyFilter();
  }

  /** @param {number} seq */
  showInContext(seq) {
    this.#clearFilters();
    this.#log.feed.pause("wish");
    this.#log.feed.moveTo(seq, true);
  }

  loadOlder() {
    const { feed } = this.#log;
    return feed.floor === undefined ? this.#older.load() : feed.clearBefore(undefined);
  }

  /** @param {string} permalink The id of an update, or "". */
  #changeLink(permalink) {
    // What a link leads to would not fit in between the rows that are here.
    if (permalink !== "" && this.#log.ring.find(permalink) === undefined) return location.reload();
    this.#link = { permalink, selected: "" };
    this.#openLink();
  }

  /** Shows the update that the address names, if it does. */
  async #openLink() {
    const id = this.#link.permalink || this.#link.selected;
    if (id === "") return;
    const { ring, selection, feed } = this.#log;
    if (ring.find(id) === undefined) await this.#older.loadUntil(id);
    selection.update();
    const entry = ring.find(id);
    if (entry === undefined) return this.toasts.show("The update of this address is not kept any more.");
    if (selection.indexOf(entry.seq) === -1) this.#clearFilters();
    feed.pause("wish");
    feed.moveTo(entry.seq, true);
    await this.select(entry.seq);
  }

  /** @param {string} text */
  #writeQuery(text) {
    this.#field.value = text;
    this.#setQuery(text);
  }

  /** @param {string} text */
  #setQuery(text) {
    const query = parseQuery(text, Date.now());
    this.#problem.hidden = query.problem === "";
    this.#problem.textContent = `${query.problem} Until it can be, the filter stays as it was.`;
    this.#field.setAttribute("aria-invalid", `${query.problem !== ""}`);
    this.#log.filter.text = text;
    // Half of a regular expression is none; until it is whole, the filter before it stays.
    if (query.problem === "") this.#query = query;
    this.#applyFilter();
  }

  #applyFilter() {
    const { filter, ring, selection } = this.#log;
    const { from, to } = filter.range;
    const query = this.#query;
    const hasRange = from !== undefined || to !== undefined;
    const [start, end] = [from, to].map((time) => time === undefined ? "" : clock(time));
    const time = { field: TIME, value: `${start}–${end}`, isExcluded: false };
    filter.isOn = hasRange || !query.isEmpty;
    filter.terms = hasRange ? [time, ...query.facets] : query.facets;
    filter.matches = query.matches;
    selection.show(filter.isOn ? new Matches(ring, { matches: query.matches, ...filter.range }) : undefined);
    // The figures try the filter on all rows at once, which is too much for each key.
    clearTimeout(this.#figuresTimer);
    this.#figuresTimer = setTimeout(() => this.#log.showFigures([]), FIGURES_WAIT_MS);
    this.#log.requestFlush();
    this.#url.request();
  }

  #clearFilters() {
    this.#log.filter.range = {};
    this.#writeQuery("");
    this.#log.selection.update();
  }

  #setHighlight() {
    paintHighlight(this.#rows, this.#highlightField.value);
    this.#log.feed.draw();
    this.#url.request();
  }

  /** @param {Event} event */
  #onClick({ target }) {
    const button = target instanceof Element ? target.closest("[data-action]") : null;
    if (button instanceof HTMLElement) this.#actions[button.dataset.action ?? ""]?.(button);
  }

  #togglePause() {
    const { feed } = this.#log;
    if (feed.isFollowing) feed.pause("wish");
    else feed.follow();
  }

  #goNewest() {
    this.#log.feed.follow();
    return this.#log.feed.move(Infinity);
  }

  /** @param {1 | -1} direction */
  #moveToError(direction) {
    const { feed, ring, selection } = this.#log;
    const start = feed.active ?? feed.newestInView;
    if (start === undefined) return undefined;
    for (
      let i = selection.indexOf(start, { nearest: true }) + direction;
      i >= 0 && i < selection.size;
      i += direction
    ) {
      const entry = ring.at(selection.seqAt(i) ?? NaN);
      if (entry?.level === "error") return feed.moveTo(entry.seq, true);
    }
    return undefined;
  }

  #clear() {
    const { feed, selection } = this.#log;
    const { seq } = this.#log.note("mark", "Cleared");
    selection.update();
    feed.clearBefore(seq);
    feed.follow();
    this.toasts.show("Cleared. What was before is kept.", {
      label: "Undo",
      run: () => feed.clearBefore(undefined),
    });
  }

  #toggleDensity() {
    setDensity(!isDense());
    this.#log.feed.measure();
  }

  /** @param {HTMLElement} button */
  async #openExport(button) {
    const { openExport } = await import("./export_menu.js");
    openExport(button, this.#page);
  }

  async #openAlerts() {
    const { alerts } = await this.#log.observers();
    await alerts.openPanel();
  }

  async #openHelp() {
    const { openHelp } = await import("./help_dialog.js");
    const keyboard = this.#keyboard;
    openHelp(keyboard.list, { areOn: keyboard.areOn, setOn: (areOn) => keyboard.setOn(areOn) });
  }

  #search() {
    this.#field.focus();
    this.#field.select();
  }

  /** Who uses the keyboard would otherwise begin at the top of the page again. */
  #keepFocus() {
    if (document.activeElement !== document.body || this.#focused?.checkVisibility() !== false) return;
    find("[data-scroller]", HTMLElement).focus({ preventScroll: true });
  }

  /** Leads from where one is back to the rows. */
  #escape() {
    const { activeElement } = document;
    if (activeElement === this.#field || activeElement === this.#highlightField) {
      const field = /** @type {HTMLInputElement} */ (activeElement);
      if (field.value === "") {
        // The rows that the field had filtered out may not be there yet.
        this.#log.feed.draw();
        return this.#log.feed.focus();
      }
      field.value = "";
      return field.dispatchEvent(new Event("input"));
    }
    return this.#selected !== undefined && this.select(undefined);
  }

  /** The panel follows the keyboard. @param {number | undefined} seq */
  #go(seq) {
    if (seq !== undefined && this.#selected !== undefined) this.select(seq);
  }

  #openActive() {
    const { active } = this.#log.feed;
    return active !== undefined && this.select(active);
  }

  #createKeyboard() {
    const { feed } = this.#log;
    return new Keyboard([
      { keys: ["/"], what: "Filter", run: () => this.#search() },
      { keys: [" ", "f"], what: "Pause, or follow the newest", run: () => this.#togglePause() },
      { keys: ["j"], what: "Next row", run: () => this.#go(feed.move(1)) },
      { keys: ["k"], what: "Row before", run: () => this.#go(feed.move(-1)) },
      { keys: ["Enter"], what: "Details of the row", run: () => this.#openActive() },
      { keys: ["Escape"], what: "Close, or leave the field", run: () => this.#escape() },
      { keys: ["e"], what: "Next error", run: () => this.#go(this.#moveToError(1)) },
      { keys: ["E"], what: "Error before", run: () => this.#go(this.#moveToError(-1)) },
      { keys: ["g"], what: "Oldest row", run: () => this.#go(feed.move(-Infinity)) },
      { keys: ["G"], what: "Newest row, and follow", run: () => this.#go(this.#goNewest()) },
      { keys: ["n"], what: "Next screen of new rows", run: () => feed.step() },
      {
        keys: ["m"],
        what: "Mark this moment",
        run: () => void this.#log.note("mark", `Mark ${++this.#marks}`),
      },
      { keys: ["c"], what: "Clear the view", run: () => this.#clear() },
      { keys: ["d"], what: "Dense rows", run: () => this.#toggleDensity() },
      { keys: ["?"], what: "This help", run: () => this.#openHelp() },
    ], (event) => {
      // Once for our own search, which knows the rows that are not drawn; twice for the browser's.
      if (event.key !== "f" || document.activeElement === this.#field) return;
      event.preventDefault();
      this.#search();
    });
  }

  /** Keys of a grid are no shortcuts and cannot be switched off. @param {KeyboardEvent} event */
  #onRowKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { feed } = this.#log;
    const screen = feed.rowsPerScreen;
    const rows = {
      ArrowDown: 1,
      ArrowUp: -1,
      PageDown: screen,
      PageUp: -screen,
      Home: -Infinity,
      End: Infinity,
    }[event.key];
    if (rows !== undefined) this.#go(feed.move(rows));
    else if (event.key !== "Enter" || this.#openActive() === false) return;
    event.preventDefault();
  }
}

/** @param {string} href */
function loadStyle(href) {
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = href;
  document.head.append(link);
  // Without it panels are plain, and work.
  return new Promise((resolve) => link.onload = link.onerror = resolve);
}
