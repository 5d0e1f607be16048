// @ts-check
/// <reference lib="dom" />
/**
 * Writes the figures into the page. They come from the stream, not from the rows that are drawn.
 *
 * @module
 */

/** @param {import("./types.d.ts").StatsSnapshot} snapshot */
export function showCounters({ p50, p95, rate, ...counts }) {
  const whole = new Intl.NumberFormat("en", { maximumFractionDigits: rate < 10 ? 1 : 0 });
  for (const element of document.querySelectorAll("[data-counter]")) {
    const name = element.getAttribute("data-counter") ?? "";
    const count = /** @type {Record<string, unknown>} */ (counts)[name];
    let text = typeof count === "number" ? whole.format(count) : "–";
    if (name === "rate") text = `${whole.format(rate)}/s`;
    else if (name === "latency" && p50 !== undefined && p95 !== undefined) {
      // The same unit once.
      text = `${duration(p50)} / ${duration(p95)}`.replace(/ (\w+)( \/ .* \1)$/, "$2");
    }
    if (element.textContent !== text) element.textContent = text;
    element.toggleAttribute("data-zero", text === "0" || text === "–");
  }
}

/** @param {number} ms */
function duration(ms) {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  return ms < 60_000 ? `${(ms / 1_000).toFixed(1)} s` : `${Math.round(ms / 60_000)} min`;
}
