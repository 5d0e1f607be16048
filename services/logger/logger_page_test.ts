/// <reference lib="dom" />
/** What the logger page does with what comes: rows, gaps, pauses, filters, links, the keyboard. */
import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { findBarriers } from "../lib/testing/browser.ts";
import { eventually } from "../lib/testing/deadline.ts";
import { hide, live, many, messages, row, tracked, type Update, withLogger } from "./logger_harness.ts";

const update = (id: string, message: string, more: Readonly<Record<string, unknown>> = {}): Update => ({
  id,
  type: "login",
  data: JSON.stringify({ message, level: "info", ...more }),
});

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
const focusedId = (page: Page) =>
  page.evaluate(() => document.activeElement?.getAttribute("data-event-id") ?? "");
const text = (page: Page, selector: string) => page.locator(selector).first().textContent();

/** Turns the wheel over the rows; down if positive. */
async function wheel(page: Page, pixels: number): Promise<void> {
  await page.hover("[data-scroller]");
  await page.mouse.wheel(0, pixels);
}

Deno.test("a gap is a row of its own between the updates, and counts as none", () =>
  withLogger([update("1", "first")], async (page, hub) => {
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
    assert.equal(await page.locator("[data-row=gap]").count(), 1);
    assert.equal(await page.locator("[data-row=gap][data-event-id], [data-row=gap] b").count(), 0);
    await eventually("the counter", async () => await text(page, "[data-counter=total]") === "2");
    assert.deepEqual(await findBarriers(page), []);
  }));

Deno.test("after an interruption the stream resumes, the page says so, and no row comes twice", () =>
  withLogger([update("1", "first")], async (page, hub) => {
    // What tells of interruptions is loaded together with what counts.
    await eventually("the counter", async () => await text(page, "[data-counter=total]") === "1");
    hub.cut();
    await page.waitForSelector('[role="status"][data-state="reconnecting"]');
    hub.publish(update("2", "second"));
    await page.waitForSelector(row("2"));
    await live(page);
    const shown = await eventually("the note", async () => {
      const shown = await messages(page);
      return shown.some((message) => message.startsWith("Connected again")) && shown;
    });
    assert.equal(shown.filter((message) => /first|second/.test(message)).length, 2);
    assert.equal(shown.filter((message) => message.startsWith("Connected again")).length, 1);
    assert.equal(hub.connections.at(-1)?.get("signals"), "1");
    assert.equal(hub.connections.at(-1)?.get("last_event_id"), "1");
  }));

Deno.test("signals that the page does not know are never rows, an update of their type is", () =>
  withLogger([], async (page, hub) => {
    await page.waitForSelector("[data-empty]:not([hidden])");
    hub.signal({ type: "news" });
    hub.publish({ id: "1", type: "mercure", data: "an update" });
    await page.waitForSelector(row("1"));
    assert.equal(await page.locator("[data-event-id]").count(), 1);
    assert.equal(await page.locator("[data-row=gap]").count(), 0);
  }));

