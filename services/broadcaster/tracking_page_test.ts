/// <reference lib="dom" />
/** The tracking page by itself: the browser gets its files from `static/`, and answers that the test has made up. */
import assert from "node:assert/strict";
import { mock } from "node:test";
import type { Page, Route } from "playwright-core";
import { Report } from "../../static/tracking/report.js";
import { launchBrowser, openPage } from "../lib/testing/browser.ts";
import { eventually } from "../lib/testing/deadline.ts";

const STATIC_FOLDER = new URL("../../static/", import.meta.url);
const UUID_V4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** Runs with `fetch` answering this, or failing so; resolves with the requests that were made. */
async function withFetch(
  answer: () => Response,
  test: () => Promise<void>,
): Promise<readonly { url: string; headers: Headers; keepalive: boolean | undefined }[]> {
  const fetching = mock.method(globalThis, "fetch", () => Promise.resolve().then(answer));
  try {
    await test();
    return fetching.mock.calls.map(({ arguments: [url, init] }) => ({
      url: `${url}`,
      headers: new Headers(init?.headers),
      keepalive: init?.keepalive,
    }));
  } finally {
    fetching.mock.restore();
  }
}

Deno.test("Report.send() sends the same key again and again, and each report has its own", async () => {
  const requests = await withFetch(() => new Response(null, { status: 201 }), async () => {
    const report = new Report("pill:red");
    assert.deepEqual(await report.send(), { isDelivered: true });
    await report.send();
    await new Report("pill:red").send();
  });
  assert.deepEqual(requests.map(({ url }) => url), Array(3).fill("event/pill:red"));
  assert.ok(requests.every(({ keepalive }) => keepalive));
  const [first, again, other] = requests.map(({ headers }) => headers.get("Idempotency-Key") ?? "");
  assert.match(first!, UUID_V4);
  assert.equal(again, first);
  assert.notEqual(other, first);
});

Deno.test("Report makes a key where browsers keep randomUUID() back", async () => {
  const descriptor = Object.getOwnPropertyDescriptor(globalThis, "crypto")!;
  const getRandomValues = crypto.getRandomValues.bind(crypto);
  Object.defineProperty(globalThis, "crypto", { configurable: true, value: { getRandomValues } });
  try {
    const requests = await withFetch(() => new Response(null), async () => {
      for (let i = 0; i < 200; i++) await new Report("log:open").send();
    });
    const keys = requests.map(({ headers }) => headers.get("Idempotency-Key") ?? "");
    for (const key of keys) assert.match(key, UUID_V4);
    assert.equal(new Set(keys).size, 200);
    assert.equal(new Set(keys.map((key) => key.charAt(19))).size, 4);
  } finally {
    Object.defineProperty(globalThis, "crypto", descriptor);
  }
});

Deno.test("Report.send() says why a report was refused, and whether trying again can help", async () => {
  const outcomes = async (status: number, headers: Record<string, string> = {}) => {
    const found: unknown[] = [];
    await withFetch(() => new Response(null, { status, headers }), async () => {
      const { isDelivered: _, ...rest } = await new Report("pill:red").send() as { isDelivered: false };
      found.push(...Object.values(rest));
    });
    return found;
  };
  assert.deepEqual(await outcomes(404), ["The server does not know this event.", false, 0]);
  assert.deepEqual(await outcomes(413), ["The server finds the report too large.", false, 0]);
  assert.deepEqual(await outcomes(418), ["The server answered 418.", false, 0]);
  assert.deepEqual(await outcomes(408), ["The server answered 408.", true, 0]);
  assert.deepEqual(await outcomes(429, { "Retry-After": "3" }), ["Too many reports at once.", true, 3_000]);
  assert.deepEqual(await outcomes(503, { "Retry-After": "86400" }), [
    "The channel behind the server is away.",
    true,
    60_000,
  ]);
  for (const unusable of ["-5", "Wed, 21 Oct 2026 07:28:00 GMT", ""]) {
    assert.deepEqual(await outcomes(500, { "Retry-After": unusable }), ["The server answered 500.", true, 0]);
  }
});

