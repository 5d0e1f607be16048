/** (d): some stop reading, and the others should not feel it. */
import { peakBytes, residentBytes } from "../measure.ts";
import type { Options } from "../options.ts";
import { perRun, type Results } from "../results.ts";
import { startOurs } from "../servers/ours.ts";
import { measureWindow, type Window } from "../window.ts";

const CLIENTS = 1000;
const STALLED = 50;
const RATE = 1000;
/** Until those who do not read have filled what the system keeps for them, and what the streamer does. */
const WARM_UP_SECONDS = 10;
const MIB = 1024 * 1024;

interface Run extends Window {
  /** Bytes of the streamer: before the streams, and at most. */
  readonly before: number;
  readonly peak: number;
}

export async function slowReaders(options: Options, results: Results): Promise<void> {
  const without: Run[] = [];
  const among: Run[] = [];
  for (let run = 0; run < options.runs; run++) {
    without.push(await measure(0, options));
    among.push(await measure(STALLED, options));
  }
  results.addWindows(`${CLIENTS - STALLED} subscribers, ${RATE} updates/s, none slow`, without);
  results.addWindows(`the same among ${STALLED} that do not read`, among);
  results.addFigures({
    name: "(d) p99 of the healthy readers among 50 that do not read, beside that without them",
    unit: "x",
    target: { below: 1.2 },
    values: perRun(among, without, ({ latency }) => latency.p99 ?? NaN),
  }, {
    name: "(d) memory that those 50 cost the streamer, at most",
    unit: "MiB",
    // SUBSCRIBER_BUFFER for each of them, and half as much again for what the heap has not given back.
    target: { below: 1.5 * STALLED },
    values: among.map(({ peak }, run) => (peak - without[run]!.peak) / MIB),
  });
  for (const [name, runs] of [["none slow", without], [`${STALLED} that do not read`, among]] as const) {
    results.addFigures(
      { name: `(d) streamer before, ${name}`, unit: "MiB", values: runs.map(({ before }) => before / MIB) },
      { name: `(d) streamer at most, ${name}`, unit: "MiB", values: runs.map(({ peak }) => peak / MIB) },
    );
  }
  results.addFigures({
    name: "(d) closed of those that do not read",
    unit: "",
    values: among.map(({ stalledClosed }) => stalledClosed),
  });
}

/** Each with services of its own: memory that was taken once may not be given back. */
async function measure(stalled: number, options: Options): Promise<Run> {
  await using server = await startOurs();
  const [pid = 0] = server.pids;
  const before = await residentBytes(pid);
  const window = await measureWindow(server, {
    ...options,
    warmUpSeconds: WARM_UP_SECONDS,
    clients: CLIENTS - STALLED + stalled,
    rate: RATE,
    stalled,
  });
  return { ...window, before, peak: await peakBytes(pid) };
}
