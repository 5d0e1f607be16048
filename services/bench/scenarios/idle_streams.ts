/** (e): what a stream costs on which nothing happens. */
import { residentBytes } from "../measure.ts";
import type { Options } from "../options.ts";
import type { Results } from "../results.ts";
import { startEach } from "../servers/all.ts";
import type { Server } from "../servers/server.ts";
import { LoadProcess } from "../load/process.ts";
import { sum } from "../statistics.ts";
import { pause } from "../window.ts";

const KIB = 1024;
/** Until what was only needed to open the streams has been given back, as far as it is. */
const SETTLE_SECONDS = 3;

/** Bytes of memory for each stream. */
interface Costs {
  readonly ofThousand: number;
  readonly ofTenThousand: number;
}

export async function idleStreams(options: Options, results: Results): Promise<void> {
  const costs = new Map<string, Costs[]>();
  for (let run = 0; run < options.runs; run++) {
    for await (const started of startEach(results)) {
      await using server = started;
      costs.set(server.name, [...costs.get(server.name) ?? [], await measure(server, results)]);
    }
  }
  for (const [name, runs] of costs) {
    const thousand = `(e) memory of an idle stream among 1,000, ${name}`;
    const tenThousand = `(e) memory of an idle stream among 10,000, ${name}`;
    results.addFigures(
      { name: thousand, unit: "KiB", values: runs.map(({ ofThousand }) => ofThousand / KIB) },
      {
        name: tenThousand,
        unit: "KiB",
        ...(name === "ours" && { target: { below: 10 } }),
        values: runs.map(({ ofTenThousand }) => ofTenThousand / KIB),
      },
    );
  }
}

async function measure(server: Server, results: Results): Promise<Costs> {
  const memory = async () => sum(await Promise.all(server.pids.map(residentBytes)));
  const open = (clients: number) =>
    LoadProcess.start({ port: server.port, path: server.streamPath("/bench/all"), clients });
  const before = await memory();
  await using first = await open(1000);
  await pause(SETTLE_SECONDS);
  const withThousand = await memory();
  await using others = await open(9000);
  await pause(SETTLE_SECONDS);
  const withTenThousand = await memory();
  const failed = first.ready.failed + others.ready.failed;
  if (failed > 0) results.note(`(e) ${server.name}: ${failed} streams could not be opened`);
  return { ofThousand: (withThousand - before) / 1000, ofTenThousand: (withTenThousand - before) / 10_000 };
}
