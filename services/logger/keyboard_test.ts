/// <reference lib="dom" />
/** The page without a pointer: what its keys do, to whom the focus comes back, and that it is never lost. */
import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { eventually } from "../lib/testing/deadline.ts";
import { type Hub, live, many, messages, row, rowIds, tracked, withLogger } from "./logger_harness.ts";

/** What has the focus: its name, the id of its update, or "nothing". */
function focusOf(page: Page): Promise<string> {
  return page.evaluate(() => {
    const { activeElement } = document;
    if (activeElement === null || activeElement === document.body) return "nothing";
    return activeElement.getAttribute("data-event-id") ?? activeElement.getAttribute("aria-label") ??
      (activeElement.closest("label") ?? activeElement).textContent?.replace(/\s+/g, " ").trim() ?? "";
  });
}

async function focus(page: Page, wanted: string): Promise<void> {
  await eventually(`the focus at ${wanted}`, async () => await focusOf(page) === wanted);
}

const isDrawerOpen = (page: Page) => page.locator("[data-drawer][open]").count().then((count) => count === 1);
const isPaused = (page: Page) =>
  page.locator("[role=status][data-paused]").count().then((count) => count === 1);

/** What each shortcut does, on a page with 300 updates of which each tenth is an error. */
const SHORTCUTS: Readonly<Record<string, (page: Page, hub: Hub) => Promise<void>>> = {
  "/": async (page) => {
    await page.keyboard.press("/");
    await focus(page, "Filter");
    await page.keyboard.press("Escape");
  },
  "k": async (page) => {
    await page.locator(row("urn:t:299")).focus();
    await page.keyboard.press("k");
    await focus(page, "urn:t:298");
  },
  "j": async (page) => {
    await page.keyboard.press("j");
    await focus(page, "urn:t:299");
  },
  "E": async (page) => {
    await page.keyboard.press("E");
    await focus(page, "urn:t:290");
    await page.keyboard.press("E");
    await focus(page, "urn:t:280");
  },
  "e": async (page) => {
    await page.keyboard.press("e");
    await focus(page, "urn:t:290");
  },
  "Enter": async (page) => {
    await page.keyboard.press("Enter");
    await eventually("the details", () => isDrawerOpen(page));
    await focus(page, "error");
  },
  "Escape": async (page) => {
    await page.keyboard.press("Escape");
    await focus(page, "urn:t:290");
    assert.ok(!await isDrawerOpen(page));
  },
  "g": async (page) => {
    await page.keyboard.press("g");
    await focus(page, "urn:t:0");
    assert.ok(await isPaused(page));
  },
  "G": async (page) => {
    await page.keyboard.press("G");
    await focus(page, "urn:t:299");
    assert.ok(!await isPaused(page));
  },
  "Space": async (page) => {
    await page.keyboard.press("Space");
    await eventually("a pause", () => isPaused(page));
  },
  "n": async (page, hub) => {
    hub.publish(...many(60, 300));
    await eventually("60 new", async () => await page.textContent("[data-status-detail]") === " · 60 new");
    await page.keyboard.press("n");
    await eventually("fewer", async () => await page.textContent("[data-status-detail]") !== " · 60 new");
    assert.ok((await rowIds(page)).includes("urn:t:300"));
  },
  "f": async (page) => {
    await page.keyboard.press("f");
    await eventually("no pause", async () => !await isPaused(page));
  },
  "m": async (page) => {
    await page.keyboard.press("m");
    await eventually("the mark", async () => (await messages(page)).includes("Mark 1"));
  },
  "d": async (page) => {
    const height = async () => (await page.locator("[data-event-id]").first().boundingBox())?.height ?? 0;
    const isDense = () => page.getAttribute("[data-action=density]", "aria-pressed");
    const before = await height();
    assert.equal(await isDense(), "true");
    await page.keyboard.press("d");
    assert.ok(await height() > before);
    assert.equal(await isDense(), "false");
  },
  "c": async (page) => {
    await page.keyboard.press("c");
    await eventually("a clear view", async () => (await rowIds(page)).length === 0);
  },
  "?": async (page) => {
    await page.keyboard.press("?");
    await page.waitForSelector("[data-help][open]");
    await page.keyboard.press("Escape");
  },
};

