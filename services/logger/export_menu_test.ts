/// <reference lib="dom" />
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { noteEntry, toEntry } from "../../static/logger/entry.js";
import { toCsv, toJsonLines } from "../../static/logger/export.js";
import { toFile } from "../../static/logger/export_menu.js";
import { findBarriers } from "../lib/testing/browser.ts";
import { eventually } from "../lib/testing/deadline.ts";
import { focused, many, tracked, withLogger } from "./logger_harness.ts";

const entries = (count: number) =>
  Array.from(
    { length: count },
    (_, i) =>
      i % 7 === 3
        ? noteEntry("mark", `Mark ${i}`, i)
        : toEntry(tracked(i, { props: { text: "=1+1, é\n" } }), { arrived: i, isLive: true }),
  );

Deno.test("toFile() gives the same file in slices as in one piece", async () => {
  for (const format of [toCsv, toJsonLines]) {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(0, 1, 999, 1_000, 1_001, 2_345), async (count) => {
        const file = await toFile(entries(count), format);
        assert.equal(await file.text(), format(entries(count)).join(""));
      }),
      { numRuns: 12 },
    );
  }
});

Deno.test("what is shown is saved, under a name with the time", () =>
  withLogger(
    many(40, 0, (number) => ({ kind: number % 4 === 0 ? "error" : "click" })),
    async (page) => {
      await page.fill("[data-query]", "k:error");
      await eventually("the filter", async () => await page.locator("[data-event-id]").count() === 10);
      for (const [name, lines] of [["jsonl", 10], ["csv", 11]] as const) {
        await page.click("[data-action=export]");
        await page.waitForSelector("[data-export-menu]:popover-open");
        assert.equal(await page.textContent("[data-export-count]"), "Save 10 rows as");
        assert.deepEqual(await findBarriers(page), []);
        const [download] = await Promise.all([
          page.waitForEvent("download"),
          page.click(`[data-export-menu] [data-do=${name}]`),
        ]);
        assert.match(download.suggestedFilename(), new RegExp(`^updates-\\d{4}(-\\d\\d){5}\\.${name}$`));
        const file = await Deno.readTextFile(await download.path());
        assert.equal(file.trimEnd().split("\n").length, lines);
        assert.ok(!file.includes('"click"'));
        await page.locator(".toast", { hasText: download.suggestedFilename() }).waitFor();
      }
    },
  ));

Deno.test("the menu closes by its button, by Escape and by a click elsewhere, and gives the focus back", () =>
  withLogger([tracked(1)], async (page) => {
    const menu = "[data-export-menu]:popover-open";
    await page.click("[data-action=export]");
    await page.waitForSelector(menu);
    await page.click("[data-action=export]");
    await page.waitForSelector(menu, { state: "detached" });
    await page.focus("[data-action=export]");
    await page.keyboard.press("Enter");
    await page.waitForSelector(menu);
    await eventually("the focus in it", async () => /^JSON Lines/.test(await focused(page)));
    await page.keyboard.press("Escape");
    await eventually("the focus on the button", async () => await focused(page) === "Export");
    await page.keyboard.press("Enter");
    await page.waitForSelector(menu);
    await page.mouse.click(10, 400);
    await page.waitForSelector(menu, { state: "detached" });
  }));
