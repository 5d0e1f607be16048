/** (a), (b): one topic for all subscribers, beside the peers. */
import type { Options } from "../options.ts";
import { microsecondsPerEvent, perRun, type Results } from "../results.ts";
import { startEach } from "../servers/all.ts";
import type { Server } from "../servers/server.ts";
import { median } from "../statistics.ts";
import { measureWindow, type Window } from "../window.ts";

const CLIENTS = 1000;
const RATES = [10, 100, 1000, 10_000];
/** Where peers are overloaded many times over, what they do tells nothing more. */
const MOST_FOR_PEERS = 1000;

/** By name of the server and rate, one for each run. */
type Windows = ReadonlyMap<string, ReadonlyMap<number, readonly Window[]>>;

export async function fanOut(options: Options, results: Results): Promise<void> {
  const windows = await measureAll(
    { rates: RATES, clients: CLIENTS, what: "1,000 subscribers" },
    options,
    results,
  );
  for (const [server, byRate] of windows) {
    for (const [rate, runs] of byRate) {
      results.points.push({
        server,
        rate,
        eventsPerCpuSecond: median(runs.map(({ delivered, cpu }) => delivered / cpu)),
        p50: median(runs.map(({ latency }) => latency.p50 ?? NaN)),
        p99: median(runs.map(({ latency }) => latency.p99 ?? NaN)),
      });
    }
  }
  results.addFigures({
    // Of ten million that are offered: a publisher that is a little late does not decide it.
    name: "(a) delivered at 10,000 updates/s to 1,000 subscribers",
    unit: "1/s",
    target: { atLeast: 1_000_000 },
    values: of(windows, "ours", 10_000).map(({ deliveredPerSecond }) => deliveredPerSecond),
  }, {
    name: "(a) part of what is published that is delivered in the same time, at 1,000 updates/s",
    unit: "",
    target: { atLeast: 0.98 },
    values: of(windows, "ours", 1000).map(({ delivered, updates }) => delivered / (updates * CLIENTS)),
  });
  compareWithNchan(windows, results);
}

export async function manySubscribers(options: Options, results: Results): Promise<void> {
  const windows = await measureAll(
    { rates: [10], clients: 10_000, what: "10,000 subscribers" },
    options,
    results,
  );
  for (const server of windows.keys()) {
    if (server === "ours") continue;
    results.addFigures({
      name: `(b) processor time of an event to 10,000 subscribers at 10 updates/s, beside ${server}`,
      unit: "x",
      values: perRun(of(windows, "ours", 10), of(windows, server, 10), microsecondsPerEvent),
    });
  }
}

interface Plan {
  readonly rates: readonly number[];
  readonly clients: number;
  readonly what: string;
}

/** One run after another, and in each of them all servers one after another: what disturbs them disturbs all. */
async function measureAll(
  { rates, clients, what }: Plan,
  options: Options,
  results: Results,
): Promise<Windows> {
  await using owned = new AsyncDisposableStack();
  const servers: Server[] = [];
  for await (const server of startEach(results)) servers.push(owned.use(server));
  const windows = new Map(servers.map(({ name }) => [name, new Map<number, readonly Window[]>()]));
  for (const rate of rates) {
    const measured = servers.filter(({ name }) => name === "ours" || rate <= MOST_FOR_PEERS)
      .map((server) => ({ server, runs: [] as Window[] }));
    for (let run = 0; run < options.runs; run++) {
      for (const { server, runs } of measured) {
        runs.push(await measureWindow(server, { ...options, clients, rate }));
      }
    }
    for (const { server: { name }, runs } of measured) {
      windows.get(name)?.set(rate, runs);
      results.addWindows(`${what}, ${rate.toLocaleString("en")} updates/s, ${name}`, runs);
    }
  }
  return windows;
}

function compareWithNchan(windows: Windows, results: Results): void {
  if (!windows.has("Nchan")) return;
  const best = RATES.filter((rate) => rate <= MOST_FOR_PEERS)
    .map((rate) => of(windows, "Nchan", rate))
    .toSorted((a, b) => median(a.map(microsecondsPerEvent)) - median(b.map(microsecondsPerEvent)))[0] ?? [];
  for (const rate of RATES.filter((rate) => rate >= 1000)) {
    results.addFigures({
      name: `(a) events per processor second at ${rate.toLocaleString("en")} updates/s, beside Nchan's best`,
      unit: "x",
      target: { atLeast: 20 },
      values: perRun(of(windows, "ours", rate), best, ({ delivered, cpu }) => delivered / cpu),
    });
  }
  const ours = of(windows, "ours", 10);
  const nchan = of(windows, "Nchan", 10);
  results.addFigures({
    name: "(a) processor time of an event at 10 updates/s, beside Nchan's",
    unit: "x",
    target: { below: 1.3 },
    values: perRun(ours, nchan, microsecondsPerEvent),
  }, {
    name: "(a)   the same with the forwarder's",
    unit: "x",
    values: perRun(
      ours,
      nchan,
      ({ cpu, othersCpu, delivered }) => (cpu + (othersCpu.forwarder ?? 0)) / delivered,
    ),
  }, {
    name: "(a) p99 from publish to receipt at 10 updates/s, beside Nchan's",
    unit: "x",
    target: { below: 1 },
    values: perRun(ours, nchan, ({ latency }) => latency.p99 ?? NaN),
  });
}

function of(windows: Windows, name: string, rate: number): readonly Window[] {
  return windows.get(name)?.get(rate) ?? [];
}