Deno.test("each shortcut that the help lists does what it says", async (t) => {
  await withLogger(many(300), async (page, hub) => {
    await page.click("[data-action=help]");
    await page.waitForSelector("[data-help][open]");
    const listed = await page.locator("[data-help-keys] kbd").allTextContents();
    await page.keyboard.press("Escape");
    assert.deepEqual(listed.toSorted(), Object.keys(SHORTCUTS).toSorted());
    for (const [key, test] of Object.entries(SHORTCUTS)) await t.step(key, () => test(page, hub));
  });
});

Deno.test("who switches the shortcuts off has none, and has the keys of the rows", () =>
  withLogger(many(60), async (page, hub) => {
    await page.keyboard.press("?");
    await page.waitForSelector("[data-help][open]");
    await page.locator("[data-help-switch]").uncheck();
    await page.keyboard.press("Escape");
    await page.waitForSelector("[data-help]:not([open])", { state: "attached" });
    await page.locator(row("urn:t:59")).focus();
    await page.keyboard.press("ArrowUp");
    await focus(page, "urn:t:58");
    await eventually("a pause", () => isPaused(page));
    // Each of them would move the focus, end the pause, or open or add something.
    for (const key of ["k", "g", "e", "Space", "G", "f", "m", "c", "d", "?", "/"]) {
      await page.keyboard.press(key);
      assert.equal(await focusOf(page), "urn:t:58", key);
      assert.ok(await isPaused(page), key);
    }
    await page.keyboard.press("ArrowDown");
    await focus(page, "urn:t:59");
    // Whatever a key had added would be before this one.
    hub.publish(tracked(60));
    await page.waitForSelector(row("urn:t:60"), { state: "attached" });
    assert.ok(!(await messages(page)).some((message) => /^Mark|^Cleared/.test(message)));
    assert.equal(await page.locator("[data-help][open]").count(), 0);
    assert.equal(await page.getAttribute("[data-action=density]", "aria-pressed"), "true");
    await page.keyboard.press("Enter");
    await eventually("the details", () => isDrawerOpen(page));
  }));

Deno.test("where one types keys are text, and Escape empties the field before it leaves it", () =>
  withLogger(many(60), async (page) => {
    const count = (wanted: string) =>
      eventually(`"${wanted}"`, async () => await page.textContent("[data-count]") === wanted);
    await page.keyboard.press("/");
    await focus(page, "Filter");
    await page.keyboard.type("mcd? gGfn/");
    assert.equal(await page.inputValue("[data-query]"), "mcd? gGfn/");
    await page.waitForSelector("[data-no-match]:not([hidden])");
    await page.fill("[data-query]", "k:error");
    await count("6 of 60");
    await page.keyboard.press("Escape");
    await count("");
    await focus(page, "Filter");
    await page.keyboard.press("Escape");
    await focus(page, "urn:t:59");
    assert.ok(!(await messages(page)).some((message) => /^Mark|^Cleared/.test(message)));
    assert.equal(await page.locator("[data-help][open]").count(), 0);
    assert.ok(!await isPaused(page));
  }));

Deno.test("the height of the rows is as one left it, and the button says so", () =>
  withLogger(many(5), async (page) => {
    await page.locator(row("urn:t:4")).focus();
    await page.keyboard.press("d");
    await page.waitForSelector("[data-action=density][aria-pressed=false]");
    await page.reload();
    await page.locator(row("urn:t:4")).focus();
    await page.waitForSelector("[data-action=density][aria-pressed=false]");
    await page.keyboard.press("d");
    await page.waitForSelector("[data-action=density][aria-pressed=true]");
  }));

