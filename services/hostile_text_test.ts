/// <reference lib="dom" />
/**
 * Text that would like to be markup or code, by every way into the pages: each report and each publication, and the
 * addresses of the pages. It has to be shown as the text that it is.
 */
import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { v7 as uuidv7 } from "uuid";
import { Publisher } from "zeromq";
import { ZeromqChannel } from "./lib/channels/zeromq.ts";
import { launchBrowser, openPage } from "./lib/testing/browser.ts";
import { eventually } from "./lib/testing/deadline.ts";
import { ready, startHttpService } from "./lib/testing/processes.ts";
import { startSystem, type System } from "./lib/testing/system.ts";
import { newUpdateId } from "./lib/update.ts";
import { HUB_PATH, ISSUER, KEY, mint } from "./mercure/harness.ts";

/** Each would set `globalThis.broken` if it ran, or leave an element behind. */
const CORPUS = [
  `<script>broken=1</script>`,
  `</script><script>broken=1</script>`,
  `<img src=x onerror=broken=1>`,
  `<svg/onload=broken=1>`,
  `<svg><animate onbegin=broken=1 attributeName=x dur=1s>`,
  `"><img src=x onerror=broken=1>`,
  `' onfocus=broken=1 autofocus tabindex=0 '`,
  `" onpointerover="broken=1" x="`,
  `<iframe srcdoc="<script>parent.broken=1</script>"></iframe>`,
  `<iframe src="javascript:parent.broken=1">`,
  `<a href="javascript:broken=1">here</a>`,
  `javascript:broken=1`,
  `JaVaScRiPt&colon;broken=1`,
  `data:text/html,<script>parent.broken=1</script>`,
  `<math><mtext><table><mglyph><style><img src=x onerror=broken=1>`,
  `<template><img src=x onerror=broken=1></template>`,
  `<object data="javascript:broken=1"></object>`,
  `<details open ontoggle=broken=1>`,
  `<style>@import "javascript:broken=1"; body{display:none}</style>`,
  `<base href="https://elsewhere.test/">`,
  `<meta http-equiv="refresh" content="0;url=javascript:broken=1">`,
  `<form action="javascript:broken=1"><button>x`,
  "${broken=1}",
  `{{constructor.constructor('broken=1')()}}`,
  `\\u003cimg src=x onerror=broken=1\\u003e`,
  `<!--<img src="--><img src=x onerror=broken=1>">`,
  `__proto__`,
];

/** Elements that nobody can make but markup. */
const FOREIGN =
  "body script, img, iframe, object, embed, math, base, meta[http-equiv=refresh], [onerror], [onload], " +
  "[onfocus], [onpointerover], [ontoggle], a[href^='javascript:' i], a[href^='data:' i]";

type Ways = Readonly<Record<string, (text: string) => Promise<void>>>;

async function post(url: string, init: RequestInit): Promise<void> {
  const response = await fetch(url, { method: "POST", ...init });
  const answer = await response.text();
  assert.ok(response.ok, `${url} answered ${response.status} ${answer}`);
}

/** Every way in, by its name. */
function waysInto(system: System, hub: { url: string; token: string }, publisher: Publisher): Ways {
  const event = (overrides: Record<string, unknown>) => {
    const now = Date.now();
    const { site = "shop", ...rest } = overrides;
    const e = [{ id: uuidv7(), n: 0, t: now, k: "signup", u: "https://shop.test/", ...rest }];
    const body = JSON.stringify({ v: 1, site, sent: now, try: 0, drop: 0, e, bots: "allow" });
    return post(`${system.broadcaster.url}e`, { body });
  };
  const publish = (fields: Record<string, string>) =>
    post(hub.url, {
      headers: { Authorization: `Bearer ${hub.token}` },
      body: new URLSearchParams({ topic: "/t", data: "{}", ...fields }),
    });
  return {
    "/e, kind": (text) => event({ k: text }),
    "/e, site": (text) => event({ site: text }),
    "/e, address": (text) => event({ u: text, r: text }),
    "/e, names and values of properties": (text) => event({ p: { [text]: text, deep: { [text]: [text] } } }),
    "/e, title": (text) => event({ k: "pageview", p: { title: text } }),
    "/e, error": (text) => event({ k: "error", p: { message: text, stack: text, source: text } }),
    "the hub, data": (text) => publish({ data: text }),
    "the hub, JSON": (text) =>
      publish({ data: JSON.stringify({ message: text, level: text, kind: text, site: text, [text]: text }) }),
    "the hub, type": (text) => publish({ type: text }),
    "the hub, topic and id": (text) => publish({ topic: text, id: `${text} ${newUpdateId()}` }),
    "XSUB": async (text) => {
      await publisher.send(JSON.stringify({ event: "user:btn", message: text, urgent: true, level: text }));
    },
  };
}

