// @ts-check
/// <reference lib="dom" />
/**
 * All there is to know of one update: beside the rows on a wide screen, and a sheet from below on a phone.
 *
 * @module
 */

import { copy } from "./clipboard.js";
import { isTime } from "./entry.js";
import { find } from "./dom.js";
import { jsonTree, longText } from "./json_tree.js";
import { kindLook } from "./kind_look.js";
import { cloneTemplate } from "./template.js";
import { showValueMenu } from "./value_menu.js";

/** @typedef {import("./types.d.ts").Entry} Entry */
/** @typedef {import("./panel_context.js").PanelContext} PanelContext */
/** @typedef {{ field: string, value: string }} Value */

/** The rest is in the tree. */
const FIELDS_MAX = 50;
const TEXT_MAX = 500;

const moment = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium" });

export class Drawer {
  #page;
  #root = find("[data-drawer]", HTMLDialogElement);
  /** @type {Entry | undefined} */
  #entry;
  /** @type {WeakMap<Element, Value>} */
  #values = new WeakMap();

  /** @param {PanelContext} page */
  constructor(page) {
    this.#page = page;
    this.#root.addEventListener("click", ({ target }) => {
      const button = target instanceof Element ? target.closest("button") : null;
      const value = button === null ? undefined : this.#values.get(button);
      if (button === null) return;
      if (value !== undefined) showValueMenu(button, value, page);
      else this.#do(button);
    });
  }

  /** @param {Entry} entry */
  show(entry) {
    this.#entry = entry;
    const { hue, glyph } = kindLook(entry.kind);
    this.#root.dataset.hue = hue;
    find("[data-drawer-glyph]", SVGUseElement).setAttribute("href", glyph);
    const title = put("title", entry.kind || "Update");
    const time = put("time", `${moment.format(entry.time)}, ${clock(entry.time)}`);
    time.setAttribute("datetime", new Date(entry.time).toISOString());
    put("message", entry.message);
    const data = parse(entry.data);
    find("[data-drawer-fields]", HTMLElement).replaceChildren(
      ...fieldsOf(entry, data).map((field) => this.#row(...field)),
    );
    showClocks(entry, data);
    find("[data-drawer-data]", HTMLElement).replaceChildren(
      data === undefined ? longText(entry.data) : jsonTree(data),
    );
    this.#showSteps("[data-step]");
    find("[data-drawer-session]", HTMLElement).hidden = entry.sid === "";
    this.#root.scrollTop = 0;
    if (this.#root.open) return;
    this.#root.show();
    title.focus();
  }

  /** More may have come after what was the last. */
  showNewSteps() {
    if (this.#entry !== undefined) this.#showSteps("[data-step$=' 1'][aria-disabled=true]");
  }

  /** Says which ways lead on. @param {string} selector */
  #showSteps(selector) {
    for (const button of this.#root.querySelectorAll(selector)) {
      // Not `disabled`, which would take the focus from who has come to the end.
      button.setAttribute("aria-disabled", `${this.#step(button) === undefined}`);
    }
  }

  close() {
    this.#root.close();
    this.#entry = undefined;
  }

  /**
   * @param {string} name
   * @param {string} field
   * @param {string} value
   */
  #row(name, field, value) {
    const row = cloneTemplate("[data-drawer-field]");
    find("th", HTMLElement, row).textContent = name;
    const button = find("button", HTMLButtonElement, row);
    button.textContent = value.slice(0, TEXT_MAX);
    this.#values.set(button, { field, value });
    return row;
  }

  /** @param {HTMLButtonElement} button */
  async #do(button) {
    const { historyUrl, permalink, select, showInContext } = this.#page;
    const entry = this.#entry;
    if (entry === undefined) return;
    const actions = {
      close: () => select(undefined),
      context: () => showInContext(entry.seq),
      data: () => copy(entry.data, this.#page, "The data is copied."),
      curl: () => copy(curl(historyUrl, entry.id), this.#page, "The command is copied."),
      link: () => copy(permalink(entry), this.#page, "The link is copied."),
    };
    const name = button.dataset.do;
    if (name !== undefined) return actions[/** @type {keyof typeof actions} */ (name)]();
    const seq = this.#step(button);
    if (seq !== undefined) await select(seq);
    // The row has the focus now; who steps on wants it here.
    return button.focus();
  }

  /** Where a button leads to, if anywhere. @param {Element} button */
  #step(button) {
    const [way, direction] = button.getAttribute("data-step")?.split(" ") ?? [];
    return way === "row" ? this.#inView(Number(direction)) : this.#inSession(Number(direction));
  }

  /** The update beside this one among those that are shown. @param {number} direction 1 or -1. */
  #inView(direction) {
    const { ring, selection } = this.#page;
    const start = selection.indexOf(this.#entry?.seq ?? NaN);
    for (let i = start + direction; start >= 0 && i >= 0 && i < selection.size; i += direction) {
      const entry = ring.at(selection.seqAt(i) ?? NaN);
      if (entry?.row === "update") return entry.seq;
    }
    return undefined;
  }

  /** Whatever is filtered: what one visitor did is a story. @param {number} direction 1 or -1. */
  #inSession(direction) {
    const { ring } = this.#page;
    const { seq, sid } = this.#entry ?? { seq: NaN, sid: "" };
    if (sid === "") return undefined;
    for (let at = seq + direction; at >= ring.first && at < ring.end; at += direction) {
      if (ring.at(at)?.sid === sid) return at;
    }
    return undefined;
  }
}