Deno.test("the keys of a grid go from row to row, by screens and to the ends", () =>
  withLogger(many(200), async (page) => {
    await page.locator(row("urn:t:199")).focus();
    const steps = { ArrowUp: 198, ArrowDown: 199, Home: 0, End: 199 };
    for (const [key, number] of Object.entries(steps)) {
      await page.keyboard.press(key);
      await focus(page, `urn:t:${number}`);
    }
    await page.keyboard.press("PageUp");
    const up = Number((await focusOf(page)).slice(6));
    assert.ok(up < 190 && up > 100, `${up}`);
    await page.keyboard.press("PageDown");
    await focus(page, "urn:t:199");
  }));

Deno.test("find is the page's own, and the second time that of the browser", () =>
  withLogger(many(5), async (page) => {
    await page.evaluate(() => {
      const taken: string[] = [];
      addEventListener("keydown", ({ key, defaultPrevented }) => taken.push(`${key} ${defaultPrevented}`));
      Object.assign(globalThis, { taken });
    });
    const taken = () =>
      page.evaluate(() => (globalThis as unknown as { taken: string[] }).taken.splice(0).at(-1));
    await page.locator(row("urn:t:4")).focus();
    for (const modifier of ["Control", "Meta"]) {
      await page.keyboard.press(`${modifier}+f`);
      await focus(page, "Filter");
      assert.equal(await taken(), "f true");
      await page.keyboard.press(`${modifier}+f`);
      assert.equal(await taken(), "f false");
      await page.keyboard.press("Escape");
      await focus(page, "urn:t:4");
    }
    for (const keys of ["Control+j", "Control+Shift+F", "Alt+f", "Control+c", "Meta+g"]) {
      await page.keyboard.press(keys);
      assert.match(await taken() ?? "", / false$/, keys);
      assert.equal(await focusOf(page), "urn:t:4", keys);
    }
  }));

Deno.test("find is left to the browser behind the help, and by who has switched the shortcuts off", () =>
  withLogger([tracked(1)], async (page) => {
    const find = async () => {
      await page.keyboard.press("Control+f");
      return await page.title();
    };
    const tell = () =>
      page.evaluate(() =>
        addEventListener(
          "keydown",
          ({ key, defaultPrevented }) => document.title = `${key} ${defaultPrevented}`,
        )
      );
    await tell();
    await page.keyboard.press("?");
    await page.waitForSelector("[data-help][open]");
    // Each time: the field of the page cannot have the focus here.
    for (let times = 0; times < 3; times++) assert.equal(await find(), "f false");
    await page.uncheck("[data-help-switch]");
    await page.keyboard.press("Escape");
    await page.waitForSelector("[data-help]:not([open])", { state: "attached" });
    assert.equal(await find(), "f false");

    // Now it is the very first key, for which the controls are not there yet.
    await page.reload();
    await live(page);
    await tell();
    assert.equal(await find(), "f false");
    await page.waitForSelector("[data-query][aria-invalid]");
    assert.equal(await find(), "f false");
    assert.notEqual(await focusOf(page), "Filter");
  }));

Deno.test("menus and dialogs take the focus from their button, and give it back", () =>
  withLogger([tracked(1)], async (page) => {
    const opened = {
      alerts: "[data-alerts]:popover-open",
      export: "[data-export-menu]:popover-open",
      help: "[data-help][open]",
    };
    for (const [action, panel] of Object.entries(opened)) {
      await page.focus(`[data-action=${action}]`);
      const button = await focusOf(page);
      await page.keyboard.press("Enter");
      await page.waitForSelector(panel);
      await eventually(
        `the focus in ${action}`,
        () => page.evaluate((panel) => document.activeElement?.closest(panel) !== null, panel),
      );
      await page.keyboard.press("Escape");
      await page.waitForSelector(panel, { state: "detached" });
      await focus(page, button);
    }
  }));

