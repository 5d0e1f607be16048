// @ts-check
/**
 * How a kind looks: the same on every page and every day.
 *
 * @module
 */

/** Clicks of every sort are of one hue; red is kept for errors. @type {Record<string, string>} */
const HUES = {
  pageview: "0",
  engagement: "7",
  click: "1",
  outbound: "1",
  download: "1",
  form: "1",
  error: "8",
  login: "2",
};
const OTHER_HUES = ["2", "3", "4", "5", "6"];
const OTHER_GLYPHS = 6;

/**
 * @param {string} kind
 * @returns {{hue: string, glyph: string}} For `data-hue` of design.css, and the address of a symbol of the page.
 */
export function kindLook(kind) {
  if (Object.hasOwn(HUES, kind)) return { hue: HUES[kind] ?? "", glyph: `#kind-${kind}` };
  let hash = 0;
  for (let i = 0; i < kind.length; i++) hash = (hash * 31 + kind.charCodeAt(i)) >>> 0;
  const hue = OTHER_HUES[hash % OTHER_HUES.length] ?? "";
  return { hue, glyph: `#kind-${Math.floor(hash / OTHER_HUES.length) % OTHER_GLYPHS}` };
}
