/// <reference lib="dom" />
/** The logger page with the real services: visitors who report, tabs that watch, and what a tab says that it has. */
import assert from "node:assert/strict";
import type { BrowserContext, BrowserContextOptions, Page } from "playwright-core";
import { v7 as uuidv7 } from "uuid";
import type { HistoryAnswer } from "../lib/api/history.ts";
import { pause } from "../lib/shutdown.ts";
import { launchBrowser } from "../lib/testing/browser.ts";
import { eventually } from "../lib/testing/deadline.ts";
import { idsOf, type SavedRow, savedRows } from "../lib/testing/saved_rows.ts";
import { startSystem, type System } from "../lib/testing/system.ts";

/** For a broadcaster whose visitors are all one client. */
export const UNLIMITED = { MAX_BATCHES_PER_CLIENT: "0", MAX_EVENTS_PER_SITE: "0" };

/** One event of a batch, as a page reports it. */
export interface Reported {
  readonly id: string;
  readonly k: string;
  readonly t: number;
  readonly [name: string]: unknown;
}

export const reported = (more: Partial<Reported> = {}): Reported => ({
  id: uuidv7(),
  t: Date.now(),
  k: "click",
  ...more,
});

/** The id of one of ten sessions. */
export const sessionId = (number: number): string => `019a0000-0000-7000-8000-00000000000${number}`;

/** Sends a batch as the tracker does, again until it is acknowledged. */
export async function report(
  broadcaster: string,
  events: readonly Reported[],
  more: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  let tries = 0;
  await eventually("the acknowledgement", async () => {
    const envelope = { v: 1, site: "shop", sent: Date.now(), try: tries++, drop: 0, bots: "allow" };
    const body = JSON.stringify({ ...envelope, ...more, e: events });
    try {
      const response = await fetch(`${broadcaster}e`, { method: "POST", body });
      await response.body?.cancel();
      if (response.ok) return true;
      if (response.status !== 503) throw new Error(`A batch was answered with ${response.status}`);
    } catch (error) {
      // Nobody is there at the moment.
      if (!(error instanceof TypeError)) throw error;
    }
    return false;
  });
}

/** Reports at a steady rate until it is disposed, and then until all is acknowledged. */
export class Visitors implements AsyncDisposable {
  /** Events that were acknowledged. */
  acknowledged = 0;
  readonly #ended = new AbortController();
  readonly #done: Promise<void>;

  /** @param broadcaster - its address */
  constructor(broadcaster: string, { batch = 2, everyMs = 20 } = {}) {
    this.#done = this.#run(broadcaster, batch, everyMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended.abort();
    await this.#done;
  }

  async #run(broadcaster: string, size: number, everyMs: number): Promise<void> {
    while (!this.#ended.signal.aborted) {
      await report(broadcaster, Array.from({ length: size }, () => reported()));
      this.acknowledged += size;
      await pause(everyMs, this.#ended.signal);
    }
  }
}

/** An update as the history shows it. */
export type HubEntry = HistoryAnswer["updates"][number];

/** The ids of all that the hub has, in the order of the channel. */
export async function historyOf(streamer: string): Promise<string[]> {
  return (await entriesOf(streamer)).map(({ id }) => id);
}

/**
 * All that the hub has.
 *
 * @param query - matchers, each with a `&` in front
 */
export async function entriesOf(streamer: string, query = ""): Promise<HubEntry[]> {
  const entries: HubEntry[] = [];
  for (let after: string | null = "earliest"; after !== null;) {
    const place = new URLSearchParams({ after, limit: "1000" });
    const response = await fetch(`${streamer}events/history?${place}${query}`);
    if (!response.ok) throw new Error(`The history answers ${response.status} ${await response.text()}`);
    const page: HistoryAnswer = await response.json();
    entries.push(...page.updates);
    after = page.newer;
  }
  return entries;
}

/** All rows that a tab shows, once this update is the last of them. */
export function rowsUpTo(page: Page, id: string): Promise<SavedRow[]> {
  return eventually(`the update ${id} at the end`, async () => {
    const rows = await savedRows(page);
    return idsOf(rows).at(-1) === id && rows;
  });
}

/** What a tab says between its updates; an empty list when nothing was ever missing. */
export const gapsOf = (rows: readonly SavedRow[]): string[] =>
  rows.flatMap(({ row, message }) => row === "gap" ? [message ?? ""] : []);

/** The tabs of one browser, which share what tabs share; whatever they complain of is collected. */
export class Tabs implements AsyncDisposable {
  readonly complaints: string[] = [];
  readonly #context: BrowserContext;
  readonly #url: string;
  /** The tab that asked for the stream last. */
  #leader: Page | undefined;

  constructor(context: BrowserContext, url: string) {
    this.#context = context;
    this.#url = url;
    context.on("weberror", (error) => this.complaints.push(error.error().message));
    context.on("console", (message) => {
      if (message.type() === "error") this.complaints.push(message.text());
    });
    context.on("request", (request) => {
      if (new URL(request.url()).pathname === "/events") this.#leader = request.frame().page();
    });
  }

  /** The one that holds the connection. */
  get leader(): Page {
    if (this.#leader === undefined) throw new Error("No tab has asked for a stream");
    return this.#leader;
  }

  get pages(): Page[] {
    return this.#context.pages();
  }

  get followers(): Page[] {
    return this.pages.filter((page) => page !== this.#leader);
  }

  async open(query = "", before?: (page: Page) => Promise<void>): Promise<Page> {
    const page = await this.start(query, before);
    await live(page);
    return page;
  }

  /** Opens a tab that may have to wait for what it shows. */
  async start(query = "", before?: (page: Page) => Promise<void>): Promise<Page> {
    const page = await this.#context.newPage();
    await before?.(page);
    await page.goto(this.#url + query);
    return page;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#context.close();
  }
}

export async function live(page: Page): Promise<void> {
  await page.waitForSelector('[role="status"][data-state="live"]');
}

export interface TabsOptions {
  /** Settings of the streamer, such as that it counts. */
  readonly streamer?: Readonly<Record<string, string>>;
  readonly context?: BrowserContextOptions;
}

/** Runs the services and a browser; whatever its tabs complain of fails the test. */
export async function withTabs(
  test: (tabs: Tabs, system: System) => Promise<void>,
  { streamer = {}, context = {} }: TabsOptions = {},
): Promise<void> {
  await using system = await startSystem({ streamer, broadcaster: UNLIMITED });
  const browser = await launchBrowser();
  try {
    await using tabs = new Tabs(await browser.newContext(context), `${system.logger.url}logger/`);
    await test(tabs, system);
    assert.deepEqual(tabs.complaints, []);
  } finally {
    await browser.close();
  }
}

/** How many streams are open at a streamer that counts, and how many there were in all. */
export async function streamsOf(streamer: string): Promise<{ open: number; ever: number }> {
  const metrics = await (await fetch(`${streamer}metrics`)).text();
  const open = Number(/^streamer_streams (\d+)$/m.exec(metrics)?.[1]);
  const ended = [...metrics.matchAll(/^streamer_streams_ended_total\{.*\} (\d+)$/gm)]
    .reduce((sum, [, count]) => sum + Number(count), 0);
  return { open, ever: open + ended };
}
