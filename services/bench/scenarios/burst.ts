/** (f): ten thousand connections at once. */
import type { Ready } from "../load/protocol.ts";
import type { Options } from "../options.ts";
import type { Results } from "../results.ts";
import { startEach } from "../servers/all.ts";
import { LoadProcess } from "../load/process.ts";

const CLIENTS = 10_000;

export async function burst(options: Options, results: Results): Promise<void> {
  const runs = new Map<string, Ready[]>();
  for (let run = 0; run < options.runs; run++) {
    for await (const started of startEach(results)) {
      await using server = started;
      await using load = await LoadProcess.start({
        port: server.port,
        path: server.streamPath("/bench/all"),
        clients: CLIENTS,
        inFlight: 0,
      });
      runs.set(server.name, [...runs.get(server.name) ?? [], load.ready]);
    }
  }
  for (const [name, readies] of runs) {
    const what = `(f) 10,000 connections at once, ${name}`;
    results.addFigures(
      { name: `${what}: all are open after`, unit: "s", values: readies.map(({ seconds }) => seconds) },
      { name: `${what}: half of them after`, unit: "ms", values: readies.map(({ head }) => head.p50 ?? NaN) },
      { name: `${what}: 99 % of them after`, unit: "ms", values: readies.map(({ head }) => head.p99 ?? NaN) },
      { name: `${what}: failed`, unit: "", values: readies.map(({ failed }) => failed) },
    );
  }
}
