/**
 * `deno task bench:pages`: what the logger page does to a browser while much happens, and how soon a person sees it.
 * The services and the browser are real; the targets are the page's budgets.
 */
import type { Browser } from "playwright-core";
import { parseArgs } from "node:util";
import { launchBrowser } from "../lib/testing/browser.ts";
import { startSystem } from "../lib/testing/system.ts";
import { showMachine } from "./machine.ts";
import { understand, UsageError, wholeNumber } from "./options.ts";
import { quantile, WatchedPage } from "./pages/watched_page.ts";
import { publishVisits } from "./pages/visits.ts";
import { connect } from "./servers/ours.ts";
import { type Figure, formatTable } from "./table.ts";

const HELP = `deno task bench:pages [--seconds=60] [--runs=1]

Starts the services and a headless Chromium, publishes events as a busy site would, and measures the logger page:
frames, long tasks, the main thread, memory, and the time from an event to its row on the screen.

  --seconds=N   how long each load lasts (60)
  --runs=N      how often everything is measured (1)`;

/** Events per second, and of the wave that nobody should notice. */
const STEADY_RATE = 1000;
const WAVE_RATE = 5000;
/** Few enough that each of them gets a row, though the page draws ten times a second. */
const SINGLE_RATE = 50;
const SINGLE_SECONDS = 10;
/** How many events the page keeps. */
const RING = 100_000;
const MB = 1e6;

async function main(): Promise<void> {
  const { values } = understand(() =>
    parseArgs({
      options: {
        seconds: { type: "string", default: "60" },
        runs: { type: "string", default: "1" },
        help: { type: "boolean", short: "h", default: false },
      },
    })
  );
  if (values.help) return print(HELP);
  print(await showMachine());
  const browser = await launchBrowser();
  try {
    const runs: Figure[][] = [];
    for (let run = 0; run < wholeNumber("runs", values.runs); run++) {
      runs.push(await measure(browser, wholeNumber("seconds", values.seconds)));
    }
    const figures = runs[0]!.map((figure, index) => ({
      ...figure,
      values: runs.flatMap((each) => each[index]!.values),
    }));
    print(`\n${formatTable(figures)}`);
  } finally {
    await browser.close();
  }
}

async function measure(browser: Browser, seconds: number): Promise<Figure[]> {
  await using system = await startSystem();
  await using channel = connect(system.ports);
  const url = `${system.logger.url}logger/`;
  const publish = (rate: number, time: number) => publishVisits(channel, rate, time);
  await publish(STEADY_RATE, 1);

  await using watched = await WatchedPage.open(browser, url);
  const pixels = await watched.pixels(() => publish(SINGLE_RATE, SINGLE_SECONDS));
  // Without the probe of the rows, which is work of its own.
  await using loaded = await WatchedPage.open(browser, url);
  const firstRow = await loaded.firstRow();
  await watched[Symbol.asyncDispose]();
  const before = await loaded.settledTotal();
  const steady = await loaded.during(() => publish(STEADY_RATE, seconds));
  const wave = await loaded.during(() => publish(WAVE_RATE, seconds));
  const published = (STEADY_RATE + WAVE_RATE) * seconds;
  const missed = before + published - await loaded.settledTotal();
  const missing = RING - published;
  if (missing > 0) await publish(WAVE_RATE, Math.ceil(missing / WAVE_RATE));
  const heap = await loaded.heap();
  const figure = (name: string, unit: string, value: number, below?: number): Figure => ({
    name,
    unit,
    values: [value],
    ...(below !== undefined && { target: { below } }),
  });
  const at = (rate: number) => `${rate.toLocaleString("en")}/s`;
  return [
    figure("first row after the navigation", "ms", firstRow, 500),
    figure(`event to pixel at ${at(SINGLE_RATE)}, p50`, "ms", quantile(pixels, 0.5)),
    figure(`event to pixel at ${at(SINGLE_RATE)}, p95`, "ms", quantile(pixels, 0.95), 250),
    figure(`${at(STEADY_RATE)}: frame, p99`, "ms", steady.frameP99, 17),
    figure(`${at(STEADY_RATE)}: longest frame`, "ms", steady.frameMax),
    figure(`${at(STEADY_RATE)}: long tasks`, "", steady.longTasks, 1),
    figure(`${at(STEADY_RATE)}: main thread busy`, "%", 100 * steady.busy, 15),
    figure(`${at(WAVE_RATE)}: frame, p99`, "ms", wave.frameP99),
    figure(`${at(WAVE_RATE)}: frames over 50 ms`, "", wave.slowFrames, 1),
    figure(`${at(WAVE_RATE)}: main thread busy`, "%", 100 * wave.busy),
    figure("events of both that the page missed", "", missed, 1),
    figure(`memory of the page with ${RING.toLocaleString("en")} events`, "MB", heap / MB, 100),
  ];
}

function print(text: string): void {
  // deno-lint-ignore no-console -- a command for a terminal
  console.log(text);
}

if (import.meta.main) {
  try {
    await main();
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    print(`${error.message}. More with --help`);
    Deno.exit(2);
  }
}
