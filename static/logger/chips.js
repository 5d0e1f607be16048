// @ts-check
/// <reference lib="dom" />
/**
 * A chip for each term of the filter, for the chosen time, and for the kinds that come most. The chip of a kind goes
 * round: all, only this, not this.
 *
 * @module
 */

import { setText } from "./dom.js";
import { kindLook } from "./kind_look.js";
import { OTHER } from "./timeline.js";

/** @typedef {import("./types.d.ts").Term} Term */

const KINDS_MAX = 8;
const STATES = {
  any: { title: "Show only these", said: "" },
  only: { title: "Hide these", said: "only " },
  not: { title: "Show all kinds", said: "without " },
};

export class Chips {
  #list;
  #template;
  #onTerm;
  /** @type {Map<string, HTMLElement>} */
  #chips = new Map();
  /** @type {Set<string>} They keep their places: a chip that moves away under the pointer is the wrong one. */
  #kinds = new Set();

  /**
   * @param {Element} list
   * @param {HTMLTemplateElement} template
   * @param {(old: Term | undefined, next: Term | undefined) => void} onTerm One takes the place of the other.
   */
  constructor(list, template, onTerm) {
    this.#list = list;
    this.#template = template;
    this.#onTerm = onTerm;
  }

  /**
   * @param {ReadonlyMap<string, number>} kinds
   * @param {readonly Term[]} terms
   */
  show(kinds, terms) {
    const isKind = (/** @type {Term} */ { field, value }) => field === "k" && kinds.has(value);
    const others = terms.filter((term) => !isKind(term));
    const named = terms.filter(isKind);
    const top = [...kinds].sort(([, a], [, b]) => b - a).map(([kind]) => kind);
    for (const { value } of named) this.#kinds.add(value);
    for (const kind of top) if (kind !== OTHER && this.#kinds.size < KINDS_MAX) this.#kinds.add(kind);

    const shown = new Set();
    for (const term of others) {
      const name = `${term.isExcluded ? "-" : ""}${term.field}:${term.value}`;
      shown.add(name);
      this.#chip(name, name, "×").onclick = () => this.#onTerm(term, undefined);
    }
    for (const kind of this.#kinds) {
      const name = ` ${kind}`;
      const term = named.find(({ value }) => value === kind);
      const state = term === undefined ? "any" : term.isExcluded ? "not" : "only";
      const next = state === "not" ? undefined : { field: "k", value: kind, isExcluded: state === "only" };
      const chip = this.#chip(
        name,
        kind,
        (kinds.get(kind) ?? 0).toLocaleString("en", { notation: "compact" }),
      );
      const { hue, glyph } = kindLook(kind);
      shown.add(name);
      chip.onclick = () => this.#onTerm(term, next);
      chip.title = STATES[state].title;
      chip.dataset.state = state;
      chip.dataset.hue = hue;
      chip.querySelector("use")?.setAttribute("href", glyph);
      setText(chip, ".chip__said", STATES[state].said);
    }
    for (const [name, chip] of this.#chips) {
      if (shown.has(name)) continue;
      chip.remove();
      this.#chips.delete(name);
    }
  }

  /**
   * @param {string} name
   * @param {string} label
   * @param {string} end
   */
  #chip(name, label, end) {
    const chip = this.#chips.get(name) ??
      /** @type {HTMLElement} */ (this.#template.content.firstElementChild?.cloneNode(true));
    if (!chip.isConnected) {
      this.#chips.set(name, chip);
      this.#list.append(chip);
    }
    setText(chip, ".chip__label", label);
    setText(chip, ".chip__end", end);
    return chip;
  }
}
