/// <reference lib="dom" />
import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { row, tracked, withLogger } from "./logger_harness.ts";

/** Shows a value in the panel of an update. */
function withTree(json: string, test: (page: Page) => Promise<void>): Promise<void> {
  return withLogger([{ id: "urn:json", type: "note", data: json }], async (page) => {
    await page.click(row("urn:json"));
    await page.waitForSelector("[data-drawer][open]");
    await test(page);
  });
}

Deno.test("a branch of the tree is made when it is opened", () =>
  withTree(`{"deep":${"[".repeat(2_000)}${"]".repeat(2_000)}}`, async (page) => {
    const branches = page.locator("[data-drawer-data] details");
    assert.equal(await branches.count(), 2);
    await branches.last().locator("summary").click();
    await branches.nth(2).waitFor();
    assert.equal(await branches.count(), 3);
  }));

Deno.test("of many children a hundred are shown, and more on demand, for the keyboard too", () =>
  withTree(JSON.stringify(Array.from({ length: 1_300 }, (_, i) => i)), async (page) => {
    const leaves = page.locator("[data-drawer-data] .json__number");
    assert.equal(await leaves.count(), 100);
    await page.getByRole("button", { name: "1,200 more" }).press("Enter");
    assert.equal(await leaves.count(), 1_100);
    await page.keyboard.press("Enter");
    assert.equal(await leaves.count(), 1_300);
    assert.equal(await leaves.last().textContent(), "1299");
  }));

Deno.test("only addresses of the web are links, and tell nothing to where they lead", () => {
  const hostile = [
    "javascript:alert(1)",
    " https://space.test",
    "data:text/html,x",
    "https:",
    "//host.test",
    "<a href=x>",
  ];
  const links = ["https://host.test/a?b=c#d", "HTTP://host.test/<script>"];
  return withTree(JSON.stringify([...hostile, ...links, { [links[0]!]: 1 }]), async (page) => {
    const found = await page.locator("[data-drawer-data] a").evaluateAll((elements) =>
      elements.map((link) => ["href", "rel", "target"].map((name) => link.getAttribute(name)))
    );
    assert.deepEqual(found, links.map((link) => [link, "noopener noreferrer", "_blank"]));
  });
});

Deno.test("names and texts are those of the data, and isolated from what is around them", () => {
  const body = { "\u202Ename": "\u202Etext", "__proto__x": "<b>", empty: {}, none: null, yes: true };
  return withTree(JSON.stringify(body), async (page) => {
    const names = await page.locator("[data-drawer-data] .json__name").allTextContents();
    assert.deepEqual(names, Object.keys(body));
    const around = await page.locator("[data-drawer-data] bdi").count();
    assert.ok(around >= 2 * names.length);
  });
});

Deno.test("hostile properties do not reach the table as anything but text", () => {
  const text = `"><img src=x onerror=alert(1)>`;
  const update = tracked(1, { props: { [text]: text, parts: { [text]: text } } });
  return withLogger([update], async (page) => {
    await page.click(row(update.id));
    const fields = page.locator("[data-drawer-fields] tr", { hasText: text });
    await fields.waitFor();
    assert.equal(await fields.count(), 1);
    assert.equal(await page.locator("[data-drawer] img").count(), 0);
  });
});
