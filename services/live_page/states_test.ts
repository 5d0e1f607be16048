/// <reference lib="dom" />
/** Each state of the live page in each look: nobody is kept out of it, and nothing runs over its edge. */
import assert from "node:assert/strict";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { findBarriers, launchBrowser, openPage, type WatchedPage } from "../lib/testing/browser.ts";
import { eventually } from "../lib/testing/deadline.ts";
import { startForwarder, startHttpService } from "../lib/testing/processes.ts";
import { startSystem, type System } from "../lib/testing/system.ts";
import { live, report, reported, sessionId, UNLIMITED } from "./live_page_harness.ts";

const LOOKS: Readonly<Record<string, BrowserContextOptions>> = {
  "light, 1280 px": { colorScheme: "light", viewport: { width: 1280, height: 800 } },
  "dark, 320 px": { colorScheme: "dark", viewport: { width: 320, height: 640 }, hasTouch: true },
  "forced colours, 800 px": { forcedColors: "active", viewport: { width: 800, height: 600 } },
  "light, 3840 px": { colorScheme: "light", viewport: { width: 3840, height: 2160 } },
};

interface State {
  /** Resolves once the page is in it. */
  readonly enter: (page: Page) => Promise<unknown>;
  /** Back to the rows; needs no waiting, since the next state waits for what it needs. */
  readonly leave?: (page: Page) => Promise<unknown>;
}

const press = (key: string) => (page: Page) => page.keyboard.press(key);
const fill = (field: string, text: string) => (page: Page) => page.fill(`[data-${field}]`, text);
const click = async (page: Page, action: string, opened: string) => {
  await page.click(`[data-action=${action}]`);
  await page.waitForSelector(opened);
};

/** One after the other, on a page with some rows. */
const STATES: Readonly<Record<string, State>> = {
  "live": { enter: (page) => page.waitForSelector("[data-event-id]") },
  "paused, with unseen updates": {
    enter: async (page) => {
      await page.keyboard.press(" ");
      await page.waitForSelector('[role="status"][data-paused]');
    },
    leave: press("G"),
  },
  "details of an update": {
    enter: async (page) => {
      await page.keyboard.press("k");
      await page.keyboard.press("Enter");
      await page.waitForSelector("[data-drawer][open]");
    },
    leave: press("Escape"),
  },
  "the menu of a value": {
    enter: async (page) => {
      await page.keyboard.press("Enter");
      await page.locator("[data-drawer-fields] button").first().click();
      await page.waitForSelector("[data-value-menu]:popover-open");
    },
    leave: async (page) => {
      await page.keyboard.press("Escape");
      await page.keyboard.press("Escape");
    },
  },
  "a filter": {
    enter: async (page) => {
      await page.fill("[data-query]", "k:click -site:none");
      await eventually("the count", async () => /of/.test(await page.textContent("[data-count]") ?? ""));
    },
  },
  "a filter that cannot be understood": {
    enter: async (page) => {
      await page.fill("[data-query]", "/(/");
      await page.waitForSelector("[data-query-problem]:not([hidden])");
    },
  },
  "a filter that nothing matches": {
    enter: async (page) => {
      await page.fill("[data-query]", "k:none");
      await page.waitForSelector("[data-no-match]:not([hidden])");
    },
    leave: fill("query", ""),
  },
  "a highlight": {
    enter: async (page) => {
      await page.fill("[data-highlight]", "shop");
      await eventually(
        "painted",
        () => page.evaluate(() => (CSS.highlights.get("found")?.size ?? 0) > 0),
      );
    },
    leave: fill("highlight", ""),
  },
  "alerts": {
    enter: (page) => click(page, "alerts", "[data-alerts]:popover-open"),
    leave: press("Escape"),
  },
  "export": {
    enter: (page) => click(page, "export", "[data-export-menu]:popover-open"),
    leave: press("Escape"),
  },
  "help": { enter: (page) => click(page, "help", "[data-help][open]"), leave: press("Escape") },
  "the table of the histogram": {
    enter: async (page) => {
      await page.click("[data-timeline-details] summary");
      await page.waitForSelector("[data-timeline-table] tbody th");
    },
    leave: (page) => page.click("[data-timeline-details] summary"),
  },
  "a mark, a clear view and a note with a button": {
    enter: async (page) => {
      await page.locator("[data-scroller]").focus();
      await page.keyboard.press("m");
      await page.keyboard.press("c");
      await page.waitForSelector(".toast__action");
      await page.waitForSelector('[data-rows] [data-row="mark"]');
    },
    leave: (page) => page.click(".toast__action"),
  },
  "offline": {
    enter: async (page) => {
      await page.context().setOffline(true);
      await page.waitForSelector('[role="status"][data-state="offline"]');
      await page.waitForSelector("[data-problem]:not([hidden])");
    },
    leave: async (page) => {
      await page.context().setOffline(false);
      await live(page);
    },
  },
};

