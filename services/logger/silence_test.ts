/// <reference lib="dom" />
/** A connection, or a tab that leads, of which nothing is heard any more: when the page gives it up, and when not. */
import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { eventually } from "../lib/testing/deadline.ts";
import { type Hub, stopClock, tracked, withLogger } from "./logger_harness.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const channelOf = (hub: Hub) => `live ${new URL("/events", hub.url)}`;

async function withClock(page: Page): Promise<void> {
  await page.clock.install();
  await watch(page);
}

interface Watched {
  /** When the page asked for a stream, by its own clock. */
  readonly asked: readonly number[];
  /** How often somebody told the tabs how the connection is. */
  readonly told: number;
}

async function watch(page: Page): Promise<void> {
  await page.addInitScript(() => {
    const watched = { asked: [] as number[], told: 0 };
    const { fetch } = globalThis;
    Object.assign(globalThis, {
      watched,
      fetch: (address: URL, init?: RequestInit) => {
        if (address.pathname === "/events") watched.asked.push(Date.now());
        return fetch(address, init);
      },
    });
    new BroadcastChannel(`live ${location.origin}/events`).onmessage = ({ data }) => {
      if (data?.kind === "state") watched.told++;
    };
  });
}

const watched = (page: Page) => page.evaluate(() => (globalThis as unknown as { watched: Watched }).watched);

/** Sends a heartbeat, and waits until the page has it: the leader passes it on at once. */
async function beat(page: Page, hub: Hub): Promise<void> {
  const { told } = await watched(page);
  hub.signal({ type: "heartbeat" });
  await eventually("the heartbeat", async () => (await watched(page)).told > told);
}

Deno.test("a connection that is silent for half a minute is opened anew", () =>
  withLogger([tracked(1)], async (page, hub) => {
    await stopClock(page);
    const stopped = await page.evaluate(() => Date.now());
    for (let seconds = 0; seconds < 40; seconds += 5) await page.clock.runFor(5 * SECOND);
    await eventually("another stream", () => hub.connections.length === 2);
    const { asked: [first = NaN, second = NaN, ...more] } = await watched(page);
    assert.ok(second - first > 30 * SECOND, `${second - first} ms`);
    assert.ok(second - stopped <= 40 * SECOND, `${second - stopped} ms`);
    assert.deepEqual(more, []);
    assert.equal(hub.connections[1]?.get("last_event_id"), "urn:t:1");
  }, { before: withClock }));

Deno.test("a connection that is silent is opened anew, too, by a tab whose timers run once a minute", () =>
  withLogger([tracked(1)], async (page, hub) => {
    await stopClock(page);
    for (let minutes = 0; minutes < 10 && hub.connections.length === 1; minutes++) {
      await page.clock.fastForward(MINUTE);
    }
    await eventually("another stream", () => hub.connections.length > 1);
  }, { before: withClock }));

Deno.test("a connection with a heartbeat every ten seconds is kept, however fast or slow timers run", () =>
  withLogger([tracked(1)], async (page, hub) => {
    await stopClock(page);
    for (let seconds = 0; seconds < 120; seconds += 10) {
      await page.clock.runFor(5 * SECOND);
      await page.clock.runFor(5 * SECOND);
      await beat(page, hub);
    }
    for (let minutes = 0; minutes < 5; minutes++) {
      for (let beats = 0; beats < 6; beats++) await beat(page, hub);
      await page.clock.fastForward(MINUTE);
    }
    assert.equal((await watched(page)).asked.length, 1);
  }, { before: withClock }));

Deno.test("a computer that wakes up gives its connection the time of a heartbeat", () =>
  withLogger([tracked(1)], async (page, hub) => {
    await stopClock(page);
    // Falls asleep just before a heartbeat, twice.
    for (let count = 0; count < 2; count++) {
      await page.clock.runFor(9 * SECOND);
      await page.clock.fastForward(60 * MINUTE);
      await page.clock.runFor(9 * SECOND);
      await beat(page, hub);
    }
    assert.equal((await watched(page)).asked.length, 1);
    // While it slept, the server has gone.
    await page.clock.fastForward(60 * MINUTE);
    for (let seconds = 0; seconds < 40; seconds += 5) await page.clock.runFor(5 * SECOND);
    await eventually("another stream", () => hub.connections.length === 2);
  }, { before: withClock }));

Deno.test("a tab whose timers run once a minute takes over from a leader that is silent", () =>
  withLogger([tracked(1)], async (page, hub) => {
    // A frozen tab is a lock without a voice.
    await page.goto(new URL("favicon.svg", hub.url).href);
    await eventually("the end of the stream", () => hub.streams === 0);
    await page.evaluate((name) => {
      navigator.locks.request(name, () => new Promise(() => {}));
    }, channelOf(hub));
    await stopClock(page);
    const tab = await page.context().newPage();
    await tab.goto(hub.url);
    await tab.waitForSelector("[data-waiting]:not([hidden])");
    for (let minutes = 0; minutes < 10 && hub.connections.length === 1; minutes++) {
      await page.clock.fastForward(MINUTE);
    }
    await eventually("a stream of its own", () => hub.connections.length === 2 && hub.streams === 1);
  }, { before: withClock, ignoreComplaints: /steal/ }));

Deno.test("a tab that hears its leader leaves the connection to it, however slow its own timers run", () =>
  withLogger([tracked(1)], async (page, hub) => {
    await stopClock(page);
    const tab = await page.context().newPage();
    await watch(tab);
    await tab.goto(hub.url);
    await tab.waitForSelector('[role="status"][data-state="live"]');
    for (let minutes = 0; minutes < 10; minutes++) {
      for (let beats = 0; beats < 6; beats++) await beat(tab, hub);
      await page.clock.fastForward(MINUTE);
    }
    assert.deepEqual((await watched(tab)).asked, []);
    assert.equal((await watched(page)).asked.length, 1);
  }, { before: withClock }));
