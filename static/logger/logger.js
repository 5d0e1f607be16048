// @ts-check
/// <reference lib="dom" />
/**
 * Wires the logger page: what the stream brings goes to the ring, and ten times a second the page shows the end of it.
 * Observers are loaded behind the first rows, the controls once someone reaches for the page.
 *
 * @module
 */

import { noteEntry, toEntry } from "./entry.js";
import { Feed } from "./feed.js";
import { find } from "./dom.js";
import { FlushTimer } from "./flush_timer.js";
import { DENSITY, read, SHORTCUTS } from "./preference.js";
import { Ring } from "./ring.js";
import { Selection } from "./selection.js";
import { Source } from "./source.js";
import { StatusView } from "./status_view.js";

/** @typedef {import("./types.d.ts").Entry} Entry */
/** @typedef {import("./types.d.ts").Term} Term */
/** @typedef {import("./types.d.ts").Range} Range */

/** @typedef {typeof log} Log What observers and controls get. */

/**
 * What looks at each update, beside the feed.
 *
 * @typedef {object} Observers
 * @property {import("./figures.js").Figures} figures
 * @property {import("./announcer.js").Announcer} announcer
 * @property {import("./interruptions.js").Interruptions} interruptions
 * @property {import("./alerts.js").Alerts} alerts
 */

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
  if (ring.size > 0 || log.isLive) observers();
});
selection.onChange = () => flushTimer.request();

/** @type {Promise<Observers> | undefined} */
let loading;
/** @type {Observers | undefined} */
let loaded;
/** @type {Promise<import("./controls.js").Controls> | undefined} */
let controls;
let drawnEnd = 0;

const source = new Source({
  eventsUrl,
  onEvents(events, { isLive }) {
    const arrived = log.now();
    const entries = events.map((event) => toEntry(event, { arrived, isLive }));
    for (const entry of entries) ring.push(entry);
    observe(entries);
    flushTimer.request();
  },
  onGap(reason) {
    // A stream that breaks off again before any update meets the same gap again.
    let last = ring.end - 1;
    while (ring.at(last)?.row === "notice") last--;
    if (ring.at(last)?.row === "gap") return;
    log.note("gap", `Updates are missing here${reason === "" ? "." : `: ${reason}`}`);
  },
  onState(state) {
    status.showState(state);
    loaded?.interruptions.show(state);
    log.isLive = state.name === "live";
    if (log.isLive) {
      flushTimer.request();
      log.onLive();
    }
    showLog();
  },
});

const log = {
  ring,
  selection,
  feed,
  source,
  /** @type {{text: string, terms: readonly Term[], range: Range, isOn: boolean, matches: (entry: Entry) => boolean}} */
  filter: { text: "", terms: [], range: {}, isOn: false, matches: () => true },
  isLive: false,
  isReadAloud: false,
  /** By the clock of the server. */
  now: () => Date.now() + source.aheadMs,
  /** @type {(rows: Iterable<import("./row.js").Row>) => void} */
  onDraw: () => {},
  onLive: () => {},
  requestFlush: () => flushTimer.request(),
  /**
   * Draws the figures anew, since the filter is another one or these older ones have come.
   *
   * @param {readonly Entry[]} older
   */
  showFigures: (older) => loaded?.figures.rebuild(older),
  use,
  observers,
  /**
   * @param {"gap" | "mark" | "notice"} row
   * @param {string} text
   */
  note(row, text) {
    const entry = noteEntry(row, text, log.now());
    ring.push(entry);
    observe([entry]);
    flushTimer.request();
    return entry;
  },
};

/** @param {(controls: import("./controls.js").Controls) => unknown} action Runs as soon as they are loaded. */
async function use(action) {
  controls ??= import("./controls.js").then(({ Controls }) => {
    for (const type of REACHING) document.removeEventListener(type, reach);
    return new Controls(log);
  });
  await action(await controls);
}

/** @param {Event} event */
function reach(event) {
  if (event instanceof KeyboardEvent) {
    const { key, ctrlKey, metaKey } = event;
    const isOnRow = document.querySelector("[data-rows]:focus-within") !== null;
    const isFind = (ctrlKey || metaKey) && key === "f" && read(SHORTCUTS) !== "off";
    // Too late for the controls: the browser would search or scroll, too.
    if (isFind || isOnRow && /Arrow|Page|Home|End| /.test(key)) event.preventDefault();
  }
  use((controls) => controls.take(event));
}

/** @returns {Promise<Observers>} */
function observers() {
  return loading ??= Promise.all([
    import("./figures.js"),
    import("./announcer.js"),
    import("./interruptions.js"),
    import("./alerts.js"),
  ]).then(([{ Figures }, { Announcer }, { Interruptions }, { Alerts }]) => {
    loaded = {
      figures: new Figures(log),
      announcer: new Announcer(find("[data-summary]", HTMLElement)),
      interruptions: new Interruptions(log),
      alerts: new Alerts(log),
    };
    observe([...ring]);
    loaded.figures.rebuild([]);
    return loaded;
  });
}

/** @param {Entry[]} entries Of the ring, where those wait that come before the observers do. */
function observe(entries) {
  if (loaded === undefined) return;
  const { figures, announcer, alerts } = loaded;
  figures.add(entries);
  if (log.isReadAloud) selection.update();
  const happened = entries.filter(({ row, isLive }) => isLive && (row === "update" || row === "gap"));
  for (const entry of happened) {
    announcer.add(entry, log.isReadAloud && entry.row === "update" && selection.indexOf(entry.seq) >= 0);
  }
  alerts.offer(happened.filter(({ row }) => row === "update"));
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
  const isMore = feed.floor !== undefined || source.older !== null && log.isLive;
  older.hidden = !isMore || !feed.isAtTop;
}

const density = read(DENSITY);
if (density !== null) document.documentElement.dataset.density = density;
for (const type of REACHING) document.addEventListener(type, reach);
document.addEventListener("visibilitychange", () => flushTimer.request());
if (/(^|&)(q|hl|from|to|sel)=/.test(`${searchParams}`) || hash !== "") use(() => {});
source.start();
