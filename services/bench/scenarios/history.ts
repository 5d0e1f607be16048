/** history: what a long log costs, to start with it, to find a place in it, and to read from there. */
import { createParser } from "eventsource-parser";
import { UpdateLog } from "../../forwarder/update_log.ts";
import { numberedUpdate } from "../../lib/testing/fixtures.ts";
import { startForwarder } from "../../lib/testing/processes.ts";
import { temporaryFolder } from "../child.ts";
import { millisecondsOf, residentBytes } from "../measure.ts";
import type { Options } from "../options.ts";
import type { Results } from "../results.ts";
import { connect, startStreamer } from "../servers/ours.ts";
import type { Figure } from "../table.ts";

const MISSED = 100_000;
const KEPT = 1_000_000;
/** How far before the end a resume in the newest part begins. */
const NEWEST = 1000;
/** Looks for each run: one takes some milliseconds, so that a single one would say little. */
const LOOKS = 5;
const BATCH = 10_000;
const MIB = 1024 * 1024;

export async function history(options: Options, results: Results): Promise<void> {
  for (const bench of [benchResume, benchLongLog]) {
    await using folder = await temporaryFolder(options.folder);
    results.addFigures(...await bench(folder.path, options.runs));
  }
}

/** Writes a log of so many updates, as a forwarder would have left it. */
function fill(folder: string, count: number): void {
  using log = new UpdateLog({ path: `${folder}/updates.db`, sync: "normal" });
  for (let first = 1; first <= count; first += BATCH) {
    log.append(Array.from({ length: Math.min(BATCH, count - first + 1) }, (_, index) => ({
      update: numberedUpdate(first + index),
      requestKey: `key ${first + index}`,
    })));
  }
}

/** A client that missed many updates comes back: when it has the first and the last, and what the streamer needs. */
async function benchResume(folder: string, runs: number): Promise<Figure[]> {
  fill(folder, MISSED);
  await using forwarder = await startForwarder({ folder });
  const first: number[] = [];
  const last: number[] = [];
  const before: number[] = [];
  const after: number[] = [];
  for (let run = 0; run < runs; run++) {
    // A new one for each run: what an earlier one has read is kept in its memory.
    await using streamer = await startStreamer(forwarder.ports);
    const { pid } = streamer;
    before.push(await residentBytes(pid) / MIB);
    const times = await resume(streamer.url, "earliest", MISSED);
    after.push(await residentBytes(pid) / MIB);
    first.push(times.first);
    last.push(times.last);
  }
  const what = `(history) resume of ${MISSED.toLocaleString("en")}`;
  return [
    { name: `${what}: first event`, unit: "ms", values: first },
    { name: `${what}: last event`, unit: "ms", values: last },
    { name: `${what}: streamer's memory before`, unit: "MiB", values: before },
    { name: `${what}: streamer's memory after`, unit: "MiB", values: after },
  ];
}

/** Start, look-up and resume with a long log. */
async function benchLongLog(folder: string, runs: number): Promise<Figure[]> {
  fill(folder, KEPT);
  const what = `log of ${KEPT.toLocaleString("en")}`;
  // By default the log would begin to forget at this count, and at this size.
  const options = { folder, env: { RETAIN_UPDATES: "0", RETAIN_BYTES: "0" } };
  const empty: number[] = [];
  const restart: number[] = [];
  for (let run = 0; run < runs; run++) {
    empty.push(await millisecondsOf(() => startAndAsk({})));
    restart.push(await millisecondsOf(() => startAndAsk(options)));
  }

  await using forwarder = await startForwarder(options);
  await using channel = connect(forwarder.ports);
  await using streamer = await startStreamer(forwarder.ports);
  const locate: number[] = [];
  const first: number[] = [];
  for (let look = 0; look < LOOKS * runs; look++) {
    // Another one each time, so that the second look does not find the answer of the first.
    const id = `urn:test:${KEPT - NEWEST - look}`;
    locate.push(await millisecondsOf(() => channel.locate(id)));
    first.push((await resume(streamer.url, id, 1)).first);
  }
  return [
    { name: "(history) start of a forwarder until it answers, empty log", unit: "ms", values: empty },
    { name: `(history) start with a ${what}`, unit: "ms", target: { below: 1000 }, values: restart },
    {
      name: `(history) ${what}: locate an id in its newest part`,
      unit: "ms",
      target: { below: 20 },
      values: locate,
    },
    {
      name: `(history) ${what}: first event of a resume there`,
      unit: "ms",
      target: { below: 20 },
      values: first,
    },
  ];
}

async function startAndAsk(options: Parameters<typeof startForwarder>[0]): Promise<void> {
  await using forwarder = await startForwarder(options);
  await using channel = connect(forwarder.ports);
  await channel.latest();
}

/** Opens a stream after an id and reads so many events; milliseconds from the request to the first and the last. */
async function resume(url: string, id: string, count: number): Promise<{ first: number; last: number }> {
  const leave = new AbortController();
  const start = performance.now();
  let first: number | undefined;
  let seen = 0;
  const parser = createParser({
    onEvent: () => {
      first ??= performance.now() - start;
      seen++;
    },
  });
  const response = await fetch(`${url}events`, { headers: { "Last-Event-ID": id }, signal: leave.signal });
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  while (seen < count) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`The stream ended after ${seen} of ${count} events`);
    parser.feed(value);
  }
  const last = performance.now() - start;
  await reader.cancel();
  leave.abort();
  return { first: first ?? NaN, last };
}
