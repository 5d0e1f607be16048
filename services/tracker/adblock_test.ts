/// <reference lib="dom" />
/** That ad-blockers let the tracker through, by the lists and the engine that one of them is made of. */
import assert from "node:assert/strict";
import { FiltersEngine, Request, type RequestType } from "@ghostery/adblocker";
import { SETTINGS } from "../broadcaster/config.ts";
import { readSettings } from "../lib/env.ts";
import { launchBrowser, openPage } from "../lib/testing/browser.ts";
import { eventually } from "../lib/testing/deadline.ts";
import { Gateway } from "./gateway.ts";
import type { Track } from "../../static/tracker/tracker.d.ts";

declare const track: Track;

/**
 * The package that ships EasyList, EasyPrivacy and the lists of uBlock Origin as Ghostery compiles them. The engine
 * reads only what was compiled for its own version, and says so: both are raised together.
 */
const LISTS = "npm:@browserless/goto@10.12.13";

const PAGE = "https://shop.example/";
const OWN = ["https://shop.example", "https://www.shop.example", "https://t.shop.example"];
const FOREIGN = "https://collector.test";
/** How a request for a batch looks to an ad-blocker: of `fetch` and of `sendBeacon`. */
const BATCH_TYPES = ["fetch", "ping"] as const;

const { trackerPath, eventsPath } = readSettings(SETTINGS, { get: () => undefined });

/**
 * Loads the package into the cache of Deno and not into `node_modules`, where with all that it depends on it would be
 * as large as everything else together.
 */
async function loadLists(): Promise<FiltersEngine> {
  const code = `import "${LISTS}/package.json" with { type: "json" };
    const file = import.meta.resolve("${LISTS}/src/engine.bin");
    await Deno.stdout.write(new TextEncoder().encode(file));`;
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-config", "--no-lock", "--node-modules-dir=none", code],
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
  return FiltersEngine.deserialize(await Deno.readFile(new URL(new TextDecoder().decode(stdout))));
}

const engine = await loadLists();

function isBlocked(type: RequestType, url: string): boolean {
  return engine.match(Request.fromRawDetails({ type, url, sourceUrl: PAGE })).match;
}

Deno.test("the script and both ways to send pass, on the site's own hosts", () => {
  for (const host of [...OWN, "https://tracker.shop.example"]) {
    assert.ok(!isBlocked("script", `${host}${trackerPath}`), host);
    assert.ok(!isBlocked("script", `${host}${trackerPath.replace(/\.js$/, ".mjs")}`), host);
    for (const type of BATCH_TYPES) assert.ok(!isBlocked(type, `${host}${eventsPath}`), `${type} to ${host}`);
  }
});

Deno.test("names that others have, and hosts that are called so, do not pass: the lists are in force", () => {
  for (const host of OWN) {
    for (const name of ["umami", "plausible", "beacon"]) {
      assert.ok(isBlocked("script", `${host}/${name}.js`), name);
    }
    for (const path of ["/analytics/tracker.js", "/v1/tracker.js"]) {
      assert.ok(isBlocked("script", `${host}${path}`), path);
    }
    for (const type of BATCH_TYPES) assert.ok(isBlocked(type, `${host}/api/collect`), type);
    assert.ok(isBlocked("ping", `${host}/api/events`));
    assert.ok(!isBlocked("fetch", `${host}/api/events`));
  }
  for (const label of ["analytics", "stats"]) {
    assert.ok(isBlocked("script", `https://${label}.shop.example${trackerPath}`), label);
  }
});

Deno.test("from another site the script and a fetch pass, and no beacon to any address", () => {
  assert.ok(!isBlocked("script", `${FOREIGN}${trackerPath}`));
  assert.ok(!isBlocked("fetch", `${FOREIGN}${eventsPath}`));
  for (const path of [eventsPath, "/x", "/in", "/api/events"]) {
    assert.ok(isBlocked("ping", `${FOREIGN}${path}`), path);
  }
});

Deno.test("whatever a page sends while it is open and when it goes passes, wherever its script is from", async (t) => {
  /** The hosts of the test, and those that they stand for. */
  const hosts = [
    { page: "shop.localhost", collector: "shop.localhost", host: OWN[0], isBeacon: true },
    { page: "shop.localhost", collector: "t.shop.localhost", host: OWN[2], isBeacon: true },
    { page: "www.shop.localhost", collector: "t.shop.localhost", host: OWN[2], isBeacon: true },
    { page: "shop.localhost", collector: "workshop.localhost", host: FOREIGN, isBeacon: false },
    { page: "shop.localhost", collector: "127.0.0.1", host: FOREIGN, isBeacon: false },
  ];
  const browser = await launchBrowser();
  try {
    for (const { page: own, collector, host, isBeacon } of hosts) {
      await t.step(`${own}, ${collector}`, async () => {
        await using gateway = await Gateway.open();
        const src = gateway.url(trackerPath, collector);
        gateway.pages.set("/page", {
          html: `<!DOCTYPE html><title>A page</title><link rel="icon" href="data:,">
            <script defer src="${src}" data-bots="allow" data-engagement="off" data-flush="0"></script>`,
        });
        await using opened = await openPage(browser, gateway.url("/page", own));
        await eventually("the page view", () => gateway.events.length === 1);
        await eventually("its end", () => opened.page.evaluate(() => track.status().queued === 0));
        await opened.page.evaluate(() => {
          document.addEventListener("visibilitychange", () => track("last"));
        });
        await opened.page.goto("about:blank");
        await eventually("the last event", () => gateway.events.some(({ k }) => k === "last"));
        const types = gateway.batches.map(({ request }) => request.isBeacon ? "ping" : "fetch");
        assert.deepEqual([types[0], types.at(-1)], ["fetch", isBeacon ? "ping" : "fetch"]);
        for (const type of types) assert.ok(!isBlocked(type, `${host}${eventsPath}`), type);
      });
    }
  } finally {
    await browser.close();
  }
});
