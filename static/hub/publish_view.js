// @ts-check
/// <reference lib="dom" />
/**
 * The part that publishes an update, and says what the hub answers.
 *
 * @module
 */

import { noAnswer, readRefusal } from "../logger/refusal.js";
import { publicationFields, publishCommand, readTopics } from "./commands.js";
import { setText } from "./dom.js";
import { find } from "../logger/dom.js";
import { showNotice } from "./notice.js";
import { explainRefusal } from "./refusal.js";

/** @typedef {import("./commands.js").Publication} Publication */
/** @typedef {import("./notice.js").NoticeText} NoticeText */

/** Somebody who has waited this long wants to be told. */
const ANSWER_MS_MAX = 15_000;

export class PublishView {
  #hubUrl;
  #readToken;
  #isBusy = false;

  #root = find("#publish", HTMLElement);
  #form = find("form", HTMLFormElement, this.#root);
  #notice = find("[data-notice]", HTMLElement, this.#root);
  #button = find("[data-publish]", HTMLButtonElement, this.#root);
  #topics = find("[name=topics]", HTMLTextAreaElement, this.#root);

  /** @param {{ hubUrl: URL, readToken: () => string }} options */
  constructor({ hubUrl, readToken }) {
    this.#hubUrl = hubUrl;
    this.#readToken = readToken;
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#publish();
    });
    this.#form.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.#form.requestSubmit();
    });
    this.#form.addEventListener("input", () => this.#showCommand());
    this.#topics.addEventListener("input", () => this.#topics.removeAttribute("aria-invalid"));
    this.#showCommand();
  }

  /** @returns {Publication} */
  #read() {
    const field = (/** @type {string} */ name) => find(`[name=${name}]`, HTMLInputElement, this.#form);
    return {
      topics: readTopics(this.#topics.value),
      data: find("[name=data]", HTMLTextAreaElement, this.#form).value,
      isPrivate: field("private").checked,
      id: field("id").value,
      type: field("type").value,
      retry: field("retry").value,
    };
  }

  #showCommand() {
    setText(find("#publish-curl", HTMLElement), publishCommand(this.#hubUrl, this.#read()));
  }

  async #publish() {
    if (this.#isBusy) return;
    const publication = this.#read();
    if (publication.topics.length === 0) {
      this.#topics.setAttribute("aria-invalid", "true");
      this.#topics.focus();
      showNotice(this.#notice, {
        level: "error",
        title: "An update needs a topic",
        lines: ["Type at least one."],
      });
      return;
    }
    this.#isBusy = true;
    this.#button.ariaBusy = "true";
    showNotice(this.#notice, await this.#send(publication));
    this.#isBusy = false;
    this.#button.ariaBusy = "false";
  }

  /**
   * @param {Publication} publication
   * @returns {Promise<NoticeText>}
   */
  async #send(publication) {
    const token = this.#readToken();
    try {
      const response = await fetch(this.#hubUrl, {
        method: "POST",
        headers: token === "" ? {} : { Authorization: `Bearer ${token}` },
        body: new URLSearchParams(publicationFields(publication)),
        credentials: "omit",
        signal: AbortSignal.timeout(ANSWER_MS_MAX),
      });
      if (!response.ok) return this.#explain(await readRefusal(response), token);
      const id = await response.text();
      return { level: "good", title: `${response.status}: published`, lines: [`Its id is \`${id}\`.`] };
    } catch (error) {
      if (error instanceof DOMException && error.name === "TimeoutError") {
        return {
          level: "error",
          title: "No answer in time",
          lines: ["The update may be published all the same; look at the log."],
        };
      }
      return this.#explain(noAnswer(), token);
    }
  }

  /**
   * @param {import("../logger/types.d.ts").Refusal} refusal
   * @param {string} token
   * @returns {NoticeText}
   */
  #explain(refusal, token) {
    const { title, advice } = explainRefusal(refusal, {
      action: "publish",
      hasToken: token !== "",
      hubUrl: this.#hubUrl,
    });
    return { level: "error", title, lines: advice, requestId: refusal.requestId };
  }
}
