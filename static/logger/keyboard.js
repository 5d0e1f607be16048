// @ts-check
/// <reference lib="dom" />
/**
 * Shortcuts of single keys. They can be switched off, as WCAG 2.1.4 wants it, and are silent wherever one types.
 *
 * @module
 */

import { read, SHORTCUTS, write } from "./preference.js";

/** @typedef {{keys: string[], what: string, run: () => unknown}} Shortcut Keys as `KeyboardEvent.key` names them. */

export class Keyboard {
  #shortcuts;
  #onModified;
  #areOn = read(SHORTCUTS) !== "off";

  /**
   * @param {readonly Shortcut[]} shortcuts `run` returns false to leave the key to others.
   * @param {(event: KeyboardEvent) => void} onModified Gets keys that come with Ctrl or Command.
   */
  constructor(shortcuts, onModified) {
    this.#shortcuts = shortcuts;
    this.#onModified = onModified;
    document.addEventListener("keydown", (event) => event.defaultPrevented || this.take(event));
  }

  /** As a help can show them. */
  get list() {
    return this.#shortcuts.map(({ keys, what }) => ({
      keys: keys.map((key) => key === " " ? "Space" : key).join(", "),
      what,
    }));
  }

  get areOn() {
    return this.#areOn;
  }

  /** @param {boolean} areOn */
  setOn(areOn) {
    this.#areOn = areOn;
    write(SHORTCUTS, areOn ? "on" : "off");
  }

  /** @param {KeyboardEvent} event */
  take(event) {
    const { key, target } = event;
    if (event.altKey || event.isComposing) return;
    if (!this.#areOn && key !== "Escape") return;
    if (event.ctrlKey || event.metaKey) {
      // Behind a dialog nothing can take the focus.
      if (document.querySelector("dialog:modal") === null) this.#onModified(event);
      return;
    }
    if (target instanceof Element && isTheirs(target, key)) return;
    const shortcut = this.#shortcuts.find(({ keys }) => keys.includes(key));
    if (shortcut !== undefined && shortcut.run() !== false) event.preventDefault();
  }
}

/**
 * Whether the key is for the element that has the focus.
 *
 * @param {Element} target
 * @param {string} key
 */
function isTheirs(target, key) {
  if (target.closest("dialog:modal, :popover-open") !== null) return true;
  if (target.closest("input:not([type=checkbox]), textarea, select") !== null) return key !== "Escape";
  return (key === " " || key === "Enter") && target.closest("button, a, summary, input") !== null;
}
