/** Results as text for a terminal, and as JSON. */
import type { Options } from "./options.ts";
import { type Measured, microsecondsPerEvent, type Results } from "./results.ts";
import { median, sum } from "./statistics.ts";
import { alignColumns, type Figure, format, formatTable, verdict } from "./table.ts";
import type { Window } from "./window.ts";

export function showResults({ ratios, measured, figures, notes }: Results): string {
  return [
    ...section("Ratios and targets", ratios.length > 0 && formatTable(ratios)),
    ...section("Runs: medians, with the least and the most", measured.length > 0 && formatMeasured(measured)),
    ...section("Other figures", figures.length > 0 && formatTable(figures)),
    ...(notes.length > 0 ? ["Notes", "", ...notes.map((note) => `- ${note}`)] : []),
  ].join("\n");
}

function section(title: string, table: string | false): string[] {
  return table === false ? [] : [title, "", table, ""];
}

/** The columns of a table of runs. */
const COLUMNS: Readonly<Record<string, (window: Window) => number>> = {
  "delivered/s": ({ deliveredPerSecond }) => deliveredPerSecond,
  "µs of CPU each": microsecondsPerEvent,
  "per chunk": ({ eventsPerChunk }) => eventsPerChunk,
  "CPU %": ({ cpu, seconds }) => 100 * cpu / seconds,
  "others' CPU %": ({ othersCpu, seconds }) => 100 * sum(Object.values(othersCpu)) / seconds,
  "load's CPU %": ({ loadCpu }) => 100 * loadCpu,
  "p50 ms": ({ latency }) => latency.p50 ?? NaN,
  "p99 ms": ({ latency }) => latency.p99 ?? NaN,
  "max ms": ({ latency }) => latency.max ?? NaN,
};

function formatMeasured(measured: readonly Measured[]): string {
  const rows = measured.map(({ what, windows }) => [
    what,
    ...Object.values(COLUMNS).map((of) => {
      const values = windows.map(of);
      const [mid, least, most] = [median(values), Math.min(...values), Math.max(...values)].map(format);
      return windows.length > 1 ? `${mid} (${least}–${most})` : `${mid}`;
    }),
  ]);
  return alignColumns([["what", ...Object.keys(COLUMNS)], ...rows], (column) => column > 0);
}

export interface Report {
  readonly machine: string;
  readonly options: Options;
  readonly results: Results;
}

export async function writeJson(file: string, { machine, options, results }: Report): Promise<void> {
  const { runs, seconds, warmUpSeconds } = options;
  const described = (figures: readonly Figure[]) =>
    figures.map((figure) => ({
      ...figure,
      median: median(figure.values),
      ...(figure.target !== undefined && { verdict: verdict(figure) }),
    }));
  const { ratios, measured, figures, notes, points } = results;
  const report = {
    machine,
    runs,
    seconds,
    warmUpSeconds,
    ratios: described(ratios),
    measured,
    figures: described(figures),
    points,
    notes,
  };
  await Deno.writeTextFile(file, `${JSON.stringify(report, undefined, 2)}\n`);
}
