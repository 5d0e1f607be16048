/// <reference lib="dom" />
/** The logger page by itself: the browser gets its files from `static/`, and a hub that the test plays. */
import assert from "node:assert/strict";
import type { BrowserContextOptions, Page } from "playwright-core";
import { launchBrowser, openPage, type WatchedPage } from "../lib/testing/browser.ts";
import { within } from "../lib/testing/deadline.ts";

const STATIC_FOLDER = new URL("../../static/logger/", import.meta.url);
const TYPES: Readonly<Record<string, string>> = {
  js: "text/javascript",
  css: "text/css",
  svg: "image/svg+xml",
};

export interface Update {
  readonly id: string;
  readonly type: string;
  readonly data: string;
}

/** An update as the collector publishes it; `number` tells it from others. */
export function tracked(number: number, more: Readonly<Record<string, unknown>> = {}): Update {
  const time = Date.UTC(2026, 0, 2, 3, 4, 5) + number;
  const clocks = { client: time, sent: time + 40, received: time + 100 };
  const body = { kind: "click", site: "shop", sid: "s1", n: number, time, clocks, ...more };
  return { id: `urn:t:${number}`, type: "track", data: JSON.stringify(body) };
}

/** As many of them, from this number on: every tenth is an error, unless `more` says otherwise. */
export function many(
  count: number,
  from = 0,
  more = (number: number): Readonly<Record<string, unknown>> => number % 10 === 0 ? { kind: "error" } : {},
): Update[] {
  return Array.from({ length: count }, (_, i) => tracked(from + i, more(from + i)));
}

/** The selector of the row of an update. */
export const row = (id: string): string => `[data-event-id="${id}"]`;

/** What has the focus: its text, or the value of its label. */
export function focused(page: Page): Promise<string> {
  return page.evaluate(() => {
    const { activeElement } = document;
    return activeElement?.getAttribute("aria-label") ?? activeElement?.textContent?.trim() ?? "";
  });
}

type Answer = Promise<Response> | Response;

/** What the page asks for: a stream that stays open, and a history. */
export class Hub implements AsyncDisposable {
  readonly log: Update[];
  /** The parameters of each stream that was opened. */
  readonly connections: URLSearchParams[] = [];
  /** Stand between a request and its answer; they may hold it up, or give another one. */
  onStream = (answer: () => Response): Answer => answer();
  onHistory = (answer: () => Response): Answer => answer();
  readonly #streams = new Set<ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>>();
  readonly #encoder = new TextEncoder();
  readonly #server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    (request) => this.#answer(request),
  );

  /** @param history - what has happened so far, the oldest first */
  constructor(history: readonly Update[]) {
    this.log = [...history];
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}/logger/`;
  }

  publish(...updates: Update[]): void {
    this.log.push(...updates);
    this.send(...updates);
  }

  /** Writes updates to the streams that the history may have had for long. */
  send(...updates: Update[]): void {
    this.#write(framesOf(updates));
  }

  /** How many streams are open. */
  get streams(): number {
    return this.#streams.size;
  }

  signal(body: Readonly<Record<string, unknown>>): void {
    this.#write(`event: mercure\ndata: ${JSON.stringify(body)}\n\n`);
  }

  /** Ends all streams. */
  cut(): void {
    for (const stream of this.#streams) stream.close();
    this.#streams.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    await this.#server.shutdown();
  }

  #write(text: string): void {
    for (const stream of this.#streams) stream.enqueue(this.#encoder.encode(text));
  }

  #answer(request: Request): Answer {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/events") return this.onStream(() => this.#stream(searchParams));
    if (pathname === "/events/history") return this.onHistory(() => this.#history(searchParams));
    return serveFile(pathname.replace(/^\/logger\//, "") || "index.html");
  }

  #stream(params: URLSearchParams): Response {
    this.connections.push(params);
    const missed = params.has("last_event_id") ? this.#indexOf(params.get("last_event_id")!) + 1 : Infinity;
    let stream: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>;
    const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
      start: (controller) => {
        stream = controller;
        this.#streams.add(stream);
        const hello = `event: mercure\ndata: {"type":"hello","now":${Date.now()}}\n\n`;
        stream.enqueue(this.#encoder.encode(hello + framesOf(this.log.slice(missed))));
      },
      cancel: () => {
        this.#streams.delete(stream);
      },
    });
    return new Response(body, { headers: { "Content-Type": "text/event-stream" } });
  }

  #history(params: URLSearchParams): Response {
    const limit = Number(params.get("limit"));
    const [name, id] = [...params].find(([name]) => /before|until|after/.test(name)) ?? ["", ""];
    const index = name === "" ? this.log.length : this.#indexOf(id);
    if (index === -1 && id !== "earliest") return new Response(null, { status: 404 });
    const end = name === "after"
      ? Math.min(this.log.length, index + 1 + limit)
      : index + (name === "until" ? 1 : 0);
    const start = name === "after" ? index + 1 : Math.max(0, end - limit);
    const place = (index: number) => `#${index}`;
    return Response.json({
      updates: this.log.slice(start, end).map((each) => ({ ...each, topics: ["/t"] })),
      older: start > 0 ? place(start) : null,
      newer: end < this.log.length ? place(end - 1) : null,
    });
  }

  #indexOf(id: string): number {
    return id.startsWith("#") ? Number(id.slice(1)) : this.log.findIndex((each) => each.id === id);
  }
}

