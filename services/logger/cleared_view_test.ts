/// <reference lib="dom" />
/** A view that was cleared: what was before is out of the way, until someone asks for it. */
import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { eventually } from "../lib/testing/deadline.ts";
import { idsOf, savedRows } from "../lib/testing/saved_rows.ts";
import { type Hub, live, many, messages, row, rowIds, tracked, withLogger } from "./logger_harness.ts";

/** Of 700 updates in the history the page has these; the last error among them is number 690. */
const KEPT = 500;
const SINCE = 60;
const rowCount = async (page: Page) => Number(await page.getAttribute("[data-rows]", "aria-rowcount"));

/** Clears the view, and publishes more than a screen of clicks. */
async function clear(page: Page, hub: Hub): Promise<void> {
  await page.keyboard.press("c");
  await eventually("a clear view", async () => (await rowIds(page)).length === 0);
  hub.publish(...many(SINCE, hub.log.length, () => ({})));
  await eventually("what came since", async () => await rowCount(page) === 1 + SINCE);
}

async function inView(page: Page, id: string): Promise<void> {
  await eventually(`${id} in view`, () =>
    page.evaluate((selector) => {
      const box = document.querySelector(selector)?.getBoundingClientRect();
      const { top, bottom } = document.querySelector("[data-scroller]")!.getBoundingClientRect();
      return box !== undefined && box.top >= top - 1 && box.bottom <= bottom + 1;
    }, row(id)));
}

Deno.test("the details of a row that was before the clear lead back to it, with all rows around it", () =>
  withLogger(many(700), async (page, hub) => {
    await page.click(`${row("urn:t:695")} .row__message`);
    await page.waitForSelector("[data-drawer][open]");
    await clear(page, hub);
    await page.click("[data-do=context]");
    await inView(page, "urn:t:695");
    await inView(page, "urn:t:694");
    assert.equal(await rowCount(page), KEPT + 1 + SINCE);
  }));

Deno.test("the error before leads to one before the clear, with all rows around it", () =>
  withLogger(many(700), async (page, hub) => {
    await page.waitForSelector(row("urn:t:699"));
    await clear(page, hub);
    await page.keyboard.press("E");
    await inView(page, "urn:t:690");
    await inView(page, "urn:t:691");
    assert.equal(
      await page.evaluate(() => document.activeElement?.getAttribute("data-event-id")),
      "urn:t:690",
    );
    assert.equal(await rowCount(page), KEPT + 1 + SINCE);
  }));

Deno.test("an alert leads to its row, also when the view was cleared since", () =>
  withLogger(many(700), async (page, hub) => {
    const rules = JSON.stringify({ rules: [{ text: "k:signup", isOn: true }] });
    await page.evaluate((rules) => localStorage.setItem("logger.alerts", rules), rules);
    await page.reload();
    await live(page);
    await page.waitForSelector("[data-action=alerts][data-on]");
    hub.publish(tracked(700, { kind: "signup" }));
    await page.locator(".toast", { hasText: "k:signup" }).waitFor();
    await clear(page, hub);
    await page.locator(".toast__action", { hasText: "Show" }).click();
    await page.waitForSelector("[data-drawer][open]");
    await inView(page, "urn:t:700");
    await inView(page, "urn:t:699");
    assert.equal(await rowCount(page), KEPT + 1 + 1 + SINCE);
  }));

Deno.test("at the upper edge of a cleared view nothing older is read; a button brings back what was before", () =>
  withLogger(many(700), async (page, hub) => {
    let asked = 0;
    await page.waitForSelector(row("urn:t:699"));
    hub.onHistory = (answer) => {
      asked++;
      return answer();
    };
    const older = page.locator("[data-action=older]");
    const ways = [
      () => page.keyboard.press("g"),
      async () => {
        await page.hover("[data-scroller]");
        await eventually("the upper edge", async () => {
          await page.mouse.wheel(0, -300);
          return await older.isVisible();
        });
      },
    ];
    for (const [clears, scrollUp] of ways.entries()) {
      await clear(page, hub);
      await scrollUp();
      await inView(page, `urn:t:${hub.log.length - SINCE}`);
      assert.equal((await messages(page))[0], "Cleared");
      assert.equal(await rowCount(page), 1 + SINCE);
      await older.click();
      const all = KEPT + (1 + SINCE) * (clears + 1);
      await eventually("what was before", async () => await rowCount(page) === all);
      await page.keyboard.press("G");
      await inView(page, `urn:t:${hub.log.length - 1}`);
    }
    assert.equal(asked, 0);
  }));

Deno.test("what was before is one button away, also where the history has nothing older", () =>
  withLogger(many(100), async (page, hub) => {
    await page.waitForSelector(row("urn:t:99"));
    await clear(page, hub);
    await page.keyboard.press("g");
    await page.click("[data-action=older]");
    await eventually("what was before", async () => await rowCount(page) === 100 + 1 + SINCE);
    await page.keyboard.press("g");
    await inView(page, "urn:t:0");
    assert.ok(await page.isHidden("[data-action=older]"));
  }));

Deno.test("what is saved is what came since the clear, and all of it once that is undone", () =>
  withLogger(many(700), async (page, hub) => {
    await page.waitForSelector(row("urn:t:699"));
    await clear(page, hub);
    const since = hub.log.slice(-SINCE).map(({ id }) => id);
    const saved = await savedRows(page);
    assert.deepEqual(idsOf(saved), since);
    assert.equal(saved[0]?.message, "Cleared");
    await page.click("[data-action=export]");
    await page.waitForSelector("[data-export-menu]:popover-open");
    assert.equal(await page.textContent("[data-export-count]"), `Save ${1 + SINCE} rows as`);
    await page.keyboard.press("Escape");

    // Also of what a filter lets through.
    hub.publish(tracked(hub.log.length, { kind: "signup" }));
    await page.fill("[data-query]", "k:signup k:error");
    await eventually("the filter", async () => await rowCount(page) === 2);
    assert.deepEqual(idsOf(await savedRows(page)), [hub.log.at(-1)!.id]);
    await page.fill("[data-query]", "");

    await page.locator(".toast__action", { hasText: "Undo" }).click();
    await eventually("all rows", async () => await rowCount(page) === KEPT + 2 + SINCE);
    assert.deepEqual(idsOf(await savedRows(page)), hub.log.slice(200).map(({ id }) => id));
  }));
