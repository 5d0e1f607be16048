// @ts-check
/// <reference lib="dom" />
/**
 * Owns the desktop notifications: the button that asks for them and turns them on and off, and their pace.
 *
 * @module
 */

/** @typedef {import("./update.js").Update} Update */

/**
 * @typedef {object} NotificationElements
 * @property {HTMLButtonElement} button
 * @property {HTMLElement} help Explains why there can be no notifications; the button opens it.
 */

/** Alerts that come faster are told together: a pile of notifications is worse than none. */
const NOTIFY_EVERY_MS = 2_000;
const STORAGE_KEY = "notifications";
const BODY_CHARACTERS_MAX = 200;

const HELP = {
  unsupported:
    "This browser has no desktop notifications for this page. They need a desktop browser and HTTPS.",
  denied: "Notifications are blocked for this page. Open the site settings beside the address, allow " +
    "notifications, then reload the page.",
};

/** @type {Record<string, string>} */
const LABELS = {
  unsupported: "Notifications unavailable",
  denied: "Notifications blocked",
  default: "Notify me of alerts",
  on: "Notifications on",
  off: "Notifications off",
};

export class Notifications {
  #elements;
  #isWanted = readPreference();
  /** Some phones have the permission but throw when a page uses it. */
  #isBroken = false;
  /** @type {Update[]} */
  #waiting = [];
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {NotificationElements} elements */
  constructor(elements) {
    this.#elements = elements;
    elements.button.addEventListener("click", () => this.#press());
    followPermission(() => this.#show());
    this.#show();
  }

  /** @param {Update} update One that has just happened and asks for attention. */
  raise(update) {
    if (this.#mode() !== "on") return;
    this.#waiting.push(update);
    if (this.#timer === undefined) this.#raiseWaiting();
  }

  #raiseWaiting() {
    this.#timer = undefined;
    const last = this.#waiting.at(-1);
    if (last === undefined) return;
    const title = this.#waiting.length === 1 ? "Alert" : `${this.#waiting.length} alerts`;
    this.#waiting = [];
    this.#timer = setTimeout(() => this.#raiseWaiting(), NOTIFY_EVERY_MS);
    this.#notify(title, last);
  }

  /**
   * @param {string} title
   * @param {Update} update
   */
  #notify(title, update) {
    try {
      const notification = new Notification(title, {
        body: update.message.slice(0, BODY_CHARACTERS_MAX),
        icon: new URL("favicon.svg", document.baseURI).href,
        // Several tabs with this page replace each other's notification of the same update.
        tag: update.id,
      });
      notification.onclick = () => {
        focus();
        notification.close();
      };
    } catch {
      // Chrome on Android has the constructor but allows it to service workers only.
      this.#isBroken = true;
      this.#show();
    }
  }

  async #press() {
    const mode = this.#mode();
    if (mode === "unsupported" || mode === "denied") return this.#toggleHelp();
    if (mode === "default") await Notification.requestPermission();
    this.#isWanted = mode !== "on";
    writePreference(this.#isWanted);
    this.#show();
  }

  /** @returns {"unsupported" | "denied" | "default" | "on" | "off"} */
  #mode() {
    if (this.#isBroken || !("Notification" in globalThis) || !isSecureContext) return "unsupported";
    if (Notification.permission !== "granted") return Notification.permission;
    return this.#isWanted ? "on" : "off";
  }

  #toggleHelp() {
    const { button, help } = this.#elements;
    help.hidden = !help.hidden;
    button.setAttribute("aria-expanded", String(!help.hidden));
  }

  #show() {
    const { button, help } = this.#elements;
    const mode = this.#mode();
    button.dataset.notifications = mode;
    button.querySelector("use")?.setAttribute("href", mode === "on" ? "#icon-bell" : "#icon-bell-off");
    const label = button.querySelector("[data-notifications-label]");
    if (label !== null) label.textContent = LABELS[mode] ?? mode;

    help.hidden = true;
    if (mode === "unsupported" || mode === "denied") {
      help.textContent = HELP[mode];
      button.setAttribute("aria-expanded", "false");
      button.setAttribute("aria-controls", help.id);
    } else {
      button.removeAttribute("aria-expanded");
      button.removeAttribute("aria-controls");
    }
  }
}

/** @param {() => void} onChange The user may change the permission in the browser's own settings at any time. */
async function followPermission(onChange) {
  try {
    const status = await navigator.permissions.query({ name: "notifications" });
    status.addEventListener("change", onChange);
  } catch {
    // Without the Permissions API the state is read again at the next click.
  }
}

/** Wanted unless the user has turned them off: the permission itself was already asked for by a click. */
function readPreference() {
  try {
    return localStorage.getItem(STORAGE_KEY) !== "off";
  } catch {
    return true;
  }
}

/** @param {boolean} isWanted */
function writePreference(isWanted) {
  try {
    localStorage.setItem(STORAGE_KEY, isWanted ? "on" : "off");
  } catch {
    // Storage is forbidden here; the choice lasts as long as the page.
  }
}
