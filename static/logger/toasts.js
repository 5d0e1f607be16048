// @ts-check
/// <reference lib="dom" />
/**
 * Short notes at the lower edge that go away by themselves, unless someone is at them.
 *
 * @module
 */

const SHOWN_MS = 8_000;
const TOASTS_MAX = 3;

export class Toasts {
  #region;
  #template;

  /**
   * @param {HTMLElement} region A live region.
   * @param {HTMLTemplateElement} template
   */
  constructor(region, template) {
    this.#region = region;
    this.#template = template;
  }

  /**
   * @param {string} text
   * @param {{label: string, run: () => void}} [action]
   */
  show(text, action) {
    const toast = /** @type {HTMLElement} */ (this.#template.content.firstElementChild?.cloneNode(true));
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
      if (toast.matches(":hover, :focus-within")) setTimeout(leave, SHOWN_MS);
      else toast.remove();
    };
    setTimeout(leave, SHOWN_MS);
    this.#region.append(toast);
    while (this.#region.childElementCount > TOASTS_MAX) this.#region.firstElementChild?.remove();
  }
}
