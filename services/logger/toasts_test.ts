/// <reference lib="dom" />
import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { eventually } from "../lib/testing/deadline.ts";
import { hide, stopClock, tracked, withLogger } from "./logger_harness.ts";

const withClock = { before: (page: Page) => page.clock.install() };
const count = (page: Page) => page.locator(".toast").count();

/** A note that offers something, and a clock that stands still. */
async function showNote(page: Page): Promise<void> {
  await page.keyboard.press("c");
  await page.waitForSelector(".toast");
  await stopClock(page);
}

Deno.test("a note goes away by itself, but not from under the pointer or the focus", () =>
  withLogger([tracked(1)], async (page) => {
    await showNote(page);
    await page.hover(".toast__text");
    await page.clock.runFor(30_000);
    assert.equal(await count(page), 1);
    await page.mouse.move(5, 5);
    await page.focus(".toast__action");
    await page.clock.runFor(30_000);
    assert.equal(await count(page), 1);
    await page.focus("[data-query]");
    await page.clock.runFor(10_000);
    assert.equal(await count(page), 0);
  }, withClock));

Deno.test("a note waits for who is not looking", () =>
  withLogger([tracked(1)], async (page) => {
    await showNote(page);
    await hide(page, true);
    for (let minutes = 0; minutes < 5; minutes++) await page.clock.fastForward(60_000);
    assert.equal(await count(page), 1);
    await hide(page, false);
    await page.clock.runFor(1_000);
    assert.equal(await count(page), 1);
    await page.clock.runFor(10_000);
    assert.equal(await count(page), 0);
  }, withClock));

Deno.test("of many notes the newest stay", () =>
  withLogger([tracked(1)], async (page) => {
    await showNote(page);
    for (let more = 0; more < 4; more++) await page.keyboard.press("c");
    await eventually("three", async () => await count(page) === 3);
  }, withClock));
