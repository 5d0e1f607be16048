/// <reference lib="dom" />
/** What the page tells those who do not see it, and spares those whom movement disturbs. */
import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { eventually } from "../lib/testing/deadline.ts";
import { live, many, row, tracked, withLogger } from "./logger_harness.ts";

const withClock = { before: (page: Page) => page.clock.install() };

/** Everything that the live regions of the page have said so far. */
async function listen(page: Page): Promise<() => Promise<string[]>> {
  await page.evaluate(() => {
    const said: string[] = [];
    for (const region of document.querySelectorAll("[aria-live=polite], [role=status], [role=alert]")) {
      let last = "";
      new MutationObserver(() => {
        const copy = region.cloneNode(true) as Element;
        for (const silent of copy.querySelectorAll("[aria-hidden=true]")) silent.remove();
        const text = copy.textContent?.trim() ?? "";
        if (text !== "" && text !== last) said.push(text);
        last = text;
      }).observe(region, { childList: true, subtree: true, characterData: true });
    }
    Object.assign(globalThis, { said });
  });
  return () => page.evaluate(() => (globalThis as unknown as { said: string[] }).said);
}

Deno.test("a busy stream is told in one sentence every ten seconds, and no row by itself", () =>
  withLogger([], async (page, hub) => {
    const said = await listen(page);
    for (let number = 0; number < 30; number++) {
      hub.publish(tracked(number, { kind: number === 7 ? "error" : "click" }));
    }
    await page.waitForSelector(row("urn:t:29"));
    await page.clock.runFor(9_000);
    assert.deepEqual(await said(), []);
    await page.clock.runFor(1_500);
    assert.deepEqual(await said(), ["30 updates received, 1 error."]);
    assert.equal(await page.getAttribute("[role=log]", "aria-live"), "off");
  }, withClock));

Deno.test("what matches is read aloud for who asks for it, and nothing else", () =>
  withLogger([tracked(0)], async (page, hub) => {
    await page.click("[data-action=announce]");
    await page.waitForSelector("[data-action=announce][aria-pressed=true]");
    await page.fill("[data-query]", "k:error");
    const said = await listen(page);
    hub.publish(tracked(1), tracked(2, { kind: "error", message: "It broke" }), tracked(3));
    await page.waitForSelector(row("urn:t:2"));
    await page.clock.runFor(11_000);
    assert.deepEqual(await said(), ["3 updates received, 1 error. It broke"]);
    await page.click("[data-action=announce]");
    await page.waitForSelector("[data-action=announce][aria-pressed=false]");
    hub.publish(tracked(4, { kind: "error", message: "Again" }));
    await page.waitForSelector(row("urn:t:4"));
    await page.clock.runFor(11_000);
    assert.equal((await said()).at(-1), "1 update received, 1 error.");
  }, withClock));

Deno.test("what is read aloud is of the time that was chosen", () =>
  withLogger([tracked(0)], async (page, hub) => {
    await page.click("[data-action=announce]");
    await page.waitForSelector("[data-action=announce][aria-pressed=true]");
    const said = await listen(page);
    const time = Date.UTC(2020, 0, 1);
    const within = (number: number, ms: number) =>
      tracked(number, { time: time + ms, message: `At ${ms} ms` });
    hub.publish(within(1, -1), within(2, 0), within(3, 4_999), within(4, 5_000));
    await page.waitForSelector(row("urn:t:3"));
    await page.clock.runFor(11_000);
    assert.deepEqual(await said(), ["4 updates received. At 0 ms At 4999 ms"]);
  }, { ...withClock, address: "?from=2020-01-01T00:00:00Z&to=2020-01-01T00:00:05Z" }));

Deno.test("a change of the connection is told at once, without the seconds until the next attempt", () =>
  withLogger([tracked(0)], async (page, hub) => {
    const said = await listen(page);
    hub.onStream = () => new Response(null, { status: 503 });
    hub.cut();
    await page.waitForSelector("[data-problem]:not([hidden])");
    hub.onStream = (answer) => answer();
    await page.click("[data-action=retry]");
    await live(page);
    const words = await said();
    assert.deepEqual(words.filter((text) => /^(Live|Reconnecting)$/.test(text)), ["Reconnecting", "Live"]);
    assert.ok(words.some((text) => text.includes("The server answers 503")));
    assert.ok(!words.some((text) => /\d s\b/.test(text)), `${words}`);
  }, { ignoreComplaints: /503/ }));

Deno.test("a row that has just come lights up, unless its reader wants less movement", async () => {
  for (const reducedMotion of ["no-preference", "reduce"] as const) {
    await withLogger([], async (page, hub) => {
      hub.publish(tracked(1));
      await page.waitForSelector(row("urn:t:1"));
      const animations = () => page.evaluate(() => document.getAnimations().length);
      if (reducedMotion === "reduce") assert.equal(await animations(), 0);
      else await eventually("the light", async () => await animations() > 0);
    }, { reducedMotion });
  }
});

Deno.test("the rows are a grid that knows how many there are, and which of them are drawn", () =>
  withLogger(many(300), async (page) => {
    await page.waitForSelector(row("urn:t:299"));
    assert.equal(await page.getAttribute("[role=grid]", "aria-rowcount"), "300");
    const places = await page.locator("[role=row]").evaluateAll((rows) =>
      rows.map((row) => [row.getAttribute("aria-rowindex"), row.getAttribute("data-event-id")])
    );
    assert.ok(places.length < 60);
    for (const [index, id] of places) assert.equal(id, `urn:t:${Number(index) - 1}`);
    assert.equal(await page.locator('[role=row][tabindex="0"]').count(), 1);
  }));
