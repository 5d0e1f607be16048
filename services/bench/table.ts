/** The figures of several runs, as one table. */
import { median } from "./statistics.ts";

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
    ...figures.map((figure) => {
      const { name, unit, values } = figure;
      const sorted = values.toSorted((a, b) => a - b);
      const numbers = [median(values), sorted[0] ?? NaN, sorted.at(-1) ?? NaN].map(format);
      return [name, unit, ...numbers, formatTarget(figure), verdict(figure)];
    }),
  ];
  return alignColumns(rows, (column) => column >= 2 && column <= 5);
}

/** Rows of cells as text. */
export function alignColumns(
  rows: readonly (readonly string[])[],
  isNumber: (column: number) => boolean,
): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row.map((cell, column) =>
      isNumber(column) ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!)
    )
      .join("  ").trimEnd()
  ).join("\n");
}

/** Whether the target was met; empty where there is none. */
export function verdict({ values, target }: Figure): "met" | "MISSED" | "" {
  if (target === undefined) return "";
  const value = median(values);
  return ("atLeast" in target ? value >= target.atLeast : value < target.below) ? "met" : "MISSED";
}

function formatTarget({ target }: Figure): string {
  if (target === undefined) return "";
  return "atLeast" in target ? `>= ${format(target.atLeast)}` : `< ${format(target.below)}`;
}

export function format(value: number): string {
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return value.toLocaleString("en", { maximumFractionDigits: digits, minimumFractionDigits: digits });
}
