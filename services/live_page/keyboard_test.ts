/// <reference lib="dom" />
/** The live page with the keyboard alone, on the real services. */
import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { launchBrowser, openPage } from "../lib/testing/browser.ts";
import { eventually } from "../lib/testing/deadline.ts";
import { startSystem, type System } from "../lib/testing/system.ts";
import { live, report, reported, UNLIMITED } from "./live_page_harness.ts";

const ROWS = 60;

/** Opens the page with some rows of which every tenth is an error; the newest is number 59. */
async function withPage(test: (page: Page, system: System) => Promise<void>): Promise<void> {
  await using system = await startSystem({ broadcaster: UNLIMITED });
  await publish(system, ROWS);
  const browser = await launchBrowser();
  try {
    const options = { viewport: { width: 1280, height: 700 }, reducedMotion: "reduce" } as const;
    await using opened = await openPage(browser, `${system.logger.url}logger/`, options);
    await live(opened.page);
    await opened.page.locator(row(ROWS - 1)).waitFor();
    await test(opened.page, system);
    assert.deepEqual(opened.complaints, []);
  } finally {
    await browser.close();
  }
}

const row = (number: number) => `[data-event-id]:has-text("number ${number},")`;

/** Updates whose message says their number. */
async function publish({ broadcaster }: System, count: number, from = 0): Promise<void> {
  for (let start = from; start < from + count; start += 50) {
    const events = Array.from({ length: Math.min(50, from + count - start) }, (_, i) => {
      const number = start + i;
      const k = number % 10 === 9 ? "error" : "step";
      const text = `number ${number},`;
      return reported({ k, u: "https://shop.test/", p: k === "error" ? { message: text } : { text } });
    });
    await report(broadcaster.url, events, { sid: "019a0000-0000-7000-8000-000000000001" });
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

function state(page: Page, isPaused: boolean): Promise<unknown> {
  const status = '[role="status"][data-state="live"]';
  return page.waitForSelector(`${status}${isPaused ? "[data-paused]" : ":not([data-paused])"}`);
}

Deno.test("Tab reaches everything once, in the order of the page, and what has the focus shows it", () =>
  withPage(async (page) => {
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
    await state(page, false);
  }));

Deno.test("Space pauses, n steps through what came, f follows again", () =>
  withPage(async (page, system) => {
    await page.keyboard.press(" ");
    await state(page, true);
    await publish(system, 100, ROWS);
    await eventually("100 new", async () => /100 new/.test(await page.textContent("[data-jump]") ?? ""));
    await page.keyboard.press("n");
    await page.locator(row(ROWS)).waitFor();
    assert.equal(await page.locator(row(ROWS + 99)).count(), 0);
    await page.keyboard.press("f");
    await state(page, false);
    await page.locator(row(ROWS + 99)).waitFor();
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

Deno.test("the menus and dialogs take the focus and give it back", () =>
  withPage(async (page) => {
    for (
      const [action, opened] of [
        ["alerts", "[data-alerts]:popover-open"],
        ["export", "[data-export-menu]:popover-open"],
        ["help", "[data-help][open]"],
      ] as const
    ) {
      await page.locator(`[data-action=${action}]`).focus();
      await page.keyboard.press("Enter");
      await page.waitForSelector(opened);
      await eventually(
        `the focus in ${action}`,
        () => page.evaluate((opened) => document.activeElement?.closest(opened) !== null, opened),
      );
      await page.keyboard.press("Escape");
      await eventually(
        `the focus back on ${action}`,
        () =>
          page.evaluate((action) => document.activeElement?.getAttribute("data-action") === action, action),
      );
    }
  }));

Deno.test("/ and Ctrl+F lead to the filter, the second Ctrl+F is the browser's, Escape empties and leaves it", () =>
  withPage(async (page) => {
    const inFilter = () => page.evaluate(() => document.activeElement?.hasAttribute("data-query") === true);
    await page.keyboard.press("/");
    await eventually("the filter", inFilter);
    await page.keyboard.type("k:error");
    await eventually("the errors", async () => (await page.textContent("[data-count]"))?.startsWith("6 of"));
    await page.keyboard.press("Escape");
    await eventually("all", async () => await page.textContent("[data-count]") === "");
    assert.ok(await inFilter());
    await page.keyboard.press("Escape");
    await eventually("the rows", async () => !Number.isNaN(await focusedRow(page)));

    await page.evaluate(() =>
      addEventListener("keydown", (event) => {
        if (event.key === "f") document.title = `${event.defaultPrevented}`;
      })
    );
    await page.keyboard.press("Control+f");
    await eventually("the filter", inFilter);
    assert.equal(await page.title(), "true");
    await page.keyboard.press("Control+f");
    assert.equal(await page.title(), "false");
  }));

Deno.test("m marks, c clears, d changes the density, and keys do nothing where one types", () =>
  withPage(async (page) => {
    await page.keyboard.press("m");
    await page.locator('[data-rows] [data-row="mark"]').waitFor();
    const density = () => page.evaluate(() => document.documentElement.dataset.density);
    const before = await density();
    await page.keyboard.press("d");
    await eventually("another density", async () => await density() !== before);
    await page.keyboard.press("c");
    await eventually("no row", async () => await page.locator("[data-event-id]").count() === 0);
    await page.keyboard.press("/");
    await page.keyboard.type("mcd? g");
    assert.equal(await page.inputValue("[data-query]"), "mcd? g");
    assert.equal(await page.locator("[data-help][open]").count(), 0);
  }));

Deno.test("who switches the shortcuts off has none, and has the keys of the rows", () =>
  withPage(async (page) => {
    await page.keyboard.press("?");
    await page.waitForSelector("[data-help][open]");
    await page.locator("[data-help-switch]").uncheck();
    await page.keyboard.press("Escape");
    await page.locator(row(ROWS - 1)).focus();
    for (const key of ["k", " ", "m", "?", "g", "/"]) await page.keyboard.press(key);
    await page.keyboard.press("ArrowUp");
    await onRow(page, ROWS - 2);
    await state(page, true);
    assert.equal(await page.locator('[data-rows] [data-row="mark"], [data-help][open]').count(), 0);
    await page.keyboard.press("Enter");
    await page.locator("[data-drawer][open]", { hasText: `number ${ROWS - 2},` }).waitFor();
  }));
