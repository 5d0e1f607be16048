/** One run: streams are opened, updates are published, and between two moments it is looked at what that took. */
import { doubtsAbout } from "./doubts.ts";
import { LoadProcess } from "./load/process.ts";
import type { Mark, Percentiles } from "./load/protocol.ts";
import { cpuSeconds } from "./measure.ts";
import { PublisherProcess } from "./publisher/process.ts";
import type { Server } from "./servers/server.ts";
import { sum } from "./statistics.ts";

/** Milliseconds in which nothing comes after which nothing more will. */
const SILENCE_MS = 1000;
/** Milliseconds after which an overloaded server is not waited for any longer. */
const DRAIN_MS = 10_000;

export interface WindowOptions {
  readonly clients: number;
  /** Updates per second. */
  readonly rate: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  /** How many of them are published together. Default: 1. */
  readonly burst?: number;
  readonly topic?: string;
  readonly topics?: number;
  readonly stalled?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What happened between two moments of a run. */
export interface Window {
  readonly seconds: number;
  readonly updates: number;
  readonly acknowledgedPerSecond: number;
  readonly delivered: number;
  readonly deliveredPerSecond: number;
  /** Bytes on the wire for each delivered event. */
  readonly bytesPerEvent: number;
  readonly eventsPerChunk: number;
  /** Seconds of processor time of the server. */
  readonly cpu: number;
  /** Of the other processes that an update passes, by name. */
  readonly othersCpu: Readonly<Record<string, number>>;
  /** Part of a core that the load took, and the publisher. */
  readonly loadCpu: number;
  readonly publisherCpu: number;
  readonly latency: Percentiles;
  readonly closed: number;
  readonly stalledClosed: number;
  /** What makes these figures doubtful. */
  readonly doubts: readonly string[];
}

/** Opens the streams, publishes, and measures once it is warm. */
export async function measureWindow(server: Server, options: WindowOptions): Promise<Window> {
  const { clients, rate, topic = "/bench/all", topics = 1, stalled = 0, headers = {} } = options;
  await using load = await LoadProcess.start({
    port: server.port,
    path: server.streamPath(topic),
    clients,
    stalled,
    headers,
    samples: topics > 1 ? clients : samplesFor(rate),
  });
  await using publisher = await PublisherProcess.start({
    target: server.target,
    rate,
    burst: options.burst ?? 1,
    topic,
    topics,
    dataLength: server.dataLength,
    count: 0,
  });
  await load.begin();
  const look = async () => {
    const pids = [...server.pids, load.pid, publisher.pid, ...Object.values(server.others)];
    const [mark, published, ...cpu] = await Promise.all([
      load.mark(),
      publisher.mark(),
      ...pids.map(cpuSeconds),
    ]);
    return { mark, published, cpu };
  };
  await publisher.go();
  await pause(options.warmUpSeconds);
  const before = await look();
  await pause(options.seconds);
  const after = await look();
  const end = await publisher.stop();
  const { last, isDrained } = await drained(load);

  const used = after.cpu.map((seconds, index) => seconds - before.cpu[index]!);
  const [loadUsed = NaN, publisherUsed = NaN, ...others] = used.slice(server.pids.length);
  const seconds = (after.mark.at - before.mark.at) / 1000;
  const updates = after.published.sent - before.published.sent;
  const delivered = after.mark.events - before.mark.events;
  const loadCpu = loadUsed / seconds;
  const publisherCpu = publisherUsed / seconds;
  return {
    seconds,
    updates,
    acknowledgedPerSecond: (after.published.acknowledged - before.published.acknowledged) / seconds,
    delivered,
    deliveredPerSecond: delivered / seconds,
    bytesPerEvent: (after.mark.wireBytes - before.mark.wireBytes) / delivered,
    eventsPerChunk: (after.mark.sampleEvents - before.mark.sampleEvents) /
      (after.mark.sampleChunks - before.mark.sampleChunks),
    cpu: sum(used.slice(0, server.pids.length)),
    othersCpu: Object.fromEntries(Object.keys(server.others).map((name, index) => [name, others[index]!])),
    loadCpu,
    publisherCpu,
    latency: after.mark.latency,
    closed: last.closed,
    stalledClosed: last.stalledClosed,
    doubts: doubtsAbout({
      rate,
      topics,
      updatesPerSecond: updates / seconds,
      loadCpu,
      publisherCpu,
      ready: load.ready,
      last,
      isDrained,
      published: end,
    }),
  };
}

/** Few at high rates, where each of them has enough to tell and reading their events costs the load too much. */
function samplesFor(rate: number): number {
  return Math.max(8, Math.min(64, Math.floor(64_000 / rate)));
}

/** Waits until nothing more comes, or for so long that it is of no use. */
async function drained(load: LoadProcess): Promise<{ readonly last: Mark; readonly isDrained: boolean }> {
  const end = performance.now() + DRAIN_MS;
  let last = await load.mark();
  let changed = performance.now();
  while (performance.now() - changed < SILENCE_MS && performance.now() < end) {
    await pause(0.1);
    const next = await load.mark();
    if (next.wireBytes !== last.wireBytes) changed = performance.now();
    last = next;
  }
  return { last, isDrained: performance.now() < end };
}

export function pause(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000));
}
