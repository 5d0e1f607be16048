/// <reference lib="dom" />
/** A history that tells nothing of where to go on, never answers, or asks for patience. */
import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { eventually } from "../lib/testing/deadline.ts";
import {
  Gate,
  hide,
  type Hub,
  live,
  row,
  rowIds,
  stopClock,
  tracked,
  tryNow,
  withLogger,
} from "./logger_harness.ts";

const problem = "[data-problem]:not([hidden])";
const hasRows = (page: Page, ...numbers: number[]) =>
  eventually(
    `the rows ${numbers}`,
    async () => `${await rowIds(page)}` === `${numbers.map((number) => `urn:t:${number}`)}`,
  );

/** A history that goes far back, of which the matchers match only what is in the log. */
const matchingLittle = (answer: Hub["onHistory"]): Hub["onHistory"] => async (make) => {
  const { older, ...page } = await (await answer(make)).json();
  return Response.json({ ...page, older: older ?? "#before" });
};

/** Loads the page with an empty page of the history, and refuses its stream once. */
async function beRefusedOnce(page: Page, hub: Hub): Promise<void> {
  hub.onHistory = matchingLittle((answer) => answer());
  let refusals = 1;
  hub.onStream = (answer) => refusals-- > 0 ? new Response(null, { status: 503 }) : answer();
  await page.reload();
  await page.waitForSelector(problem);
}

/** A hub whose history refuses so often, and asks for a minute of patience; it counts how often it was asked. */
function refuse(hub: Hub, refusals: number): { readonly asked: number } {
  const count = { asked: 0 };
  hub.onHistory = (answer) =>
    ++count.asked > refusals
      ? answer()
      : new Response(null, { status: 503, headers: { "Retry-After": "60" } });
  return count;
}

Deno.test("what happens between an empty page of the history and the stream is a row", () =>
  withLogger([], async (page, hub) => {
    await beRefusedOnce(page, hub);
    hub.publish(tracked(1));
    await tryNow(page);
    await live(page);
    hub.publish(tracked(2));
    await hasRows(page, 1, 2);
    assert.equal(await page.locator("[data-row=gap]").count(), 0);
  }, { ignoreComplaints: /503/ }));

Deno.test("what happens while the page looks for where its stream has begun comes behind it", () =>
  withLogger([], async (page, hub) => {
    await beRefusedOnce(page, hub);
    hub.publish(tracked(1));
    using held = new Gate();
    hub.onHistory = matchingLittle(held.early);
    await tryNow(page);
    await held.waiting;
    await eventually("the stream", () => hub.streams === 1);
    hub.publish(tracked(2));
    // By the time that it has an answer to this, it has read what the stream brought.
    await page.evaluate(() => fetch("favicon.svg").then((response) => response.text()));
    held.open();
    await live(page);
    hub.publish(tracked(3));
    await hasRows(page, 1, 2, 3);
  }, { ignoreComplaints: /503/ }));

Deno.test("a history that does not answer is given up after half a minute, and asked again", async (t) => {
  const silences = {
    "no answer": (held: Gate, hub: Hub) => hub.onHistory = held.late,
    "an answer that stops": (held: Gate, hub: Hub) =>
      hub.onHistory = () => {
        held.early(() => new Response());
        return new Response(new ReadableStream({ start: (body) => body.enqueue(new Uint8Array([0x7b])) }));
      },
  };
  for (const [name, keepSilent] of Object.entries(silences)) {
    await t.step(name, () =>
      withLogger([tracked(1)], async (page, hub) => {
        using held = new Gate();
        keepSilent(held, hub);
        await stopClock(page);
        await page.reload();
        await held.waiting;
        await page.clock.runFor(29_000);
        assert.equal(await page.locator(problem).count(), 0);
        let asked = 0;
        hub.onHistory = (answer) => {
          asked++;
          return answer();
        };
        await page.clock.runFor(1_000);
        await page.waitForSelector(problem);
        assert.match(await page.textContent("[data-countdown]") ?? "", /^Trying again/);
        assert.equal(asked, 0);
        await page.clock.runFor(3_000);
        await live(page);
        await page.waitForSelector("[data-problem]", { state: "hidden" });
        await page.clock.resume();
        await hasRows(page, 1);
      }, { before: withClock, ignoreComplaints: /Failed to load/ }));
  }
});

/** Installs a clock that is also the one of what the browser gives up by itself. */
async function withClock(page: Page): Promise<void> {
  await page.clock.install();
  await page.addInitScript(() => {
    AbortSignal.timeout = (ms) => {
      const aborted = new AbortController();
      setTimeout(() => aborted.abort(new DOMException("It took too long", "TimeoutError")), ms);
      return aborted.signal;
    };
  });
}

Deno.test("a page that waits for its history asks at once when there is a reason to hope", async (t) => {
  const reasons: Record<string, (page: Page) => Promise<unknown>> = {
    "the network is back": tryNow,
    "someone looks at it": async (page) => {
      await hide(page, true);
      await hide(page, false);
    },
    "someone asks for it": (page) => page.click("[data-action=retry]"),
  };
  await withLogger([tracked(1)], async (page, hub) => {
    for (const [name, hope] of Object.entries(reasons)) {
      await t.step(name, async () => {
        const history = refuse(hub, 1);
        await page.reload();
        await page.waitForSelector(problem);
        assert.equal(history.asked, 1);
        await hope(page);
        await live(page);
        await page.waitForSelector(row("urn:t:1"));
      });
    }
  }, { ignoreComplaints: /503/ });
});
