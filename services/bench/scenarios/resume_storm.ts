/** (g): everybody comes back at once, and has missed something. */
import { peakBytes, residentBytes } from "../measure.ts";
import type { Options } from "../options.ts";
import type { Results } from "../results.ts";
import { startOurs } from "../servers/ours.ts";
import { LoadProcess } from "../load/process.ts";
import { PublisherProcess } from "../publisher/process.ts";

const CLIENTS = 5000;
const MISSED = 200;
const MIB = 1024 * 1024;

interface Run {
  readonly seconds: number;
  readonly lost: number;
  /** Bytes of the streamer: before, at most, and at the end. */
  readonly before: number;
  readonly peak: number;
  readonly after: number;
}

export async function resumeStorm(options: Options, results: Results): Promise<void> {
  const runs: Run[] = [];
  for (let run = 0; run < options.runs; run++) runs.push(await measure());
  const what = "(g) 5,000 clients come back, 200 updates behind each";
  results.addFigures(
    {
      name: `${what}: all have caught up after`,
      unit: "s",
      target: { below: 5 },
      values: runs.map(({ seconds }) => seconds),
    },
    { name: `${what}: were cut off`, unit: "", target: { below: 1 }, values: runs.map(({ lost }) => lost) },
    { name: `${what}: streamer before`, unit: "MiB", values: runs.map(({ before }) => before / MIB) },
    { name: `${what}: streamer at most`, unit: "MiB", values: runs.map(({ peak }) => peak / MIB) },
    { name: `${what}: streamer at the end`, unit: "MiB", values: runs.map(({ after }) => after / MIB) },
  );
}

async function measure(): Promise<Run> {
  await using server = await startOurs();
  const [pid = 0] = server.pids;
  await using publisher = await PublisherProcess.start({
    target: server.target,
    rate: 1000,
    burst: 1,
    topic: "/bench/all",
    topics: 1,
    dataLength: server.dataLength,
    // The first one is what they saw last.
    count: MISSED + 1,
  });
  await publisher.go();
  const { firstId, failed, error } = await publisher.published();
  if (firstId === null || failed > 0) throw new Error(`Could not publish: ${error}`);
  const before = await residentBytes(pid);
  await using load = await LoadProcess.start({
    port: server.port,
    path: server.streamPath("/bench/all"),
    clients: CLIENTS,
    samples: CLIENTS,
    headers: { "Last-Event-ID": firstId },
    behind: MISSED,
    inFlight: 0,
  });
  const { seconds, lost } = await load.caughtUp();
  return { seconds, lost, before, peak: await peakBytes(pid), after: await residentBytes(pid) };
}
