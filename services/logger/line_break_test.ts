/// <reference lib="dom" />
/** A value with line breaks as a filter: the field, the chip and the address are of one line. */
import assert from "node:assert/strict";
import * as fc from "fast-check";
import type { Page } from "playwright-core";
import { toEntry } from "../../static/logger/entry.js";
import { parseQuery, withoutTerm, withTerm } from "../../static/logger/query.js";
import { eventually } from "../lib/testing/deadline.ts";
import { live, row, tracked, withLogger } from "./logger_harness.ts";

const BREAK = 'a\nb "c"\r\n\\n';

/** The only filter is this one, and it lets one of two through. */
async function isFiltered(page: Page): Promise<void> {
  await eventually("one of them", async () => await page.textContent("[data-count]") === "1 of 2");
  assert.equal(await page.locator(row("urn:t:1")).count(), 1);
}

Deno.test("a term of one line asks for any value, and is found again", () => {
  const value = fc.oneof(
    fc.string({ unit: "grapheme", minLength: 1 }),
    fc.array(fc.constantFrom("\n", "\r", "\\", '"', "n", "r", " ", "a"), { minLength: 1 }).map((parts) =>
      parts.join("")
    ),
  );
  fc.assert(fc.property(value, fc.boolean(), (value, isExcluded) => {
    const term = { field: "site", value, isExcluded };
    const text = withTerm("k:click", term);
    assert.doesNotMatch(text, /[\r\n]/);
    const { problem, facets, matches } = parseQuery(text, 0);
    assert.equal(problem, "");
    assert.deepEqual(facets[0], term);
    const data = JSON.stringify({ kind: "click", site: value });
    assert.equal(matches(toEntry({ id: "", type: "", data }, { arrived: 0, isLive: true })), !isExcluded);
    assert.equal(withoutTerm(text, term), "k:click");
  }));
});

Deno.test("a value with line breaks filters, survives a reload, and its chip takes the filter away", () =>
  withLogger([tracked(1, { site: BREAK }), tracked(2)], async (page) => {
    await page.click(`${row("urn:t:1")} [data-field=site]`);
    await page.waitForSelector("[data-value-menu]:popover-open");
    await page.click("[data-value-menu] [data-do=include]");
    await isFiltered(page);
    await eventually("the address", () => new URL(page.url()).searchParams.has("q"));
    await page.reload();
    await live(page);
    await isFiltered(page);
    await page.locator("[data-chips] button", { hasText: "site:" }).click();
    await eventually("no filter", async () => await page.inputValue("[data-query]") === "");
    await eventually("both", async () => await page.textContent("[data-count]") === "");
  }));
