/// <reference lib="dom" />
/** The logger page by itself: the browser gets its files from `static/`, and a stream that the test has made up. */
import assert from "node:assert/strict";
import type { Page, Route } from "playwright-core";
import { findBarriers, launchBrowser, openPage } from "../lib/testing/browser.ts";
import { eventually } from "../lib/testing/deadline.ts";

const STATIC_FOLDER = new URL("../../static/", import.meta.url);
const ORIGIN = "http://localhost";

const frame = (id: string, message: string) => `id: ${id}\nevent: login\ndata: {"message":"${message}"}\n\n`;
const signal = (body: Readonly<Record<string, unknown>>) =>
  `event: mercure\ndata: ${JSON.stringify(body)}\n\n`;

/** Opens the page; each connection gets the next of these streams and then ends, and the last one comes again. */
async function withPage(
  streams: readonly string[],
  test: (page: Page, connections: readonly URLSearchParams[]) => Promise<void>,
): Promise<void> {
  const browser = await launchBrowser();
  try {
    await using opened = await openPage(browser, "about:blank");
    const { page } = opened;
    const connections: URLSearchParams[] = [];
    const answer = async (route: Route) => {
      const { pathname, searchParams } = new URL(route.request().url());
      if (pathname === "/events") {
        const body = streams[Math.min(connections.length, streams.length - 1)] ?? "";
        connections.push(searchParams);
        return await route.fulfill({ body, contentType: "text/event-stream" });
      }
      const file = pathname.replace(/^\/logger\//, "") || "index.html";
      const contentType =
        { js: "text/javascript", css: "text/css", svg: "image/svg+xml" }[file.split(".")[1] ?? ""];
      const body = await Deno.readTextFile(new URL(`logger/${file}`, STATIC_FOLDER));
      await route.fulfill({ body, contentType: contentType ?? "text/html" });
    };
    await page.route(`${ORIGIN}/**`, answer);
    await page.goto(`${ORIGIN}/logger/`);
    await test(page, connections);
    assert.deepEqual(opened.complaints, []);
  } finally {
    await browser.close();
  }
}

Deno.test("a gap is a row of its own between the updates, and counts as none", () =>
  withPage([
    signal({ type: "hello" }) + frame("1", "first") +
    signal({ type: "gap", reason: "<b>older</b> than what is kept" }) +
    signal({ type: "heartbeat" }) + frame("2", "second"),
    "",
  ], async (page) => {
    await page.waitForSelector("li[data-event-id]");
    assert.deepEqual(await page.locator("[data-feed] > li p").allTextContents(), [
      "second",
      "Updates are missing here: <b>older</b> than what is kept",
      "first",
    ]);
    assert.equal(await page.locator("li[data-gap]").count(), 1);
    assert.equal(await page.locator("li[data-gap][data-event-id], li[data-gap] b").count(), 0);
    assert.equal(await page.textContent("[data-total]"), "2");
    assert.deepEqual(await findBarriers(page), []);
  }));

Deno.test("signals are asked for, and do not move where the stream resumes", () =>
  withPage([
    frame("urn:x:1", "first") + signal({ type: "hello" }) + signal({ type: "heartbeat" }) +
    signal({ type: "gap" }),
  ], async (page, connections) => {
    await eventually("the second connection", () => connections.length > 1);
    assert.deepEqual(connections.slice(0, 2).map((each) => Object.fromEntries(each)), [
      { last_event_id: "earliest", signals: "1" },
      { last_event_id: "urn:x:1", signals: "1" },
    ]);
    // The same update and the same gap come again, and neither makes a second row.
    await page.waitForSelector("li[data-gap]");
    assert.deepEqual(await page.locator("[data-feed] > li p").allTextContents(), [
      "Updates are missing here.",
      "first",
    ]);
  }));

Deno.test("a hello, heartbeats and signals that the page does not know are never rows", () =>
  withPage([
    signal({ type: "hello" }) + signal({ type: "heartbeat" }) + signal({ type: "news" }) +
    "event: mercure\ndata: no JSON\n\n" + "id: 1\nevent: mercure\ndata: an update\n\n",
  ], async (page) => {
    await page.waitForSelector("li[data-event-id]");
    assert.deepEqual(await page.locator("[data-feed] > li p").allTextContents(), ["an update"]);
    assert.equal(await page.locator("li[data-gap]").count(), 0);
  }));
