/// <reference lib="dom" />
/** Links to an update: that they are not lost, and that what they bring stands where it belongs, once. */
import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { eventually } from "../lib/testing/deadline.ts";
import { idsOf, savedRows } from "../lib/testing/saved_rows.ts";
import { Gate, many, messages, row, tracked, withLogger } from "./logger_harness.ts";

const withClock = { before: (page: Page) => page.clock.install() };

/** The update that the address of the page leads to. */
function linkOf(page: Page): string {
  const { searchParams, hash } = new URL(page.url());
  return new URLSearchParams(hash.slice(1)).get("id") ?? searchParams.get("sel") ?? "";
}

/** The details of this update are open, and its row is there. */
async function isOpen(page: Page, id: string): Promise<void> {
  await page.waitForSelector(`[data-drawer][open] button:text-is("${id}")`);
  await page.waitForSelector(`${row(id)}[aria-selected=true]`);
}

/** The numbers of all updates that the page has; they have to be in order, each of them once. */
async function numbersOf(page: Page): Promise<number[]> {
  const numbers = idsOf(await savedRows(page)).map((id) => Number(id.slice("urn:t:".length)));
  assert.deepEqual(numbers, [...new Set(numbers)].toSorted((a, b) => a - b));
  return numbers;
}

const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

Deno.test("a link is in the address until it has been opened, however long that takes", () =>
  withLogger([tracked(1), tracked(2)], async (page, hub) => {
    for (
      const address of ["?q=click&sel=urn:t:1#id=urn:t:1", "?q=click&sel=urn:t:1", "?hl=shop#id=urn:t:1"]
    ) {
      hub.onHistory = () => new Response(null, { status: 503, headers: { "Retry-After": "60" } });
      await page.goto("about:blank");
      await page.goto(hub.url + address);
      await page.waitForSelector("[data-problem]:not([hidden])");
      // Now the controls are there, which write the address.
      await page.waitForSelector("[data-query][aria-invalid]");
      await page.clock.runFor(2_000);
      assert.equal(linkOf(page), "urn:t:1", address);

      hub.onHistory = (answer) => answer();
      await page.click("[data-action=retry]");
      await isOpen(page, "urn:t:1");
      await page.clock.runFor(2_000);
      assert.equal(linkOf(page), "urn:t:1", address);
      await page.reload();
      await isOpen(page, "urn:t:1");
    }
  }, { ...withClock, ignoreComplaints: /503/ }));

Deno.test("a link to an update that is not kept any more stays in the address, until one looks at another", () =>
  withLogger([tracked(1), tracked(2)], async (page) => {
    await page.locator(".toast", { hasText: "not kept any more" }).waitFor();
    await page.clock.runFor(2_000);
    assert.equal(linkOf(page), "urn:t:none");
    await page.click(`${row("urn:t:2")} .row__message`);
    await isOpen(page, "urn:t:2");
    await page.clock.runFor(2_000);
    assert.equal(new URL(page.url()).hash, "");
    assert.equal(linkOf(page), "urn:t:2");
  }, { ...withClock, address: "?q=click#id=urn:t:none", ignoreComplaints: /404/ }));

Deno.test("a link that is opened in a page with the rows of another leads to its update, with each row in order", () =>
  withLogger(many(2_000), async (page) => {
    await isOpen(page, "urn:t:300");
    assert.deepEqual(await numbersOf(page), [...numbers(101, 301), ...numbers(1_500, 2_000)]);
    await page.evaluate(() => location.hash = "#id=urn:t:400");
    await isOpen(page, "urn:t:400");
    const expected = [...numbers(201, 401), ...numbers(1_500, 2_000)];
    assert.deepEqual(await numbersOf(page), expected);
    await eventually(
      "the total",
      async () => await page.textContent("[data-counter=total]") === `${expected.length}`,
    );
  }, { address: "#id=urn:t:300" }));

Deno.test("a link to a row that the page has goes there, and keeps what the page has", () =>
  withLogger(many(2_000), async (page) => {
    await page.keyboard.press("m");
    await eventually("the mark", async () => (await messages(page)).includes("Mark 1"));
    for (const id of ["urn:t:1700", "urn:t:1990"]) {
      await page.evaluate((id) => location.hash = `#id=${id}`, id);
      await isOpen(page, id);
    }
    await page.keyboard.press("G");
    assert.ok((await messages(page)).includes("Mark 1"));
    assert.deepEqual(await numbersOf(page), numbers(1_500, 2_000));
  }));

Deno.test("a link and a page of older ones that come together are in order, and older ones go on from there", async (t) => {
  for (const first of ["until", "before"] as const) {
    await t.step(`what is ${first} a place comes first`, async () => {
      using gates = new Gates();
      await withLogger(many(2_000), async (page) => {
        await gates.until.waiting;
        await page.keyboard.press("g");
        await eventually("the oldest row", () => hasFocus(page, "urn:t:1500"));
        gates[first].open();
        if (first === "until") await isOpen(page, "urn:t:300");
        else await idle(page);
        gates.open();
        await isOpen(page, "urn:t:300");
        await idle(page);
        const present = await numbersOf(page);
        assert.deepEqual(present.slice(0, 200), numbers(101, 301));
        assert.deepEqual(present.slice(-500), numbers(1_500, 2_000));

        await page.keyboard.press("Escape");
        await page.keyboard.press("g");
        await eventually("the beginning", async () => (await numbersOf(page))[0] === 0);
        assert.deepEqual((await numbersOf(page)).slice(0, 301), numbers(0, 301));
      }, { address: "#id=urn:t:300", before: (page) => gates.stand(page) });
    });
  }
});

Deno.test("a link that is opened while a page of older ones is under way leads to its update, with each row in order", async () => {
  using gates = new Gates();
  gates.until.open();
  await withLogger(many(2_000), async (page) => {
    await page.keyboard.press("g");
    await gates.before.waiting;
    await page.evaluate(() => location.hash = "#id=urn:t:400");
    await isOpen(page, "urn:t:400");
    gates.open();
    await idle(page);
    const present = await numbersOf(page);
    assert.deepEqual(present.slice(0, 200), numbers(201, 401));
    assert.deepEqual(present.slice(-500), numbers(1_500, 2_000));
  }, { before: (page) => gates.stand(page) });
});

/** Hold up what the page asks the history for, by the place that it asks for. */
class Gates implements Disposable {
  readonly before = new Gate();
  readonly until = new Gate();

  async stand(page: Page): Promise<void> {
    for (const place of ["before", "until"] as const) {
      await page.route((url) => url.searchParams.has(place), async (route) => {
        await this[place].late(() => new Response());
        await route.continue();
      });
    }
  }

  open(): void {
    this.before.open();
    this.until.open();
  }

  [Symbol.dispose](): void {
    this.open();
  }
}

const hasFocus = (page: Page, id: string) =>
  page.evaluate((id) => document.activeElement?.getAttribute("data-event-id") === id, id);

/** No page of older ones is on its way. */
const idle = (page: Page) =>
  eventually(
    "the end of loading",
    async () => await page.textContent("[data-older-label]") === "Older updates",
  );
