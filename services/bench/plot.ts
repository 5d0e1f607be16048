/** The two plots of the README, as SVG that follows the reader's light or dark scheme. */
import type { Point } from "./results.ts";
import { drawLines, type Line, type Plot } from "./plot_lines.ts";

/** Files by name. */
export type Plots = Readonly<Record<"fan-out.svg" | "latency.svg", string>>;

const RATE_TITLE = "updates per second, to 1,000 subscribers of one topic";

export function drawPlots(points: readonly Point[]): Plots {
  const servers = [...new Set(points.map(({ server }) => server))];
  const lineOf = (
    server: string,
    value: (point: Point) => number,
    rest: Pick<Line, "isDashed" | "label">,
  ): Line => ({
    ...rest,
    color: servers.indexOf(server),
    points: points.filter((point) => point.server === server && Number.isFinite(value(point)))
      .toSorted((a, b) => a.rate - b.rate).map((point) => [point.rate, value(point)]),
  });
  const fanOut: Plot = {
    title: "Delivered events per second of processor time",
    note: "more is better; both scales are logarithmic",
    xTitle: RATE_TITLE,
    lines: servers.map((server) =>
      lineOf(server, ({ eventsPerCpuSecond }) => eventsPerCpuSecond, { label: server, isDashed: false })
    ),
  };
  const latency: Plot = {
    title: "Milliseconds from publish to receipt",
    note: "less is better; solid: half of all events, dashed: 99 %",
    xTitle: RATE_TITLE,
    lines: servers.flatMap((server) => [
      lineOf(server, ({ p50 }) => p50, { label: `${server}, p50`, isDashed: false }),
      lineOf(server, ({ p99 }) => p99, { label: `${server}, p99`, isDashed: true }),
    ]),
  };
  return { "fan-out.svg": drawLines(fanOut), "latency.svg": drawLines(latency) };
}

export async function writePlots(folder: string, points: readonly Point[]): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  for (const [name, svg] of Object.entries(drawPlots(points))) {
    await Deno.writeTextFile(`${folder}/${name}`, svg);
  }
}
