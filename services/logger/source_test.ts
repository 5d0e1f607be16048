/// <reference lib="dom" />
/** The page, its history and its stream, when one of them is late, missing or somebody else's turn. */
import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { v7 as uuidv7 } from "uuid";
import { eventually } from "../lib/testing/deadline.ts";
import {
  Gate,
  type Hub,
  live,
  many,
  row,
  rowIds,
  tracked,
  tryNow,
  type Update,
  withLogger,
} from "./logger_harness.ts";

const MINUTE = 60_000;
const idsOf = (updates: readonly Update[]) => updates.map(({ id }) => id);
const gaps = (page: Page) => page.locator("[data-row=gap]").count();
const rowCount = async (page: Page) => Number(await page.getAttribute("[data-rows]", "aria-rowcount"));

/** Opens another tab, whose history waits at this gate. */
async function openTab(page: Page, hub: Hub, onHistory: Hub["onHistory"]): Promise<Page> {
  hub.onHistory = onHistory;
  const tab = await page.context().newPage();
  await tab.goto(hub.url);
  return tab;
}

function hasAll(page: Page, hub: Hub): Promise<unknown> {
  return eventually("all of them", async () => `${await rowIds(page)}` === `${idsOf(hub.log)}`);
}

Deno.test("the stream begins where the history ends, whatever comes between them", () =>
  withLogger(many(3), async (page, hub) => {
    for (const way of ["early", "late"] as const) {
      using held = new Gate();
      hub.onHistory = held[way];
      await page.reload();
      await held.waiting;
      const last = hub.log.at(-1)!.id;
      hub.publish(...many(3, hub.log.length));
      held.open();
      await live(page);
      await hasAll(page, hub);
      assert.equal(hub.connections.at(-1)?.get("last_event_id"), way === "early" ? last : hub.log.at(-1)!.id);
      assert.equal(await gaps(page), 0);
    }
  }));

Deno.test("another tab has what comes while it reads the history once, behind it", () =>
  withLogger(many(3), async (page, hub) => {
    for (const way of ["early", "late"] as const) {
      using held = new Gate();
      const tab = await openTab(page, hub, held[way]);
      await held.waiting;
      hub.publish(...many(3, hub.log.length));
      await hasAll(page, hub);
      held.open();
      await live(tab);
      await hasAll(tab, hub);
      hub.publish(tracked(hub.log.length));
      await hasAll(tab, hub);
      assert.equal(await gaps(tab), 0);
    }
    assert.equal(hub.connections.length, 1);
  }));

Deno.test("what another tab is told, and is older than all that it has read, is no news to it", () =>
  withLogger(many(3), async (page, hub) => {
    using held = new Gate();
    const tab = await openTab(page, hub, held.late);
    await held.waiting;
    hub.publish(...many(700, 3));
    await eventually("the newest", async () => (await rowIds(page)).at(-1) === "urn:t:702");
    held.open();
    await live(tab);
    await eventually("the newest", async () => (await rowIds(tab)).at(-1) === "urn:t:702");
    assert.equal(await rowCount(tab), 500);
    // It is there for who scrolls up.
    await tab.keyboard.press("g");
    await eventually("all of them", async () => await rowCount(tab) === 703 + 1);
  }));

Deno.test("a stream that lags behind the history brings no news to a tab that has read it", () =>
  withLogger(many(3), async (page, hub) => {
    hub.log.push(...many(700, 3));
    const tab = await openTab(page, hub, (answer) => answer());
    await live(tab);
    await eventually("the newest", async () => (await rowIds(tab)).at(-1) === "urn:t:702");
    for (const [from, to] of [[3, 150], [150, 400], [400, 703]] as const) {
      hub.send(...hub.log.slice(from, to));
      await eventually("the tab that leads", async () => (await rowIds(page)).at(-1) === `urn:t:${to - 1}`);
    }
    hub.publish(tracked(703));
    for (const [each, count] of [[tab, 501], [page, 704]] as const) {
      await eventually("news", async () => (await rowIds(each)).at(-1) === "urn:t:703");
      assert.equal(await rowCount(each), count);
    }
  }));

Deno.test("a history that cannot be read for a while is waited for, and the page says why", () =>
  withLogger([], async (page, hub) => {
    let failures = 1;
    const problem = { detail: "The forwarder does not answer" };
    const headers = { "Content-Type": "application/problem+json" };
    hub.onHistory = (answer) => failures-- > 0 ? Response.json(problem, { status: 503, headers }) : answer();
    hub.publish(...many(3));
    await page.reload();
    await page.waitForSelector("[data-problem]:not([hidden])");
    assert.match(
      await page.textContent("[data-problem-reason]") ?? "",
      /503 .*: The forwarder does not answer/,
    );
    assert.match(await page.textContent("[data-countdown]") ?? "", /^Trying again in \d s$/);
    hub.publish(tracked(3));
    await live(page);
    await page.waitForSelector("[data-problem]", { state: "hidden" });
    await hasAll(page, hub);
    assert.equal(await gaps(page), 0);
  }, { ignoreComplaints: /503/ }));

