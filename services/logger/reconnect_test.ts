/// <reference lib="dom" />
/** What the page says and does when its connection is there again: of what it missed, and of what is new. */
import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { v7 as uuidv7 } from "uuid";
import { eventually } from "../lib/testing/deadline.ts";
import {
  Gate,
  type Hub,
  live,
  messages,
  row,
  stopClock,
  tracked,
  tryNow,
  type Update,
  withLogger,
} from "./logger_harness.ts";

const MINUTE = 60_000;
const stateOf = (page: Page) => page.getAttribute("[role=status][data-state]", "data-state");
const toasts = (page: Page) => page.locator(".toast__text").allTextContents();

/** Says what a browser says that keeps a page for the way back to it, or brings it back. */
const say = (page: Page, type: "pagehide" | "pageshow") =>
  page.evaluate((type) => dispatchEvent(new PageTransitionEvent(type, { persisted: true })), type);

/** Loads the page with a rule that asks to be alerted of clicks. */
async function beAlerted(page: Page): Promise<void> {
  await page.evaluate(() => {
    const rules = [{ text: "k:click", isOn: true }];
    localStorage.setItem("logger.alerts", JSON.stringify({ rules }));
  });
  await page.reload();
  await live(page);
  await page.waitForSelector("[data-action=alerts][data-on]");
}

/** Cuts the page off, lets these happen, and brings the connection back. */
async function miss(page: Page, hub: Hub, ...missed: Update[]): Promise<void> {
  hub.onStream = () => new Response(null, { status: 503 });
  hub.cut();
  await page.waitForSelector("[data-problem]:not([hidden])");
  hub.log.push(...missed);
  hub.onStream = (answer) => answer();
  await tryNow(page);
}

Deno.test("a page that comes back says that it is live when its history and its stream are there, not before", () =>
  withLogger([tracked(1)], async (page, hub) => {
    await say(page, "pagehide");
    await eventually("the end of the stream", () => hub.streams === 0);
    hub.log.push(tracked(2));
    using history = new Gate();
    using stream = new Gate();
    hub.onHistory = history.late;
    hub.onStream = stream.late;
    await say(page, "pageshow");
    await history.waiting;
    assert.notEqual(await stateOf(page), "live");
    history.open();
    await stream.waiting;
    await page.waitForSelector(row("urn:t:2"));
    assert.notEqual(await stateOf(page), "live");
    stream.open();
    await live(page);
  }));

Deno.test("a tab that comes back to another that leads says that it is live when it has what it missed", () =>
  withLogger([tracked(1)], async (page, hub) => {
    const tab = await page.context().newPage();
    await tab.goto(hub.url);
    await live(tab);
    await say(tab, "pagehide");
    hub.publish(tracked(2));
    await page.waitForSelector(row("urn:t:2"));
    using history = new Gate();
    hub.onHistory = history.late;
    await say(tab, "pageshow");
    await history.waiting;
    assert.notEqual(await stateOf(tab), "live");
    history.open();
    await live(tab);
    await tab.waitForSelector(row("urn:t:2"));
  }));

Deno.test("what was missed rings no alert, whatever its ids; what is new does", async (t) => {
  const ids: Record<string, (number: number) => string> = {
    "ids that tell no time": (number) => `urn:t:${number}`,
    "ids that tell the time": (number) =>
      `urn:uuid:${uuidv7({ msecs: Date.now() - (10 - number) * MINUTE })}`,
  };
  for (const [name, idOf] of Object.entries(ids)) {
    await t.step(name, () =>
      withLogger([tracked(1)], async (page, hub) => {
        await beAlerted(page);
        const made = (number: number, message: string) => ({
          ...tracked(number, { message }),
          id: idOf(number),
        });
        const missed = [made(2, "missed"), made(3, "missed, too")];
        await miss(page, hub, ...missed);
        await page.waitForSelector(row(missed[1]!.id));
        await live(page);
        hub.publish({ ...tracked(4, { message: "new" }), id: "urn:t:new" });
        await eventually("the alert", async () => (await toasts(page)).length > 0);
        assert.deepEqual(await toasts(page), ["k:click: new"]);
      }, { ignoreComplaints: /503/ }));
  }
});

Deno.test("what happens seconds after a page is back that has missed nothing is new", () =>
  withLogger([tracked(1)], async (page, hub) => {
    await beAlerted(page);
    await miss(page, hub);
    await live(page);
    await page.clock.runFor(5_000);
    hub.publish(tracked(2, { message: "new" }));
    await page.waitForSelector(row("urn:t:2"));
    await eventually("the alert", async () => `${await toasts(page)}` === "k:click: new");
  }, { before: (page) => page.clock.install(), ignoreComplaints: /503/ }));

Deno.test("a stream that never pauses, and whose ids tell no time, is live again within about ten seconds", () =>
  withLogger([tracked(0)], async (page, hub) => {
    await stopClock(page);
    hub.cut();
    await page.waitForSelector('[role="status"][data-state="reconnecting"]');
    hub.log.push(tracked(1), tracked(2));
    await tryNow(page);
    await page.waitForSelector('[role="status"][data-state="catching-up"]');
    await eventually("both", () => hasCaughtUp(page, 2));
    let ms = 0;
    for (let number = 3; await stateOf(page) === "catching-up"; number++) {
      assert.ok(ms < 12_000, "it catches up for ever");
      hub.publish(tracked(number));
      await eventually("it", async () => await stateOf(page) === "live" || await hasCaughtUp(page, number));
      await page.clock.runFor(100);
      ms += 100;
    }
    assert.equal(await stateOf(page), "live");
    assert.ok(ms > 1_000, `${ms}`);
  }, { before: (page) => page.clock.install() }));

/** Whether the page says that so many have come since it is back. */
const hasCaughtUp = async (page: Page, count: number) =>
  await page.textContent("[data-status-detail]") === ` ${count}`;

Deno.test("a stream that comes late the first time is no interruption", () =>
  withLogger([tracked(1)], async (page, hub) => {
    using held = new Gate();
    hub.onStream = held.late;
    await page.reload();
    await held.waiting;
    await page.waitForSelector(row("urn:t:1"));
    // What makes rows of interruptions is there, too.
    await eventually("the total", async () => await page.textContent("[data-counter=total]") === "1");
    await page.clock.runFor(3_000);
    held.open();
    await live(page);
    hub.publish(tracked(2));
    await page.waitForSelector(row("urn:t:2"));
    assert.ok(!(await messages(page)).some((message) => message.startsWith("Connected again")));
    // From now on it would be one.
    hub.onStream = () => new Response(null, { status: 503 });
    hub.cut();
    await page.waitForSelector("[data-problem]:not([hidden])");
    await page.clock.runFor(3_000);
    hub.onStream = (answer) => answer();
    await tryNow(page);
    await eventually(
      "the row of it",
      async () => (await messages(page)).some((message) => message.startsWith("Connected again")),
    );
  }, { before: (page) => page.clock.install(), ignoreComplaints: /503/ }));