Deno.test("of thousands of rows a few dozen are in the page, the newest in view", () =>
  withLogger([], async (page, hub) => {
    hub.publish(...many(3_000));
    for (const each of many(3_000, 3_000)) hub.publish(each);
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
  withLogger(many(100), async (page, hub) => {
    await eventually("the newest", async () => await lastInView(page) === "urn:t:99");
    await page.keyboard.press("Space");
    await page.waitForSelector("[role=status][data-paused]");
    const before = await inView(page);
    hub.publish(...many(300, 100));
    await eventually("300 new", async () => (await text(page, "[data-status-detail]"))?.includes("300 new"));
    assert.deepEqual(await inView(page), before);

    await page.click("[data-action=step]");
    await eventually("the next screen", async () => (await inView(page))[0] === "urn:t:100");
    await page.waitForSelector("[role=status][data-paused]");
    await page.click("[data-action=follow]");
    await eventually("the newest", async () => await lastInView(page) === "urn:t:399");
    await page.waitForSelector("[role=status][data-state]:not([data-paused])");
    hub.publish(tracked(400));
    await eventually("the newest", async () => await lastInView(page) === "urn:t:400");
  }));

Deno.test("a scroll of more than a row pauses, also while much comes; one back to the end resumes", () =>
  withLogger(many(200), async (page, hub) => {
    await eventually("the newest", async () => await lastInView(page) === "urn:t:199");
    let number = 200;
    const flood = setInterval(() => hub.publish(tracked(number++)), 20);
    try {
      await wheel(page, -100);
      await page.waitForSelector("[role=status][data-paused]");
      const before = await inView(page);
      const count = number;
      await eventually("more rows", () => number > count + 20);
      assert.deepEqual(await inView(page), before);

      // It ends where the end was when it began, and much has come since.
      await wheel(page, 10_000);
      await page.waitForSelector("[role=status][data-state]:not([data-paused])");
      const seen = number;
      await eventually("more rows", () => number > seen + 50);
      assert.equal(await page.locator("[role=status][data-paused]").count(), 0);
    } finally {
      clearInterval(flood);
    }
    await eventually("the newest", async () => await lastInView(page) === `urn:t:${number - 1}`);
  }));

Deno.test("older updates come when one scrolls to the top, and the view stays where it is", () =>
  withLogger(many(1_200), async (page) => {
    await eventually("the newest", async () => await lastInView(page) === "urn:t:1199");
    await page.keyboard.press("g");
    await eventually("the oldest of the first page", async () => await focusedId(page) === "urn:t:700");
    await eventually(
      "older ones",
      async () => Number(await page.getAttribute("[data-rows]", "aria-rowcount")) > 900,
    );
    assert.ok((await inView(page)).includes("urn:t:700"));
    assert.equal(await focusedId(page), "urn:t:700");
    await eventually("the begin of the history", async () => {
      await page.keyboard.press("g");
      return (await messages(page)).includes("The history that is kept begins here.");
    });
    assert.ok((await inView(page)).includes("urn:t:0"));
  }));

Deno.test("a filter and a highlight are in the address, and a new page obeys it", () =>
  withLogger(many(200), async (page, _hub, opened) => {
    await page.fill("[data-query]", "k:error -site:blog");
    await eventually("the errors", async () => await text(page, "[data-count]") === "20 of 200");
    const errors = Array.from({ length: 20 }, (_, index) => `urn:t:${10 * index}`);
    await eventually("their rows", async () => `${await inView(page)}` === `${errors}`);
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
    await eventually("the newest", async () => await lastInView(page) === "urn:t:199");
  }));

Deno.test("the chip of a kind goes round: only this, not this, all", () =>
  withLogger(many(50), async (page) => {
    // The kind, how many there are, and in which state it is, also for those who do not see its colour.
    const chip = (name: string) => page.locator("[data-chips]").getByRole("button", { name, exact: true });
    await chip("error 5").click();
    await chip("only error 5").waitFor();
    await eventually("only these", async () => await text(page, "[data-count]") === "5 of 50");
    assert.equal(await page.inputValue("[data-query]"), "k:error");
    await chip("only error 5").click();
    await chip("without error 5").waitFor();
    await eventually("all but these", async () => await text(page, "[data-count]") === "45 of 50");
    assert.equal(await page.inputValue("[data-query]"), "-k:error");
    await chip("without error 5").click();
    await chip("error 5").waitFor();
    await eventually("all", async () => await text(page, "[data-count]") === "");
    assert.equal(await page.inputValue("[data-query]"), "");
  }));

Deno.test("a permalink to an update that the page has not loaded brings it, with what was before", () =>
  withLogger(many(2_000), async (page) => {
    await page.waitForSelector(".drawer[open]");
    assert.equal(await page.locator(`${row("urn:t:300")}[aria-selected=true]`).count(), 1);
    assert.ok((await inView(page)).includes("urn:t:295"));
    await page.keyboard.press("Escape");
    assert.equal(await focusedId(page), "urn:t:300");
    await page.keyboard.press("G");
    await eventually("the newest", async () => await lastInView(page) === "urn:t:1999");
  }, { address: "#id=urn:t:300" }));

Deno.test("a permalink to an update that is gone says so", () =>
  withLogger(many(5), async (page) => {
    await eventually("the note", async () =>
      (await text(page, "[data-toasts]"))?.includes("not kept any more"));
  }, { address: "#id=urn:t:none", ignoreComplaints: /404/ }));

Deno.test("the focus belongs to an update: it survives that its row is far away, and goes on from there", () =>
  withLogger(many(300), async (page, hub) => {
    await eventually("the newest", async () => await lastInView(page) === "urn:t:299");
    await page.locator(row("urn:t:299")).focus();
    await page.keyboard.press("ArrowUp");
    await eventually("the row before", async () => await focusedId(page) === "urn:t:298");
    await page.keyboard.press("End");
    assert.equal(await focusedId(page), "urn:t:299");
    await page.keyboard.press("f");
    hub.publish(...many(300, 300));
    await eventually("the newest", async () => await lastInView(page) === "urn:t:599");
    assert.equal(await focusedId(page), "urn:t:299");
    assert.ok(!(await inView(page)).includes("urn:t:299"));
    await page.keyboard.press("j");
    assert.equal(await focusedId(page), "urn:t:300");
    assert.ok((await inView(page)).includes("urn:t:300"));
    await page.keyboard.press("E");
    assert.equal(await focusedId(page), "urn:t:290");
    await page.keyboard.press("e");
    assert.equal(await focusedId(page), "urn:t:300");
  }));

Deno.test("keys that come before the controls are kept for them, and scroll nothing", () => {
  const asked = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<void>();
  return withLogger(many(100), async (page) => {
    await eventually("the newest", async () => await lastInView(page) === "urn:t:99");
    await page.evaluate(() => {
      addEventListener("keydown", (event) => document.title += ` ${event.key} ${event.defaultPrevented}`);
      document.title = "";
    });
    await page.locator(row("urn:t:99")).focus();
    await asked.promise;
    for (const key of ["ArrowUp", "Home", "j", "Tab"]) await page.keyboard.press(key);
    assert.equal(await page.title(), "ArrowUp true Home true j false Tab false");
    answer.resolve();
    await eventually("the keys", async () => await focusedId(page) === "urn:t:1");
  }, {
    before: (page) =>
      page.route("**/controls.js", async (route) => {
        asked.resolve();
        await answer.promise;
        await route.continue();
      }),
  });
});

Deno.test("a row in view keeps the focus while others come and go", () =>
  withLogger(many(100), async (page, hub) => {
    await eventually("the newest", async () => await lastInView(page) === "urn:t:99");
    await page.locator(row("urn:t:99")).focus();
    await page.keyboard.press("Home");
    await eventually("the oldest", async () => await focusedId(page) === "urn:t:0");
    await page.keyboard.press("G");
    assert.equal(await focusedId(page), "urn:t:99");
    for (let number = 100; number < 105; number++) {
      hub.publish(tracked(number));
      await eventually("one more", async () => await lastInView(page) === `urn:t:${number}`);
      assert.equal(await focusedId(page), "urn:t:99");
    }
  }));

Deno.test("a mark is a row, and a clear view can be undone", () =>
  withLogger(many(40), async (page, hub) => {
    await eventually("the newest", async () => await lastInView(page) === "urn:t:39");
    await page.keyboard.press("m");
    await eventually("the mark", async () => (await messages(page)).includes("Mark 1"));
    await page.keyboard.press("c");
    await eventually("a clear view", async () => (await inView(page)).length === 0);
    hub.publish(tracked(40));
    await eventually("the only row", async () => `${await inView(page)}` === "urn:t:40");
    await page.click(".toast__action");
    await eventually("all of it", async () => (await inView(page)).length > 5);
  }));

Deno.test("a page that nobody sees draws no rows, and has them all when it is seen again", () =>
  withLogger(many(10), async (page, hub) => {
    await eventually("the newest", async () => await lastInView(page) === "urn:t:9");
    // The count of what matches goes on, and tells when the page has what it does not draw.
    await page.fill("[data-query]", "site:shop");
    await eventually("the count", async () => await text(page, "[data-count]") === "10 of 10");
    await hide(page, true);
    hub.publish(...many(40, 10));
    await eventually("all of them", async () => await text(page, "[data-count]") === "50 of 50");
    assert.equal(await lastInView(page), "urn:t:9");
    await hide(page, false);
    await eventually("the newest", async () => await lastInView(page) === "urn:t:49");
  }));

Deno.test("axe finds nothing while paused, in a filter, and with an open table", () => {
  // The table has only what is of the last minutes.
  const recent = (number: number) => ({ kind: number % 10 === 0 ? "error" : "click", time: Date.now() });
  return withLogger(many(60, 0, recent), async (page, hub) => {
    await eventually("the newest", async () => await lastInView(page) === "urn:t:59");
    await page.click("[data-action=pause]");
    hub.publish(...many(30, 60, recent));
    await page.waitForSelector("[data-jump]:not([hidden])");
    assert.deepEqual(await findBarriers(page), []);
    await page.click("[data-timeline-details] summary");
    await page.waitForSelector("[data-timeline-table] tbody td");
    assert.deepEqual(await findBarriers(page), []);
    await page.fill("[data-query]", "k:click none");
    await page.waitForSelector("[data-no-match]:not([hidden])");
    assert.deepEqual(await findBarriers(page), []);
  });
});
