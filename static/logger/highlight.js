// @ts-check
/// <reference lib="dom" />
/**
 * Paints a text wherever it stands in the rows, without a change to their elements.
 *
 * @module
 */

const PARTS = ["kind", "site", "message"];

/**
 * @param {Iterable<import("./row.js").Row>} rows
 * @param {string} text "" for none.
 */
export function paintHighlight(rows, text) {
  if (!("highlights" in CSS)) return;
  const ranges = [];
  const wanted = text.toLowerCase();
  for (const row of wanted === "" ? [] : rows) {
    for (const part of PARTS) {
      const node = row.parts.get(part);
      if (node !== undefined) ranges.push(...rangesIn(node, wanted));
    }
  }
  CSS.highlights.set("found", new Highlight(...ranges));
}

/**
 * @param {Text} node
 * @param {string} text
 */
function rangesIn(node, text) {
  const ranges = [];
  const data = node.data.toLowerCase();
  // Lower case may be longer than what it is of, and then says nothing about places.
  if (data.length !== node.data.length) return [];
  for (let at = data.indexOf(text); at !== -1; at = data.indexOf(text, at + text.length)) {
    ranges.push(
      new StaticRange({
        startContainer: node,
        startOffset: at,
        endContainer: node,
        endOffset: at + text.length,
      }),
    );
  }
  return ranges;
}
