/// <reference lib="dom" />
/** Tabs of one browser while something goes wrong: what a tab that follows can ask for, and what it says. */
import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { eventually } from "../lib/testing/deadline.ts";
import { hide, type Hub, live, row, tracked, tryNow, withLogger } from "./logger_harness.ts";

const problem = "[data-problem]:not([hidden])";
const PATIENCE = { status: 503, headers: { "Retry-After": "60" } };

async function openTab(page: Page, hub: Hub): Promise<Page> {
  const tab = await page.context().newPage();
  await tab.goto(hub.url);
  return tab;
}

/** Lists in the title of a page what tabs tell each other from now on; what it gives back waits for some of it. */
async function listen(page: Page, hub: Hub): Promise<(kind: string) => Promise<unknown>> {
  await page.evaluate((name) => {
    document.title = "";
    new BroadcastChannel(name).onmessage = ({ data }) => document.title += ` ${data?.kind}`;
  }, `live ${new URL("/events", hub.url)}`);
  return (kind) => eventually(kind, async () => (await page.title()).split(" ").includes(kind));
}

Deno.test("a browser that forbids locks has a stream for each tab", () =>
  withLogger([tracked(1)], async (page, hub) => {
    const tab = await openTab(page, hub);
    await live(tab);
    assert.equal(hub.streams, 2);
    // What one of them asks for is nothing that the other has to pass on.
    const heard = await listen(page, hub);
    await tryNow(tab);
    hub.publish(tracked(2));
    for (const each of [page, tab]) await each.waitForSelector(row("urn:t:2"));
    await heard("events");
    assert.ok((await page.title()).split(" ").filter((kind) => kind === "retry").length <= 2);
    await tab.close();
    await eventually("one stream less", () => hub.streams === 1);
    hub.publish(tracked(3));
    await page.waitForSelector(row("urn:t:3"));
  }, {
    before: (page) =>
      page.context().addInitScript(() => {
        LockManager.prototype.request = () => Promise.reject(new DOMException("Denied", "SecurityError"));
      }),
  }));

Deno.test("who follows can ask the tab that leads to try now, and does so when someone looks at it", () =>
  withLogger([tracked(1)], async (page, hub) => {
    const tab = await openTab(page, hub);
    await live(tab);
    let asked = 0;
    hub.onStream = () => {
      asked++;
      return new Response(null, PATIENCE);
    };
    hub.cut();
    for (const each of [page, tab]) await each.waitForSelector(problem);
    // Before that somebody may have asked twice.
    const before = asked;
    await tab.click("[data-action=retry]");
    await eventually("another attempt", () => asked > before);
    for (const each of [page, tab]) await each.locator("[data-countdown]", { hasText: " in " }).waitFor();
    await hide(tab, true);
    hub.onStream = (answer) => answer();
    await hide(tab, false);
    for (const each of [page, tab]) await live(each);
    assert.equal(hub.streams, 1);
  }, { ignoreComplaints: /503/ }));

Deno.test("a tab that cannot read the history says so, whatever good news it hears from the tab that leads", () =>
  withLogger([tracked(1)], async (page, hub) => {
    hub.onHistory = () => new Response(null, PATIENCE);
    const tab = await openTab(page, hub);
    await tab.waitForSelector(problem);
    const heard = await listen(tab, hub);
    hub.signal({ type: "heartbeat" });
    await heard("state");
    hub.publish(tracked(2));
    await heard("events");
    await page.waitForSelector(row("urn:t:2"));
    assert.ok(await tab.isVisible(problem));
    assert.match(await tab.textContent("[data-problem-reason]") ?? "", /503/);
    assert.match(await tab.textContent("[data-countdown]") ?? "", /^Trying again in \d+ s$/);
    assert.notEqual(await tab.getAttribute("[role=status][data-state]", "data-state"), "live");
    // It is the tab's own trouble.
    assert.ok(!await page.isVisible(problem));
    await live(page);

    hub.onHistory = (answer) => answer();
    await tab.click("[data-action=retry]");
    await live(tab);
    await tab.waitForSelector(row("urn:t:2"));
    await tab.waitForSelector("[data-problem]", { state: "hidden" });
  }, { ignoreComplaints: /503/ }));