Deno.test("menus, panels and the help give the focus back to the update that had it, whatever has come meanwhile", () =>
  withLogger(many(50), async (page, hub) => {
    const flood = async () => {
      const count = hub.log.length;
      hub.publish(...many(300, count));
      const last = `urn:t:${count + 299}`;
      await eventually("the newest", async () => (await rowIds(page)).includes(last));
    };
    const start = page.locator(row("urn:t:49"));
    await start.focus();
    await page.keyboard.press("?");
    await page.waitForSelector("[data-help][open]");
    await flood();
    await page.keyboard.press("Escape");
    await focus(page, "urn:t:49");
    assert.ok(!await isPaused(page));

    const newest = `urn:t:${hub.log.length - 1}`;
    await page.click(`${row(newest)} [data-part=site]`);
    await page.waitForSelector("[data-value-menu]:popover-open");
    await flood();
    await page.keyboard.press("Escape");
    await focus(page, newest);

    await page.keyboard.press("Enter");
    await eventually("the details", () => isDrawerOpen(page));
    await focus(page, "click");
    hub.publish(...many(300, hub.log.length));
    await eventually("300 new", async () => await page.textContent("[data-status-detail]") === " · 300 new");
    await page.mouse.move(300, 500);
    await page.mouse.wheel(0, 100_000);
    await eventually("the newest", async () => (await rowIds(page)).includes(`urn:t:${hub.log.length - 1}`));
    await page.keyboard.press("Escape");
    await focus(page, newest);
  }));

Deno.test("the focus is never lost with what had it", async (t) => {
  await withLogger(many(700), async (page, hub) => {
    const isSomewhere = () => eventually("a focus", async () => await focusOf(page) !== "nothing");
    const press = async (selector: string, key = "Enter") => {
      await page.locator(selector).focus();
      await page.keyboard.press(key);
    };
    await t.step("the button of the newest", async () => {
      await page.keyboard.press("Space");
      hub.publish(tracked(700));
      await page.waitForSelector("[data-action=step]:not([hidden])");
      await press("[data-action=step]");
      await page.waitForSelector("[data-action=step]", { state: "hidden" });
      await isSomewhere();
      await press("[data-action=follow]");
      await page.waitForSelector("[data-jump]", { state: "hidden" });
      await isSomewhere();
    });
    await t.step("the chip of a term", async () => {
      await page.fill("[data-query]", "site:shop -site:blog");
      await press('[data-chips] button:has-text("site:shop")');
      await eventually("one less", async () => await page.inputValue("[data-query]") === "-site:blog");
      await isSomewhere();
      await press('[data-chips] button:has-text("-site:blog")');
      await eventually("none", async () => await page.inputValue("[data-query]") === "");
      await isSomewhere();
    });
    await t.step("a row that is filtered out", async () => {
      await page.locator("[data-event-id]").last().focus();
      await page.evaluate(() => {
        const field = document.querySelector<HTMLInputElement>("[data-query]")!;
        field.value = "k:none";
        field.dispatchEvent(new Event("input"));
      });
      await page.waitForSelector("[data-no-match]:not([hidden])");
      await isSomewhere();
    });
    await t.step("the way out of a filter that nothing matches", async () => {
      await press("[data-no-match] button");
      await page.waitForSelector("[data-no-match]", { state: "hidden" });
      await isSomewhere();
    });
    await t.step("the button of older updates", async () => {
      await page.keyboard.press("g");
      const count = async () => Number(await page.getAttribute("[data-rows]", "aria-rowcount"));
      await eventually("all of them", async () => {
        const older = page.locator("[data-action=older]");
        if (await older.isVisible()) await press("[data-action=older]");
        return await count() > 700 && !await older.isVisible();
      });
      await isSomewhere();
    });
    await t.step("a note", async () => {
      await page.keyboard.press("c");
      await press(".toast__action");
      await page.waitForSelector(".toast", { state: "detached" });
      await isSomewhere();
    });
    await t.step("the button of a stream that is there again", async () => {
      let isAway = true;
      hub.onStream = (answer) => isAway ? new Response(null, { status: 503 }) : answer();
      hub.cut();
      await page.waitForSelector("[data-problem]:not([hidden])");
      isAway = false;
      await press("[data-action=retry]");
      await page.waitForSelector("[data-problem]", { state: "hidden" });
      await isSomewhere();
    });
  }, { ignoreComplaints: /503/ });
});
