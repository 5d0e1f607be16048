/// <reference lib="dom" />
import assert from "node:assert/strict";
import { eventually } from "../lib/testing/deadline.ts";
import { row, tracked, withLogger } from "./logger_harness.ts";

Deno.test("a highlight is painted wherever the text stands in the rows, and changes nothing of them", () => {
  const messages = ["shop the Shop", "<b>SHOP</b>", "nothing", "shopshop", "İ shop"];
  const updates = messages.map((message, number) => tracked(number, { message, site: "shop" }));
  return withLogger(updates, async (page, hub) => {
    await page.waitForSelector(row(updates[4]!.id));
    const before = await page.locator("[data-rows]").innerHTML();
    await page.fill("[data-highlight]", "Shop");
    const painted = () =>
      page.evaluate(() =>
        [...CSS.highlights.get("found") ?? []].map((range) =>
          (range.startContainer as Text).data.slice(range.startOffset, range.endOffset)
        )
      );
    // Once in each site, and 2, 1, 0 and 2 times in the messages; small letters of the last are longer than it.
    await eventually("the paint", async () => (await painted()).length === 5 + 5);
    assert.ok((await painted()).every((text) => text.toLowerCase() === "shop"));
    assert.equal(await page.locator("[data-rows]").innerHTML(), before);

    hub.publish(tracked(5, { message: "one more shop" }));
    await eventually("the new one", async () => (await painted()).length === 12);
    await page.fill("[data-highlight]", "");
    await eventually("none", async () => (await painted()).length === 0);
  });
});
