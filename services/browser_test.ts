/// <reference lib="dom" />
/** What a person sees: the real pages in a real browser, served by the real services. */
import assert from "node:assert/strict";
import type { Browser, Page } from "playwright-core";
import { findBarriers, launchBrowser, openPage } from "./lib/testing/browser.ts";
import { eventually } from "./lib/testing/deadline.ts";
import { ready, startForwarder, startHttpService } from "./lib/testing/processes.ts";
import { startSystem, type System } from "./lib/testing/system.ts";

async function withBrowser(test: (browser: Browser, system: System) => Promise<void>): Promise<void> {
  await using system = await startSystem();
  const browser = await launchBrowser();
  try {
    await test(browser, system);
  } finally {
    await browser.close();
  }
}

async function countersOf(page: Page): Promise<number[]> {
  const texts = await Promise.all(
    ["logins", "clicks", "alerts"].map((name) => page.textContent(`[data-counter="${name}"]`)),
  );
  return texts.map(Number);
}

function counters(page: Page, wanted: readonly number[]): Promise<unknown> {
  return eventually(`the counters ${wanted}`, async () => `${await countersOf(page)}` === `${wanted}`);
}

function messagesOf(page: Page): Promise<string[]> {
  return page.locator("[data-event-id] [data-part=message]").allTextContents();
}

async function live(page: Page): Promise<void> {
  await page.waitForSelector('[role="status"][data-state="live"]');
}

async function click(page: Page, type: string): Promise<void> {
  await page.click(`button[data-event="${type}"]`);
  await page.waitForSelector(`button[data-event="${type}"][data-state="confirmed"]`);
}

Deno.test("a visit and a red pill show up in the logger: counters 1, 1, 1, and the rows", () =>
  withBrowser(async (browser, { broadcaster, logger }) => {
    await using watcher = await openPage(browser, `${logger.url}logger/`);
    await live(watcher.page);
    await using visitor = await openPage(browser, broadcaster.url);
    await counters(watcher.page, [1, 0, 0]);
    await click(visitor.page, "pill:red");
    await counters(watcher.page, [1, 1, 1]);
    assert.deepEqual(await messagesOf(watcher.page), ["someone logged in", "someone picked a red pill"]);
    const alert = watcher.page.locator("[data-event-id][data-notify]");
    assert.equal(await alert.count(), 1);

    // Who comes later sees what was before; the link on the tracking page leads there.
    await visitor.page.click("#logger-link");
    await live(visitor.page);
    await counters(visitor.page, [1, 1, 1]);
    assert.deepEqual([...watcher.complaints, ...visitor.complaints], []);
  }));

Deno.test("the pages can be used with the keyboard alone", () =>
  withBrowser(async (browser, { broadcaster, logger }) => {
    await using watcher = await openPage(browser, `${logger.url}logger/`);
    await using visitor = await openPage(browser, broadcaster.url);
    const focused = () => visitor.page.evaluate(() => document.activeElement?.getAttribute("data-event"));
    await eventually("the blue pill has the focus", async () => {
      await visitor.page.keyboard.press("Tab");
      return await focused() === "pill:blue";
    });
    await visitor.page.keyboard.press("Enter");
    await counters(watcher.page, [1, 1, 0]);
    await eventually("the red pill has the focus", async () => {
      await visitor.page.keyboard.press("Tab");
      return await focused() === "pill:red";
    });
    await visitor.page.keyboard.press("Space");
    await counters(watcher.page, [1, 2, 1]);
  }));

Deno.test("after a restart of the streamer the logger has each row once", () =>
  withBrowser(async (browser, system) => {
    await using watcher = await openPage(browser, `${system.logger.url}logger/`);
    await using visitor = await openPage(browser, system.broadcaster.url);
    await click(visitor.page, "pill:red");
    await counters(watcher.page, [1, 1, 1]);

    const { port } = new URL(system.streamer.url);
    await system.streamer[Symbol.asyncDispose]();
    await watcher.page.waitForSelector('[role="status"][data-state="reconnecting"]');
    await click(visitor.page, "pill:blue");
    system.streamer = await startHttpService("streamer", { ...system.ports, PORT: port });
    await counters(watcher.page, [1, 2, 1]);
    await live(watcher.page);
    await click(visitor.page, "pill:blue");
    await counters(watcher.page, [1, 3, 1]);
    assert.deepEqual(await messagesOf(watcher.page), [
      "someone logged in",
      "someone picked a red pill",
      "someone picked a blue pill",
      "someone picked a blue pill",
    ]);
  }));

Deno.test("where updates are lost with the history, the logger shows a gap", () =>
  withBrowser(async (browser, system) => {
    await using watcher = await openPage(browser, `${system.logger.url}logger/`);
    await using visitor = await openPage(browser, system.broadcaster.url);
    await click(visitor.page, "pill:blue");
    await counters(watcher.page, [1, 1, 0]);
    // Its log is in memory, so that the next forwarder begins a new one.
    await system.forwarder[Symbol.asyncDispose]();
    system.forwarder = await startForwarder({ ports: system.ports });
    await ready(system.broadcaster.url);
    await click(visitor.page, "pill:red");
    await counters(watcher.page, [1, 2, 1]);
    await watcher.page.waitForSelector("[data-row=gap]");
    assert.equal(await watcher.page.locator("[data-row=gap]").count(), 1);
    assert.deepEqual(await findBarriers(watcher.page), []);
  }));

