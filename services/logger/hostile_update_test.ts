/// <reference lib="dom" />
/** Updates that are made to break the page: each is a row, and so is what comes with it. */
import assert from "node:assert/strict";
import { eventually } from "../lib/testing/deadline.ts";
import { live, row, rowIds, tracked, type Update, withLogger } from "./logger_harness.ts";

const updateOf = (id: string, kind: string, props: string): Update => ({
  id: `urn:t:${id}`,
  type: "track",
  data: `{"kind":"${kind}","site":"shop","props":${props}}`,
});

const HOSTILE = [
  updateOf("no primitive", "engagement", '{"ms":{"toString":1,"valueOf":1}}'),
  updateOf("too deep", "signup", `{"plan":${"[".repeat(10_000)}${"]".repeat(10_000)}}`),
];
const ALL = [tracked(1), tracked(2), ...HOSTILE, tracked(3)].map(({ id }) => id);

Deno.test("an update that cannot be put into words is a row, and takes no other with it", () =>
  withLogger([tracked(1)], async (page, hub) => {
    await page.waitForSelector(row("urn:t:1"));
    // They come in one piece.
    hub.publish(tracked(2), ...HOSTILE, tracked(3));
    await eventually("all of them", async () => `${await rowIds(page)}` === `${ALL}`);
    await page.reload();
    await live(page);
    await eventually("all of them again", async () => `${await rowIds(page)}` === `${ALL}`);
    for (const { id } of HOSTILE) {
      await page.click(`${row(id)} .row__message`);
      await page.waitForSelector(`[data-drawer][open] button:text-is("${id}")`);
      assert.equal(await page.locator(`${row(id)}[aria-selected=true]`).count(), 1);
    }
  }));
