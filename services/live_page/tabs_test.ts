/// <reference lib="dom" />
/** Many tabs of one browser with the real services: one connection, and every update once in each of them. */
import assert from "node:assert/strict";
import type { CDPSession, Page } from "playwright-core";
import { eventually } from "../lib/testing/deadline.ts";
import type { System } from "../lib/testing/system.ts";
import { idsOf, savedRows } from "../lib/testing/saved_rows.ts";
import {
  gapsOf,
  historyOf,
  live,
  report,
  reported,
  rowsUpTo,
  streamsOf,
  type Tabs,
  Visitors,
  withTabs,
} from "./live_page_harness.ts";

/** The streams are counted. */
const COUNTED = { streamer: { METRICS: "on" } };

/** Every tab has all that happened since it was opened, in the order of the channel, once, and says of no gap. */
async function assertComplete(tabs: Tabs, system: System, { from }: { from: string }): Promise<void> {
  await report(system.broadcaster.url, [reported({ k: "end" })]);
  const history = await historyOf(system.streamer.url);
  const expected = history.slice(history.indexOf(from));
  for (const page of tabs.pages) {
    const rows = await rowsUpTo(page, history.at(-1)!);
    const ids = idsOf(rows);
    assert.deepEqual(ids.slice(ids.indexOf(from)), expected);
    assert.equal(new Set(ids).size, ids.length);
    assert.deepEqual(gapsOf(rows), []);
  }
}

/** The next update that happens; whoever is there from then on has to have it. */
async function landmark({ streamer, broadcaster }: System): Promise<string> {
  await report(broadcaster.url, [reported({ k: "landmark" })]);
  return (await historyOf(streamer.url)).at(-1)!;
}

/** Whether another tab has taken over, and nobody else holds a connection. */
async function takenOver(tabs: Tabs, from: Page, { streamer }: System): Promise<void> {
  await eventually("another leader", () => tabs.leader !== from);
  await live(tabs.leader);
  await eventually("one stream", async () => (await streamsOf(streamer.url)).open === 1);
}

Deno.test("eight tabs over HTTP/1.1 share one connection, whichever of them comes and goes", () =>
  withTabs(async (tabs, system) => {
    const { streamer, broadcaster } = system;
    const from = await landmark(system);
    await using visitors = new Visitors(broadcaster.url, { everyMs: 40 });
    for (let count = 0; count < 8; count++) await tabs.open();
    assert.deepEqual(await streamsOf(streamer.url), { open: 1, ever: 1 });

    const first = tabs.leader;
    await first.close();
    await takenOver(tabs, first, system);
    const second = tabs.leader;
    await second.goto("about:blank");
    await takenOver(tabs, second, system);
    await second.goBack();
    await live(second);
    await tabs.open();
    assert.deepEqual(await streamsOf(streamer.url), { open: 1, ever: 3 });
    assert.equal(tabs.pages.length, 8);
    await eventually("enough to lose some", () => visitors.acknowledged > 50);
    await visitors[Symbol.asyncDispose]();
    await assertComplete(tabs, system, { from });
  }, COUNTED));

Deno.test("a leader that stands still, as phones let tabs, loses the connection to a tab that is awake", () =>
  withTabs(async (tabs, system) => {
    const { streamer, broadcaster } = system;
    const from = await landmark(system);
    // All alike: a leader whose time passes slower than that of the others seems silent to them.
    const sleeper = await tabs.open("", hurry);
    const follower = await tabs.open("", hurry);
    await using visitors = new Visitors(broadcaster.url, { everyMs: 40 });
    const firstSleep = await fallAsleep(sleeper);
    const asleepAt = performance.now();
    // It has the lock and a connection that still takes what comes, and tells nobody.
    const unheard = await landmark(system);
    await eventually("another leader", () => tabs.leader === follower);
    assert.ok((performance.now() - asleepAt) * HURRY > 20_000, "it might only have been late");
    await live(follower);
    await eventually("what nobody told it", async () => idsOf(await savedRows(follower)).includes(unheard));
    await wakeUp(firstSleep);
    await eventually("one stream", async () => (await streamsOf(streamer.url)).open === 1);

    // One that is opened while the others sleep does not have to wait so long.
    const secondSleeps = [await fallAsleep(sleeper), await fallAsleep(follower)];
    const late = await tabs.start("", hurry);
    await eventually("another leader", () => tabs.leader === late);
    await live(late);
    for (const sleep of secondSleeps) await wakeUp(sleep);
    await eventually("one stream", async () => (await streamsOf(streamer.url)).open === 1);
    assert.equal((await streamsOf(streamer.url)).ever, 3);
    await visitors[Symbol.asyncDispose]();
    await assertComplete(tabs, system, { from });
  }, COUNTED));

/** How much faster than elsewhere time passes in a tab that is in a hurry. */
const HURRY = 10;

/** Makes the time of a tab pass faster, so that nobody has to wait half a minute. */
async function hurry(page: Page): Promise<void> {
  await page.addInitScript((factor) => {
    const { now } = Date;
    const start = now();
    Date.now = () => start + (now() - start) * factor;
    for (const name of ["setTimeout", "setInterval"] as const) {
      const set = globalThis[name] as (run: TimerHandler, ms?: number) => number;
      Object.assign(globalThis, { [name]: (run: TimerHandler, ms = 0) => set(run, ms / factor) });
    }
  }, HURRY);
}

/** No script of the tab runs from now on, no timer and no message reaches it, and it keeps what it holds. */
async function fallAsleep(page: Page): Promise<CDPSession> {
  const session = await page.context().newCDPSession(page);
  await session.send("Debugger.enable");
  const paused = new Promise((resolve) => session.once("Debugger.paused", resolve));
  await session.send("Debugger.pause");
  await paused;
  return session;
}

async function wakeUp(session: CDPSession): Promise<void> {
  await session.send("Debugger.resume");
  await session.detach();
}