Deno.test("a press that could not be delivered is said, can be sent again, and arrives once", () =>
  withBrowser(async (browser, system) => {
    await using watcher = await openPage(browser, `${system.logger.url}logger/`);
    await using visitor = await openPage(browser, "about:blank");
    const { page } = visitor;
    // The tracker tries again by itself; while its clock stands still, only the visitor does.
    await page.clock.install();
    await page.clock.pauseAt(Date.now() + 60_000);
    await page.goto(system.broadcaster.url);
    await counters(watcher.page, [1, 0, 0]);
    await system.forwarder[Symbol.asyncDispose]();
    await page.click('button[data-event="pill:red"]');
    await page.waitForSelector('button[data-event="pill:red"][data-state="waiting"]');
    await page.getByText("Not delivered yet: red pill. The channel behind the server is away.").waitFor();

    system.forwarder = await startForwarder({ ports: system.ports });
    await ready(system.broadcaster.url);
    await page.click("[data-retry]");
    await page.waitForSelector('button[data-event="pill:red"][data-state="confirmed"]');
    await page.getByText("Red pill delivered.").waitFor();
    await counters(watcher.page, [1, 1, 1]);
    // Whatever was sent twice would be there before the next press is.
    await click(page, "pill:blue");
    await counters(watcher.page, [1, 2, 1]);
  }));

Deno.test("presses that nobody could take arrive by themselves, once, when somebody can", () =>
  withBrowser(async (browser, system) => {
    await using watcher = await openPage(browser, `${system.logger.url}logger/`);
    await using visitor = await openPage(browser, system.broadcaster.url);
    const { page } = visitor;
    await counters(watcher.page, [1, 0, 0]);
    await system.forwarder[Symbol.asyncDispose]();
    for (const type of ["pill:red", "pill:blue", "pill:red"]) {
      await page.click(`button[data-event="${type}"]`);
    }
    await page.waitForSelector('button[data-event="pill:red"][data-state="waiting"]');
    system.forwarder = await startForwarder({ ports: system.ports });
    await page.waitForSelector('button[data-event="pill:red"][data-state="confirmed"]');
    await page.waitForSelector('button[data-event="pill:blue"][data-state="confirmed"]');
    await page.context().setOffline(true);
    await page.click('button[data-event="pill:blue"]');
    await page.getByText("Not delivered yet: blue pill. This device is offline.").waitFor();
    await page.context().setOffline(false);
    await page.getByText("Blue pill delivered, 2 times.").waitFor();
    await counters(watcher.page, [1, 4, 2]);
  }));

Deno.test("a press just before leaving the page counts", () =>
  withBrowser(async (browser, { broadcaster, logger }) => {
    await using watcher = await openPage(browser, `${logger.url}logger/`);
    await using visitor = await openPage(browser, broadcaster.url);
    await counters(watcher.page, [1, 0, 0]);
    await visitor.page.evaluate(() => {
      for (const button of document.querySelectorAll<HTMLElement>("button[data-event]")) button.click();
      location.href = "about:blank";
    });
    await counters(watcher.page, [1, 2, 1]);
  }));

Deno.test("of a visitor who asks not to be tracked only the presses are seen", () =>
  withBrowser(async (browser, { broadcaster, logger }) => {
    await using watcher = await openPage(browser, `${logger.url}logger/`);
    await using visitor = await openPage(browser, "about:blank", { extraHTTPHeaders: { "Sec-GPC": "1" } });
    await visitor.page.addInitScript(() =>
      Object.defineProperty(navigator, "globalPrivacyControl", { value: true })
    );
    await visitor.page.goto(broadcaster.url);
    await click(visitor.page, "pill:red");
    await counters(watcher.page, [0, 1, 1]);
    assert.match(
      await visitor.page.textContent("footer") ?? "",
      /Your browser asks not to be tracked, so only/,
    );
    assert.deepEqual(visitor.complaints, []);
  }));

Deno.test("text of an event is never markup", () =>
  withBrowser(async (browser, { forwarder, logger }) => {
    const { Publisher } = await import("zeromq");
    await using watcher = await openPage(browser, `${logger.url}logger/`);
    await live(watcher.page);
    const hostile = '<img src=x onerror="document.title=1"><script>alert(1)</script>';
    const publisher = new Publisher({ linger: 0 });
    try {
      publisher.connect(`tcp://127.0.0.1:${forwarder.ports.XSUB_PORT}`);
      await eventually("the row", async () => {
        await publisher.send(
          JSON.stringify({ event: "user:btn", message: hostile, urgent: true, level: hostile }),
        );
        return (await messagesOf(watcher.page)).length > 0;
      });
    } finally {
      publisher.close();
    }
    assert.ok((await messagesOf(watcher.page)).every((message) => message === hostile));
    assert.equal(await watcher.page.locator("[data-rows] img, [data-rows] script").count(), 0);
    assert.deepEqual(watcher.complaints, []);
  }));

Deno.test("axe finds nothing, in every theme and at every width", async (t) => {
  await withBrowser(async (browser, { broadcaster, logger }) => {
    for (const colorScheme of ["light", "dark"] as const) {
      for (const width of [320, 1280]) {
        await t.step(`${colorScheme}, ${width} px`, async () => {
          const options = { colorScheme, viewport: { width, height: 800 } };
          await using watcher = await openPage(browser, `${logger.url}logger/`, options);
          await live(watcher.page);
          await using visitor = await openPage(browser, broadcaster.url, options);
          await click(visitor.page, "pill:red");
          await watcher.page.waitForSelector("[data-event-id][data-notify]");
          for (const { page, complaints } of [watcher, visitor]) {
            assert.deepEqual(await findBarriers(page), []);
            assert.deepEqual(complaints, []);
            const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
            assert.ok(overflow <= 0, `${page.url()} is ${overflow} px too wide`);
          }
        });
      }
    }
  });
});
