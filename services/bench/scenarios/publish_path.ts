/** (h): the whole way of an update, from HTTP over the log on the disk to the streams. */
import { temporaryFolder } from "../child.ts";
import type { Options } from "../options.ts";
import type { Results } from "../results.ts";
import { startOurs } from "../servers/ours.ts";
import { measureWindow, type Window } from "../window.ts";

const CLIENTS = 100;
const RATES = [100, 1000, 5000];

export async function publishPath(options: Options, results: Results): Promise<void> {
  await using folder = await temporaryFolder(options.folder);
  await using server = await startOurs({ folder: folder.path, overHttp: true });
  for (const rate of RATES) {
    const runs: Window[] = [];
    for (let run = 0; run < options.runs; run++) {
      runs.push(await measureWindow(server, { ...options, clients: CLIENTS, rate }));
    }
    const what = `HTTP to 100 streams, ${rate.toLocaleString("en")} updates/s`;
    results.addWindows(what, runs);
    const add = (name: string, unit: string, of: (window: Window) => number) =>
      results.addFigures({ name: `(h) ${what}: ${name}`, unit, values: runs.map(of) });
    add("acknowledged", "1/s", ({ acknowledgedPerSecond }) => acknowledgedPerSecond);
    for (const name of ["broadcaster", "forwarder"]) {
      add(
        `processor time of the ${name} for one`,
        "µs",
        ({ othersCpu, updates }) => othersCpu[name]! / updates * 1e6,
      );
    }
    add("processor time of the streamer for one", "µs", ({ cpu, updates }) => cpu / updates * 1e6);
  }
}
