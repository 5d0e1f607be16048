// @ts-check
/// <reference lib="dom" />
/**
 * Wires the logger page: what the stream brings goes to the ring, and ten times a second the page shows the end of it.
 * The figures are loaded once there are rows, the controls once someone reaches for the page.
 *
 * @module
 */

import { Alerts } from "./alerts.js";
import { Announcer } from "./announcer.js";
import { noteEntry, toEntry } from "./entry.js";
import { Feed } from "./feed.js";
import { FlushTimer } from "./flush_timer.js";
import { read } from "./preference.js";
import { Ring } from "./ring.js";
import { Selection } from "./selection.js";
import { Source } from "./source.js";
import { StatusView } from "./status_view.js";

/** @typedef {import("./entry.js").Entry} Entry */
/** @typedef {{field: string, value: string, isExcluded: boolean}} Term */

/**
 * What the panels get to see of the page.
 *
 * @typedef {object} LoggerPage
 * @property {Ring} ring
 * @property {Selection} selection
 * @property {(seq: number | undefined) => unknown} select Opens the details of a row, or closes them.
 * @property {(term: Term) => unknown} filterBy
 * @property {(text: string) => unknown} highlight
 * @property {(seq: number) => unknown} showInContext Without filters, with this row in view.
 * @property {(entry: Entry) => string} permalink
 * @property {(text: string, action?: {label: string, run: () => void}) => unknown} toast
 * @property {() => boolean} isLeader
 * @property {URL} eventsUrl
 */

/** @typedef {typeof log} Log What figures and controls get. */

/**
 * @template {Element} T
 * @param {string} selector
 * @param {new () => T} type
 * @returns {T}
 */
function find(selector, type) {
  const element = document.querySelector(selector);
  if (element instanceof type) return element;
  throw new TypeError(`The page has no ${type.name} that matches ${selector}.`);
}

const BRISK_MS = 100;
const CALM_MS = 200;
/** What someone does who is about to use the page. */
const REACHING = ["pointerover", "focusin", "keydown", "click"];

const { searchParams, hash } = new URL(location.href);
const eventsUrl = new URL(find("meta[name=events-url]", HTMLMetaElement).content, document.baseURI);
for (const [name, value] of searchParams) {
  if (/^match(_urlpattern)?$/.test(name)) eventsUrl.searchParams.append(name, value);
}

const ring = new Ring();
const selection = new Selection(ring);
const announcer = new Announcer(find("[data-summary]", HTMLElement));
const status = new StatusView({
  status: find("[role=status][data-state]", HTMLElement),
  problem: find("[data-problem]", HTMLElement),
  waiting: find("[data-waiting]", HTMLElement),
  empty: find("[data-empty]", HTMLElement),
  noMatch: find("[data-no-match]", HTMLElement),
});
const jump = find("[data-jump]", HTMLElement);
const count = find("[data-count]", HTMLElement);
const jumpLabel = find("[data-jump-label]", HTMLElement);
const step = find("[data-action=step]", HTMLElement);
const older = find("[data-action=older]", HTMLElement);
const pause = find("[data-action=pause]", HTMLElement);

const feed = new Feed(
  {
    scroller: find("[data-scroller]", HTMLElement),
    list: find("[data-rows]", HTMLElement),
    template: find("[data-row]", HTMLTemplateElement),
  },
  { ring, selection },
  {
    onClick: (seq, target) => use((controls) => controls.open(seq, target)),
    onDraw: (rows) => log.onDraw(rows),
    onPlace: showLog,
    onTop: () => use((controls) => controls.loadOlder()),
  },
);
const flushTimer = new FlushTimer(() => {
  // What comes faster than a screen per drawing nobody reads: half of the drawings will do.
  flushTimer.everyMs = ring.end - drawnEnd > feed.rowsPerScreen ? CALM_MS : BRISK_MS;
  drawnEnd = ring.end;
  selection.update();
  feed.draw();
  showLog();
  if (figures === undefined && ring.size > 0) loadFigures();
});
selection.onChange = () => flushTimer.request();

/** @type {import("./figures.js").Figures | undefined} */
let figures;
/** @type {Promise<import("./controls.js").Controls> | undefined} */
let controls;
let lostAt = 0;
let drawnEnd = 0;

