/// <reference lib="dom" />
import assert from "node:assert/strict";
import * as fc from "fast-check";
import type { Page } from "playwright-core";
import { problemOf, readSettings } from "../../static/logger/alert_bell.js";
import { findBarriers } from "../lib/testing/browser.ts";
import { eventually } from "../lib/testing/deadline.ts";
import { hide, type Hub, live, row, tracked, type Update, withLogger } from "./logger_harness.ts";

const pill = (number: number): Update => ({
  id: `urn:pill:${number}`,
  type: "user:btn",
  data: JSON.stringify({ message: `pill ${number}`, level: "warning", notify: true }),
});
const isOn = "[data-action=alerts][data-on]";
const toasts = (page: Page) => page.locator(".toast__text").allTextContents();

async function open(page: Page): Promise<void> {
  await page.click("[data-action=alerts]");
  await page.waitForSelector("[data-alerts]:popover-open");
}

/** Publishes, and waits until the page has the rows: then it has offered them to its rules. */
async function publish(page: Page, hub: Hub, ...updates: Update[]): Promise<void> {
  hub.publish(...updates);
  await page.waitForSelector(row(updates.at(-1)!.id), { state: "attached" });
}

/** A browser whose answer about notifications is made up, and that keeps what it was told to show. */
function fakeNotifications(page: Page, answer: string): Promise<void> {
  return page.evaluate((answer) => {
    const shown: string[] = [];
    class Fake {
      static permission = "default";
      static requestPermission() {
        Fake.permission = answer;
        return Promise.resolve(answer);
      }
      constructor(title: string, { body }: { body: string }) {
        shown.push(`${title}: ${body}`);
      }
    }
    Object.assign(globalThis, { Notification: Fake, shown });
  }, answer);
}

Deno.test("readSettings() makes settings of whatever is stored", () => {
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json(), fc.constant(null)), (stored) => {
    const { rules, notify, sound } = readSettings(stored);
    for (const { text, isOn } of rules) {
      assert.equal(problemOf(text), "");
      assert.equal(typeof isOn, "boolean");
    }
    assert.deepEqual([typeof notify, typeof sound], ["boolean", "boolean"]);
  }));
});

Deno.test("readSettings() has the alerts of the demo as a rule that is off, until there are others", () => {
  assert.deepEqual(readSettings(null), {
    rules: [{ text: "is:alert", isOn: false }],
    notify: false,
    sound: false,
  });
  const stored = { rules: [{ text: "k:signup", isOn: true }, { text: "" }, { text: 7 }, null], sound: true };
  assert.deepEqual(readSettings(JSON.stringify(stored)), {
    rules: [{ text: "k:signup", isOn: true }],
    notify: false,
    sound: true,
  });
});

Deno.test("nothing alerts until a rule is on; then each rule does once a minute at most", () =>
  withLogger([pill(0)], async (page, hub) => {
    await publish(page, hub, pill(1));
    assert.equal(await page.locator(isOn).count(), 0);
    await open(page);
    await page.getByLabel("is:alert", { exact: true }).check();
    await page.waitForSelector(isOn);
    await publish(page, hub, tracked(1), pill(2), pill(3));
    await eventually("the alert", async () => (await toasts(page)).length > 0);
    assert.deepEqual(await toasts(page), ["is:alert: pill 2"]);

    // It leads to the row.
    await page.locator(".toast__action", { hasText: "Show" }).click();
    await page.waitForSelector("[data-drawer][open]");
    assert.equal(await page.textContent("[data-drawer-message]"), "pill 2");
  }));

Deno.test("a rule can be made, is refused with a sentence, and can be removed and brought back", () =>
  withLogger([], async (page, hub) => {
    await open(page);
    const field = page.locator("[data-alert-text]");
    await field.fill("k:error > many in 1m");
    await field.press("Enter");
    assert.match(await page.textContent("[data-alert-problem]") ?? "", /^A threshold looks like this/);
    assert.equal(await field.getAttribute("aria-invalid"), "true");
    assert.deepEqual(await findBarriers(page), []);

    await field.fill("k:click > 2 in 1m");
    await field.press("Enter");
    assert.equal(await page.textContent("[data-alert-problem]"), "");
    await publish(page, hub, tracked(1), tracked(2));
    assert.deepEqual(await toasts(page), []);
    await publish(page, hub, tracked(3));
    await eventually("the alert", async () => (await toasts(page)).length > 0);

    await page.getByLabel("Remove k:click > 2 in 1m").press("Enter");
    assert.ok(await field.evaluate((field) => field === document.activeElement));
    await page.waitForSelector(isOn, { state: "detached" });
    await page.locator(".toast__action", { hasText: "Undo" }).click();
    await page.waitForSelector(isOn);
    assert.ok(await page.getByLabel("k:click > 2 in 1m", { exact: true }).isChecked());
  }));

