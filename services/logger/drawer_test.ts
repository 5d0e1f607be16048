/// <reference lib="dom" />
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { clocksInWords, curl } from "../../static/logger/drawer.js";
import { findBarriers } from "../lib/testing/browser.ts";
import { eventually } from "../lib/testing/deadline.ts";
import { focused, row, tracked, withLogger } from "./logger_harness.ts";

const MINUTE = 60_000;
const PHONE = { viewport: { width: 320, height: 640 } };
const isOpen = "[data-drawer][open]";

Deno.test("clocksInWords() tells the wait and the way", () => {
  assert.equal(
    clocksInWords({ time: 1_000, client: 1_000, sent: 3_500, received: 3_620 }),
    "It waited 2.5 s in the browser, and was at the server 2.6 s after it happened.",
  );
});

Deno.test("clocksInWords() tells a clock that was corrected", () => {
  const words = (skew: number) =>
    clocksInWords({ time: skew, client: 0, sent: 10, received: skew + 90 }).split(". ").at(-1);
  assert.equal(words(5 * MINUTE), "The clock of the browser is 5 min slow, which is corrected.");
  assert.equal(words(-120 * MINUTE), "The clock of the browser is 2.0 h fast, which is corrected.");
});

Deno.test("clocksInWords() does not tell of a journey into the past as if it were one", () => {
  const words = clocksInWords({ time: 5_000, client: 5_000, sent: 4_000, received: 4_200 });
  assert.equal(
    words,
    "It waited 0 ms in the browser, and came 800 ms before its own time: the clock of the browser is fast.",
  );
});

Deno.test("curl() asks the history for the update, and no id can leave its quotes", () => {
  fc.assert(fc.property(fc.string({ unit: "grapheme" }), (id) => {
    const command = curl(new URL("https://host.test/events/history?match=a'b"), id);
    const [, address = ""] = /^curl '([^']*)'$/.exec(command) ?? [];
    const url = new URL(address);
    assert.equal(url.pathname, "/events/history");
    assert.equal(url.searchParams.get("until"), id);
    assert.equal(url.searchParams.get("match"), "a'b");
  }));
});

Deno.test("the panel stands beside the rows, takes the focus and gives it back", () =>
  withLogger([tracked(1), tracked(2)], async (page) => {
    const second = row("urn:t:2");
    await page.click(`${second} .row__message`);
    await page.waitForSelector(isOpen);
    await eventually("the focus in the panel", async () => await focused(page) === "click");
    const [feed, panel] = [
      await page.locator(".feed").boundingBox(),
      await page.locator(isOpen).boundingBox(),
    ];
    assert.ok(feed !== null && panel !== null && feed.x + feed.width <= panel.x);
    assert.deepEqual(await findBarriers(page), []);
    await page.keyboard.press("Escape");
    await page.waitForSelector(isOpen, { state: "detached" });
    const focusedId = () => page.evaluate(() => document.activeElement?.getAttribute("data-event-id"));
    await eventually("the row", async () => await focusedId() === "urn:t:2");
  }));

Deno.test("on a phone it is a sheet from below that fits", () =>
  withLogger([tracked(1, { props: { [`${"wide".repeat(50)}`]: "x".repeat(400) } })], async (page) => {
    await page.click(row("urn:t:1"));
    const box = await page.locator(isOpen).boundingBox();
    assert.ok(box !== null);
    assert.deepEqual([box.x, box.width, Math.round(box.y + box.height)], [0, 320, 640]);
    assert.equal(await page.locator(isOpen).evaluate((panel) => panel.scrollWidth - panel.clientWidth), 0);
    assert.deepEqual(await findBarriers(page), []);
  }, PHONE));

Deno.test("it steps through the rows that are shown, and through a session whatever is shown", () =>
  withLogger([
    tracked(1),
    tracked(2, { sid: "s2" }),
    tracked(3, { kind: "error" }),
    tracked(4, { sid: "s2" }),
    tracked(5, { kind: "error" }),
  ], async (page) => {
    const shown = () => page.textContent("[data-drawer-fields] tr:last-child button");
    await page.fill("[data-query]", "k:error");
    await page.click(row("urn:t:5"));
    await page.waitForSelector(isOpen);
    const press = async (label: string, id: string) => {
      await page.focus(`[aria-label="${label}"]`);
      await page.keyboard.press("Enter");
      await eventually(`the update ${id}`, async () => await shown() === id);
      await eventually("the focus on the button", async () => await focused(page) === label);
    };
    await press("Row before", "urn:t:3");
    // No more of them: the button says so, and keeps the focus.
    await press("Row before", "urn:t:3");
    assert.equal(await page.getAttribute('[aria-label="Row before"]', "aria-disabled"), "true");
    await press("Next row", "urn:t:5");
    await press("Before it in the session", "urn:t:3");
    await press("Before it in the session", "urn:t:1");
    await press("Next in the session", "urn:t:3");
  }));

