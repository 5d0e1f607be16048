// @ts-check
/// <reference lib="dom" />
/**
 * One row of the feed, used again and again. Untrusted text enters the page here, and only as text.
 *
 * @module
 */

import { kindLook } from "./kind_look.js";

const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });

export class Row {
  node;
  seq = NaN;
  /** Where the feed has put it. */
  index = NaN;
  /** @type {Map<string, Text>} */
  parts = new Map();
  #glyph;

  /** @param {HTMLTemplateElement} template */
  constructor(template) {
    this.node = /** @type {HTMLElement} */ (template.content.firstElementChild?.cloneNode(true));
    for (const part of this.node.querySelectorAll("[data-part]")) {
      const text = new Text();
      part.append(text);
      this.parts.set(part.getAttribute("data-part") ?? "", text);
    }
    this.#glyph = this.node.querySelector("use");
  }

  /** @param {import("./types.d.ts").Entry} entry */
  fill({ seq, row, id, kind, level, message, notify, time, site, sid }) {
    const { node } = this;
    const isUpdate = row === "update";
    this.seq = seq;
    this.index = NaN;
    node.dataset.row = row;
    node.dataset.level = level;
    node.toggleAttribute("data-notify", notify);
    if (isUpdate) node.dataset.eventId = id;
    else delete node.dataset.eventId;
    const { hue, glyph } = isUpdate ? kindLook(kind) : { hue: "7", glyph: `#kind-${row}` };
    node.dataset.hue = hue;
    this.#glyph?.setAttribute("href", glyph);
    this.#set("kind", kind);
    this.#set("site", site);
    this.#set("sid", sid.slice(-6));
    this.#set("level", `${notify ? "Alert: " : ""}${/error|warning/.test(level) ? `${level}: ` : ""}`);
    this.#set("message", message || "(no message)");
    this.#setTime(new Date(time));
  }

  /**
   * @param {string} name
   * @param {string} text
   */
  #set(name, text) {
    const part = this.parts.get(name);
    if (part !== undefined && part.data !== text) part.data = text;
  }

  /** @param {Date} date */
  #setTime(date) {
    if (Number.isNaN(date.getTime())) return this.#set("time", "");
    const clock = date.toTimeString().slice(0, 8);
    const isToday = date.toDateString() === new Date().toDateString();
    this.#set("time", isToday ? clock + date.toISOString().slice(19, 23) : `${day.format(date)} ${clock}`);
    this.parts.get("time")?.parentElement?.setAttribute("datetime", date.toISOString());
  }
}
