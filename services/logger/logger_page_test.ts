/// <reference lib="dom" />
/** The logger page by itself: the browser gets its files from `static/`, and a hub that the test has made up. */
import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { findBarriers, launchBrowser, openPage, type WatchedPage } from "../lib/testing/browser.ts";
import { eventually } from "../lib/testing/deadline.ts";

const STATIC_FOLDER = new URL("../../static/logger/", import.meta.url);
const TYPES: Readonly<Record<string, string>> = {
  js: "text/javascript",
  css: "text/css",
  svg: "image/svg+xml",
};

interface Update {
  readonly id: string;
  readonly type: string;
  readonly data: string;
}

const update = (id: string, message: string, more: Readonly<Record<string, unknown>> = {}): Update => ({
  id,
  type: "login",
  data: JSON.stringify({ message, level: "info", ...more }),
});
const tracked = (number: number, kind: string, site = "shop"): Update => ({
  id: `urn:t:${number}`,
  type: "track",
  data: JSON.stringify({ kind, site, sid: `s${number % 7}`, n: number, props: { number } }),
});
const many = (count: number) =>
  Array.from({ length: count }, (_, i) => tracked(i, i % 10 === 0 ? "error" : "click"));

/** What the page asks for: a stream that stays open, and a history. */
class FakeHub implements AsyncDisposable {
  readonly log: Update[] = [];
  readonly connections: URLSearchParams[] = [];
  /** How many updates the stream may bring that the history does not have. */
  readonly #streams = new Set<ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>>();
  readonly #encoder = new TextEncoder();
  readonly #server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    (request) => this.#answer(request),
  );

  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}/logger/`;
  }

  publish(...updates: Update[]): void {
    this.log.push(...updates);
    this.#write(updates.map(({ id, type, data }) => `id: ${id}\nevent: ${type}\ndata: ${data}\n\n`).join(""));
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

  #answer(request: Request): Promise<Response> | Response {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/events") return this.#stream(searchParams);
    if (pathname === "/events/history") return this.#history(searchParams);
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
        const frames = this.log.slice(missed).map(({ id, type, data }) =>
          `id: ${id}\nevent: ${type}\ndata: ${data}\n\n`
        );
        stream.enqueue(this.#encoder.encode(`event: mercure\ndata: {"type":"hello"}\n\n${frames.join("")}`));
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
    if (index === -1) return new Response(null, { status: 404 });
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

async function serveFile(name: string): Promise<Response> {
  const type = TYPES[name.split(".").at(-1)!] ?? "text/html";
  return new Response(await Deno.readTextFile(new URL(name, STATIC_FOLDER)), {
    headers: { "Content-Type": type },
  });
}

/** Opens the page with what has happened so far, and listens to what the browser complains of. */
async function withPage(
  history: readonly Update[],
  test: (page: Page, hub: FakeHub, opened: WatchedPage) => Promise<void>,
  address = "",
): Promise<void> {
  await using hub = new FakeHub();
  hub.log.push(...history);
  const browser = await launchBrowser();
  try {
    await using opened = await openPage(browser, hub.url + address, { reducedMotion: "reduce" });
    await live(opened.page);
    await test(opened.page, hub, opened);
    assert.deepEqual(opened.complaints, []);
  } finally {
    await browser.close();
  }
}

async function live(page: Page): Promise<void> {
  await page.waitForSelector('[role="status"][data-state="live"]');
}

function messages(page: Page): Promise<string[]> {
  return page.locator("[data-rows] [data-part=message]").allTextContents();
}

/** The rows that are in view as a whole, from top to bottom. */
function inView(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const { top, bottom } = document.querySelector("[data-scroller]")!.getBoundingClientRect();
    return [...document.querySelectorAll("[data-event-id]")].filter((row) => {
      const box = row.getBoundingClientRect();
      return box.top >= top - 1 && box.bottom <= bottom + 1;
    }).map((row) => row.getAttribute("data-event-id")!);
  });
}

const lastInView = async (page: Page) => (await inView(page)).at(-1);
const focused = (page: Page) =>
  page.evaluate(() => document.activeElement?.getAttribute("data-event-id") ?? "");
const text = (page: Page, selector: string) => page.locator(selector).first().textContent();
const row = (id: string) => `[data-event-id="${id}"]`;

/** A wheel, turned until it has an effect. */
async function wheel(page: Page, pixels: number): Promise<void> {
  await page.hover("[data-scroller]");
  await page.mouse.wheel(0, pixels);
}

Deno.test("a gap is a row of its own between the updates, and counts as none", () =>
  withPage([update("1", "first")], async (page, hub) => {
    await page.waitForSelector(row("1"));
    hub.signal({ type: "gap", reason: "<b>older</b> than what is kept" });
    hub.signal({ type: "heartbeat" });
    hub.publish(update("2", "second"));
    await page.waitForSelector(row("2"));
    const shown = await messages(page);
    assert.deepEqual(shown.slice(shown.indexOf("first")), [
      "first",
      "Updates are missing here: <b>older</b> than what is kept",
      "second",
    ]);
    assert.equal(await page.locator("[data-gap]").count(), 1);
    assert.equal(await page.locator("[data-gap][data-event-id], [data-gap] b").count(), 0);
    await eventually("the counter", async () => await text(page, "[data-counter=total]") === "2");
    assert.deepEqual(await findBarriers(page), []);
  }));

Deno.test("after an interruption the stream resumes, the page says so, and no row comes twice", () =>
  withPage([update("1", "first")], async (page, hub) => {
    await page.waitForSelector(row("1"));
    hub.cut();
    await page.waitForSelector('[role="status"][data-state="reconnecting"]');
    hub.publish(update("2", "second"));
    await page.waitForSelector(row("2"));
    await live(page);
    const shown = await messages(page);
    assert.equal(shown.filter((message) => /first|second/.test(message)).length, 2);
    assert.equal(shown.filter((message) => message.startsWith("Connected again")).length, 1);
    assert.equal(hub.connections.at(-1)?.get("signals"), "1");
    assert.equal(hub.connections.at(-1)?.get("last_event_id"), "1");
  }));

Deno.test("signals that the page does not know are never rows, an update of their type is", () =>
  withPage([], async (page, hub) => {
    await page.waitForSelector("[data-empty]:not([hidden])");
    hub.signal({ type: "news" });
    hub.publish({ id: "1", type: "mercure", data: "an update" });
    await page.waitForSelector(row("1"));
    assert.equal(await page.locator("[data-event-id]").count(), 1);
    assert.equal(await page.locator("[data-gap]").count(), 0);
  }));

Deno.test("of thousands of rows a few dozen are in the page, the newest in view", () =>
  withPage([], async (page, hub) => {
    hub.publish(...many(3_000));
    for (const each of many(6_000).slice(3_000)) hub.publish(each);
    await eventually("the newest", async () => await lastInView(page) === "urn:t:5999");
    assert.ok(await page.locator("[data-rows] > *").count() <= 60);
    assert.equal(await page.getAttribute("[data-rows]", "aria-rowcount"), "6000");
    const order = await page.locator("[data-event-id]").evaluateAll((rows) =>
      rows.map((row) => Number(row.getAttribute("data-event-id")!.slice(6)))
    );
    assert.deepEqual(
      order,
      order.toSorted((a, b) => a - b),
      "the order of the elements is that of the updates",
    );
    await eventually("the total", async () => await text(page, "[data-counter=total]") === "6,000");
  }));

Deno.test("a pause holds the view still, counts what comes, steps through it, and ends", () =>
  withPage(many(100), async (page, hub) => {
    await eventually("the newest", async () => await lastInView(page) === "urn:t:99");
    await page.keyboard.press("Space");
    await page.waitForSelector("[role=status][data-paused]");
    const before = await inView(page);
    hub.publish(...many(400).slice(100));
    await eventually("300 new", async () => (await text(page, "[data-status-detail]"))?.includes("300 new"));
    assert.deepEqual(await inView(page), before);

    await page.click("[data-action=step]");
    await eventually("the next screen", async () => (await inView(page))[0] === "urn:t:100");
    await page.waitForSelector("[role=status][data-paused]");
    await page.click("[data-action=follow]");
    await eventually("the newest", async () => await lastInView(page) === "urn:t:399");
    await page.waitForSelector("[role=status]:not([data-paused])");
    hub.publish(tracked(400, "click"));
    await eventually("the newest", async () => await lastInView(page) === "urn:t:400");
  }));

Deno.test("a scroll of more than a row pauses, also while much comes; one back to the end resumes", () =>
  withPage(many(200), async (page, hub) => {
    await eventually("the newest", async () => await lastInView(page) === "urn:t:199");
    let number = 200;
    const flood = setInterval(() => hub.publish(tracked(number++, "click")), 20);
    try {
      await wheel(page, -100);
      await page.waitForSelector("[role=status][data-paused]");
      const before = await inView(page);
      const count = number;
      await eventually("more rows", () => number > count + 20);
      assert.deepEqual(await inView(page), before);
    } finally {
      clearInterval(flood);
    }
    await eventually("the end", async () => {
      await wheel(page, 10_000);
      return await page.locator("[role=status]:not([data-paused])").count() === 1;
    });
    await eventually("the newest", async () => await lastInView(page) === `urn:t:${number - 1}`);
  }));

Deno.test("older updates come when one scrolls to the top, and the view stays where it is", () =>
  withPage(many(1_200), async (page) => {
    await eventually("the newest", async () => await lastInView(page) === "urn:t:1199");
    await page.keyboard.press("g");
    await eventually("the oldest of the first page", async () => await focused(page) === "urn:t:700");
    await eventually(
      "older ones",
      async () => Number(await page.getAttribute("[data-rows]", "aria-rowcount")) > 900,
    );
    assert.ok((await inView(page)).includes("urn:t:700"));
    assert.equal(await focused(page), "urn:t:700");
    await eventually("the begin of the history", async () => {
      await page.keyboard.press("g");
      return (await messages(page)).includes("The history that is kept begins here.");
    });
    assert.ok((await inView(page)).includes("urn:t:0"));
  }));

Deno.test("a filter and a highlight are in the address, and a new page obeys it", () =>
  withPage(many(200), async (page, _hub, opened) => {
    await page.fill("[data-query]", "k:error -site:blog");
    await eventually("the errors", async () => await text(page, "[data-count]") === "20 of 200");
    assert.ok((await inView(page)).every((id) => Number(id.slice(6)) % 10 === 0));
    await page.fill("[data-highlight]", "ERR");
    await eventually("the address", () => {
      const { searchParams } = new URL(page.url());
      return searchParams.get("q") === "k:error -site:blog" && searchParams.get("hl") === "ERR";
    });
    const other = await opened.page.context().newPage();
    await other.goto(page.url());
    await eventually("the errors", async () => await text(other, "[data-count]") === "20 of 200");
    assert.equal(await other.inputValue("[data-highlight]"), "ERR");
    await eventually(
      "the highlight",
      () => other.evaluate(() => (CSS.highlights.get("found")?.size ?? 0) > 0),
    );
    await other.close();

    await page.fill("[data-query]", "/(/");
    await page.waitForSelector("[data-query-problem]:not([hidden])");
    assert.equal(await text(page, "[data-count]"), "20 of 200", "what was asked for before still holds");
    assert.deepEqual(await findBarriers(page), []);
    await page.fill("[data-query]", "nothing is like this");
    await page.click("[data-no-match] button");
    await eventually("all rows", async () => await text(page, "[data-count]") === "");
    assert.equal(await lastInView(page), "urn:t:199");
  }));

Deno.test("the chip of a kind goes round: only this, not this, all", () =>
  withPage(many(50), async (page) => {
    const chip = page.locator("[data-chips] button", { hasText: "error" });
    await chip.click();
    await eventually("only these", async () => await text(page, "[data-count]") === "5 of 50");
    assert.equal(await page.inputValue("[data-query]"), "k:error");
    await chip.click();
    await eventually("all but these", async () => await text(page, "[data-count]") === "45 of 50");
    await chip.click();
    await eventually("all", async () => await text(page, "[data-count]") === "");
  }));

Deno.test("a permalink to an update that the page has not loaded brings it, with what was before", () =>
  withPage(many(2_000), async (page) => {
    await eventually("the update", async () => (await inView(page)).includes("urn:t:300"));
    assert.equal(await focused(page), "urn:t:300");
    assert.equal(await page.locator(`${row("urn:t:300")}[aria-selected=true]`).count(), 1);
    assert.ok((await inView(page)).includes("urn:t:295"));
    await page.keyboard.press("Escape");
    await page.keyboard.press("G");
    await eventually("the newest", async () => await lastInView(page) === "urn:t:1999");
  }, "#id=urn:t:300"));

Deno.test("a permalink to an update that is gone says so", () =>
  withPage(many(5), async (page) => {
    await eventually("the note", async () =>
      (await text(page, "[data-toasts]"))?.includes("not kept any more"));
  }, "#id=urn:t:none").catch((error) => {
    // The browser itself reports each answer 404.
    assert.match(`${error}`, /404/);
  }));

Deno.test("the focus belongs to an update: it survives that its row is far away, and goes on from there", () =>
  withPage(many(300), async (page, hub) => {
    await eventually("the newest", async () => await lastInView(page) === "urn:t:299");
    await page.locator(row("urn:t:299")).focus();
    await page.keyboard.press("ArrowUp");
    assert.equal(await focused(page), "urn:t:298");
    await page.keyboard.press("End");
    assert.equal(await focused(page), "urn:t:299");
    await page.keyboard.press("f");
    hub.publish(...many(600).slice(300));
    await eventually("the newest", async () => await lastInView(page) === "urn:t:599");
    assert.equal(await focused(page), "urn:t:299");
    assert.ok(!(await inView(page)).includes("urn:t:299"));
    await page.keyboard.press("j");
    assert.equal(await focused(page), "urn:t:300");
    assert.ok((await inView(page)).includes("urn:t:300"));
    await page.keyboard.press("E");
    assert.equal(await focused(page), "urn:t:290");
    await page.keyboard.press("e");
    assert.equal(await focused(page), "urn:t:300");
  }));

Deno.test("a mark is a row, and a clear view can be undone", () =>
  withPage(many(40), async (page, hub) => {
    await eventually("the newest", async () => await lastInView(page) === "urn:t:39");
    await page.keyboard.press("m");
    await eventually("the mark", async () => (await messages(page)).includes("Mark 1"));
    await page.keyboard.press("c");
    await eventually("a clear view", async () => (await inView(page)).length === 0);
    hub.publish(tracked(40, "click"));
    await page.waitForSelector(row("urn:t:40"));
    assert.deepEqual(await inView(page), ["urn:t:40"]);
    await page.click(".toast__action");
    await eventually("all of it", async () => (await inView(page)).length > 5);
  }));

Deno.test("a page that nobody sees draws no rows, and has them all when it is seen again", () =>
  withPage(many(10), async (page, hub) => {
    await eventually("the newest", async () => await lastInView(page) === "urn:t:9");
    const hide = (isHidden: boolean) =>
      page.evaluate((isHidden) => {
        Object.defineProperty(document, "hidden", { value: isHidden, configurable: true });
        document.dispatchEvent(new Event("visibilitychange"));
      }, isHidden);
    await hide(true);
    hub.publish(...many(50).slice(10));
    await eventually(
      "the title of the pill",
      async () => hub.log.length === 50 && await lastInView(page) === "urn:t:9",
    );
    await hide(false);
    await eventually("the newest", async () => await lastInView(page) === "urn:t:49");
  }));

Deno.test("axe finds nothing while paused, in a filter, without a stream, and with an open table", () =>
  withPage(many(60), async (page, hub) => {
    await eventually("the newest", async () => await lastInView(page) === "urn:t:59");
    await page.click("[data-action=pause]");
    hub.publish(...many(90).slice(60));
    await page.waitForSelector("[data-jump]:not([hidden])");
    assert.deepEqual(await findBarriers(page), []);
    await page.click("[data-timeline-details] summary");
    await page.waitForSelector("[data-timeline-table] table");
    assert.deepEqual(await findBarriers(page), []);
    await page.fill("[data-query]", "k:click none");
    await page.waitForSelector("[data-no-match]:not([hidden])");
    assert.deepEqual(await findBarriers(page), []);
  }));
