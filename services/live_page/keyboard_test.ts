/// <reference lib="dom" />
/** A walk through the live page with the keyboard alone, on the real services. */
import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { launchBrowser, openPage } from "../lib/testing/browser.ts";
import { eventually } from "../lib/testing/deadline.ts";
import { startSystem } from "../lib/testing/system.ts";
import { live, report, reported, sessionId, UNLIMITED } from "./live_page_harness.ts";

const ROWS = 60;

/** Opens the page with some rows of which every tenth is an error; the newest is number 59. */
async function withPage(test: (page: Page) => Promise<void>): Promise<void> {
  await using system = await startSystem({ broadcaster: UNLIMITED });
  await publish(system.broadcaster.url, ROWS);
  const browser = await launchBrowser();
  try {
    const options = { viewport: { width: 1280, height: 700 }, reducedMotion: "reduce" } as const;
    await using opened = await openPage(browser, `${system.logger.url}logger/`, options);
    await live(opened.page);
    await opened.page.locator(row(ROWS - 1)).waitFor();
    await test(opened.page);
    assert.deepEqual(opened.complaints, []);
  } finally {
    await browser.close();
  }
}

const row = (number: number) => `[data-event-id]:has-text("number ${number},")`;

/** Updates whose message says their number. */
async function publish(broadcaster: string, count: number): Promise<void> {
  for (let start = 0; start < count; start += 50) {
    const events = Array.from({ length: Math.min(50, count - start) }, (_, i) => {
      const number = start + i;
      const k = number % 10 === 9 ? "error" : "step";
      const text = `number ${number},`;
      return reported({ k, u: "https://shop.test/", p: k === "error" ? { message: text } : { text } });
    });
    await report(broadcaster, events, { sid: sessionId(1) });
  }
}

/** The number of the row that has the focus; NaN when none has. */
async function focusedRow(page: Page): Promise<number> {
  const text = await page.evaluate(() =>
    document.activeElement?.closest("[data-event-id]")?.textContent ?? ""
  );
  return Number(/number (\d+),/.exec(text)?.[1]);
}

function onRow(page: Page, number: number): Promise<unknown> {
  return eventually(`the focus on row ${number}`, async () => await focusedRow(page) === number);
}

Deno.test("Tab reaches everything once, in the order of the page, and what has the focus shows it", () =>
  withPage(async (page) => {
    // They come last, behind the rows.
    await page.locator("[data-chips] button").first().waitFor();
    const stops: string[] = [];
    for (;;) {
      await page.keyboard.press("Tab");
      const stop = await page.evaluate(() => {
        const element = document.activeElement;
        if (element === null || element === document.body) return undefined;
        const { width, height, top, bottom, left, right } = element.getBoundingClientRect();
        const { outlineStyle, outlineWidth } = getComputedStyle(element);
        return {
          name: element.getAttribute("data-action") ?? element.getAttribute("name") ??
            element.closest("[data-chips]")?.getAttribute("aria-label") ?? element.getAttribute("role") ??
            (element.textContent ?? "").trim().slice(0, 20),
          isSeen: width > 0 && height > 0 && top >= 0 && left >= 0 && bottom <= innerHeight &&
            right <= innerWidth,
          isMarked: outlineStyle !== "none" && parseFloat(outlineWidth) > 0,
        };
      });
      if (stop === undefined) break;
      assert.ok(stop.isSeen, `${stop.name} is not seen`);
      assert.ok(stop.isMarked, `${stop.name} does not show that it has the focus`);
      stops.push(stop.name);
      assert.ok(stops.length < 40, `${stops}`);
    }
    const order = stops.filter((stop, index) => stop !== stops[index - 1]);
    const last = order.indexOf("row");
    assert.deepEqual(order.slice(0, last + 1).filter((stop) => !/^Skip/.test(stop)), [
      "pause",
      "alerts",
      "export",
      "density",
      "help",
      "Table",
      "q",
      "hl",
      "announce",
      "Filters",
      "row",
    ]);
  }));

Deno.test("j, k, the arrows, g, G, e and E go through the rows", () =>
  withPage(async (page) => {
    const walk: [key: string, row: number][] = [
      ["k", 58],
      ["k", 57],
      ["j", 58],
      ["ArrowUp", 57],
      ["ArrowDown", 58],
      ["E", 49],
      ["E", 39],
      ["e", 49],
      ["g", 0],
      ["j", 1],
      ["Home", 0],
      ["End", ROWS - 1],
      ["g", 0],
      ["G", ROWS - 1],
    ];
    for (const [key, number] of walk) {
      await page.keyboard.press(key);
      await onRow(page, number);
    }
    await page.waitForSelector('[role="status"][data-state="live"]:not([data-paused])');
  }));

Deno.test("Enter opens the details, Escape closes them, and the focus is where it was", () =>
  withPage(async (page) => {
    await page.keyboard.press("k");
    await page.keyboard.press("k");
    await onRow(page, 57);
    await page.keyboard.press("Enter");
    await page.locator("[data-drawer][open]", { hasText: "number 57," }).waitFor();
    await page.keyboard.press("j");
    await page.locator("[data-drawer][open]", { hasText: "number 58," }).waitFor();
    await page.keyboard.press("Escape");
    await page.waitForSelector("[data-drawer]:not([open])", { state: "attached" });
    await onRow(page, 58);
  }));
