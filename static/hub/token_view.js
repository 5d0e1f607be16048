// @ts-check
/// <reference lib="dom" />
/**
 * The part that holds the token for the others, and shows what it says. It stays in this tab: in the session's
 * storage, so that a reload keeps it, and never in an address.
 *
 * @module
 */

import { createCode, find, setRichText, setText } from "./dom.js";
import { formatDuration } from "./duration.js";
import { readToken, tidyToken } from "./token.js";

/** @typedef {import("./token.js").Grant} Grant */
/** @typedef {import("./token.js").Reading} Reading */

const STORED_AS = "mercure-hub-token";
const TICK_MS = 1_000;

const moment = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });

export class TokenView {
  #hubUrl;
  /** What the hub calls itself; tokens must name it as their audience. */
  #audience;
  #isAudienceAsked = false;
  /** What the other parts do when the token has changed. */
  onChange = () => {};
  #token = "";
  /** @type {Reading | undefined} */
  #reading;
  #readAt = 0;

  #root = find(document, "#token", HTMLElement);
  #field = find(this.#root, "[data-token]", HTMLInputElement);
  #show = find(this.#root, "[data-show]", HTMLButtonElement);
  #forget = find(this.#root, "[data-forget]", HTMLButtonElement);

  /** @param {URL} hubUrl */
  constructor(hubUrl) {
    this.#hubUrl = hubUrl;
    this.#audience = hubUrl.href;
    this.#field.addEventListener("input", () => this.#take(this.#field.value));
    this.#show.addEventListener("click", () => {
      const isShown = this.#field.type === "text";
      this.#field.type = isShown ? "password" : "text";
      this.#show.ariaPressed = String(!isShown);
    });
    this.#forget.addEventListener("click", () => {
      this.#field.value = "";
      this.#take("");
      this.#field.focus();
    });
    setInterval(() => this.#tick(), TICK_MS);
    this.#field.value = restore();
    this.#take(this.#field.value);
  }

  get value() {
    return this.#token;
  }

  /** @param {string} text */
  #take(text) {
    this.#token = tidyToken(text);
    store(this.#token);
    this.#forget.hidden = this.#token === "";
    this.#read();
    this.onChange();
    if (this.#token !== "") this.#askAudience();
  }

  /** The hub may have another name than the address that this page was opened at; its metadata say it (RFC 9728). */
  async #askAudience() {
    if (this.#isAudienceAsked) return;
    this.#isAudienceAsked = true;
    try {
      const path = `/.well-known/oauth-protected-resource${this.#hubUrl.pathname}`;
      const response = await fetch(new URL(path, this.#hubUrl), { credentials: "omit" });
      const { resource } = await response.json();
      if (!response.ok || typeof resource !== "string") return;
      this.#audience = resource;
      this.#read();
    } catch {
      // Without metadata the address that this page asks is the best guess.
    }
  }

  #read() {
    const now = this.#readAt = Date.now();
    const reading = this.#token === "" ? undefined : readToken(this.#token, { hubUrl: this.#audience, now });
    this.#reading = reading;
    find(this.#root, "[data-token-help]", HTMLElement).hidden = reading !== undefined;
    find(this.#root, "[data-token-facts]", HTMLElement).hidden = reading === undefined;
    if (reading !== undefined) this.#describe(reading);
    this.#tick();
  }

  /** @param {Reading} reading */
  #describe(reading) {
    const { header, claims, mistakes, publish, subscribe } = reading;
    const list = find(this.#root, "[data-mistakes]", HTMLElement);
    list.replaceChildren(...mistakes.map(({ level, text }) => {
      const item = document.createElement("li");
      item.dataset.level = level;
      const label = document.createElement("strong");
      label.textContent = level === "error" ? "Error: " : "Warning: ";
      const words = document.createElement("span");
      setRichText(words, text);
      item.append(label, words);
      return item;
    }));
    const errors = mistakes.filter(({ level }) => level === "error").length;
    const summary = find(this.#root, "[data-token-summary]", HTMLElement);
    summary.dataset.level = errors > 0 ? "error" : mistakes.length > 0 ? "warning" : "good";
    setText(
      summary,
      errors > 0
        ? "The hub will refuse this token."
        : mistakes.length > 0
        ? "The hub may refuse this token."
        : "Nothing wrong can be seen from here.",
    );
    showGrants(find(this.#root, "[data-grants=publish]", HTMLElement), publish);
    showGrants(find(this.#root, "[data-grants=subscribe]", HTMLElement), subscribe);
    const isReadable = Object.keys(header).length > 0;
    find(this.#root, "[data-token-rights]", HTMLElement).hidden = !isReadable;
    find(this.#root, "[data-token-parts]", HTMLElement).hidden = !isReadable;
    setText(find(this.#root, "[data-header]", HTMLElement), JSON.stringify(header, null, 2));
    setText(find(this.#root, "[data-claims]", HTMLElement), JSON.stringify(claims, null, 2));
  }

  /** Says how long the token is still good, and looks at it again at the moment at which it is not. */
  #tick() {
    const expiresAt = this.#reading?.expiresAt;
    const element = find(this.#root, "[data-expires]", HTMLElement);
    if (expiresAt === undefined) return setText(element, "never, as far as it says");
    const leftMs = expiresAt - Date.now();
    const date = new Date(expiresAt);
    const at = Number.isNaN(date.getTime()) ? "" : `, ${moment.format(date)}`;
    const text = leftMs > 0 ? `in ${formatDuration(leftMs)}${at}` : `${formatDuration(-leftMs)} ago${at}`;
    setText(element, text);
    if (leftMs <= 0 && expiresAt > this.#readAt) this.#read();
  }
}

/**
 * @param {HTMLElement} list
 * @param {readonly Grant[]} grants
 */
function showGrants(list, grants) {
  const items = grants.map(({ match, type }) => {
    const item = document.createElement("li");
    item.append(createCode(match));
    if (match === "*") item.append(" (every topic)");
    else if (type !== "exact") item.append(type === "urlpattern" ? " (URL pattern)" : ` (${type})`);
    return item;
  });
  if (items.length === 0) {
    const item = document.createElement("li");
    item.textContent = "nothing";
    items.push(item);
  }
  list.replaceChildren(...items);
}

function restore() {
  try {
    return sessionStorage.getItem(STORED_AS) ?? "";
  } catch {
    // Storage may be forbidden; then a reload forgets the token.
    return "";
  }
}

/** @param {string} token */
function store(token) {
  try {
    if (token === "") sessionStorage.removeItem(STORED_AS);
    else sessionStorage.setItem(STORED_AS, token);
  } catch {
    // The same.
  }
}
