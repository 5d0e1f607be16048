// @ts-check
/// <reference lib="dom" />
/**
 * The panel in which rules are made, switched and removed.
 *
 * @module
 */

import { permission, problemOf } from "./alert_bell.js";
import { find } from "./dom.js";
import { togglePopover } from "./menu.js";
import { cloneTemplate } from "./template.js";

/** @type {Record<string, string>} */
const PERMISSIONS = {
  unsupported: "This browser cannot do that for a page that comes over plain HTTP, or at all.",
  denied: "The browser blocks them for this page. You can allow them in its settings.",
  default: "The browser will ask you first.",
  granted: "",
};

/**
 * @param {import("./alert_bell.js").AlertBell} bell
 * @param {import("./panel_context.js").PanelContext} page
 */
export function openAlerts(bell, page) {
  const field = find("[data-alert-text]", HTMLInputElement);
  const problem = find("[data-alert-problem]", HTMLElement);
  const list = find("[data-alert-rules]", HTMLElement);
  const desktop = find("[data-alert-notify]", HTMLInputElement);
  const sound = find("[data-alert-sound]", HTMLInputElement);

  const show = () => {
    const { rules, notify, sound: hasSound } = bell.settings;
    const { activeElement } = document;
    const focused = list.contains(activeElement) && activeElement?.getAttribute("value");
    list.replaceChildren(...rules.map(({ text, isOn }) => {
      const row = cloneTemplate("[data-alert-rule]");
      const box = find("input", HTMLInputElement, row);
      const button = find("button", HTMLButtonElement, row);
      find("code", HTMLElement, row).textContent = text;
      box.value = button.value = text;
      box.checked = isOn;
      button.setAttribute("aria-label", `Remove ${text}`);
      return row;
    }));
    for (const box of list.querySelectorAll("input")) if (box.value === focused) box.focus();
    desktop.checked = notify && permission() === "granted";
    find("[data-alert-permission]", HTMLElement).textContent = PERMISSIONS[permission()] ?? "";
    sound.checked = hasSound;
  };
  /** @param {string} text */
  const showProblem = (text) => {
    problem.textContent = text;
    field.setAttribute("aria-invalid", `${text !== ""}`);
  };

  find("[data-alert-form]", HTMLFormElement).onsubmit = (event) => {
    event.preventDefault();
    const text = field.value.trim();
    showProblem(problemOf(text));
    field.focus();
    if (problem.textContent !== "") return;
    field.value = "";
    bell.save({ rules: [...bell.settings.rules.filter((rule) => rule.text !== text), { text, isOn: true }] });
  };
  field.oninput = () => showProblem("");
  list.onchange = ({ target }) => {
    const { value, checked } = /** @type {HTMLInputElement} */ (target);
    bell.save({
      rules: bell.settings.rules.map((rule) => rule.text === value ? { ...rule, isOn: checked } : rule),
    });
  };
  list.onclick = ({ target }) => {
    const button = target instanceof Element ? target.closest("button") : null;
    if (button === null) return;
    const removed = bell.settings.rules.filter(({ text }) => text === button.value);
    bell.save({ rules: bell.settings.rules.filter(({ text }) => text !== button.value) });
    // The button is gone, and the place of the keyboard must not be.
    field.focus();
    page.toast(`${button.value} is removed.`, {
      label: "Undo",
      run: () => bell.save({ rules: [...bell.settings.rules, ...removed] }),
    });
  };
  desktop.onchange = async () => {
    if (desktop.checked && permission() === "default") await Notification.requestPermission();
    bell.save({ notify: desktop.checked && permission() === "granted" });
  };
  sound.onchange = () => {
    bell.save({ sound: sound.checked });
    if (sound.checked) bell.beep();
  };
  find("[data-alert-test]", HTMLElement).onclick = () => bell.ring("Test", "an alert looks like this.");

  bell.onChange = show;
  find("[data-alert-elsewhere]", HTMLElement).hidden = page.isLeader();
  showProblem("");
  show();
  togglePopover(find("[data-alerts]", HTMLElement), find("[data-action=alerts]", HTMLElement));
}
