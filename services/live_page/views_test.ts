/// <reference lib="dom" />
/** What a reader chooses to see, saves and passes on, with the real services: filters, files, addresses, topics. */
import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { eventually } from "../lib/testing/deadline.ts";
import type { System } from "../lib/testing/system.ts";
import { idsOf, savedFile, savedRows } from "../lib/testing/saved_rows.ts";
import {
  entriesOf,
  historyOf,
  type HubEntry,
  live,
  report,
  type Reported,
  reported,
  sessionId,
  streamsOf,
  withTabs,
} from "./live_page_harness.ts";

interface Body {
  readonly kind: string;
  readonly site: string;
  readonly sid: string;
  readonly time: number;
}

const bodyOf = ({ data }: HubEntry): Body => JSON.parse(data);

/** Visits of two sites, over the last minutes. */
async function reportVisits({ broadcaster: { url } }: System): Promise<void> {
  const now = Date.now();
  const kinds = ["click", "scroll", "Add to cart", "error"];
  for (const [i, site] of ["shop", "blog"].entries()) {
    const events: Reported[] = Array.from({ length: 40 }, (_, n) =>
      reported({
        k: kinds[n % kinds.length]!,
        t: now - 4_000 * n,
        n,
        u: `https://${site}.test/p/${n}`,
        p: { text: n % 5 === 0 ? "two words" : "=1+1", message: n % 8 === 3 ? "Timeout after 5 s" : "" },
      }));
    await report(url, events, { site, sid: sessionId(i + 1) });
  }
}

/** Writes a filter, and waits until the page has tried it on all that it has. */
async function filterBy(page: Page, query: string, count: number, all: number): Promise<void> {
  await page.fill("[data-query]", query);
  await eventually(
    `${count} of ${all}`,
    async () => await page.textContent("[data-count]") === `${count} of ${all}`,
  );
}

Deno.test("a filter shows exactly what it says, the file has what is shown, and the address shows it to others", () =>
  withTabs(async (tabs, system) => {
    await reportVisits(system);
    const page = await tabs.open();
    const entries = await entriesOf(system.streamer.url);
    const has = (entry: HubEntry, text: string) => entry.data.toLowerCase().includes(text);
    const middle = new Date(Date.now() - 80_000);
    const clock = middle.toTimeString().slice(0, 8);
    const second = Math.floor(middle.getTime() / 1_000) * 1_000;
    const filters: Record<string, (entry: HubEntry) => boolean> = {
      "k:click": (entry) => bodyOf(entry).kind === "click",
      'k:click k:"Add to cart"': (entry) => /^(click|Add to cart)$/.test(bodyOf(entry).kind),
      "site:shop -k:scroll": (entry) => bodyOf(entry).site === "shop" && bodyOf(entry).kind !== "scroll",
      [`sid:${sessionId(2)}`]: (entry) => bodyOf(entry).sid === sessionId(2),
      "/time ?out.*\\d s/": (entry) => has(entry, "timeout after 5 s"),
      '"two words" -site:blog': (entry) => has(entry, "two words") && bodyOf(entry).site === "shop",
      [`ts>${clock}`]: (entry) => bodyOf(entry).time > second,
      [`ts<${clock} level:error`]: (entry) => bodyOf(entry).time < second && bodyOf(entry).kind === "error",
      [`id:${entries[7]!.id}`]: (entry) => entry.id === entries[7]!.id,
      "/p/39": (entry) => has(entry, "/p/39"),
    };
    for (const [query, test] of Object.entries(filters)) {
      const expected = entries.filter(test);
      assert.ok(expected.length > 0 && expected.length < entries.length, query);
      await filterBy(page, query, expected.length, entries.length);
      const rows = await savedRows(page);
      assert.deepEqual(idsOf(rows), expected.map(({ id }) => id), query);
      assert.deepEqual(rows.map(({ data }) => data), expected.map(({ data }) => JSON.parse(data)), query);

      await eventually("the address", () => new URL(page.url()).searchParams.get("q") === query);
      if (query.length % 3 > 0) continue;
      const other = await tabs.open(new URL(page.url()).search);
      await eventually(
        "the same",
        async () => await other.textContent("[data-count]") === await page.textContent("[data-count]"),
      );
      assert.equal(await other.inputValue("[data-query]"), query);
      assert.deepEqual(idsOf(await savedRows(other)), expected.map(({ id }) => id), query);
      await other.close();
    }
  }));

