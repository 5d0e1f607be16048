/// <reference lib="dom" />
import assert from "node:assert/strict";
import { parseQuery } from "../../static/logger/query.js";
import { findBarriers } from "../lib/testing/browser.ts";
import { eventually } from "../lib/testing/deadline.ts";
import { focused, tracked, withLogger } from "./logger_harness.ts";

const isOpen = "[data-help][open]";

Deno.test("the help lists the shortcuts, which can be switched off for good", () =>
  withLogger([tracked(1)], async (page) => {
    await page.focus("[data-action=help]");
    await page.keyboard.press("?");
    await page.waitForSelector(isOpen);
    const keys = await page.locator("[data-help-keys] kbd").allTextContents();
    for (const key of ["/", "Space", "j", "Escape", "?"]) assert.ok(keys.includes(key), key);
    assert.deepEqual(await findBarriers(page), []);

    await page.uncheck("[data-help-switch]");
    await page.keyboard.press("Escape");
    await eventually("the button", async () => await focused(page) === "Help and shortcuts");
    await page.keyboard.press("?");
    await page.keyboard.press("/");
    assert.equal(await page.locator(isOpen).count(), 0);
    assert.equal(await focused(page), "Help and shortcuts");

    await page.reload();
    await page.click("[data-action=help]");
    await page.waitForSelector(isOpen);
    assert.ok(!await page.isChecked("[data-help-switch]"));
    await page.check("[data-help-switch]");
    await page.click(`${isOpen} >> text=Done`);
    await page.keyboard.press("/");
    await eventually(
      "the search",
      () => page.locator("[data-query]").evaluate((it) => it === document.activeElement),
    );
  }));

Deno.test("each example of a filter is one", () =>
  withLogger([], async (page) => {
    await page.click("[data-action=help]");
    const examples = await page.locator("[data-help] dt code").allTextContents();
    assert.ok(examples.length > 5);
    for (const example of examples) {
      const { isEmpty, problem } = parseQuery(example, 0);
      assert.deepEqual({ example, isEmpty, problem }, { example, isEmpty: false, problem: "" });
    }
  }));

Deno.test("on the smallest phone it scrolls and does not run over", () =>
  withLogger([], async (page) => {
    await page.click("[data-action=help]");
    await page.waitForSelector(isOpen);
    const { width, over } = await page.locator(isOpen).evaluate((it) => ({
      width: it.getBoundingClientRect().width,
      over: it.scrollWidth - it.clientWidth,
    }));
    assert.ok(width <= 320);
    assert.equal(over, 0);
    assert.deepEqual(await findBarriers(page), []);
  }, { viewport: { width: 320, height: 568 }, colorScheme: "dark" }));
