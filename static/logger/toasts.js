// @ts-check
/// <reference lib="dom" />
/**
 * Short notes at the lower edge that go away by themselves, unless someone is at them, or nobody at the page.
 *
 * @module
 */

import { find } from "./dom.js";
import { cloneTemplate } from "./template.js";

const SHOWN_MS = 8_000;
const TOASTS_MAX = 3;

export class Toasts {
  #region;

  /** @param {HTMLElement} region A live region. */
  constructor(region) {
    this.#region = region;
  }

  /**
   * @param {string} text
   * @param {{label: string, run: () => void}} [action]
   */
  show(text, action) {
    const toast = find(".toast", HTMLElement, cloneTemplate("[data-toast]"));
    const [button, close] = toast.querySelectorAll("button");
    toast.querySelector(".toast__text")?.append(text);
    close?.addEventListener("click", () => toast.remove());
    if (button !== undefined && action !== undefined) {
      button.textContent = action.label;
      button.hidden = false;
      button.addEventListener("click", () => {
        toast.remove();
        action.run();
      });
    }
    const leave = () => {
      if (document.hidden || toast.matches(":hover, :focus-within")) setTimeout(leave, SHOWN_MS);
      else toast.remove();
    };
    setTimeout(leave, SHOWN_MS);
    this.#region.append(toast);
    while (this.#region.childElementCount > TOASTS_MAX) this.#region.firstElementChild?.remove();
  }
}
