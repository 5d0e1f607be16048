// @ts-check
/// <reference lib="dom" />
/**
 * Tries the rules on what happens, and tells the reader: on the page, in the title, by the desktop and by a tone.
 *
 * @module
 */

import { AlertRule } from "./alert_rule.js";
import { STORAGE_KEY } from "./alerts.js";
import { parseObject } from "./json.js";
import { read, write } from "./preference.js";

/** @typedef {import("./types.d.ts").Entry} Entry */

/**
 * @typedef {object} AlertSettings
 * @property {readonly { text: string, isOn: boolean }[]} rules
 * @property {boolean} notify By the desktop, too.
 * @property {boolean} sound
 */

const RULES_MAX = 50;
const TONE_LATE_MS = 1_000;

export class AlertBell {
  /** @type {AlertSettings} */
  settings = { rules: [], notify: false, sound: false };
  onChange = () => {};
  #page;
  #alerts;
  /** @type {Map<string, AlertRule>} By their text, so that one that is left alone keeps its count. */
  #rules = new Map();
  #unseen = 0;
  #title = document.title;
  /** @type {AudioContext | undefined} */
  #audio;

  /**
   * @param {import("./panel_context.js").PanelContext} page
   * @param {import("./alerts.js").Alerts} alerts
   */
  constructor(page, alerts) {
    this.#page = page;
    this.#alerts = alerts;
    const take = () => this.#take(readSettings(read(STORAGE_KEY)));
    take();
    // Another tab has changed them.
    addEventListener("storage", take);
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) return;
      this.#unseen = 0;
      document.title = this.#title;
    });
  }

  /** @param {Partial<AlertSettings>} change */
  save(change) {
    const settings = { ...this.settings, ...change };
    write(STORAGE_KEY, JSON.stringify(settings));
    this.#take(settings);
  }

  /**
   * @param {readonly Entry[]} entries
   * @param {number} now In ms of the epoch.
   */
  offer(entries, now) {
    for (const entry of entries) {
      for (const rule of this.#rules.values()) {
        if (rule.offer(entry, now)) this.ring(rule.text, entry.message, entry.seq);
      }
    }
  }

  /**
   * @param {string} rule
   * @param {string} message
   * @param {number} [seq] The row that it is about.
   */
  ring(rule, message, seq) {
    const { select, toast } = this.#page;
    const show = () => seq !== undefined && select(seq);
    toast(`${rule}: ${message}`, seq === undefined ? undefined : { label: "Show", run: show });
    if (document.hidden) document.title = `(${++this.#unseen}) ${this.#title}`;
    if (this.settings.notify) notify(rule, message, show);
    if (this.settings.sound) this.beep();
  }

  /** Two short tones, swelling and fading so that they do not click. */
  async beep() {
    const asked = performance.now();
    const audio = this.#audio ??= new AudioContext();
    // Until somebody has touched the page, the browser keeps it silent; later the tone would tell of nothing.
    await audio.resume();
    if (performance.now() - asked > TONE_LATE_MS) return;
    for (const [index, frequency] of [660, 880].entries()) {
      const start = audio.currentTime + index * 0.16;
      const volume = new GainNode(audio, { gain: 0 });
      volume.gain.setTargetAtTime(0.15, start, 0.01);
      volume.gain.setTargetAtTime(0, start + 0.1, 0.02);
      const tone = new OscillatorNode(audio, { frequency });
      tone.connect(volume).connect(audio.destination);
      tone.start(start);
      tone.stop(start + 0.3);
    }
  }

  /** @param {AlertSettings} settings */
  #take(settings) {
    this.settings = settings;
    const on = settings.rules.filter(({ isOn }) => isOn);
    this.#rules = new Map(on.map(({ text }) => [text, this.#rules.get(text) ?? new AlertRule(text)]));
    this.#alerts.show(on.length > 0);
    this.onChange();
  }
}

/**
 * @param {string | null} stored
 * @returns {AlertSettings} With the alerts of the demo as a rule that is one switch away, when nothing is stored.
 */
export function readSettings(stored) {
  const { rules, notify, sound } = parseObject(stored ?? "");
  const list = Array.isArray(rules) ? rules.slice(0, RULES_MAX) : [{ text: "is:alert" }];
  return {
    rules: list.filter((rule) => typeof rule?.text === "string" && problemOf(rule.text) === "")
      .map(({ text, isOn }) => ({ text, isOn: isOn === true })),
    notify: notify === true,
    sound: sound === true,
  };
}

/**
 * @param {string} text
 * @returns {string} A sentence, or "" for a rule that can be used.
 */
export function problemOf(text) {
  try {
    new AlertRule(text);
    return "";
  } catch (error) {
    return error instanceof Error ? error.message : `${error}`;
  }
}

/** Whether the desktop may be used: what the browser says, or that it cannot. */
export function permission() {
  return "Notification" in globalThis && isSecureContext ? Notification.permission : "unsupported";
}

/**
 * @param {string} rule
 * @param {string} message
 * @param {() => void} show
 */
function notify(rule, message, show) {
  if (permission() !== "granted") return;
  try {
    // A newer one takes the place of the one before, and not in silence.
    const options = { body: message, tag: rule, renotify: true };
    const notification = new Notification(rule, options);
    notification.onclick = () => {
      focus();
      show();
      notification.close();
    };
  } catch {
    // Chrome on Android has notifications of service workers only; the toast is there.
  }
}
