/// <reference lib="dom" />
/** The logger page on a made-up hub, for the tests of its panels. */
import assert from "node:assert/strict";
import type { BrowserContextOptions, Page } from "playwright-core";
import { launchBrowser, openPage } from "../lib/testing/browser.ts";

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

export const row = (update: Update): string => `[data-event-id="${update.id}"]`;

/** What has the focus: its text, or the value of its label. */
export function focused(page: Page): Promise<string> {
  return page.evaluate(() => {
    const { activeElement } = document;
    return activeElement?.getAttribute("aria-label") ?? activeElement?.textContent?.trim() ?? "";
  });
}

export class Hub implements AsyncDisposable {
  readonly #history: readonly Update[];
  readonly #streams = new Set<ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>>();
  readonly #server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    (request) => this.#answer(new URL(request.url)),
  );

  constructor(history: readonly Update[]) {
    this.#history = history;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}/logger/`;
  }

  publish(...updates: Update[]): void {
    const frames = updates.map(({ id, type, data }) => `id: ${id}\nevent: ${type}\ndata: ${data}\n\n`);
    this.#write(frames.join(""));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const stream of this.#streams) stream.close();
    await this.#server.shutdown();
  }

  #write(text: string): void {
    for (const stream of this.#streams) stream.enqueue(new TextEncoder().encode(text));
  }

  #answer({ pathname }: URL): Promise<Response> | Response {
    if (pathname === "/events") return this.#stream();
    if (pathname === "/events/history") {
      const updates = this.#history.map((update) => ({ ...update, topics: ["/t"] }));
      return Response.json({ updates, older: null, newer: null });
    }
    return serveFile(pathname.replace(/^\/logger\//, "") || "index.html");
  }

  #stream(): Response {
    let stream: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>;
    const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
      start: (controller) => {
        stream = controller;
        this.#streams.add(stream);
        stream.enqueue(new TextEncoder().encode('event: mercure\ndata: {"type":"hello"}\n\n'));
      },
      cancel: () => {
        this.#streams.delete(stream);
      },
    });
    return new Response(body, { headers: { "Content-Type": "text/event-stream" } });
  }
}

async function serveFile(name: string): Promise<Response> {
  const type = TYPES[name.split(".").at(-1) ?? ""] ?? "text/html";
  return new Response(await Deno.readTextFile(new URL(name, STATIC_FOLDER)), {
    headers: { "Content-Type": type },
  });
}

/** Opens the page with what has happened so far; whatever the browser complains of fails the test. */
export async function withLogger(
  history: readonly Update[],
  test: (page: Page, hub: Hub) => Promise<void>,
  options: BrowserContextOptions = {},
): Promise<void> {
  await using hub = new Hub(history);
  const browser = await launchBrowser();
  try {
    await using opened = await openPage(browser, hub.url, { reducedMotion: "reduce", ...options });
    await opened.page.waitForSelector('[role="status"][data-state="live"]');
    await test(opened.page, hub);
    assert.deepEqual(opened.complaints, []);
  } finally {
    await browser.close();
  }
}