Deno.test("a hub without a history is shown from now on; one that keeps it to itself leaves a gap", () =>
  withLogger([], async (page, hub) => {
    for (const [status, expected] of [[404, 0], [403, 1]] as const) {
      hub.onHistory = () => new Response(null, { status });
      await page.reload();
      await live(page);
      hub.publish(tracked(status));
      await page.waitForSelector(row(`urn:t:${status}`));
      assert.equal(await gaps(page), expected);
    }
  }, { ignoreComplaints: /40[34]/ }));

Deno.test("a page on which nothing has ever happened misses nothing of what happens while it is cut off", () =>
  withLogger([], async (page, hub) => {
    await page.waitForSelector("[data-empty]:not([hidden])");
    hub.cut();
    await page.waitForSelector('[role="status"][data-state="reconnecting"]');
    hub.publish(...many(3));
    await tryNow(page);
    await hasAll(page, hub);
    assert.equal(hub.connections.at(-1)?.get("last_event_id"), "earliest");
    assert.equal(await gaps(page), 0);
  }));

Deno.test("a tab that has to lead while it still reads the history misses nothing", () =>
  withLogger(many(3), async (page, hub) => {
    using held = new Gate();
    const tab = await openTab(page, hub, held.early);
    await held.waiting;
    await page.close();
    await eventually("the end of the stream", () => hub.streams === 0);
    // It is not in the answer that is under way.
    hub.publish(tracked(3));
    held.open();
    await live(tab);
    await hasAll(tab, hub);
    assert.equal(await gaps(tab), 0);
  }));

Deno.test("a page that comes back from the cache of the browser has gone on with one connection", () =>
  withLogger(many(3), async (page, hub) => {
    // This browser has no such cache; it says what one with it says.
    const say = (type: string) =>
      page.evaluate((type) => dispatchEvent(new PageTransitionEvent(type, { persisted: true })), type);
    for (let count = 1; count <= 3; count++) {
      await say("pagehide");
      await eventually("the end of the stream", () => hub.streams === 0);
      hub.publish(tracked(hub.log.length));
      await say("pageshow");
      await hasAll(page, hub);
      await eventually("the stream", () => hub.streams === 1);
      hub.publish(tracked(hub.log.length));
      await hasAll(page, hub);
      assert.equal(hub.connections.length, 1 + count);
    }

    // Meanwhile another tab has the connection.
    const tab = await openTab(page, hub, (answer) => answer());
    await live(tab);
    await say("pagehide");
    await eventually("the other tab", () => hub.connections.length === 5 && hub.streams === 1);
    hub.publish(tracked(hub.log.length));
    await hasAll(tab, hub);
    await say("pageshow");
    await hasAll(page, hub);
    hub.publish(tracked(hub.log.length));
    for (const each of [tab, page]) await hasAll(each, hub);
    assert.equal(hub.connections.length, 5);
    assert.equal(await gaps(page), 0);
  }));

Deno.test("one gap is one row, however often the stream begins with it", () =>
  withLogger(many(3), async (page, hub) => {
    hub.onStream = (answer) => {
      queueMicrotask(() => hub.signal({ type: "gap", reason: "what was seen last is no longer kept" }));
      return answer();
    };
    // Without haste, so that each time is worth a note, too.
    for (let opened = 2; opened <= 3; opened++) {
      hub.cut();
      await page.waitForSelector('[role="status"][data-state="reconnecting"]');
      await eventually("the stream", () => hub.connections.length === opened && hub.streams === 1);
      await live(page);
    }
    hub.publish(tracked(3));
    await page.waitForSelector(row("urn:t:3"));
    assert.equal(await gaps(page), 1);
  }));

Deno.test("updates that were missed are told as such until they have come, by the clock of the server", async () => {
  const now = Date.now();
  const madeAt = (time: number): Update => ({ ...tracked(0), id: `urn:uuid:${uuidv7({ msecs: time })}` });
  await withLogger([madeAt(now - 20 * MINUTE)], async (page, hub) => {
    await page.evaluate(() => {
      const status = document.querySelector("[role=status]")!;
      const seen: string[] = [];
      new MutationObserver(() => seen.push(status.textContent?.trim() ?? "")).observe(status, {
        childList: true,
        subtree: true,
        characterData: true,
      });
      Object.assign(globalThis, { seen });
    });
    const wasSaid = () => page.evaluate(() => (globalThis as unknown as { seen: string[] }).seen.splice(0));
    hub.cut();
    await page.waitForSelector('[role="status"][data-state="reconnecting"]');
    hub.publish(...Array.from({ length: 40 }, (_, i) => madeAt(now - 10 * MINUTE + i)));
    await tryNow(page);
    await eventually("all of them", async () => await rowCount(page) >= 41);
    await live(page);
    assert.ok((await wasSaid()).includes("Catching up 40"));

    hub.cut();
    await page.waitForSelector('[role="status"][data-state="reconnecting"]');
    await tryNow(page);
    await eventually("the stream", () => hub.streams === 1);
    hub.publish(madeAt(Date.now()));
    await eventually("it", async () => await rowCount(page) >= 42);
    assert.ok(!(await wasSaid()).some((state) => state.startsWith("Catching up")));
  }, { before: (page) => page.clock.install({ time: now + 30 * MINUTE }) });
});
