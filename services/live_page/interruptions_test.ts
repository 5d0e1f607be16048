/// <reference lib="dom" />
/** The page over services that die, stand still and come back, and over connections that break: it has all, once. */
import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { Relay } from "../chaos/relay.ts";
import { launchBrowser } from "../lib/testing/browser.ts";
import { eventually } from "../lib/testing/deadline.ts";
import { freePorts } from "../lib/testing/ports.ts";
import {
  type ForwarderPorts,
  type ForwarderProcess,
  type HttpProcess,
  ready,
  startForwarder,
  startHttpService,
} from "../lib/testing/processes.ts";
import { idsOf } from "../lib/testing/saved_rows.ts";
import {
  gapsOf,
  historyOf,
  live,
  report,
  reported,
  rowsUpTo,
  Tabs,
  UNLIMITED,
  Visitors,
} from "./live_page_harness.ts";

/** The services on ports that they keep, with a log on disk, and a relay between the page and the streamer. */
class Site implements AsyncDisposable {
  forwarder!: ForwarderProcess;
  streamer!: HttpProcess;
  readonly ports: ForwarderPorts;
  readonly relay: Relay;
  /** That of the relay. */
  readonly eventsUrl: string;
  readonly #folder: string;
  readonly #streamerPort: number;

  private constructor(folder: string) {
    const [xsub, xpub, router, streamer, relay] = freePorts(5) as [number, number, number, number, number];
    this.#folder = folder;
    this.ports = { XSUB_PORT: `${xsub}`, XPUB_PORT: `${xpub}`, ROUTER_PORT: `${router}` };
    this.#streamerPort = streamer;
    this.relay = new Relay(relay, streamer);
    this.eventsUrl = `http://127.0.0.1:${relay}/events`;
  }

  static async start(folder: string): Promise<Site> {
    const site = new Site(folder);
    await site.startForwarder();
    await site.startStreamer();
    return site;
  }

  async startForwarder(): Promise<void> {
    this.forwarder = await startForwarder({ ports: this.ports, folder: this.#folder });
  }

  async startStreamer(): Promise<void> {
    const env = { ...this.ports, PORT: `${this.#streamerPort}`, PUBLISH_TIMEOUT: "500ms" };
    this.streamer = await startHttpService("streamer", env);
    await ready(this.streamer.url);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.streamer, this.forwarder, this.relay].map((part) => part[Symbol.asyncDispose]()));
  }
}

interface Running {
  readonly site: Site;
  readonly broadcaster: HttpProcess;
  readonly tabs: Tabs;
}

/** Runs the services and a browser, which complains of every connection that breaks. */
async function withSite(test: (running: Running) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  const browser = await launchBrowser();
  try {
    await using site = await Site.start(folder);
    await using broadcaster = await startHttpService("broadcaster", {
      ...site.ports,
      ...UNLIMITED,
      PUBLISH_TIMEOUT: "500ms",
    });
    await using logger = await startHttpService("logger", { EVENTS_URL: site.eventsUrl });
    await ready(broadcaster.url);
    await using tabs = new Tabs(await browser.newContext(), `${logger.url}logger/`);
    await test({ site, broadcaster, tabs });
  } finally {
    await browser.close();
    await Deno.remove(folder, { recursive: true });
  }
}

/** Whether the page is in this state, or has been. */
function state(page: Page, name: string): Promise<unknown> {
  return page.waitForSelector(`[role="status"][data-state="${name}"]`);
}

/** The network is there again, says the browser; after a while nobody wants to wait for the next attempt. */
async function tryNow(page: Page): Promise<void> {
  await page.evaluate(() => dispatchEvent(new Event("online")));
  await live(page);
}

Deno.test("updates come at a steady rate while everything on their way dies and comes back", (t) =>
  withSite(async ({ site, broadcaster, tabs }) => {
    const page = await tabs.open();
    const follower = await tabs.open();
    await using visitors = new Visitors(broadcaster.url, { batch: 5, everyMs: 25 });
    const more = async (count: number) => {
      const before = visitors.acknowledged;
      await eventually("more updates", () => visitors.acknowledged >= before + count);
    };

    await t.step("the streamer is killed, three times", async () => {
      for (let count = 0; count < 3; count++) {
        await more(20);
        await site.streamer[Symbol.asyncDispose]();
        await state(page, "reconnecting");
        await site.startStreamer();
        await tryNow(page);
      }
    });
    await t.step("connections break in the middle of an event", async () => {
      for (let count = 0; count < 3; count++) {
        await more(20);
        site.relay.breakAll();
        await state(page, "reconnecting");
        await tryNow(page);
      }
    });
    await t.step("the streamer stands still", async () => {
      site.streamer.kill("SIGSTOP");
      await more(100);
      site.streamer.kill("SIGCONT");
      await live(page);
    });
    await t.step("the forwarder is killed, and comes back with its log", async () => {
      await site.forwarder[Symbol.asyncDispose]();
      await site.startForwarder();
      await more(50);
    });
    await t.step("both are killed while the streamer stands still", async () => {
      site.streamer.kill("SIGSTOP");
      await more(20);
      await site.forwarder[Symbol.asyncDispose]();
      await site.streamer[Symbol.asyncDispose]();
      await site.startForwarder();
      await site.startStreamer();
      await state(page, "reconnecting");
      await tryNow(page);
    });

    await visitors[Symbol.asyncDispose]();
    await report(broadcaster.url, [reported({ k: "end" })]);
    const history = await historyOf(site.streamer.url);
    assert.equal(history.length, visitors.acknowledged + 1);
    for (const tab of [page, follower]) {
      const rows = await rowsUpTo(tab, history.at(-1)!);
      assert.deepEqual(idsOf(rows), history);
      assert.deepEqual(gapsOf(rows), []);
    }
  }));

Deno.test("a page that is opened while the forwarder is away says so, and has all when it is back", () =>
  withSite(async ({ site, broadcaster, tabs }) => {
    await report(broadcaster.url, Array.from({ length: 5 }, () => reported()));
    await site.forwarder[Symbol.asyncDispose]();
    const page = await tabs.start();
    await page.locator("[data-problem-reason]", { hasText: "503" }).waitFor();
    await site.startForwarder();
    await live(page);
    await report(broadcaster.url, [reported()]);
    const history = await historyOf(site.streamer.url);
    assert.equal(history.length, 6);
    const rows = await rowsUpTo(page, history.at(-1)!);
    assert.deepEqual(idsOf(rows), history);
    assert.deepEqual(gapsOf(rows), []);
  }));
