/// <reference lib="dom" />
/** That nothing is lost on the way from a real page to the channel, and nothing is there twice, whatever fails. */
import assert from "node:assert/strict";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { v7 as uuidv7 } from "uuid";
import type { TrackedData } from "../broadcaster/tracking_schemas.ts";
import type { Cursor, Entry } from "../lib/channel.ts";
import { ZeromqChannel } from "../lib/channels/zeromq.ts";
import { launchBrowser } from "../lib/testing/browser.ts";
import { eventually } from "../lib/testing/deadline.ts";
import { freePorts } from "../lib/testing/ports.ts";
import { type ForwarderPorts, ready, startForwarder, startHttpService } from "../lib/testing/processes.ts";
import type { Track } from "../../static/tracker/tracker.d.ts";
import { type Fate, Gateway, type ReceivedBatch } from "./gateway.ts";

declare const track: Track;
/** Of the page: tracks, and writes the id down where the end of the page does not reach it. */
declare function report(kind: string, props?: Record<string, unknown>): void;

/** Leaving is a race: each way to do it is tried so often. */
const RACES = 5;
/** Milliseconds from a page to a collector far away and back. */
const FAR_MS = 300;
/** All that is stored is what a test reports. */
const QUIET = `data-bots="allow" data-auto="off" data-engagement="off" data-outbound="off" data-errors="off"`;
const REPORT = `let count = 0;
window.report = (kind, props) => {
  // A key for each: other tabs may not see at once what one has written.
  localStorage["made:" + track(kind, props)] = JSON.stringify([performance.timeOrigin, count++]);
};`;

/** Where batches go and what holds them, and the browser of the visitors. */
interface Collector {
  readonly browser: Browser;
  /** Address of the broadcaster. */
  readonly url: string;
  readonly ledger: Ledger;
}

/** What the channel holds, read from where the last look ended. */
class Ledger implements AsyncDisposable {
  readonly #channel: ZeromqChannel;
  readonly #all: TrackedData[] = [];
  #after: Cursor | "earliest" = "earliest";

  constructor({ ROUTER_PORT, XPUB_PORT }: ForwarderPorts) {
    this.#channel = new ZeromqChannel({
      host: "127.0.0.1",
      routerPort: Number(ROUTER_PORT),
      xpubPort: Number(XPUB_PORT),
    });
  }

  /** All events of a site, in the order of the channel. */
  async of(wanted: string): Promise<TrackedData[]> {
    for (;;) {
      const entries: Entry[] = await this.#channel.history(this.#after, { limit: 1000 });
      if (entries.length === 0) return this.#all.filter(({ site }) => site === wanted);
      this.#all.push(...entries.map(({ update }) => JSON.parse(update.data)));
      this.#after = entries.at(-1)!.cursor;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#channel[Symbol.asyncDispose]();
  }
}

interface ShopOptions {
  readonly attributes?: string;
  /** Where the page gets its script from and sends to. Default: where it is itself. */
  readonly collector?: string;
  readonly body?: string;
  readonly script?: string;
}

/** A site with a tracker, its visitor, and the network between them and the broadcaster. */
class Shop implements AsyncDisposable {
  static #count = 0;
  /** The label of its events, which no other test uses. */
  readonly site = `shop-${++Shop.#count}`;
  readonly gateway: Gateway;
  readonly context: BrowserContext;
  readonly #ledger: Ledger;

  private constructor(gateway: Gateway, context: BrowserContext, ledger: Ledger) {
    this.gateway = gateway;
    this.context = context;
    this.#ledger = ledger;
  }

  static async open({ browser, url, ledger }: Collector, options: ShopOptions = {}): Promise<Shop> {
    const gateway = await Gateway.open(url);
    gateway.fate = () => "pass on";
    const shop = new Shop(gateway, await browser.newContext(), ledger);
    const { attributes = "", collector = "localhost", body = "", script = "" } = options;
    const src = gateway.url("/tracker.js", collector);
    gateway.pages.set("/page", {
      html: `<!DOCTYPE html><meta charset="utf-8"><title>A page</title><link rel="icon" href="data:,">
        <script>${REPORT}</script>
        <script defer src="${src}" data-site="${shop.site}" ${attributes} ${QUIET}></script>
        ${body}<script>${script}</script>`,
    });
    const blank = `<!DOCTYPE html><title>Without a tracker</title><link rel="icon" href="data:,">`;
    gateway.pages.set("/blank", { html: blank });
    return shop;
  }

  /** Opens the page in a tab of its own. */
  async visit(): Promise<Page> {
    const page = await this.context.newPage();
    await page.goto(this.gateway.url("/page"));
    return page;
  }

