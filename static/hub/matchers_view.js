// @ts-check
/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/**
 * The rows in which matchers are typed.
 *
 * @module
 */

import { clone, find } from "./dom.js";

/** @typedef {import("./matchers.js").Matcher} Matcher */

export class MatchersView {
  #list;
  #template;
  #onChange;

  /**
   * @param {{ list: HTMLElement, template: HTMLTemplateElement, add: HTMLButtonElement }} elements
   * @param {() => void} onChange
   */
  constructor({ list, template, add }, onChange) {
    this.#list = list;
    this.#template = template;
    this.#onChange = onChange;
    add.addEventListener("click", () => {
      const row = this.#append({ type: "urlpattern", value: "" });
      this.#number();
      find(row, "input", HTMLInputElement).focus();
      onChange();
    });
    list.addEventListener("input", (event) => {
      if (event.target instanceof HTMLInputElement) event.target.removeAttribute("aria-invalid");
      onChange();
    });
  }

  /** @param {readonly Matcher[]} matchers */
  show(matchers) {
    this.#list.replaceChildren();
    for (const matcher of matchers) this.#append(matcher);
    this.#number();
  }

  /** @returns {Matcher[]} */
  read() {
    return this.#rows().map((row) => ({
      type: find(row, "select", HTMLSelectElement).value === "urlpattern" ? "urlpattern" : "exact",
      value: find(row, "input", HTMLInputElement).value,
    }));
  }

  /**
   * Whether every row has a value. Leads to the first one that has none.
   *
   * @returns {boolean}
   */
  check() {
    const empty = this.#rows().map((row) => find(row, "input", HTMLInputElement)).filter(({ value }) =>
      value === ""
    );
    for (const input of empty) input.setAttribute("aria-invalid", "true");
    empty[0]?.focus();
    return empty.length === 0;
  }

  /** @param {Matcher} matcher */
  #append({ type, value }) {
    const row = clone(this.#template);
    find(row, "select", HTMLSelectElement).value = type;
    find(row, "input", HTMLInputElement).value = value;
    find(row, "button", HTMLButtonElement).addEventListener("click", () => this.#remove(row));
    this.#list.append(row);
    return row;
  }

  /** @param {HTMLElement} row */
  #remove(row) {
    const next = row.nextElementSibling ?? row.previousElementSibling;
    row.remove();
    this.#number();
    // The button is gone; the keyboard goes on at the row that took its place.
    if (next !== null) find(next, "input", HTMLInputElement).focus();
    this.#onChange();
  }

  /** Each field says of which row it is, and the only row cannot be removed. */
  #number() {
    const rows = this.#rows();
    rows.forEach((row, i) => {
      find(row, "select", HTMLSelectElement).ariaLabel = `Type of matcher ${i + 1}`;
      find(row, "input", HTMLInputElement).ariaLabel = `Matcher ${i + 1}`;
      const button = find(row, "button", HTMLButtonElement);
      button.ariaLabel = `Remove matcher ${i + 1}`;
      button.hidden = rows.length === 1;
    });
  }

  #rows() {
    return Array.from(this.#list.children);
  }
}