Deno.test("Report.send() says when no answer comes", async () => {
  const reasonOf = async (error: Error) => {
    let reason: string | undefined;
    await withFetch(() => {
      throw error;
    }, async () => {
      const outcome = await new Report("pill:red").send();
      if (!outcome.isDelivered && outcome.canRetry) reason = outcome.reason;
    });
    return reason;
  };
  assert.equal(await reasonOf(new TypeError("refused")), "The server cannot be reached.");
  assert.equal(
    await reasonOf(new DOMException("late", "TimeoutError")),
    "The server did not answer in time.",
  );
});

/** What the page has reported, as "type key". */
interface Visit {
  readonly page: Page;
  readonly keysOf: (type: string) => string[];
  status: number;
}

/** Opens the page at an address that needs no server. */
async function withVisit(origin: string, test: (visit: Visit) => Promise<void>): Promise<void> {
  const browser = await launchBrowser();
  try {
    await using opened = await openPage(browser, "about:blank");
    const { page } = opened;
    const reports: { type: string; key: string }[] = [];
    const visit: Visit = {
      page,
      keysOf: (type) => reports.filter((report) => report.type === type).map(({ key }) => key),
      status: 201,
    };
    const answer = async (route: Route) => {
      const path = new URL(route.request().url()).pathname.slice(1);
      if (path.startsWith("event/")) {
        const key = route.request().headers()["idempotency-key"] ?? "";
        reports.push({ type: path.slice("event/".length), key });
        return await route.fulfill({ status: visit.status });
      }
      const folder = ["design.css", "favicon.svg"].includes(path) ? "logger" : "tracking";
      const file = new URL(`${folder}/${path || "index.html"}`, STATIC_FOLDER);
      const contentType =
        { js: "text/javascript", css: "text/css", svg: "image/svg+xml" }[path.split(".")[1] ?? ""];
      await route.fulfill({ body: await Deno.readTextFile(file), contentType: contentType ?? "text/html" });
    };
    await page.route(`${origin}/**`, answer);
    await page.goto(`${origin}/`);
    await test(visit);
    assert.deepEqual(opened.complaints.filter((complaint) => !/status of 503/.test(complaint)), []);
  } finally {
    await browser.close();
  }
}

// Browsers trust localhost as they trust HTTPS; from any other host over HTTP the page gets no randomUUID().
for (const origin of ["http://localhost", "http://tracking.test"]) {
  Deno.test(`"Try again" on ${origin} sends each press with the key that it had`, () =>
    withVisit(origin, async (visit) => {
      const { page, keysOf } = visit;
      await eventually("the opening", () => keysOf("log:open").length === 1);
      assert.equal(await page.evaluate(() => "randomUUID" in crypto), origin.includes("localhost"));
      visit.status = 503;
      const red = page.locator('button[data-event="pill:red"]');
      await red.click();
      await red.click();
      await page.getByText("Not delivered: red pill (2 times). The channel behind the server is away.")
        .waitFor();
      assert.equal(await red.getAttribute("data-state"), "failed");

      visit.status = 201;
      await page.click("[data-retry]");
      await page.waitForSelector('button[data-event="pill:red"][data-state="confirmed"]');
      await page.getByText("Red pill delivered, 2 times.").waitFor();
      const [first, second, ...again] = keysOf("pill:red");
      assert.deepEqual(again, [first, second]);
      assert.equal(new Set([...keysOf("log:open"), first, second]).size, 3);
      assert.match(first!, UUID_V4);
    }));
}

Deno.test("the opening is tried again by itself, with the key that it had", () =>
  withVisit("http://localhost", async (visit) => {
    const { page, keysOf } = visit;
    await eventually("the opening", () => keysOf("log:open").length === 1);
    visit.status = 503;
    await page.reload();
    await page.getByText("The opening of this page is not reported yet.").waitFor();
    visit.status = 201;
    await eventually("the second attempt", () => keysOf("log:open").length === 3);
    const [before, first, second] = keysOf("log:open");
    assert.equal(second, first);
    assert.notEqual(before, first);
  }));
