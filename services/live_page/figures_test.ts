/// <reference lib="dom" />
/** What the page says in numbers and words, against what the hub has: the page never lies. */
import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { eventually } from "../lib/testing/deadline.ts";
import type { System } from "../lib/testing/system.ts";
import { savedRows } from "../lib/testing/saved_rows.ts";
import { entriesOf, type HubEntry, report, reported, sessionId, withTabs } from "./live_page_harness.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

async function pill({ broadcaster }: System, type: string): Promise<void> {
  const response = await fetch(`${broadcaster.url}event/${type}`, { method: "POST" });
  await response.body?.cancel();
  assert.equal(response.status, 201);
}

async function countersOf(page: Page): Promise<Record<string, string>> {
  const counters = await page.locator("dl [data-counter]").evaluateAll((elements) =>
    elements.map((element) => [element.getAttribute("data-counter"), element.textContent])
  );
  return Object.fromEntries(counters);
}

/** The kinds with their counts, as the chips show them. */
async function chipsOf(page: Page): Promise<Record<string, number>> {
  const chips = await page.locator("[data-chips] button").evaluateAll((elements) =>
    elements.map((chip) => [
      chip.querySelector(".chip__label")?.textContent,
      Number(chip.querySelector(".chip__end")?.textContent),
    ])
  );
  return Object.fromEntries(chips);
}

interface Tracked {
  readonly kind?: string;
  readonly sid?: string;
  readonly time?: number;
  readonly clocks?: { readonly received: number };
  readonly dropped?: number;
  readonly level?: string;
  readonly notify?: boolean;
}

const bodyOf = ({ data }: HubEntry): Tracked => JSON.parse(data);

/** The smallest value that at least this part of them does not exceed. */
function percentile(values: readonly number[], part: number): number {
  return values.toSorted((a, b) => a - b)[Math.ceil(values.length * part) - 1] ?? NaN;
}

/** As the page writes it: number and unit. */
function span(ms: number): readonly [string, string] {
  if (ms < 1_000) return [`${ms}`, "ms"];
  return ms < MINUTE ? [(ms / 1_000).toFixed(1), "s"] : [`${Math.round(ms / MINUTE)}`, "min"];
}

/** Both, with the unit once where it is the same. */
function latencyOf(p50: number, p95: number): string {
  const [[first, unit], [second, otherUnit]] = [span(p50), span(p95)];
  return `${first}${unit === otherUnit ? "" : ` ${unit}`} / ${second} ${otherUnit}`;
}

/** The counters as they have to be, by a plain count of all that the hub has. */
function expectedCounters(entries: readonly HubEntry[]): Record<string, string> {
  const bodies = entries.map(bodyOf);
  const latencies = bodies.flatMap(({ time, clocks }) =>
    time === undefined || clocks === undefined ? [] : Math.max(0, clocks.received - time)
  );
  const active = bodies.filter(({ time = 0 }) => time > Date.now() - 5 * MINUTE);
  const count = (test: (entry: HubEntry) => boolean) => `${entries.filter(test).length}`;
  return {
    logins: count(({ type }) => type === "login"),
    clicks: count((entry) => entry.type === "user:btn" || bodyOf(entry).kind === "click"),
    alerts: count((entry) => bodyOf(entry).notify === true),
    total: `${entries.length}`,
    sessions: `${new Set(active.flatMap(({ sid }) => sid ?? [])).size}`,
    errors: count((entry) => bodyOf(entry).kind === "error"),
    latency: latencyOf(percentile(latencies, 0.5), percentile(latencies, 0.95)),
    dropped: `${bodies.reduce((sum, { dropped = 0 }) => sum + dropped, 0)}`,
  };
}

/** Visits of three sites, with clocks that are right and wrong, late batches and lost events. */
async function reportVisits(system: System): Promise<void> {
  const { broadcaster: { url } } = system;
  const now = Date.now();
  const at = (ago: number, k: string, n = 0) => reported({ t: now - ago, k, n });
  const [first, second, third] = [sessionId(1), sessionId(2), sessionId(3)];
  await report(url, [...Array(12).keys()].map((n) => at(40 * n, n % 3 === 0 ? "pageview" : "click", n)), {
    sid: first,
  });
  await report(url, [at(2_500, "error"), at(2_000, "Add to cart"), at(1_500, "error")], {
    sid: second,
    drop: 7,
  });
  // A browser that was asleep: its session is over.
  await report(url, [at(7 * MINUTE, "pageview"), at(6 * MINUTE, "engagement")], { sid: third, drop: 2 });
  // A clock that is an hour fast is put right.
  const fast = now + HOUR;
  const ahead = [reported({ t: fast - 30_000, k: "click" }), reported({ t: fast - 20_000, k: "form" })];
  await report(url, ahead, { site: "blog", sid: first, sent: fast });
  await pill(system, "log:open");
  await pill(system, "pill:blue");
  await pill(system, "pill:red");
}