  /** So many ids that track() has returned on all pages so far, in that order. */
  async made(count: number): Promise<string[]> {
    const page = await this.context.newPage();
    await page.goto(this.gateway.url("/blank"));
    const kept = await eventually(`${count} ids`, async () => {
      const entries = await page.evaluate(() => Object.entries<string>({ ...localStorage }));
      const made = entries.filter(([key]) => key.startsWith("made:"));
      return made.length >= count && made;
    });
    await page.close();
    const made = kept.map(([key, value]) => {
      const [page, count]: [number, number] = JSON.parse(value);
      return { id: key.slice("made:".length), page, count };
    });
    return made.toSorted((a, b) => a.page - b.page || a.count - b.count).map(({ id }) => id);
  }

  /** What the channel holds of this site, in its order. */
  async stored(): Promise<TrackedData[]> {
    return await this.#ledger.of(this.site);
  }

  /** Whether nothing is kept for pages to come. */
  async isForgotten(page: Page): Promise<boolean> {
    const keys = await page.evaluate(() => Object.keys(localStorage));
    return keys.every((key) => key.startsWith("made:"));
  }

  /** Waits until everything has arrived and is acknowledged; then each event must be stored, once, and no other. */
  async assertDelivered(count: number, known?: readonly string[]): Promise<TrackedData[]> {
    const made = known ?? await this.made(count);
    assert.equal(made.length, count);
    await eventually(`${count} events of ${this.site}`, async () => (await this.stored()).length >= count);
    // What comes again would be there twice by then.
    await eventually("quiet", () => this.gateway.busy === 0);
    const stored = await this.stored();
    assert.deepEqual(stored.map(({ id }) => id).toSorted(), made.toSorted());
    // By the numbers of each session the order can be told, in whichever they came.
    for (const session of Map.groupBy(stored, ({ sid }) => sid).values()) {
      const own = new Set(session.map(({ id }) => id));
      const numbered = session.toSorted((a, b) => a.n - b.n);
      assert.deepEqual(numbered.map(({ n }) => n), numbered.map((_, index) => index));
      assert.deepEqual(numbered.map(({ id }) => id), made.filter((id) => own.has(id)));
    }
    return stored;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.context.close();
    await this.gateway[Symbol.asyncDispose]();
  }
}

function assertInOrder(stored: readonly TrackedData[]): void {
  assert.deepEqual(stored.map(({ n }) => n), stored.map((_, index) => index));
}

async function fromFar(): Promise<Fate> {
  await new Promise((resolve) => setTimeout(resolve, FAR_MS));
  return "pass on";
}

/** Fates of the first batches; all others are passed on. */
function inTurn(...fates: Fate[]): () => Fate {
  return () => fates.shift() ?? "pass on";
}

/** How often each event came in. */
function timesOf(batches: readonly ReceivedBatch[]): number[] {
  const ids = batches.flatMap(({ e }) => e.map(({ id }) => id));
  return [...Map.groupBy(ids, (id) => id).values()].map(({ length }) => length);
}

