// @ts-check
/// <reference lib="dom" />
/**
 * The part that holds the token for the others, and shows what it says. It stays in this tab: in the session's
 * storage, so that a reload keeps it, and never in an address.
 *
 * @module
 */

import { createCode, setRichText, setText } from "./dom.js";
import { find } from "../logger/dom.js";
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

  #root = find("#token", HTMLElement);
  #field = find("[data-token]", HTMLInputElement, this.#root);
  #show = find("[data-show]", HTMLButtonElement, this.#root);
  #forget = find("[data-forget]", HTMLButtonElement, this.#root);

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
    find("[data-token-help]", HTMLElement, this.#root).hidden = reading !== undefined;
    find("[data-token-facts]", HTMLElement, this.#root).hidden = reading === undefined;
    if (reading !== undefined) this.#describe(reading);
    this.#tick();
  }

  /** @param {Reading} reading */
  #describe(reading) {
    const { header, claims, mistakes, publish, subscribe } = reading;
    const list = find("[data-mistakes]", HTMLElement, this.#root);
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
    const summary = find("[data-token-summary]", HTMLElement, this.#root);
    summary.dataset.level = errors > 0 ? "error" : mistakes.length > 0 ? "warning" : "good";
    setText(
      summary,
      errors > 0
        ? "The hub will refuse this token."
        : mistakes.length > 0
        ? "The hub may refuse this token."
        : "Nothing wrong can be seen from here.",
    );
    showGrants(find("[data-grants=publish]", HTMLElement, this.#root), publish);
    showGrants(find("[data-grants=subscribe]", HTMLElement, this.#root), subscribe);
    const isReadable = Object.keys(header).length > 0;
    find("[data-token-rights]", HTMLElement, this.#root).hidden = !isReadable;
    find("[data-token-parts]", HTMLElement, this.#root).hidden = !isReadable;
    setText(find("[data-header]", HTMLElement, this.#root), JSON.stringify(header, null, 2));
    setText(find("[data-claims]", HTMLElement, this.#root), JSON.stringify(claims, null, 2));
  }

  /** Says how long the token is still good, and looks at it again at the moment at which it is not. */
  #tick() {
    const expiresAt = this.#reading?.expiresAt;
    const element = find("[data-expires]", HTMLElement, this.#root);
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