Deno.test("the counters, the chips and the histogram say what was reported, to who was there and to who comes later", () =>
  withTabs(async (tabs, system) => {
    const early = await tabs.open();
    await reportVisits(system);
    const late = await tabs.open();
    const entries = await entriesOf(system.streamer.url);
    const kinds = Map.groupBy(entries, (entry) => bodyOf(entry).kind ?? entry.type ?? "");
    const chips = Object.fromEntries([...kinds].map(([kind, { length }]) => [kind, length]));
    for (const page of [early, late]) {
      await eventually("the total", async () => (await countersOf(page)).total === `${entries.length}`);
      assert.deepEqual(await countersOf(page), expectedCounters(entries));
      assert.deepEqual(await chipsOf(page), chips);
      await assertHistogram(page, entries);
    }
  }));

/** The words below the picture, and the table behind it. */
async function assertHistogram(page: Page, entries: readonly HubEntry[]): Promise<void> {
  const text = await page.textContent("[data-timeline-text]") ?? "";
  const recent = entries.filter((entry) => (bodyOf(entry).time ?? Infinity) > Date.now() - 5 * MINUTE);
  const [, total, shares = "", peakCount] =
    /^(\d+) in 5 minutes: (.*)\. Most at [\d:]{8}: (\d+) in 5 s$/.exec(text) ?? [];
  assert.equal(Number(total), recent.length, text);
  for (const share of shares.split(", ")) {
    const [, kind, percent] = /^(.*) (\d+) %$/.exec(share) ?? [];
    const count = recent.filter((entry) => (bodyOf(entry).kind ?? entry.type) === kind).length;
    assert.equal(Number(percent), Math.round(100 * count / recent.length), share);
  }
  assert.ok(Number(peakCount) >= Math.ceil(recent.length / 60) && Number(peakCount) <= recent.length);

  await page.click("[data-timeline-details] summary");
  await page.waitForSelector("[data-timeline-table] table");
  const cells = await page.locator("[data-timeline-table] tbody td").allTextContents();
  assert.equal(cells.reduce((sum, cell) => sum + Number(cell), 0), recent.length);
  assert.equal(await page.locator("[data-timeline-table] tbody tr").count(), 5);
}

Deno.test("the rate is that of the last ten seconds, and what was there before the page is not in it", () =>
  withTabs(async (tabs, system) => {
    const { url } = system.broadcaster;
    await report(url, Array.from({ length: 50 }, () => reported()));
    const page = await tabs.open();
    await report(url, Array.from({ length: 45 }, () => reported()));
    const rates = new Set<string>();
    await eventually("the rate", async () => {
      rates.add(await page.textContent("[data-counter=rate]") ?? "");
      return rates.has("4.5/s");
    });
    // They may have come in two seconds of the clock; more than there were has never been said.
    assert.ok([...rates].every((rate) => parseFloat(rate || "0") <= 4.5), `${[...rates]}`);
  }));

Deno.test("a pause counts what comes to the last update, and what came meanwhile is all there", () =>
  withTabs(async (tabs, system) => {
    const { url } = system.broadcaster;
    await report(url, Array.from({ length: 50 }, () => reported()));
    const page = await tabs.open();
    await page.keyboard.press(" ");
    await page.waitForSelector("[role=status][data-paused]");
    for (let batch = 1; batch <= 4; batch++) {
      await report(url, Array.from({ length: 11 }, () => reported()));
      await eventually(
        `${11 * batch} new`,
        async () => await page.textContent("[data-status-detail]") === ` · ${11 * batch} new`,
      );
    }
    assert.equal((await savedRows(page)).length, 94);
    await eventually("the total", async () => (await countersOf(page)).total === "94");
    await page.keyboard.press("f");
    await page.waitForSelector("[role=status][data-state]:not([data-paused])");
    assert.equal(await page.textContent("[data-status-detail]"), "");
  }));

Deno.test("a page whose clock is wrong by twenty minutes counts what is now", () =>
  withTabs(async (tabs, system) => {
    for (const skew of [20 * MINUTE, -20 * MINUTE]) {
      const page = await tabs.open("", (page) => page.clock.install({ time: Date.now() + skew }));
      await report(system.broadcaster.url, [reported(), reported()], { sid: sessionId(1) });
      const entries = await entriesOf(system.streamer.url);
      await eventually(
        "the histogram",
        async () =>
          (await page.textContent("[data-timeline-text]"))?.startsWith(`${entries.length} in 5 minutes`),
      );
      const { sessions } = await countersOf(page);
      assert.equal(sessions, "1");
      await page.close();
    }
  }));
