// @ts-check
/// <reference lib="dom" />
/**
 * The rows in which matchers are typed.
 *
 * @module
 */

import { clone } from "./dom.js";
import { find } from "../logger/dom.js";

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
      find("input", HTMLInputElement, row).focus();
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
      type: find("select", HTMLSelectElement, row).value === "urlpattern" ? "urlpattern" : "exact",
      value: find("input", HTMLInputElement, row).value,
    }));
  }

  /**
   * Whether every row has a value. Leads to the first one that has none.
   *
   * @returns {boolean}
   */
  check() {
    const empty = this.#rows().map((row) => find("input", HTMLInputElement, row)).filter(({ value }) =>
      value === ""
    );
    for (const input of empty) input.setAttribute("aria-invalid", "true");
    empty[0]?.focus();
    return empty.length === 0;
  }

  /** @param {Matcher} matcher */
  #append({ type, value }) {
    const row = clone(this.#template);
    find("select", HTMLSelectElement, row).value = type;
    find("input", HTMLInputElement, row).value = value;
    find("button", HTMLButtonElement, row).addEventListener("click", () => this.#remove(row));
    this.#list.append(row);
    return row;
  }

  /** @param {HTMLElement} row */
  #remove(row) {
    const next = row.nextElementSibling ?? row.previousElementSibling;
    row.remove();
    this.#number();
    // The button is gone; the keyboard goes on at the row that took its place.
    if (next !== null) find("input", HTMLInputElement, next).focus();
    this.#onChange();
  }

  /** Each field says of which row it is, and the only row cannot be removed. */
  #number() {
    const rows = this.#rows();
    rows.forEach((row, i) => {
      find("select", HTMLSelectElement, row).ariaLabel = `Type of matcher ${i + 1}`;
      find("input", HTMLInputElement, row).ariaLabel = `Matcher ${i + 1}`;
      const button = find("button", HTMLButtonElement, row);
      button.ariaLabel = `Remove matcher ${i + 1}`;
      button.hidden = rows.length === 1;
    });
  }

  #rows() {
    return Array.from(this.#list.children);
  }
}
