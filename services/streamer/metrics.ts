/** What the hub has done, for a monitoring system to fetch. Source: Prometheus, text-based exposition format 0.0.4. */
import type { App } from "../lib/http.ts";
import type { Hub } from "./hub.ts";

interface Metric {
  readonly name: string;
  readonly type: "counter" | "gauge";
  readonly help: string;
  /** Each value by its labels, written as the format has them; the empty string for none. */
  readonly values: Readonly<Record<string, number>>;
}

/** Answers `GET /metrics`. Numbers only: nothing in them tells what is published, or to whom. */
export function serveMetrics(app: App, hub: Hub): void {
  app.get("/metrics", (c) =>
    c.body(format(metricsOf(hub)), 200, {
      "Content-Type": "text/plain; version=0.0.4; charset=utf-8",
      "Cache-Control": "no-store",
    }));
}

function metricsOf({ size, live, counters }: Hub): Metric[] {
  const { updates, frames, fellBehind, ended } = counters;
  return [
    gauge("streams", "Open streams.", size),
    gauge("streams_live", "Open streams that have had everything so far.", live),
    counter("updates_total", "Updates that came from the channel.", { "": updates }),
    counter("frames_total", "Updates that were handed to live streams, once for each stream.", {
      "": frames,
    }),
    counter(
      "streams_fell_behind_total",
      "How often a live stream was too slow and went on at its own pace.",
      {
        "": fellBehind,
      },
    ),
    counter(
      "streams_ended_total",
      "Streams that are over, by the reason.",
      Object.fromEntries(Object.entries(ended).map(([reason, count]) => [`{reason="${reason}"}`, count])),
    ),
  ];
}

function gauge(name: string, help: string, value: number): Metric {
  return { name: `streamer_${name}`, type: "gauge", help, values: { "": value } };
}

function counter(name: string, help: string, values: Metric["values"]): Metric {
  return { name: `streamer_${name}`, type: "counter", help, values };
}

function format(metrics: readonly Metric[]): string {
  return metrics.flatMap(({ name, type, help, values }) => [
    `# HELP ${name} ${help}`,
    `# TYPE ${name} ${type}`,
    ...Object.entries(values).map(([labels, value]) => `${name}${labels} ${value}`),
  ]).map((line) => `${line}\n`).join("");
}