Deno.test("the rules are there after a reload, and in every tab of the browser", () =>
  withLogger([], async (page, hub) => {
    const other = await page.context().newPage();
    await other.goto(hub.url);
    await open(other);
    await open(page);
    await page.getByLabel("is:alert", { exact: true }).press("Space");
    // The list is drawn anew, and the keyboard is still where it was.
    assert.ok(
      await page.getByLabel("is:alert", { exact: true }).evaluate((box) => box === document.activeElement),
    );
    await other.waitForSelector(isOn);
    await eventually("the other panel", () => other.getByLabel("is:alert", { exact: true }).isChecked());
    await page.reload();
    await page.waitForSelector(isOn);
  }));

Deno.test("of several tabs one alerts", () =>
  withLogger([], async (page, hub) => {
    const other = await page.context().newPage();
    await other.goto(hub.url);
    await live(other);
    // All that alerts is there in both tabs, so that none is late.
    await open(other);
    await other.waitForSelector("[data-alert-elsewhere]");
    await open(page);
    assert.ok(await page.isHidden("[data-alert-elsewhere]"));
    await page.getByLabel("is:alert", { exact: true }).check();
    await other.waitForSelector(isOn);
    for (const update of [pill(1), tracked(2)]) {
      await Promise.all([
        publish(page, hub, update),
        other.waitForSelector(row(update.id), { state: "attached" }),
      ]);
    }
    assert.deepEqual(await toasts(page), ["is:alert: pill 1"]);
    assert.deepEqual(await toasts(other), []);
  }));

Deno.test("the title counts what nobody has seen, until somebody looks", () =>
  withLogger([], async (page, hub) => {
    await open(page);
    await page.getByLabel("is:alert", { exact: true }).check();
    await hide(page, true);
    hub.publish(pill(1));
    await eventually("the title", async () => await page.title() === "(1) Live log");
    await hide(page, false);
    await eventually("the title as it was", async () => await page.title() === "Live log");
  }));

Deno.test("the desktop is asked on the click that switches it on, and told", () =>
  withLogger([], async (page, hub) => {
    await fakeNotifications(page, "granted");
    await open(page);
    assert.match(await page.textContent("[data-alert-permission]") ?? "", /ask you first/);
    const box = page.locator("[data-alert-notify]");
    await box.click();
    await eventually("the permission", () => box.isChecked());
    await page.getByLabel("is:alert", { exact: true }).check();
    hub.publish(pill(1));
    const shown = () => page.evaluate(() => `${(globalThis as unknown as { shown: string[] }).shown}`);
    await eventually("the notification", async () => await shown() === "is:alert: pill 1");
  }));

Deno.test("a desktop that refuses is off, and the panel says why", () =>
  withLogger([], async (page) => {
    await fakeNotifications(page, "denied");
    await open(page);
    const box = page.locator("[data-alert-notify]");
    await box.click();
    await eventually("the refusal", async () => !await box.isChecked());
    assert.match(await page.textContent("[data-alert-permission]") ?? "", /blocks them/);
    await page.evaluate(() => Reflect.deleteProperty(globalThis, "Notification"));
    await page.click("[data-alerts] >> text=Done");
    await open(page);
    assert.match(await page.textContent("[data-alert-permission]") ?? "", /cannot do that/);
  }));

Deno.test("the test shows an alert above the panel, with the tone that was asked for", () =>
  withLogger([], async (page) => {
    await page.evaluate(() => {
      const { start } = OscillatorNode.prototype;
      OscillatorNode.prototype.start = function (...when) {
        document.documentElement.toggleAttribute("data-tone", true);
        start.apply(this, when);
      };
    });
    await open(page);
    await page.check("[data-alert-sound]");
    await page.waitForSelector("html[data-tone]");
    await page.evaluate(() => document.documentElement.removeAttribute("data-tone"));
    await page.click("[data-alert-test]");
    await page.locator(".toast__text", { hasText: "Test" }).waitFor();
    await page.waitForSelector("html[data-tone]");
    assert.deepEqual(await findBarriers(page), []);
  }));

Deno.test("where storage is forbidden the rules last as long as the page", () =>
  withLogger([], async (page, hub) => {
    await page.evaluate(() => {
      Storage.prototype.setItem = Storage.prototype.getItem = () => {
        throw new DOMException("Forbidden", "SecurityError");
      };
    });
    await open(page);
    await page.getByLabel("is:alert", { exact: true }).check();
    hub.publish(pill(1));
    await eventually("the alert", async () => (await toasts(page)).length > 0);
  }));
