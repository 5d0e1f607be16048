/** (c): as many topics as subscribers, so that each update is for one of them. */
import type { Options } from "../options.ts";
import type { Results } from "../results.ts";
import { startOurs } from "../servers/ours.ts";
import { measureWindow, type Window } from "../window.ts";

const CLIENTS = 10_000;

export async function manyTopics(options: Options, results: Results): Promise<void> {
  await using server = await startOurs();
  const selected: Window[] = [];
  const broadcast: Window[] = [];
  for (let run = 0; run < options.runs; run++) {
    const load = { ...options, clients: CLIENTS };
    selected.push(await measureWindow(server, { ...load, rate: 1000, topic: "/bench/{n}", topics: CLIENTS }));
    // At this rate each update is a write of its own to everybody, as it would be at a thousand if there was the time.
    broadcast.push(await measureWindow(server, { ...load, rate: 10 }));
  }
  results.addWindows("10,000 subscribers on 10,000 topics, 1,000 updates/s", selected);
  results.addWindows("10,000 subscribers on one topic, 10 updates/s", broadcast);
  results.addFigures({
    name: "(c) processor time of an update to all of 10,000, beside one to one of them",
    unit: "x",
    target: { atLeast: 5 },
    values: broadcast.map((window, run) => perUpdate(window) / perUpdate(selected[run]!)),
  }, {
    name: "(c) processor time of an update to all",
    unit: "µs",
    values: broadcast.map(perUpdate),
  }, {
    name: "(c) processor time of an update to one",
    unit: "µs",
    values: selected.map(perUpdate),
  });
}

function perUpdate({ cpu, updates }: Window): number {
  return cpu / updates * 1e6;
}