const TESTS: Readonly<Record<string, (collector: Collector) => Promise<void>>> = {
  "a click that leaves the page, for another one and for another site, with a collector of either": async (
    collector,
  ) => {
    for (const host of ["localhost", "127.0.0.1"]) {
      await using shop = await Shop.open(collector, {
        collector: host,
        body: `<a id=near href="/blank">near</a> <a id=far href="">far</a>`,
        script: `for (const link of document.links) {
          link.addEventListener("click", () => { report("click", { id: link.id }); report("leave"); });
        }`,
      });
      shop.gateway.fate = fromFar;
      for (let race = 0; race < RACES; race++) {
        for (const [id, target] of [["near", "localhost"], ["far", "127.0.0.1"]] as const) {
          const page = await shop.visit();
          const url = shop.gateway.url("/blank", target);
          await page.evaluate((url) => (document.querySelector("#far") as HTMLAnchorElement).href = url, url);
          await page.click(`#${id}`);
          // Not closed: of a page that has left its site Chromium goes on to run what the end of the page brings
          // about, but not when the tab goes, too.
          await page.waitForURL(url);
        }
      }
      const stored = await shop.assertDelivered(RACES * 4);
      assert.deepEqual(stored.map(({ kind }) => kind).slice(0, 2), ["click", "leave"]);
      assert.ok(shop.gateway.batches.every(({ request }) => request.isBeacon === (host === "localhost")));
      assert.equal(shop.gateway.preflights, 0);
    }
  },

  "the tab is closed": async (collector) => {
    for (const host of ["localhost", "127.0.0.1"]) {
      await using shop = await Shop.open(collector, { collector: host });
      shop.gateway.fate = fromFar;
      for (let race = 0; race < RACES; race++) {
        const page = await shop.visit();
        await page.evaluate(() => report("last"));
        await page.close();
      }
      await shop.assertDelivered(RACES);
    }
  },

  "the tab is closed while a request is on its way": async (collector) => {
    await using shop = await Shop.open(collector, { attributes: `data-flush="0"` });
    shop.gateway.fate = fromFar;
    for (let race = 0; race < RACES; race++) {
      const page = await shop.visit();
      const before = shop.gateway.batches.length;
      await page.evaluate(() => report("first"));
      await eventually("the request", () => shop.gateway.batches.length > before);
      await page.evaluate(() => report("second"));
      await page.close();
    }
    const stored = await shop.assertDelivered(2 * RACES);
    assert.equal(new Set(stored.map(({ sid }) => sid)).size, RACES);
  },

  "handlers of the page report when it goes, later than the tracker looked": async (collector) => {
    await using shop = await Shop.open(collector, {
      script: `addEventListener("load", () => {
        document.addEventListener("visibilitychange", () => track("hidden", {}, { id: ids[1] }));
        addEventListener("pagehide", () => track("left", {}, { id: ids[0] }));
      });`,
    });
    shop.gateway.fate = fromFar;
    const made: string[] = [];
    for (let race = 0; race < RACES; race++) {
      const page = await shop.visit();
      const ids = [uuidv7(), uuidv7()];
      made.push(...ids);
      await page.evaluate((ids) => Object.assign(globalThis, { ids }), ids);
      await page.goto(shop.gateway.url("/blank", "127.0.0.1"));
    }
    await shop.assertDelivered(2 * RACES, made);
  },

  "the page is loaded again in the middle": async (collector) => {
    await using shop = await Shop.open(collector, { attributes: `data-flush="0"` });
    shop.gateway.fate = fromFar;
    const page = await shop.visit();
    for (let race = 0; race < RACES; race++) {
      const before = shop.gateway.batches.length;
      await page.evaluate(() => report("first"));
      await eventually("the request", () => shop.gateway.batches.length > before);
      await page.evaluate(() => report("second"));
      await page.reload();
    }
    const stored = await shop.assertDelivered(2 * RACES);
    assert.equal(new Set(stored.map(({ sid }) => sid)).size, 1);
  },

  "without a connection, and then with one": async (collector) => {
    await using shop = await Shop.open(collector, { attributes: `data-flush="0"` });
    const page = await shop.visit();
    await shop.context.setOffline(true);
    const failed = page.evaluate(() =>
      new Promise<number>((resolve) =>
        document.addEventListener("track:failed", ({ detail }) => resolve(detail.status), { once: true })
      )
    );
    await page.evaluate(() => report("first"));
    assert.equal(await failed, 0);
    await page.evaluate(() => report("second"));
    assert.deepEqual(shop.gateway.batches, []);
    await shop.context.setOffline(false);
    assertInOrder(await shop.assertDelivered(2));
  },

  "the server fails once": async (collector) => {
    await using shop = await Shop.open(collector, { attributes: `data-flush="0"` });
    shop.gateway.fate = inTurn({ status: 500 });
    const page = await shop.visit();
    await page.evaluate(() => report("first"));
    await eventually("the failure", () => shop.gateway.batches.length > 0);
    await page.evaluate(() => report("second"));
    assertInOrder(await shop.assertDelivered(2));
    assert.deepEqual(shop.gateway.batches.slice(0, 2).map((batch) => batch.try), [0, 1]);
  },

  "the server asks for a pause, and gets it although more is reported meanwhile": async (collector) => {
    await using shop = await Shop.open(collector);
    const late = Promise.withResolvers<Fate>();
    const fates: (Fate | Promise<Fate>)[] = [late.promise];
    shop.gateway.fate = () => fates.shift() ?? "pass on";
    const page = await shop.visit();
    await page.evaluate(() => {
      report("first");
      track.flush();
    });
    await eventually("the first request", () => shop.gateway.busy === 1);
    // It waits for a second before it is sent, and the answer comes within that.
    await page.evaluate(() => {
      document.addEventListener("track:failed", () => report("after the answer"), { once: true });
      report("before the answer");
    });
    late.resolve({ status: 503, headers: { "Retry-After": "2" } });
    await eventually("the second request", () => shop.gateway.batches.length > 1);
    const [first, second] = shop.gateway.batches;
    assert.ok(second!.sent - first!.sent >= 2_000, `${second!.sent - first!.sent}`);
    assertInOrder(await shop.assertDelivered(3));
  },

  "the answer is lost after all was stored": async (collector) => {
    await using shop = await Shop.open(collector, { attributes: `data-flush="0"` });
    shop.gateway.fate = inTurn("lose the answer", "lose the answer");
    const page = await shop.visit();
    await page.evaluate(() => {
      for (let i = 0; i < 5; i++) report("order");
    });
    await eventually("the acknowledgement", () => page.evaluate(() => track.status().queued === 0));
    assertInOrder(await shop.assertDelivered(5));
    assert.ok(timesOf(shop.gateway.batches).every((times) => times >= 2));
  },

  "nobody hears the answer to a beacon, and the next page sends it again": async (collector) => {
    for (const fate of ["lose the answer", "break", { status: 503 }] as const) {
      await using shop = await Shop.open(collector, { attributes: `data-storage="local"` });
      // Not only the first: Chromium itself asks again when a connection breaks that it has used before.
      shop.gateway.fate = () => fate;
      const page = await shop.visit();
      await page.evaluate(() => report("last"));
      await page.goto(shop.gateway.url("/blank"));
      await eventually("the beacon", () => shop.gateway.batches.length > 0 && shop.gateway.busy === 0);
      shop.gateway.fate = () => "pass on";
      const next = await shop.visit();
      await eventually(
        "the end",
        async () => shop.gateway.batches.length > 1 && await next.evaluate(() => track.status().queued === 0),
      );
      await shop.assertDelivered(1);
      assert.ok(timesOf(shop.gateway.batches)[0]! >= 2);
      // What is acknowledged is not kept.
      assert.ok(await shop.isForgotten(next));
    }
  },

  "two tabs find what a third one left": async (collector) => {
    await using shop = await Shop.open(collector, { attributes: `data-storage="local" data-flush="0"` });
    shop.gateway.fate = () => "break";
    const lost = await shop.visit();
    await lost.evaluate(() => {
      for (let i = 0; i < 60; i++) report("left behind");
    });
    await eventually("a failure", () => shop.gateway.batches.length > 0);
    await lost.close();
    shop.gateway.fate = () => "pass on";
    const tabs = await Promise.all([shop.visit(), shop.visit()]);
    for (const tab of tabs) await tab.evaluate(() => report("new"));
    await shop.assertDelivered(62);
    await eventually(
      "empty queues",
      async () =>
        (await Promise.all(tabs.map((tab) => tab.evaluate(() => track.status().queued)))).every((n) =>
          n === 0
        ),
    );
    assert.ok(await shop.isForgotten(tabs[0]!));
  },

  "a tab takes up what another one still has, and both send it": async (collector) => {
    await using shop = await Shop.open(collector, { attributes: `data-storage="local" data-flush="0"` });
    shop.gateway.fate = () => ({ status: 503 });
    const first = await shop.visit();
    await first.evaluate(() => report("shared"));
    await eventually("the failure", () => shop.gateway.batches.length > 0);
    shop.gateway.fate = () => "pass on";
    const second = await shop.visit();
    const queued = (page: Page) => page.evaluate(() => track.status().queued === 0);
    await eventually("the end in both", async () => await queued(first) && await queued(second));
    await shop.assertDelivered(1);
    assert.ok(timesOf(shop.gateway.batches)[0]! >= 3);
  },

  "the tab crashes": async (collector) => {
    await using shop = await Shop.open(collector, { attributes: `data-storage="local"` });
    // Each page takes up what those before it left, and crashes with it.
    shop.gateway.fate = () => "break";
    for (let race = 0; race < RACES; race++) {
      const page = await shop.visit();
      const crash = page.waitForEvent("crash");
      const session = await shop.context.newCDPSession(page);
      await page.evaluate(() => {
        report("before the crash");
        report("just before the crash");
      });
      // Nobody is there to answer.
      await Promise.race([crash, session.send("Page.crash")]);
      await crash;
    }
    assert.deepEqual(await shop.stored(), []);
    shop.gateway.fate = () => "pass on";
    await shop.visit();
    await shop.assertDelivered(2 * RACES);
  },

  "more waits than a page may send when it goes: the next page sends the rest": async (collector) => {
    for (const host of ["localhost", "127.0.0.1"]) {
      await using shop = await Shop.open(collector, {
        collector: host,
        attributes: `data-storage="local" data-flush="60000"`,
      });
      shop.gateway.fate = fromFar;
      const page = await shop.visit();
      await page.evaluate(() => {
        for (let i = 0; i < 90; i++) report("large", { text: "x".repeat(2_000) });
      });
      await page.goto(shop.gateway.url("/blank"));
      const arrived = await eventually("what a page may send", () => {
        const { length } = shop.gateway.batches.flatMap(({ e }) => e);
        return shop.gateway.busy === 0 && length > 0 && length;
      });
      assert.ok(arrived < 90, `${arrived} went in spite of the quota`);
      const next = await shop.visit();
      await next.evaluate(() => track.flush());
      await shop.assertDelivered(90);
    }
  },

  "more waits than a hidden page may send: it sends the rest later, and once more when it is seen": async (
    collector,
  ) => {
    for (const host of ["localhost", "127.0.0.1"]) {
      await using shop = await Shop.open(collector, { collector: host, attributes: `data-flush="60000"` });
      const page = await shop.visit();
      const show = (isHidden: boolean) =>
        page.evaluate((isHidden) => {
          Object.defineProperty(document, "hidden", { configurable: true, value: isHidden });
          document.dispatchEvent(new Event("visibilitychange", { bubbles: true }));
        }, isHidden);
      await page.evaluate(() => {
        for (let i = 0; i < 90; i++) report("large", { text: "x".repeat(2_000) });
      });
      await show(true);
      await eventually(
        "the rest",
        () => new Set(shop.gateway.batches.flatMap(({ e }) => e.map(({ id }) => id))).size === 90,
      );
      await show(false);
      await eventually("the acknowledgement", () => page.evaluate(() => track.status().queued === 0));
      await shop.assertDelivered(90);
    }
  },

  "of what a beacon can hold all goes at once, in order": async (collector) => {
    await using shop = await Shop.open(collector, { attributes: `data-flush="60000"` });
    shop.gateway.fate = fromFar;
    const page = await shop.visit();
    await page.evaluate(() => {
      for (let i = 0; i < 90; i++) report("small", { text: "x".repeat(400) });
    });
    await page.goto(shop.gateway.url("/blank", "127.0.0.1"));
    await shop.assertDelivered(90);
    assert.ok(shop.gateway.batches.length <= 3 && shop.gateway.batches.every(({ e }) => e.length <= 50));
    assert.deepEqual(shop.gateway.events.map(({ n }) => n), Array.from({ length: 90 }, (_, n) => n));
  },
};

