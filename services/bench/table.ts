/** The figures of several runs, as one table. */

export interface Figure {
  readonly name: string;
  readonly unit: string;
  /** What is aimed at: at least, or at most, so much in the median. */
  readonly target?: { readonly atLeast: number } | { readonly below: number };
  /** One value for each run. */
  readonly values: readonly number[];
}

export function formatTable(figures: readonly Figure[]): string {
  const rows = [
    ["what", "unit", "median", "min", "max", "target", ""],
    ...figures.map(({ name, unit, values, target }) => {
      const sorted = values.toSorted((a, b) => a - b);
      const median = sorted[Math.floor(sorted.length / 2)] ?? NaN;
      const numbers = [median, sorted[0] ?? NaN, sorted.at(-1) ?? NaN].map(format);
      return [name, unit, ...numbers, ...judge(median, target)];
    }),
  ];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row.map((cell, column) =>
      column >= 2 && column <= 5 ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!)
    ).join("  ").trimEnd()
  ).join("\n");
}

function judge(median: number, target: Figure["target"]): [string, string] {
  if (target === undefined) return ["", ""];
  if ("atLeast" in target) {
    return [`>= ${format(target.atLeast)}`, median >= target.atLeast ? "met" : "MISSED"];
  }
  return [`< ${format(target.below)}`, median < target.below ? "met" : "MISSED"];
}

function format(value: number): string {
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return value.toLocaleString("en", { maximumFractionDigits: digits, minimumFractionDigits: digits });
}