Deno.test("a table for spreadsheets has a line for each row that is shown, and runs nothing", () =>
  withTabs(async (tabs, system) => {
    const hostile = ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "=cmd|' /C calc'!A0", 'plain, "quoted"'];
    await report(system.broadcaster.url, hostile.map((k, n) => reported({ k, n })), { sid: sessionId(1) });
    const page = await tabs.open();
    const text = await savedFile(page, "csv");
    const [head = "", ...lines] = text.trimEnd().split("\r\n");
    assert.equal(head, "time,kind,site,sid,n,level,message,type,id,data");
    const ids = await historyOf(system.streamer.url);
    assert.deepEqual(lines.map((line) => /urn:uuid:[0-9a-f-]{36}/.exec(line)?.[0]), ids);
    assert.deepEqual(
      lines.map((line) => line.split(",shop,")[0]?.slice("2026-01-02T03:04:05.678Z,".length)),
      [
        "'=1+1",
        "'+1+1",
        "'-1+1",
        "'@SUM(A1)",
        "'=cmd|' /C calc'!A0",
        '"plain, ""quoted"""',
      ],
    );
  }));

Deno.test("the link of an update leads to it, also on a page that has not loaded it, and keeps what is matched", () =>
  withTabs(async (tabs, system) => {
    const { broadcaster, streamer } = system;
    for (let batch = 0; batch < 14; batch++) {
      await report(broadcaster.url, Array.from({ length: 50 }, () => reported()));
    }
    await report(broadcaster.url, [reported()], { site: "blog" });
    const page = await tabs.open("?match_urlpattern=/tracking/shop/*");
    const ids = await historyOf(streamer.url);
    const wanted = ids[100]!;
    // 500 of 700 are there at first.
    assert.ok(!idsOf(await savedRows(page)).includes(wanted));
    await page.locator("[data-event-id]").last().focus();
    await eventually("older ones", async () => {
      await page.keyboard.press("g");
      return idsOf(await savedRows(page)).includes(wanted);
    });
    await page.fill("[data-query]", `id:${wanted}`);
    await page.click(`[data-event-id="${wanted}"] .row__message`);
    await page.click("[data-drawer] [data-do=link]");
    await page.locator(".toast", { hasText: "The link is copied." }).waitFor();
    const link = await page.evaluate(() => navigator.clipboard.readText());

    const other = await tabs.start(link.slice(link.indexOf("?")));
    await other.waitForSelector("[data-drawer][open]");
    const selected = other.locator("[data-rows] [aria-selected=true]");
    assert.equal(await selected.getAttribute("data-event-id"), wanted);
    assert.equal(await other.inputValue("[data-query]"), "");
    // The rows around it are there, those between them and the newest are not, and the page says so.
    const rows = await savedRows(other);
    const saved = idsOf(rows);
    const shop = ids.slice(0, -1);
    assert.deepEqual(saved, [...shop.slice(0, 101), ...shop.slice(-500)]);
    assert.equal(rows[101]?.message, "Updates between these are not loaded.");
  }, { context: { permissions: ["clipboard-read", "clipboard-write"] } }));

Deno.test("the matchers in the address of the page are those of its stream, its history and its connection", () =>
  withTabs(async (tabs, system) => {
    const { broadcaster, streamer } = system;
    const happen = async () => {
      for (const site of ["shop", "blog"]) {
        await report(broadcaster.url, [reported({ k: "click" }), reported({ k: "form" })], { site });
      }
    };
    await happen();
    const views = {
      "?match=/tracking/shop/click": 1,
      "?match_urlpattern=/tracking/blog/*": 2,
      "?match=/tracking/shop/click&match=/tracking/blog/form": 2,
    };
    for (const [query, each] of Object.entries(views)) {
      const pages = [await tabs.open(query), await tabs.open(query)];
      const before = (await historyOf(streamer.url)).length / 4;
      await happen();
      const expected = (await entriesOf(streamer.url, query.replace("?", "&"))).map(({ id }) => id);
      assert.equal(expected.length, (before + 1) * each);
      for (const page of pages) {
        await eventually("all of them", async () => `${idsOf(await savedRows(page))}` === `${expected}`);
      }
      await pages[1]!.close();
    }
    // Tabs that see the same share a connection; those that do not each have their own.
    await eventually("three streams", async () => (await streamsOf(streamer.url)).open === 3);
    await Promise.all(tabs.pages.map(live));
  }, { streamer: { METRICS: "on" } }));