async function assertFine({ page, complaints }: WatchedPage): Promise<void> {
  assert.deepEqual(await findBarriers(page), []);
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(overflow <= 0, `${overflow} px too wide`);
  // The browser itself reports requests that cannot be made, or are refused.
  assert.deepEqual(complaints.filter((complaint) => !/^Failed to load resource/.test(complaint)), []);
}

function open(browser: Browser, { logger }: System, look: BrowserContextOptions): Promise<WatchedPage> {
  return openPage(browser, `${logger.url}logger/`, { ...look, reducedMotion: "reduce" });
}

async function inEachLook(
  t: Deno.TestContext,
  test: (look: BrowserContextOptions, t: Deno.TestContext) => Promise<void>,
): Promise<void> {
  for (const [name, look] of Object.entries(LOOKS)) await t.step(name, (t) => test(look, t));
}

async function withSystem(test: (system: System, browser: Browser) => Promise<void>): Promise<void> {
  await using system = await startSystem({ broadcaster: UNLIMITED });
  const browser = await launchBrowser();
  try {
    await test(system, browser);
  } finally {
    await browser.close();
  }
}

Deno.test("a page without updates, and one whose stream does not come or is refused", async (t) => {
  await withSystem((system, browser) =>
    inEachLook(t, async (look) => {
      await using opened = await open(browser, system, look);
      const { page } = opened;
      await page.waitForSelector("[data-empty]:not([hidden])");
      await assertFine(opened);

      await page.route(/\/events\?/, () => {});
      await page.reload();
      await page.waitForSelector("[data-waiting]:not([hidden])");
      await assertFine(opened);

      await page.unrouteAll({ behavior: "ignoreErrors" });
      await page.route(/\/events\?/, (route) =>
        route.fulfill({
          status: 401,
          contentType: "application/problem+json",
          headers: { "Access-Control-Allow-Origin": "*" },
          body: JSON.stringify({ title: "Unauthorized", status: 401, detail: "A token is needed" }),
        }));
      await page.reload();
      await page.locator("[data-problem-reason]", { hasText: "A token is needed" }).waitFor();
      await assertFine(opened);
    })
  );
});

Deno.test("a page with updates, in every state that its reader can bring it to", async (t) => {
  await withSystem(async (system, browser) => {
    await report(
      system.broadcaster.url,
      Array.from({ length: 40 }, (_, n) =>
        reported({
          k: ["pageview", "click", "Add to cart", "error"][n % 4]!,
          u: `https://shop.test/${n}`,
          n,
          p: { title: `Page ${n}`, message: "TypeError: x is undefined", list: [1, { a: null }] },
        })),
      { sid: sessionId(1) },
    );
    await inEachLook(t, async (look, t) => {
      await using opened = await open(browser, system, look);
      await live(opened.page);
      for (const [name, { enter, leave }] of Object.entries(STATES)) {
        await t.step(name, async () => {
          await enter(opened.page);
          await assertFine(opened);
          await leave?.(opened.page);
        });
      }
    });
  });
});

Deno.test("a page whose streamer is away, and one that has lost updates with the history", async (t) => {
  await withSystem((system, browser) =>
    inEachLook(t, async (look) => {
      await report(system.broadcaster.url, [reported()]);
      await using opened = await open(browser, system, look);
      const { page } = opened;
      await page.waitForSelector("[data-event-id]");
      const { port } = new URL(system.streamer.url);
      await system.streamer[Symbol.asyncDispose]();
      await page.waitForSelector('[role="status"][data-state="reconnecting"]');
      await page.waitForSelector("[data-problem]:not([hidden])");
      await assertFine(opened);

      // Its log is in memory, so that the next one begins anew.
      await system.forwarder[Symbol.asyncDispose]();
      system.forwarder = await startForwarder({ ports: system.ports });
      system.streamer = await startHttpService("streamer", { ...system.ports, PORT: port });
      await eventually("the gap", async () => {
        // The network that is back ends the wait for the next attempt.
        await page.evaluate(() => dispatchEvent(new Event("online")));
        return await page.locator('[data-rows] [data-row="gap"]').count() > 0;
      });
      await live(page);
      await assertFine(opened);
    })
  );
});
