/** gzip: the same events, compressed once and sent to all, beside those that are not. */
import type { Options } from "../options.ts";
import { microsecondsPerEvent, perRun, type Results } from "../results.ts";
import { startOurs } from "../servers/ours.ts";
import { measureWindow, type Window } from "../window.ts";

const LOADS = [
  // So far from each other that each ten go out by themselves.
  { what: "ten at a time, 300 updates/s", rate: 300, burst: 10 },
  { what: "1,000 updates/s", rate: 1000, burst: 1 },
];

export async function compressed(options: Options, results: Results): Promise<void> {
  await using server = await startOurs({ env: { COMPRESS: "on" } });
  for (const { what, rate, burst } of LOADS) {
    const plain: Window[] = [];
    const gzip: Window[] = [];
    const load = { ...options, clients: 1000, rate, burst };
    for (let run = 0; run < options.runs; run++) {
      plain.push(await measureWindow(server, load));
      gzip.push(await measureWindow(server, { ...load, headers: { "Accept-Encoding": "gzip" } }));
    }
    results.addWindows(`1,000 subscribers, ${what}, plain`, plain);
    results.addWindows(`1,000 subscribers, ${what}, gzip`, gzip);
    results.addFigures({
      name: `(gzip) bytes of a plain event, beside a compressed one, ${what}`,
      unit: "x",
      target: { atLeast: 5 },
      values: perRun(plain, gzip, ({ bytesPerEvent }) => bytesPerEvent),
    }, {
      name: `(gzip) processor time of a compressed event, beside a plain one, ${what}`,
      unit: "x",
      target: { below: 1.2 },
      values: perRun(gzip, plain, microsecondsPerEvent),
    });
    results.addFigures(
      {
        name: `(gzip) events in one chunk, ${what}`,
        unit: "",
        values: gzip.map(({ eventsPerChunk }) => eventsPerChunk),
      },
      { name: `(gzip) bytes of a plain event, ${what}`, unit: "", values: plain.map(bytesPerEvent) },
      { name: `(gzip) bytes of a compressed event, ${what}`, unit: "", values: gzip.map(bytesPerEvent) },
    );
  }
}

function bytesPerEvent(window: Window): number {
  return window.bytesPerEvent;
}
