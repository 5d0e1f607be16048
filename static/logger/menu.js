// @ts-check
/// <reference lib="dom" />
/**
 * Opens popovers and menus where they belong.
 *
 * @module
 */

const MARGIN = 8;
/** @type {HTMLElement | undefined} What the pointer went down on while its popover was open. */
let closing;

/**
 * Opens a popover; the second click on its button closes it.
 *
 * @param {HTMLElement} popover
 * @param {HTMLElement} anchor
 * @returns {boolean} Whether it is open.
 */
export function togglePopover(popover, anchor) {
  // By the time of the click the browser has closed it, and it would open again.
  const isClosed = closing === anchor;
  closing = undefined;
  anchor.onpointerdown = () => {
    closing = popover.matches(":popover-open") ? anchor : undefined;
  };
  return !isClosed && popover.togglePopover({ source: anchor });
}

/**
 * Opens a menu at what it is about. The browser closes it, and brings the focus back.
 * Source of its keys: ARIA Authoring Practices Guide, "Menu and Menubar".
 *
 * @param {HTMLElement} menu A popover whose buttons are named by `data-do`.
 * @param {HTMLElement} anchor
 * @param {(name: string) => void} run
 */
export function openMenu(menu, anchor, run) {
  const items = [...menu.querySelectorAll("button")].filter((item) => !item.hidden);
  menu.onclick = ({ target }) => {
    const item = items.find((item) => item.contains(/** @type {Node} */ (target)));
    if (item === undefined) return;
    menu.hidePopover();
    run(item.dataset.do ?? "");
  };
  menu.onkeydown = (event) => {
    const at = items.findIndex((item) => item === document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
    if (event.key === "Tab") menu.hidePopover();
    if (to === undefined) return;
    event.preventDefault();
    items.at(to % items.length)?.focus();
  };
  if (!togglePopover(menu, anchor)) return;
  const { left, top, bottom } = anchor.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = menu;
  const isBelow = bottom + height + MARGIN <= innerHeight;
  menu.style.left = `${Math.max(MARGIN, Math.min(left, innerWidth - width - MARGIN))}px`;
  menu.style.top = `${Math.max(MARGIN, isBelow ? bottom : top - height)}px`;
  items[0]?.focus();
}
