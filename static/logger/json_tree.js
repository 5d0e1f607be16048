// @ts-check
/// <reference lib="dom" />
/**
 * A value of JSON as a tree that opens where it is asked to. A branch is made when it is opened, so that neither depth
 * nor size of what a stranger sent can stall the page.
 *
 * @module
 */

const CHILDREN_MAX = 100;
const TEXT_MAX = 2_000;

/**
 * @param {unknown} value
 * @param {string} [name]
 * @returns {HTMLElement} Open when it has no name: the root.
 */
export function jsonTree(value, name) {
  if (typeof value !== "object" || value === null) return element("div", label(name), leaf(value));
  const entries = Object.entries(value);
  const count = Array.isArray(value) ? `[${entries.length}]` : `{${entries.length}}`;
  const branch = element("details", element("summary", label(name), named("size", count)));
  const grow = () => {
    if (branch.childElementCount > 1) return;
    const children = element("div");
    branch.append(children);
    inPortions(
      children,
      entries.length,
      CHILDREN_MAX,
      (from, to) => entries.slice(from, to).map(([name, value]) => jsonTree(value, name)),
    );
  };
  branch.addEventListener("toggle", grow);
  if (name === undefined) {
    branch.toggleAttribute("open", true);
    grow();
  }
  return branch;
}

/** Text of any length. @param {string} text */
export function longText(text) {
  const shown = element("bdi");
  inPortions(shown, text.length, TEXT_MAX, (from, to) => [text.slice(from, to)]);
  return shown;
}

/**
 * @param {HTMLElement} parent
 * @param {number} size
 * @param {number} portion
 * @param {(from: number, to: number) => (string | HTMLElement)[]} make
 */
function inPortions(parent, size, portion, make, from = 0) {
  const to = from + portion;
  parent.append(...make(from, to));
  if (to >= size) return;
  const more = element("button", `${(size - to).toLocaleString("en")} more`);
  more.className = "link";
  more.addEventListener("click", () => {
    more.remove();
    inPortions(parent, size, 10 * portion, make, to);
    // The button that had the focus is gone.
    const next = parent.lastElementChild;
    if (next instanceof HTMLButtonElement) next.focus();
  });
  parent.append(more);
}

/** @param {unknown} value */
function leaf(value) {
  if (typeof value === "string" && isLink(value)) {
    const link = element("a", longText(value));
    link.setAttribute("href", value);
    link.setAttribute("target", "_blank");
    link.setAttribute("rel", "noopener noreferrer");
    return link;
  }
  const shown = longText(JSON.stringify(value));
  shown.className = `json__${typeof value}`;
  return shown;
}

/** Anything else could be a script. @param {string} text */
function isLink(text) {
  return text.length <= TEXT_MAX && /^https?:\/\/\S+$/i.test(text) && URL.canParse(text);
}

/** @param {string} [name] */
function label(name) {
  return name === undefined ? "" : named("name", name);
}

/**
 * @param {string} part
 * @param {string} text
 */
function named(part, text) {
  const shown = element("bdi", text.slice(0, TEXT_MAX));
  shown.className = `json__${part}`;
  return shown;
}

/**
 * @param {string} tag
 * @param {(string | Node)[]} children
 */
function element(tag, ...children) {
  const made = document.createElement(tag);
  made.append(...children);
  return made;
}
