// @ts-check
/// <reference lib="dom" />
/**
 * Lists the shortcuts, beside the language of the filter.
 *
 * @module
 */

import { find } from "./dom.js";
import { cloneTemplate } from "./template.js";

/**
 * @param {readonly { keys: string, what: string }[]} shortcuts Keys are separated by a comma and a space.
 * @param {{ areOn: boolean, setOn: (areOn: boolean) => void }} choice Whether single keys count. Source: WCAG 2.1.4.
 */
export function openHelp(shortcuts, { areOn, setOn }) {
  const box = find("[data-help-switch]", HTMLInputElement);
  box.checked = areOn;
  box.onchange = () => setOn(box.checked);
  find("[data-help-keys]", HTMLElement).replaceChildren(...shortcuts.map(({ keys, what }) => {
    const row = cloneTemplate("[data-help-key]");
    const list = find("dt", HTMLElement, row);
    for (const key of keys.split(", ")) {
      list.append(document.createElement("kbd"));
      find("kbd:last-child", HTMLElement, row).textContent = key;
    }
    find("dd", HTMLElement, row).textContent = what;
    return row;
  }));
  find("[data-help]", HTMLDialogElement).showModal();
}