function framesOf(updates: readonly Update[]): string {
  return updates.map(({ id, type, data }) => `id: ${id}\nevent: ${type}\ndata: ${data}\n\n`).join("");
}

async function serveFile(name: string): Promise<Response> {
  const type = TYPES[name.split(".").at(-1)!] ?? "text/html";
  return new Response(await Deno.readTextFile(new URL(name, STATIC_FOLDER)), {
    headers: { "Content-Type": type },
  });
}

interface LoggerOptions extends BrowserContextOptions {
  /** Of the page, behind its path. */
  readonly address?: string;
  /** Runs before the page is there. */
  readonly before?: (page: Page) => Promise<unknown>;
  /** What the browser is expected to complain of, such as an answer that the test makes fail. */
  readonly ignoreComplaints?: RegExp;
}

/** Opens the page with what has happened so far; whatever the browser complains of fails the test. */
export async function withLogger(
  history: readonly Update[],
  test: (page: Page, hub: Hub, opened: WatchedPage) => Promise<void>,
  { address = "", before, ignoreComplaints, ...options }: LoggerOptions = {},
): Promise<void> {
  await using hub = new Hub(history);
  const browser = await launchBrowser();
  try {
    await using opened = await openPage(browser, before === undefined ? hub.url + address : "about:blank", {
      reducedMotion: "reduce",
      ...options,
    });
    if (before !== undefined) {
      await before(opened.page);
      await opened.page.goto(hub.url + address);
    }
    await live(opened.page);
    await test(opened.page, hub, opened);
    assert.deepEqual(opened.complaints.filter((each) => ignoreComplaints?.test(each) !== true), []);
  } finally {
    await browser.close();
  }
}

/** The ids of the rows in the page, from top to bottom. */
export function rowIds(page: Page): Promise<string[]> {
  return page.locator("[data-event-id]").evaluateAll((rows) =>
    rows.map((row) => row.getAttribute("data-event-id") ?? "")
  );
}

/** What the rows say, from top to bottom, also those that are no updates. */
export function messages(page: Page): Promise<string[]> {
  return page.locator("[data-rows] [data-part=message]").allTextContents();
}

/** Says to the page what a browser says whose window is out of sight, or in sight again. */
export async function hide(page: Page, isHidden: boolean): Promise<void> {
  await page.evaluate((isHidden) => {
    Object.defineProperty(document, "hidden", { value: isHidden, configurable: true });
    const visibilityState = isHidden ? "hidden" : "visible";
    Object.defineProperty(document, "visibilityState", { value: visibilityState, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  }, isHidden);
}

export async function live(page: Page): Promise<void> {
  await page.waitForSelector('[role="status"][data-state="live"]');
}

/** The network is there again, says the browser: that ends the wait for the next attempt. */
export const tryNow = (page: Page): Promise<unknown> =>
  page.evaluate(() => dispatchEvent(new Event("online")));

/** From now on time passes in the page when the test says so. Its clock has to be installed. */
export async function stopClock(page: Page): Promise<void> {
  await page.clock.pauseAt(await page.evaluate(() => Date.now()) + 1_000);
}

/** Holds up answers until it is opened. */
export class Gate implements Disposable {
  readonly #opened = Promise.withResolvers<void>();
  readonly #reached = Promise.withResolvers<void>();

  /** Resolves when the first answer waits. */
  get waiting(): Promise<void> {
    return within("a request at the gate", this.#reached.promise);
  }

  /** The answer is made when it is asked for. */
  readonly early = async (answer: () => Response): Promise<Response> => {
    const made = answer();
    await this.#pass();
    return made;
  };

  /** The answer is made when it may go. */
  readonly late = async (answer: () => Response): Promise<Response> => {
    await this.#pass();
    return answer();
  };

  open(): void {
    this.#opened.resolve();
  }

  [Symbol.dispose](): void {
    this.open();
  }

  async #pass(): Promise<void> {
    this.#reached.resolve();
    await this.#opened.promise;
  }
}