/**
 * @param {Entry} entry
 * @param {unknown} data
 * @returns {[name: string, field: string, value: string][]}
 */
function fieldsOf({ kind, site, sid, n, level, type, id }, data) {
  const { url, referrer, props } = asObject(data);
  /** @type {[string, string, unknown][]} */
  const fields = [
    ["Kind", "k", kind],
    ["Site", "site", site],
    ["Session", "sid", sid],
    ["Its number", "", n < 0 ? "" : n + 1],
    ["Level", "level", level],
    ["Page", "", url],
    ["From", "", referrer],
    ...Object.entries(asObject(props)).slice(0, FIELDS_MAX).map(
      ([name, value]) => /** @type {[string, string, unknown]} */ ([name.slice(0, TEXT_MAX), "", value]),
    ),
    ["Type", "type", type],
    ["Id", "id", id],
  ];
  // What has parts of its own is in the tree.
  return fields.filter(([, , value]) => typeof (value ?? {}) !== "object" && value !== "")
    .map(([name, field, value]) => [name, field, `${value}`]);
}

/**
 * @param {Entry} entry
 * @param {unknown} data
 */
function showClocks({ time }, data) {
  const { client, sent, received } = asObject(asObject(data).clocks);
  const areKnown = isTime(client) && isTime(sent) && isTime(received);
  find("[data-drawer-clocks]", HTMLElement).hidden = !areKnown;
  if (!areKnown) return;
  put("client", clock(client));
  put("sent", clock(sent));
  put("received", clock(received));
  put("words", clocksInWords({ time, client, sent, received }));
}

/**
 * @param {{ time: number, client: number, sent: number, received: number }} clocks In ms of the epoch; `time` is that
 *   of the client as the server has corrected it.
 */
export function clocksInWords({ time, client, sent, received }) {
  const skew = time - client;
  const latency = received - time;
  return [
    `It waited ${span(Math.max(0, sent - client))} in the browser,`,
    latency < 0
      ? `and came ${span(-latency)} before its own time: the clock of the browser is fast.`
      : `and was at the server ${span(latency)} after it happened.`,
    skew === 0
      ? ""
      : `The clock of the browser is ${span(Math.abs(skew))} ${
        skew > 0 ? "slow" : "fast"
      }, which is corrected.`,
  ].join(" ").trim();
}

/**
 * What asks the history for one update.
 *
 * @param {URL} historyUrl
 * @param {string} id
 */
export function curl(historyUrl, id) {
  const url = new URL(historyUrl);
  url.searchParams.set("until", id);
  url.searchParams.set("limit", "1");
  // The only character of an address that means something to a shell between these quotes.
  return `curl '${url.href.replaceAll("'", "%27")}'`;
}

/** @param {string} data */
function parse(data) {
  try {
    return JSON.parse(data);
  } catch {
    // Then it is text.
    return undefined;
  }
}

/**
 * @param {unknown} value
 * @returns {Record<string, unknown>}
 */
function asObject(value) {
  return typeof value === "object" && value !== null ? /** @type {Record<string, unknown>} */ (value) : {};
}

/** @param {number} time */
function clock(time) {
  const date = new Date(time);
  return date.toTimeString().slice(0, 8) + date.toISOString().slice(-5, -1);
}

/** @param {number} ms */
function span(ms) {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  return ms < 3_600_000 ? `${Math.round(ms / 60_000)} min` : `${(ms / 3_600_000).toFixed(1)} h`;
}

/**
 * @param {string} name
 * @param {string} text
 */
function put(name, text) {
  const element = find(`[data-drawer-${name}]`, HTMLElement);
  element.textContent = text;
  return element;
}