Deno.test("the way on from the newest row opens when another comes", () =>
  withLogger([tracked(1)], async (page, hub) => {
    await page.click(`${row("urn:t:1")} .row__message`);
    await page.waitForSelector(isOpen);
    for (const label of ["Next row", "Next in the session"]) {
      await page.waitForSelector(`[aria-label="${label}"][aria-disabled=true]`);
    }
    hub.publish(tracked(2, { sid: "s2" }));
    await page.waitForSelector('[aria-label="Next row"][aria-disabled=false]');
    await page.waitForSelector('[aria-label="Next in the session"][aria-disabled=true]');
    hub.publish(tracked(3));
    await page.waitForSelector('[aria-label="Next in the session"][aria-disabled=false]');
    await page.click('[aria-label="Next row"]');
    await page.waitForSelector(`${isOpen} button:text-is("urn:t:2")`);
  }));

Deno.test("a value opens a menu that the keyboard can use, and becomes a filter", () =>
  withLogger([tracked(1), tracked(2, { site: "blog" })], async (page) => {
    await page.click(row("urn:t:1"));
    const value = page.locator("[data-drawer-fields] button", { hasText: "shop" });
    await value.press("Enter");
    await eventually("the first item", async () => await focused(page) === "Show only this");
    assert.deepEqual(await findBarriers(page), []);
    for (
      const [key, item] of [["ArrowDown", "Hide this"], ["End", "Copy"], [
        "ArrowDown",
        "Show only this",
      ]] as const
    ) {
      await page.keyboard.press(key);
      assert.equal(await focused(page), item);
    }
    await page.keyboard.press("Escape");
    await eventually("the value", async () => await focused(page) === "shop");
    await value.press("Enter");
    await eventually("the first item", async () => await focused(page) === "Show only this");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    await eventually("the filter", async () => await page.inputValue("[data-query]") === "-site:shop");
    await page.waitForSelector(row("urn:t:1"), { state: "detached" });
  }));

Deno.test("what it copies is what came, the way to ask for it, and the way back to it; also without a clipboard", () =>
  withLogger([tracked(1)], async (page, hub) => {
    await page.evaluate(() => Object.defineProperty(navigator, "clipboard", { value: undefined }));
    await page.click(row("urn:t:1"));
    await page.waitForSelector(isOpen);
    const copied = async (name: string) => {
      await page.click(`${isOpen} [data-do=${name}]`);
      await page.locator(".toast", { hasText: "copied" }).last().waitFor();
      await page.focus("[data-highlight]");
      await page.keyboard.press("ControlOrMeta+A");
      await page.keyboard.press("ControlOrMeta+V");
      return await page.inputValue("[data-highlight]");
    };
    assert.equal(await copied("data"), tracked(1).data);
    assert.equal(
      await copied("curl"),
      `curl '${new URL("/events/history?until=urn%3At%3A1&limit=1", hub.url)}'`,
    );
    assert.equal(await copied("link"), `${hub.url}#id=urn%3At%3A1`);
  }));

Deno.test("data that is no JSON is shown as it is, and is never an element", () => {
  const data = `<img src=x onerror="document.title=1"> javascript:alert(1) ${"long ".repeat(1_000)}`;
  return withLogger([{ id: "urn:raw", type: "note", data }], async (page) => {
    await page.click(row("urn:raw"));
    const shown = page.locator("[data-drawer-data]");
    await shown.getByRole("button", { name: "3,0" }).click();
    assert.equal(
      await shown.locator("bdi").evaluate((text) => text.textContent?.replace(/[\d,]+ more$/, "")),
      data,
    );
    assert.equal(await shown.locator("img, a").count(), 0);
    assert.ok(await page.isHidden("[data-drawer-clocks]"));
  });
});