/** Nothing ran, and nothing became an element. */
async function assertUnbroken(page: Page, after: string): Promise<void> {
  const found = await page.evaluate((foreign) => ({
    broken: "broken" in globalThis,
    elements: [...document.querySelectorAll(foreign)].map((element) => element.outerHTML.slice(0, 200)),
  }), FOREIGN);
  assert.deepEqual(found, { broken: false, elements: [] }, after);
}

Deno.test("hostile text is text on the logger page, in its rows, its panels and its address", async (t) => {
  await using system = await startSystem();
  const issuer = { JWT_ISSUER: ISSUER, JWT_KEY: KEY };
  await using second = await startHttpService("broadcaster", { ...system.ports, ...issuer });
  await ready(second.url);
  const url = new URL(HUB_PATH, second.url).href;
  const publisher = new Publisher({ linger: 0 });
  const browser = await launchBrowser();
  await using channel = new ZeromqChannel({
    host: "127.0.0.1",
    routerPort: Number(system.ports.ROUTER_PORT),
    xpubPort: Number(system.ports.XPUB_PORT),
  });
  try {
    publisher.connect(`tcp://127.0.0.1:${system.ports.XSUB_PORT}`);
    const ways = waysInto(system, { url, token: await mint(url, { publish: ["*"] }) }, publisher);
    await using watched = await openPage(browser, `${system.logger.url}logger/`);
    const { page, complaints } = watched;
    await page.waitForSelector('[role="status"][data-state="live"]');
    const rows = page.locator("[data-event-id]");

    for (const [name, send] of Object.entries(ways)) {
      await t.step(name, async () => {
        for (const text of CORPUS) await send(text);
        // What went in last is seen last, but for XSUB, which has no order with the rest and none to wait for.
        const end = { id: newUpdateId(), topics: ["/end"] as [string], data: "", private: false };
        if (name === "XSUB") {
          await eventually("the row", async () => (await rows.allTextContents()).join().includes(CORPUS[2]!));
        }
        await channel.publish(end);
        await page.waitForSelector(`[data-event-id="${end.id}"]`);
        await assertUnbroken(page, name);
        // And the panel of one row after the other, as a reader goes through them.
        await rows.last().click();
        for (let i = 0; i < CORPUS.length; i++) {
          await page.keyboard.press("k");
          await assertUnbroken(page, `${name}, opened`);
        }
        await page.keyboard.press("Escape");
        await page.keyboard.press("G");
        assert.deepEqual(complaints, []);
      });
    }

    await t.step("the address", async () => {
      for (const text of CORPUS) {
        const hostile = encodeURIComponent(text);
        await page.goto(
          `${system.logger.url}logger/?q=${hostile}&hl=${hostile}&from=${hostile}&sel=${hostile}#id=${hostile}`,
        );
        await page.locator(".toast", { hasText: "not kept any more" }).waitFor();
        await assertUnbroken(page, text);
      }
      // The browser itself reports that the history knows none of these ids.
      assert.deepEqual(complaints.filter((complaint) => !/status of 404/.test(complaint)), []);
    });
  } finally {
    publisher.close();
    await browser.close();
  }
});
