// @ts-check
/**
 * Says how long something takes, in the two greatest units that it has.
 *
 * @module
 */

/** @type {readonly [unit: string, seconds: number][]} */
const UNITS = [["d", 86_400], ["h", 3_600], ["min", 60], ["s", 1]];

/**
 * @param {number} ms
 * @returns {string} Such as "14 min 3 s".
 */
export function formatDuration(ms) {
  let seconds = Math.max(0, Math.round(ms / 1000));
  const first = UNITS.findIndex(([, size]) => seconds >= size);
  if (first === -1) return "0 s";
  const parts = [];
  for (const [unit, size] of UNITS.slice(first, first + 2)) {
    const count = Math.floor(seconds / size);
    seconds -= count * size;
    if (count > 0) parts.push(`${count} ${unit}`);
  }
  return parts.join(" ");
}