const source = new Source({
  eventsUrl,
  onEvents(events, { isLive }) {
    const arrived = Date.now();
    const entries = events.map((event) => toEntry(event, { arrived, isLive }));
    for (const entry of entries) {
      ring.push(entry);
      if (!isLive) continue;
      announcer.add(entry.notify, entry.level === "error");
      if (log.isReadAloud && log.filter.matches(entry)) announcer.addMatch(entry.message);
    }
    figures?.add(entries);
    if (isLive) alerts.offer(entries);
    flushTimer.request();
  },
  onGap(reason) {
    // A stream that breaks off again before any update meets the same gap again.
    if (ring.at(ring.end - 1)?.row === "gap") return;
    log.note("gap", `Updates are missing here${reason === "" ? "." : `: ${reason}`}`);
    announcer.addGap();
  },
  onState(state) {
    status.showState(state);
    const isLive = state.name === "live";
    if (isLive && lostAt > 0) {
      log.note("notice", `Connected again after ${Math.round((Date.now() - lostAt) / 1000)} s`);
    }
    if (isLive) {
      lostAt = 0;
      log.onLive();
    } else if (log.isLive) lostAt = Date.now();
    log.isLive = isLive;
    showLog();
  },
});

const log = {
  ring,
  selection,
  feed,
  source,
  announcer,
  /** @type {{text: string, terms: readonly Term[], range: {from?: number, to?: number}, isOn: boolean, matches: (entry: Entry) => boolean}} */
  filter: { text: "", terms: [], range: {}, isOn: false, matches: () => true },
  isLive: false,
  isReadAloud: false,
  hasOlder: true,
  /** @type {(rows: Iterable<import("./row.js").Row>) => void} */
  onDraw: () => {},
  onLive: () => {},
  requestFlush: () => flushTimer.request(),
  /** Draws the figures anew; all of them, when the filter is another one. */
  showFigures: () => figures?.rebuild(),
  use,
  /**
   * @param {"gap" | "mark" | "notice"} row
   * @param {string} text
   */
  note(row, text) {
    const entry = noteEntry(row, text, Date.now());
    ring.push(entry);
    flushTimer.request();
    return entry;
  },
};

/** @type {LoggerPage} */
const page = {
  ring,
  selection,
  eventsUrl,
  select: (seq) => use((controls) => controls.select(seq)),
  filterBy: (term) => use((controls) => controls.replaceTerm(undefined, term)),
  highlight: (text) => use((controls) => controls.writeHighlight(text)),
  showInContext: (seq) => use((controls) => controls.showInContext(seq)),
  permalink({ id }) {
    const link = new URL(location.pathname, location.origin);
    link.search = `${new URLSearchParams(
      [...eventsUrl.searchParams].filter(([name]) => searchParams.has(name)),
    )}`;
    link.hash = `${new URLSearchParams({ id })}`;
    return link.href;
  },
  toast: (text, action) => use((controls) => controls.toasts.show(text, action)),
  isLeader: () => source.isLeader,
};
const alerts = new Alerts(page);

/** @param {(controls: import("./controls.js").Controls) => unknown} action Runs as soon as they are loaded. */
async function use(action) {
  controls ??= import("./controls.js").then(({ Controls }) => {
    for (const type of REACHING) document.removeEventListener(type, reach);
    return new Controls(log, page, alerts);
  });
  await action(await controls);
}

/** @param {Event} event */
function reach(event) {
  use((controls) => controls.take(event));
}

async function loadFigures() {
  const { Figures } = await import("./figures.js");
  figures ??= new Figures(log);
}

function showLog() {
  const { isFollowing, unseen } = feed;
  const { size, isScanning } = selection;
  status.showLog({
    isFollowing,
    unseen,
    kept: ring.size,
    shown: size,
    isFiltered: log.filter.isOn && !isScanning,
  });
  count.textContent = log.filter.isOn
    ? `${size.toLocaleString("en")} of ${ring.size.toLocaleString("en")}`
    : "";
  pause.toggleAttribute("data-paused", !isFollowing);
  jump.hidden = isFollowing || size === 0;
  step.hidden = unseen === 0;
  jumpLabel.textContent = unseen === 0 ? "Newest" : `${unseen.toLocaleString("en")} new`;
  older.hidden = !log.hasOlder || !log.isLive || size === 0 || !feed.isAtTop;
}

const density = read("logger.density");
if (density !== null) document.documentElement.dataset.density = density;
for (const type of REACHING) document.addEventListener(type, reach);
document.addEventListener("visibilitychange", () => flushTimer.request());
if (/(^|&)(q|hl|from|to|sel)=/.test(`${searchParams}`) || hash !== "") use(() => {});
source.start();
