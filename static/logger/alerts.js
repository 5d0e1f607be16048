// @ts-check
/// <reference lib="dom" />
/**
 * Whether somebody wants to be alerted. Until then the rest is not loaded.
 *
 * @module
 */

import { panelContext } from "./panel_context.js";
import { read } from "./preference.js";

export const STORAGE_KEY = "logger.alerts";

export class Alerts {
  isOn = false;
  #page;
  /** @type {Promise<import("./alert_bell.js").AlertBell> | undefined} */
  #bell;

  /** @param {import("./logger.js").Log} log */
  constructor(log) {
    this.#page = panelContext(log);
    // In what JSON.stringify() wrote, only a rule that is on looks so.
    const look = () => this.show(/"isOn":true/.test(read(STORAGE_KEY) ?? ""));
    addEventListener("storage", look);
    look();
  }

  /** @param {readonly import("./types.d.ts").Entry[]} entries That have just happened. */
  async offer(entries) {
    // Other tabs would say the same.
    if (this.isOn && this.#page.isLeader()) (await this.#load()).offer(entries, Date.now());
  }

  async openPanel() {
    const { openAlerts } = await import("./alerts_panel.js");
    openAlerts(await this.#load(), this.#page);
  }

  /** @param {boolean} isOn */
  show(isOn) {
    this.isOn = isOn;
    document.querySelector("[data-action=alerts]")?.toggleAttribute("data-on", isOn);
  }

  #load() {
    return this.#bell ??= import("./alert_bell.js").then(({ AlertBell }) => new AlertBell(this.#page, this));
  }
}
