/**
 * publish: how many publishes are acknowledged per second, with every one of them on the disk, and what one costs. Unlike
 * that of the scenarios, the load comes from this process, so it takes part in what it measures.
 */
import { numberedUpdate } from "../../lib/testing/fixtures.ts";
import { ready, startForwarder, startHttpService } from "../../lib/testing/processes.ts";
import { temporaryFolder } from "../child.ts";
import { cpuSeconds } from "../measure.ts";
import type { Options } from "../options.ts";
import type { Results } from "../results.ts";
import { connect } from "../servers/ours.ts";
import type { Figure } from "../table.ts";

const PUBLISHERS = [1, 16, 256];
const WARM_UP_MS = 500;
const MEASURED_MS = 2000;
/** Bytes of an answer's head, at most. */
const ANSWER_BYTES = 16 * 1024;

export async function publish(options: Options, results: Results): Promise<void> {
  for (const bench of [benchDirect, benchHttp]) {
    await using folder = await temporaryFolder(options.folder);
    results.addFigures(...await bench(folder.path, options.runs));
  }
}

/** Over ØMQ, from one process with one socket. */
async function benchDirect(folder: string, runs: number): Promise<Figure[]> {
  await using forwarder = await startForwarder({ folder, env: { LOG_SYNC: "full" } });
  await using channel = connect(forwarder.ports);
  const update = numberedUpdate(1);
  await channel.latest();
  return await bench(runs, "direct", [forwarder.pid], {
    256: 20_000,
  }, () => Promise.resolve(async () => void await channel.publish(update)));
}

/** Over HTTP: each publisher has a connection of its own, which stays open. */
async function benchHttp(folder: string, runs: number): Promise<Figure[]> {
  await using forwarder = await startForwarder({ folder, env: { LOG_SYNC: "full" } });
  await using broadcaster = await startHttpService("broadcaster", {
    ...forwarder.ports,
    // All publishers are one client to it.
    MAX_BATCHES_PER_CLIENT: "0",
  });
  await ready(broadcaster.url);
  const pids = [forwarder.pid, broadcaster.pid];
  const port = Number(new URL(broadcaster.url).port);
  await using connections = new AsyncDisposableStack();
  return await bench(runs, "over HTTP", pids, { 256: 4_000 }, async () => {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port });
    connections.defer(() => connection.close());
    return () => post(connection);
  });
}

/** Sends bytes and looks for the status only: `fetch` would need more time for a report than the broadcaster. */
const REPORT = new TextEncoder().encode(
  "POST /event/pill:red HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n",
);

async function post(connection: Deno.Conn): Promise<void> {
  await connection.write(REPORT);
  const answer = new Uint8Array(ANSWER_BYTES);
  let text = "";
  while (!text.endsWith("\r\n\r\n")) {
    const count = await connection.read(answer);
    if (count === null) throw new Error("The broadcaster hung up");
    text += new TextDecoder().decode(answer.subarray(0, count));
  }
  if (!text.startsWith("HTTP/1.1 201")) throw new Error(`Not acknowledged: ${text}`);
}

async function bench(
  runs: number,
  way: string,
  pids: readonly number[],
  targets: Readonly<Record<number, number>>,
  connect: () => Promise<() => Promise<void>>,
): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const count of PUBLISHERS) {
    const publishers = await Promise.all(Array.from({ length: count }, connect));
    await publishFor(WARM_UP_MS, publishers);
    const measured: Awaited<ReturnType<typeof measure>>[] = [];
    for (let run = 0; run < runs; run++) measured.push(await measure(publishers, pids));
    const target = targets[count];
    figures.push({
      name: `(publish) acknowledged ${way}, ${count} publishers`,
      unit: "1/s",
      values: measured.map(({ perSecond }) => perSecond),
      ...(target !== undefined && { target: { atLeast: target } }),
    });
    for (const [index, name] of ["forwarder", "broadcaster"].slice(0, pids.length).entries()) {
      figures.push({
        name: `(publish) processor time of the ${name} for one, ${way}, ${count} publishers`,
        unit: "µs",
        values: measured.map(({ microseconds }) => microseconds[index] ?? NaN),
      });
    }
  }
  return figures;
}

async function measure(
  publishers: readonly (() => Promise<void>)[],
  pids: readonly number[],
): Promise<{ perSecond: number; microseconds: number[] }> {
  const before = await Promise.all(pids.map(cpuSeconds));
  const { count, seconds } = await publishFor(MEASURED_MS, publishers);
  const after = await Promise.all(pids.map(cpuSeconds));
  return {
    perSecond: count / seconds,
    microseconds: after.map((used, index) => (used - (before[index] ?? 0)) / count * 1e6),
  };
}

async function publishFor(
  ms: number,
  publishers: readonly (() => Promise<void>)[],
): Promise<{ count: number; seconds: number }> {
  let count = 0;
  const start = performance.now();
  await Promise.all(publishers.map(async (publish) => {
    while (performance.now() - start < ms) {
      await publish();
      count++;
    }
  }));
  return { count, seconds: (performance.now() - start) / 1000 };
}