Deno.test("each event that track() took is stored once", async (t) => {
  await using forwarder = await startForwarder();
  // A slow machine must not look like a server that fails: nobody sends a beacon again.
  const env = { ...forwarder.ports, PUBLISH_TIMEOUT: "15s" };
  await using broadcaster = await startHttpService("broadcaster", env);
  await ready(broadcaster.url);
  await using ledger = new Ledger(forwarder.ports);
  const browser = await launchBrowser();
  try {
    const collector = { browser, url: broadcaster.url, ledger };
    for (const [name, test] of Object.entries(TESTS)) await t.step(name, () => test(collector));
  } finally {
    await browser.close();
  }
});

Deno.test("the forwarder is killed and restarted while a page reports: each event is stored once", async () => {
  const folder = await Deno.makeTempDir();
  const [XSUB_PORT = "", XPUB_PORT = "", ROUTER_PORT = ""] = freePorts(3).map(String);
  const ports = { XSUB_PORT, XPUB_PORT, ROUTER_PORT };
  let forwarder = await startForwarder({ ports, folder });
  const browser = await launchBrowser();
  try {
    await using broadcaster = await startHttpService("broadcaster", { ...ports, PUBLISH_TIMEOUT: "500ms" });
    await ready(broadcaster.url);
    await using ledger = new Ledger(ports);
    await using shop = await Shop.open({ browser, url: broadcaster.url, ledger }, {
      attributes: `data-flush="0"`,
      script: `const reporting = setInterval(() => report("tick"), 60);
        let failures = 0;
        document.addEventListener("track:failed", () => failures++);`,
    });
    const page = await shop.visit();
    await eventually("some events", () => shop.gateway.events.length > 5);
    await forwarder[Symbol.asyncDispose]();
    await page.waitForFunction("failures > 0");
    forwarder = await startForwarder({ ports, folder });
    await page.waitForFunction("clearInterval(reporting) ?? track.flush() ?? track.status().queued === 0");
    const { length } = await shop.made(6);
    assertInOrder(await shop.assertDelivered(length));
  } finally {
    await browser.close();
    await forwarder[Symbol.asyncDispose]();
    await Deno.remove(folder, { recursive: true });
  }
});
