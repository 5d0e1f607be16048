/// <reference lib="dom" />
/** What tracker.js does in a real browser, seen from a server that the test plays. */
import assert from "node:assert/strict";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { launchBrowser, openPage } from "../lib/testing/browser.ts";
import { eventually } from "../lib/testing/deadline.ts";
import { type Answer, Gateway, type ReceivedEvent } from "./gateway.ts";
import type { Track } from "../../static/tracker/tracker.d.ts";

declare const track: Track;

/** What most tests want: events at once, from a browser that a program drives. Of two that bear one name the first counts. */
const ATTRIBUTES = `data-site="shop" data-bots="allow" data-flush="0"`;
/** Switches off what comes by itself. */
const QUIET = `${ATTRIBUTES} data-auto="off" data-engagement="off"`;
const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

interface VisitOptions {
  /** Of the script element. */
  readonly attributes?: string;
  readonly body?: string;
  /** Comes before the script. */
  readonly head?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly path?: string;
  readonly browser?: BrowserContextOptions;
  /** Runs before anything of the page. */
  readonly before?: (page: Page) => Promise<unknown>;
}

interface Visit extends AsyncDisposable {
  readonly page: Page;
  readonly complaints: readonly string[];
  readonly gateway: Gateway;
  /** Waits for so many events of this kind, and returns them. */
  readonly arrived: (kind: string, count?: number) => Promise<readonly ReceivedEvent[]>;
  /** Asks for one more event and waits for it: whatever was to come before has come. */
  readonly settled: () => Promise<readonly ReceivedEvent[]>;
}

function html({ attributes = ATTRIBUTES, body = "", head = "" }: VisitOptions): string {
  return `<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>A page</title>
    <link rel="icon" href="data:,">${head}
    <script defer src="/tracker.js" ${attributes}></script></head><body>${body}</body></html>`;
}

async function visit(browser: Browser, options: VisitOptions = {}): Promise<Visit> {
  const gateway = await Gateway.open();
  gateway.pages.set("/page", { html: html(options), headers: options.headers ?? {} });
  const opened = await openPage(browser, "about:blank", options.browser);
  const { page, complaints } = opened;
  await options.before?.(page);
  await page.goto(gateway.url(options.path ?? "/page"));
  // A page that goes sends again what is not acknowledged yet.
  const ofKind = (kind: string) => [
    ...new Map(gateway.events.filter(({ k }) => k === kind).map((event) => [event.id, event])).values(),
  ];
  return {
    page,
    complaints,
    gateway,
    arrived: async (kind, count = 1) => {
      await eventually(`${count} × ${kind}`, () => ofKind(kind).length >= count);
      const events = ofKind(kind);
      assert.equal(events.length, count, kind);
      return events;
    },
    settled: async () => {
      // A task later, since the tracker looks at addresses a task later.
      const id = await page.evaluate(() =>
        new Promise<string>((resolve) => setTimeout(() => resolve(track("settled", {}, { now: true }))))
      );
      await eventually("the last event", () => gateway.events.some((event) => event.id === id));
      return gateway.events.filter(({ k }) => k !== "settled");
    },
    async [Symbol.asyncDispose]() {
      await opened[Symbol.asyncDispose]();
      await gateway[Symbol.asyncDispose]();
    },
  };
}

/** A page without a tracker, after one with a durable queue has gone that could not deliver its event `left`. */
async function visitLeft(browser: Browser, { before }: Pick<VisitOptions, "before"> = {}): Promise<Visit> {
  const attributes = `data-storage="local" data-flush="60000" ${QUIET}`;
  const visited = await visit(browser, { attributes, ...(before && { before }) });
  const { page, gateway } = visited;
  const blank = `<!DOCTYPE html><title>Without a tracker</title><link rel="icon" href="data:,">`;
  gateway.pages.set("/blank", { html: blank });
  gateway.fate = () => ({ status: 503 });
  // It has looked for what others left by then, and sends nothing by itself.
  await page.evaluate(() => navigator.locks?.request("track.q", () => {}));
  await page.evaluate(() => track("left"));
  await page.goto(gateway.url("/blank"));
  await eventually("the beacon", () => gateway.batches.length > 0 && gateway.busy === 0);
  assert.deepEqual(gateway.batches.map(({ request }) => request.isBeacon), [true]);
  gateway.fate = () => ({ status: 204 });
  gateway.batches.length = 0;
  return visited;
}

const TESTS: Readonly<Record<string, (browser: Browser) => Promise<void>>> = {
  "a page view: its address without query and fragment, its title, a session, and no cookie": async (
    browser,
  ) => {
    await using visited = await visit(browser, { path: "/page?token=secret#part" });
    const { page, gateway, arrived } = visited;
    const [event] = await arrived("pageview");
    const [batch] = gateway.batches;
    assert.ok(event && batch);
    assert.match(event.id, UUID_V7);
    assert.match(batch.sid ?? "", UUID_V7);
    assert.deepEqual([event.n, event.u, event.p], [0, gateway.url("/page"), { title: "A page" }]);
    assert.deepEqual([batch.v, batch.site, batch.try, batch.drop, batch.rate], [1, "shop", 0, 0, 1]);
    assert.equal(batch.request.contentType, "text/plain;charset=UTF-8");
    assert.equal(batch.request.cookie, undefined);
    assert.equal(gateway.preflights, 0);
    assert.deepEqual(await page.context().cookies(), []);
    assert.deepEqual(visited.complaints, []);
  },

  "no cookie goes along, although the site has one": async (browser) => {
    const head = `<script>document.cookie = "a=1"</script>`;
    await using visited = await visit(browser, { head });
    await visited.arrived("pageview");
    assert.equal((await visited.page.context().cookies()).length, 1);
    assert.equal(visited.gateway.batches[0]?.request.cookie, undefined);
  },

  "track() answers with the id, and the same id makes it the same event": async (browser) => {
    await using visited = await visit(browser, { attributes: QUIET });
    const id = "018f0000-0000-7000-8000-000000000000";
    const answers = await visited.page.evaluate((id) => [
      track("one", { price: 3 }),
      track("two", undefined, { id }),
      // @ts-expect-error -- what a page might write
      track("three", null, null),
    ], id);
    const [one] = await visited.arrived("one");
    const [two] = await visited.arrived("two");
    const [three] = await visited.arrived("three");
    assert.deepEqual([one?.id, two?.id, three?.id], answers);
    assert.equal(two?.id, id);
    assert.deepEqual([one?.n, two?.n, three?.n], [0, 1, 2]);
    assert.deepEqual(one?.p, { price: 3 });
  },

  "calls of the stub before the script is there are not lost": async (browser) => {
    const stub = `<script>window.track=window.track||function(){(track.q=track.q||[]).push(arguments)};
      track("early", { a: 1 });</script>`;
    await using visited = await visit(browser, { attributes: QUIET, head: stub });
    const [event] = await visited.arrived("early");
    assert.deepEqual(event?.p, { a: 1 });
  },

  "use() changes and drops events, set() adds properties to all": async (browser) => {
    await using visited = await visit(browser, { attributes: QUIET });
    await visited.page.evaluate(() => {
      track.set({ plan: "free" });
      track.use((event) => event.k === "secret" ? null : { ...event, u: "https://x.test/" });
      track("secret");
      track("open", { a: 1 });
    });
    const [event, ...more] = await visited.settled();
    assert.deepEqual(more, []);
    assert.deepEqual([event?.k, event?.n, event?.u, event?.p], [
      "open",
      0,
      "https://x.test/",
      { plan: "free", a: 1 },
    ]);
  },

  "routes: replace and push in one task are one page view, with the title of the new page": async (
    browser,
  ) => {
    await using visited = await visit(browser, { attributes: `${ATTRIBUTES} data-engagement="off"` });
    const { page, gateway, arrived } = visited;
    await arrived("pageview");
    await page.evaluate(() => {
      history.replaceState(null, "", "/page?restored=1");
      history.pushState(null, "", "/second?token=1");
      document.title = "Second";
    });
    const [, second] = await arrived("pageview", 2);
    assert.deepEqual([second?.u, second?.r, second?.p.title], [
      gateway.url("/second"),
      gateway.url("/page"),
      "Second",
    ]);
    await page.evaluate(() => history.replaceState(null, "", "/second?x=2#y"));
    await page.goBack();
    await arrived("pageview", 3);
    assert.deepEqual((await visited.settled()).map(({ u }) => new URL(u).pathname), [
      "/page",
      "/second",
      "/page",
    ]);
  },

  "routes are seen where there is no Navigation API, and pushState keeps doing its work": async (browser) => {
    await using visited = await visit(browser, {
      attributes: `${ATTRIBUTES} data-engagement="off" data-hash="route"`,
      before: (page) => page.addInitScript(() => Object.assign(window, { navigation: undefined })),
    });
    const { page, arrived } = visited;
    await arrived("pageview");
    await page.evaluate(() => history.pushState({ a: 1 }, "", "/second"));
    await arrived("pageview", 2);
    assert.deepEqual(await page.evaluate(() => [history.state, location.pathname]), [{ a: 1 }, "/second"]);
    await page.evaluate(() => location.hash = "#/third");
    await arrived("pageview", 3);
    await page.goBack();
    const events = await arrived("pageview", 4);
    assert.deepEqual(events.map(({ u }) => u.replace(/.*\d\//, "/")), [
      "/page",
      "/second",
      "/second#/third",
      "/second",
    ]);
  },

  "data-hash=route makes what is behind # a page": async (browser) => {
    await using visited = await visit(browser, {
      attributes: `${ATTRIBUTES} data-engagement="off" data-hash="route"`,
    });
    await visited.arrived("pageview");
    await visited.page.evaluate(() => location.hash = "#/cart");
    const [, event] = await visited.arrived("pageview", 2);
    assert.equal(event?.u, visited.gateway.url("/page#/cart"));
  },

  "data-query keeps all, or those of its list": async (browser) => {
    for (
      const [kept, address] of [["keep", "/page?a=1&utm_source=x&b=2"], [
        "utm_source,b",
        "/page?utm_source=x&b=2",
      ]]
    ) {
      await using visited = await visit(browser, {
        attributes: `${ATTRIBUTES} data-query="${kept}"`,
        path: "/page?a=1&utm_source=x&b=2",
      });
      const [event] = await visited.arrived("pageview");
      assert.equal(event?.u, visited.gateway.url(address!));
    }
  },

  "data-auto=off: page views when told, each with its own address": async (browser) => {
    await using visited = await visit(browser, { attributes: QUIET });
    await visited.page.evaluate(() => {
      history.pushState(null, "", "/second");
      track.page();
    });
    const [event, ...more] = await visited.settled();
    assert.deepEqual([event?.k, event?.u, more.length], ["pageview", visited.gateway.url("/second"), 0]);
  },

  "clicks: tagged elements, in shadow trees and SVG too, win over the link that they are in": async (
    browser,
  ) => {
    const body = `<a id=out href="https://elsewhere.test/a?token=1"><b data-track-event="Add to cart"
        data-track-prop-sku="42" data-track-prop-in-stock="yes">Add</b></a>
      <div id=host data-track-event="from the host"></div>
      <svg width=40 height=40><g data-track-event="from SVG"><rect width=40 height=40 /></g></svg>
      <script>
        addEventListener("click", (event) => event.preventDefault());
        host.attachShadow({ mode: "open" }).innerHTML = "<button>inside</button>";
      </script>`;
    await using visited = await visit(browser, { attributes: QUIET, body });
    const { page } = visited;
    await page.click("b");
    await page.click("#host button");
    await page.click("rect");
    const events = await visited.settled();
    assert.deepEqual(events.map(({ k, p }) => [k, p]), [
      ["Add to cart", { sku: "42", "in-stock": "yes" }],
      ["from the host", {}],
      ["from SVG", {}],
    ]);
  },

  "clicks: outbound links and downloads, without their queries, and nothing else": async (browser) => {
    const body = `<a id=out href="https://user:pass@elsewhere.test/a?token=1#b">out</a>
      <a id=file href="/files/report.pdf?token=1">file</a>
      <a id=named href="/files/report" download>file</a>
      <svg width=40 height=40><a id=svg href="https://elsewhere.test/svg"><rect width=40 height=40 /></a></svg>
      <svg width=40 height=40 xmlns:xlink="http://www.w3.org/1999/xlink">
        <a id=old xlink:href="https://elsewhere.test/old"><rect width=40 height=40 /></a></svg>
      <p id=host></p>
      <a id=near href="/elsewhere">near</a> <a id=mail href="mailto:a@b.test">mail</a>
      <a id=code href="javascript:void 0">code</a> <a id=none>none</a> <button id=plain>plain</button>
      <script>
        for (const type of ["click", "auxclick"]) addEventListener(type, (event) => event.preventDefault());
        host.attachShadow({ mode: "open" }).innerHTML = '<a href="https://elsewhere.test/shadow"><i>x</i></a>';
      </script>`;
    await using visited = await visit(browser, { attributes: QUIET, body });
    const { page, gateway } = visited;
    for (const id of ["out", "file", "named", "near", "mail", "code", "none", "plain"]) {
      await page.click(`#${id}`);
    }
    await page.click("#svg rect");
    await page.click("#old rect");
    await page.click("#host i");
    await page.click("#out", { button: "middle" });
    await page.click("#out", { button: "right" });
    const events = await visited.settled();
    assert.deepEqual(events.map(({ k, p }) => `${k} ${p.href}`), [
      "outbound https://elsewhere.test/a",
      `download ${gateway.url("/files/report.pdf")}`,
      `download ${gateway.url("/files/report")}`,
      "outbound https://elsewhere.test/svg",
      "outbound https://elsewhere.test/old",
      "outbound https://elsewhere.test/shadow",
      "outbound https://elsewhere.test/a",
    ]);
  },

  "what comes by itself can be switched off": async (browser) => {
    const body = `<a id=out href="https://elsewhere.test/">out</a> <a id=file href="/a.zip">file</a>
      <form name=f><button id=send>send</button></form>
      <script>for (const type of ["click", "submit"]) addEventListener(type, (event) => event.preventDefault());</script>`;
    const off = ["outbound", "downloads", "forms", "errors"].map((name) => `data-${name}="off"`).join(" ");
    await using visited = await visit(browser, { attributes: `${QUIET} ${off}`, body });
    for (const id of ["out", "file", "send"]) await visited.page.click(`#${id}`);
    await visited.page.evaluate(() => void Promise.reject(new Error("an error")));
    assert.deepEqual(await visited.settled(), []);
  },

  "forms tell their name and id, and never what was typed": async (browser) => {
    const body = `<form name=order id=form-1><input name=card value="4111"><input name=name value="Ann">
        <input name=id value="7"><button id=send>send</button></form>
      <form data-track-event="Search" data-track-prop-where="top"><input value="secret">
        <button id=search>go</button></form>
      <script>addEventListener("submit", (event) => event.preventDefault());</script>`;
    await using visited = await visit(browser, { attributes: QUIET, body });
    await visited.page.click("#send");
    await visited.page.click("#search");
    const events = await visited.settled();
    assert.deepEqual(events.map(({ k, p }) => [k, p]), [
      ["form", { name: "order", id: "form-1" }],
      ["Search", { where: "top" }],
    ]);
    assert.doesNotMatch(JSON.stringify(visited.gateway.batches), /4111|Ann|secret/);
  },

  "errors are told with their place, ten for each page": async (browser) => {
    await using visited = await visit(browser, {
      attributes: QUIET,
      body: `<img src="data:,x"><button onclick="throw new Error('the first')">bad</button>`,
    });
    await visited.page.click("button");
    await visited.page.evaluate(() => {
      for (let i = 0; i < 20; i++) void Promise.reject(i % 2 ? `reason ${i}` : new TypeError(`reason ${i}`));
    });
    const events = await eventually(
      "ten errors",
      () => visited.gateway.events.length >= 10 && visited.gateway.events,
    );
    assert.match(`${events[0]?.p.message}`, /the first/);
    assert.match(`${events[0]?.p.source}`, /\/page:\d+:\d+$/);
    assert.deepEqual((await visited.settled()).length, 10);
  },

  "engagement: how long the page was in view and how far it was read, once for each page": async (
    browser,
  ) => {
    await using visited = await visit(browser, {
      attributes: `${ATTRIBUTES} data-auto="off"`,
      body: `<div style="height: 400vh"></div>`,
      before: (page) => page.clock.install(),
    });
    const { page, arrived, gateway } = visited;
    await page.clock.pauseAt(Date.now() + 60_000);
    await page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
    await page.evaluate(() => history.pushState(null, "", "/second"));
    await page.clock.runFor(1);
    const [first] = await arrived("engagement");
    assert.equal(first?.p.scroll, 25);
    await page.clock.runFor(5_000);
    await page.evaluate(() =>
      new Promise((resolve) => {
        addEventListener("scroll", resolve, { once: true });
        scrollTo(0, innerHeight);
      })
    );
    await page.evaluate(() => {
      history.pushState(null, "", "/third");
      // As a router does it, which shows the next page at once: the place in it is that of its end.
      document.querySelector("div")!.style.height = "200vh";
    });
    await page.clock.runFor(1);
    const [, second] = await arrived("engagement", 2);
    assert.equal(second?.u, gateway.url("/second"));
    assert.ok(Math.abs(Number(second?.p.ms) - 5_000) < 10, `${second?.p.ms}`);
    assert.equal(second?.p.scroll, 50);
  },

  "engagement: a page that goes is told of once, although it is also hidden then": async (browser) => {
    await using visited = await visit(browser, { attributes: ATTRIBUTES });
    const { page, gateway, arrived } = visited;
    await arrived("pageview");
    await page.evaluate(() => document.addEventListener("visibilitychange", () => track("last")));
    await page.goto("about:blank");
    await eventually("the last", () => gateway.events.some(({ k }) => k === "last"));
    await eventually("quiet", () => gateway.busy === 0);
    const told = gateway.events.filter(({ k }) => k === "engagement");
    assert.equal(new Set(told.map(({ id }) => id)).size, 1);
    assert.equal(told[0]?.p.scroll, 100);
  },

  "visitors who ask not to be tracked are not": async (browser) => {
    for (const [property, value] of [["globalPrivacyControl", true], ["doNotTrack", "1"]] as const) {
      const before = (page: Page) =>
        page.addInitScript(
          ([property, value]) => Object.defineProperty(navigator, property, { value }),
          [property, value] as const,
        );
      await using asked = await visit(browser, { before });
      await asked.page.evaluate(() => track("x", {}, { now: true }));
      assert.equal((await asked.page.evaluate(() => track.status())).queued, 0);
      assert.deepEqual(asked.gateway.batches, []);
      await using ignored = await visit(browser, {
        before,
        attributes: `${ATTRIBUTES} data-privacy="ignore"`,
      });
      await ignored.arrived("pageview");
      assert.equal(ignored.gateway.batches[0]?.privacy, "ignore");
    }
  },

  "browsers that a program drives are not tracked unless they are wanted; data-debug says so": async (
    browser,
  ) => {
    const said: string[] = [];
    await using visited = await visit(browser, {
      attributes: `data-debug`,
      before: (page) => Promise.resolve(page.on("console", (message) => said.push(message.text()))),
    });
    await visited.page.evaluate(() => track("x", {}, { now: true }));
    assert.equal((await visited.page.evaluate(() => track.status())).queued, 0);
    assert.ok(said.includes("[track] ignored pageview bots"), `${said}`);
    assert.ok(said.includes("[track] ignored x bots"), `${said}`);
    assert.deepEqual(visited.gateway.batches, []);
  },

  "optOut() holds for pages to come, until optIn()": async (browser) => {
    await using visited = await visit(browser);
    const { page, gateway, arrived } = visited;
    await arrived("pageview");
    await page.evaluate(() => track.optOut());
    await page.reload();
    await page.evaluate(() => track("while out", {}, { now: true }));
    await page.evaluate(() => track.optIn());
    await page.reload();
    await arrived("pageview", 2);
    assert.ok(gateway.events.every(({ k }) => k !== "while out"));
  },

  "a session lasts over pages of its tab, until half an hour passes without an event": async (browser) => {
    await using visited = await visit(browser, {
      attributes: `${ATTRIBUTES} data-engagement="off"`,
      before: (page) => page.clock.install(),
    });
    const { page, gateway, arrived } = visited;
    await arrived("pageview");
    await eventually("its end", () => page.evaluate(() => track.status().queued === 0));
    await page.reload();
    await arrived("pageview", 2);
    await page.clock.fastForward("29:00");
    await page.evaluate(() => track("a", {}, { now: true }));
    await arrived("a");
    await page.clock.fastForward("31:00");
    await page.evaluate(() => track("b", {}, { now: true }));
    await arrived("b");
    const told = new Map(gateway.batches.flatMap(({ sid, e }) => e.map(({ id, n }) => [id, { sid, n }])));
    const [first, ...more] = [...told.values()];
    assert.deepEqual(more.map(({ sid }) => sid === first?.sid), [true, true, false]);
    assert.deepEqual([first, ...more].map((event) => event?.n), [0, 1, 2, 0]);
  },

  "data-storage=none keeps nothing, not even a session": async (browser) => {
    await using visited = await visit(browser, { attributes: `${ATTRIBUTES} data-storage="none"` });
    await visited.arrived("pageview");
    assert.equal(visited.gateway.batches[0]?.sid, undefined);
    const kept = await visited.page.evaluate(() => [sessionStorage.length, localStorage.length]);
    assert.deepEqual(kept, [0, 0]);
  },

  "data-sample decides for whole sessions, and is told": async (browser) => {
    await using none = await visit(browser, { attributes: `${ATTRIBUTES} data-sample="0"` });
    await none.page.evaluate(() => track("x", {}, { now: true }));
    await using half = await visit(browser, {
      attributes: `${ATTRIBUTES} data-sample="0.5"`,
      before: (page) => page.addInitScript(() => Math.random = () => 0.4),
    });
    await half.arrived("pageview");
    assert.equal(half.gateway.batches[0]?.rate, 0.5);
    assert.deepEqual(none.gateway.batches, []);
  },

  "the server's rate is for sessions to come, and its absence ends it": async (browser) => {
    await using visited = await visit(browser, { attributes: QUIET, before: (page) => page.clock.install() });
    const { page, gateway, arrived } = visited;
    await page.evaluate(() => Math.random = () => 0.05);
    gateway.fate = () => ({ status: 200, body: JSON.stringify({ now: 1, rate: 0.1 }) });
    const send = async (kind: string) => {
      await page.evaluate((kind) => track(kind, {}, { now: true }), kind);
      await arrived(kind);
      await eventually("the answer", () => page.evaluate(() => track.status().queued === 0));
    };
    await send("a");
    await send("b");
    gateway.fate = () => ({ status: 204 });
    await page.clock.fastForward("31:00");
    await send("c");
    await page.clock.fastForward("31:00");
    await send("d");
    assert.deepEqual(gateway.batches.map(({ rate }) => rate), [1, 1, 0.1, 1]);
  },

  "off stops the tracker until the next page": async (browser) => {
    await using visited = await visit(browser, { attributes: `${QUIET} data-storage="local"` });
    const { page, gateway, arrived } = visited;
    gateway.fate = () => ({ status: 200, body: JSON.stringify({ now: 1, off: true }) });
    await page.evaluate(() => track("a", {}, { now: true }));
    await arrived("a");
    await eventually("the answer", () => page.evaluate(() => track.status().queued === 0));
    await page.evaluate(() => track("b", {}, { now: true }));
    assert.deepEqual(await page.evaluate(() => [track.status().queued, localStorage.length]), [0, 0]);
    gateway.fate = () => ({ status: 204 });
    await page.reload();
    await page.evaluate(() => track("c", {}, { now: true }));
    await arrived("c");
    assert.deepEqual(gateway.events.map(({ k }) => k), ["a", "c"]);
  },

  "one request at a time, of 50 events and 48 KB at most": async (browser) => {
    await using visited = await visit(browser, { attributes: QUIET });
    const { page, gateway } = visited;
    let most = 0;
    gateway.fate = () => {
      most = Math.max(most, gateway.busy);
      return { status: 204 };
    };
    await page.evaluate(() => {
      for (let i = 0; i < 60; i++) track("small");
      for (let i = 0; i < 20; i++) track("large", { text: "日".repeat(5000) });
    });
    await eventually("all", () => gateway.events.length === 80);
    assert.equal(most, 1);
    const sizes = gateway.batches.map(({ e, request }) => [e.length, request.bytes] as const);
    assert.ok(sizes.every(([count, bytes]) => count <= 50 && bytes <= 48 * 1024), `${sizes}`);
    assert.equal(sizes[0]?.[0], 50);
    assert.deepEqual(gateway.events.map(({ n }) => n), Array.from({ length: 80 }, (_, n) => n));
  },

  "what happens within data-flush goes together, from the page view on": async (browser) => {
    await using visited = await visit(browser, {
      attributes: `data-flush="500" data-storage="local" data-engagement="off" ${ATTRIBUTES}`,
      body: `<script>addEventListener("load", () => track("soon after"));</script>`,
    });
    await visited.arrived("pageview");
    assert.deepEqual(visited.gateway.batches.map(({ e }) => e.map(({ k }) => k)), [[
      "pageview",
      "soon after",
    ]]);
  },

  "properties of more than 16 KB are replaced by their size": async (browser) => {
    await using visited = await visit(browser, { attributes: QUIET });
    await visited.page.evaluate(() => track("large", { text: "é".repeat(9000) }));
    const [event] = await visited.arrived("large");
    assert.deepEqual(Object.keys(event?.p ?? {}), ["_truncated"]);
    assert.ok(Number(event?.p._truncated) > 18_000);
  },

  "an address or a kind of any length makes no batch too large": async (browser) => {
    await using visited = await visit(browser, { attributes: `data-query="keep" ${QUIET}` });
    await visited.page.evaluate(() => {
      history.pushState(null, "", `/page?${"x".repeat(30_000)}`);
      track.page();
      track("k".repeat(30_000));
      for (let i = 0; i < 40; i++) track("small");
    });
    await visited.arrived("small", 40);
    const [view, long] = visited.gateway.events;
    assert.deepEqual([view?.u.length, long?.k.length], [2048, 200]);
    assert.ok(visited.gateway.batches.every(({ request }) => request.bytes <= 48 * 1024));
  },

  "what cannot be said as JSON is dropped alone": async (browser) => {
    await using visited = await visit(browser, { attributes: QUIET });
    await visited.page.evaluate(() => {
      const circle: Record<string, unknown> = {};
      circle.circle = circle;
      track("bad", circle);
      const later: Record<string, unknown> = { a: 1 };
      track("good", later);
      later.circle = circle;
    });
    const [event, ...more] = await visited.settled();
    assert.deepEqual([event?.k, event?.p, more], ["good", { a: 1 }, []]);
  },

  "more than 20 events a second are dropped after the first hundred, and that is told": async (browser) => {
    await using visited = await visit(browser, { attributes: QUIET, before: (page) => page.clock.install() });
    const { page, gateway, arrived } = visited;
    await page.clock.pauseAt(Date.now() + 60_000);
    await page.evaluate(() => {
      for (let i = 0; i < 120; i++) track("burst");
    });
    assert.deepEqual(await page.evaluate(() => track.status().dropped), 20);
    await page.clock.runFor(1_000);
    await arrived("burst", 100);
    await page.evaluate(() => {
      for (let i = 0; i < 30; i++) track("later");
    });
    await page.clock.runFor(10);
    await arrived("later", 20);
    assert.equal(gateway.batches[0]?.drop, 20);
  },

  "batches that go at the same time do not tell below zero how many were dropped": async (browser) => {
    await using gateway = await Gateway.open();
    const endpoint = gateway.url("/e", "127.0.0.1");
    gateway.pages.set("/page", {
      html: html({ attributes: `data-endpoint="${endpoint}" data-flush="60000" ${QUIET}` }),
    });
    await using opened = await openPage(browser, gateway.url("/page"));
    const { page } = opened;
    await page.evaluate(() => {
      for (let i = 0; i < 120; i++) track("burst", { text: "x".repeat(500) });
      Object.defineProperty(document, "hidden", { configurable: true, value: true });
      document.dispatchEvent(new Event("visibilitychange", { bubbles: true }));
    });
    await eventually("the burst", () => page.evaluate(() => track.status().queued < 20));
    const { dropped } = await page.evaluate(() => track.status());
    assert.ok(dropped === 0 && gateway.batches.length > 2, `${dropped} ${gateway.batches.length}`);
    // Not before it may track again.
    await page.evaluate(() =>
      new Promise<void>((resolve) =>
        setTimeout(() => {
          track("later", {}, { now: true });
          resolve();
        }, 100)
      )
    );
    await eventually("a later one", () => gateway.events.some(({ k }) => k === "later"));
    assert.ok(gateway.batches[0]!.drop >= 1);
    assert.equal(gateway.batches.at(-1)?.drop, 0);
  },

  "beyond 500 queued events the oldest are dropped, and that is told": async (browser) => {
    await using visited = await visit(browser, { attributes: QUIET, before: (page) => page.clock.install() });
    const { page, gateway } = visited;
    await page.clock.pauseAt(Date.now() + 60_000);
    // From then on nothing is on its way, where it would not be dropped.
    gateway.fate = () => ({ status: 503, headers: { "Retry-After": "3600" } });
    await page.evaluate(() =>
      new Promise((resolve) => {
        document.addEventListener("track:failed", resolve, { once: true });
        track("n", { number: 0 }, { now: true });
      })
    );
    for (let i = 0; i < 6; i++) {
      await page.evaluate((i) => {
        for (let j = 1; j <= 90; j++) track("n", { number: 90 * i + j });
      }, i);
      await page.clock.runFor(5_000);
    }
    const { queued, dropped } = await page.evaluate(() => track.status());
    assert.deepEqual([queued, dropped], [500, 41]);
    gateway.batches.length = 0;
    gateway.fate = () => ({ status: 204 });
    await page.evaluate(() => track.flush());
    await eventually("all that is left", () => gateway.events.length === 500);
    assert.equal(gateway.batches[0]?.drop, 41);
    assert.equal(gateway.batches.at(-1)?.drop, 0);
    const numbers = gateway.events.map(({ p }) => Number(p.number));
    assert.deepEqual(numbers, Array.from({ length: 500 }, (_, index) => index + 41));
  },

  "a durable queue stays below half a megabyte": async (browser) => {
    await using visited = await visit(browser, { attributes: `${QUIET} data-storage="local"` });
    visited.gateway.fate = () => ({ status: 503 });
    const size = await visited.page.evaluate(() => {
      for (let i = 0; i < 90; i++) track("large", { text: "x".repeat(12_000) });
      return Object.values({ ...localStorage }).join("").length;
    });
    assert.ok(size > 100_000 && size < 600_000, `${size}`);
  },

  "what other pages left is taken up; what is old or makes no sense is thrown away": async (browser) => {
    for (const hasLocks of [true, false]) {
      await using visited = await visitLeft(browser, {
        before: (page) =>
          page.addInitScript((hasLocks) => {
            // Where connections are not secure there are none.
            if (!hasLocks) Object.defineProperty(navigator, "locks", { value: undefined });
          }, hasLocks),
      });
      const { page, gateway } = visited;
      await page.evaluate(() => {
        const [key = ""] = Object.keys(localStorage);
        const [left] = JSON.parse(localStorage[key]);
        const old = { ...left, t: Date.now() - 24 * 60 * 60_000 - 1, json: left.json.replace("left", "old") };
        localStorage[key] = JSON.stringify([old, left, null, 3]);
        for (const [index, nonsense] of ["{", "[null]", "3", '"x"', "{}", "null"].entries()) {
          localStorage[`track.q:${index}`] = nonsense;
        }
      });
      await page.goto(gateway.url("/page"));
      await eventually("the end", () => page.evaluate(() => track.status().lastAck > 0));
      assert.deepEqual(gateway.events.map(({ k }) => k), ["left"]);
      assert.deepEqual(await page.evaluate(() => Object.keys(localStorage)), []);
      await visited.settled();
    }
  },

  "what is taken up is in the storage all the time": async (browser) => {
    await using visited = await visitLeft(browser, {
      before: (page) =>
        page.addInitScript(() => {
          const real = localStorage;
          const keeps = () => Object.values({ ...real }).join().includes("left");
          const moments: boolean[] = [];
          const note = (isDone: boolean) => (moments.push(keeps()), isDone);
          const watched = new Proxy(real, {
            get: (target, key) => Reflect.get(target, key),
            set: (target, key, value) => note(Reflect.set(target, key, value)),
            deleteProperty: (target, key) => note(Reflect.deleteProperty(target, key)),
          });
          Object.defineProperty(window, "localStorage", { value: watched });
          Object.assign(window, { moments });
        }),
    });
    const { page, gateway } = visited;
    gateway.fate = () => ({ status: 503 });
    await page.goto(gateway.url("/page"));
    await eventually("the attempt", () => gateway.events.some(({ k }) => k === "left"));
    const moments = await page.evaluate(() => (window as unknown as { moments: boolean[] }).moments);
    assert.ok(moments.length >= 2 && moments.every(Boolean), `${moments}`);
  },

  "what another page is taking up is left to it": async (browser) => {
    await using visited = await visitLeft(browser);
    const { page, gateway } = visited;
    const other = await page.context().newPage();
    await other.goto(gateway.url("/blank"));
    await other.evaluate(() =>
      new Promise<void>((resolve) =>
        void navigator.locks.request("track.q", () => new Promise(() => resolve()))
      )
    );
    await page.goto(gateway.url("/page"));
    // Locks are given in the order in which they are asked for.
    assert.equal(
      await page.evaluate(() => navigator.locks.request("track.q", { ifAvailable: true }, (lock) => lock)),
      null,
    );
    assert.deepEqual(await visited.settled(), []);
    await other.close();
    await page.evaluate(() => navigator.locks.request("track.q", () => {}));
    await page.reload();
    await eventually("what was left", () => gateway.events.some(({ k }) => k === "left"));
  },

  "what other pages left is not sent for who has opted out since": async (browser) => {
    await using visited = await visitLeft(browser);
    const { page, gateway } = visited;
    await page.evaluate(() => localStorage["track.off"] = "1");
    await page.goto(gateway.url("/page"));
    await page.evaluate(() => navigator.locks.request("track.q", () => {}));
    await page.evaluate(() => track.flush());
    await page.evaluate(() => track.optIn());
    await visited.settled();
    assert.ok(gateway.events.every(({ k }) => k === "settled"));
  },

  "what the server refuses is given up; what it cannot take now comes again": async (browser) => {
    await using visited = await visit(browser, { attributes: QUIET, before: (page) => page.clock.install() });
    const { page, gateway } = visited;
    await page.clock.pauseAt(Date.now() + 60_000);
    for (const status of [400, 401, 403, 410, 413, 422]) {
      gateway.fate = () => ({ status });
      const before = gateway.batches.length;
      await page.evaluate(() => track("refused", {}, { now: true }));
      await eventually(`the end of ${status}`, () => page.evaluate(() => track.status().queued === 0));
      assert.equal(gateway.batches.length, before + 1, `${status}`);
    }
    assert.equal(await page.evaluate(() => track.status().dropped), 6);
    for (const status of [408, 429, 500, 502, 503]) {
      gateway.fate = () => ({ status });
      // Told by the page and not by what came in: Chromium itself asks again after a 408.
      const told = page.evaluate(() =>
        new Promise<number>((resolve) => {
          const listener = ({ detail }: { detail: { status: number } }) => resolve(detail.status);
          document.addEventListener("track:failed", listener, { once: true });
          track("kept");
        })
      );
      await page.clock.runFor(1);
      assert.equal(await told, status);
      assert.equal(gateway.batches.at(-1)?.try, 0, `${status}`);
      gateway.fate = () => ({ status: 204 });
      await eventually(`the end of ${status}`, async () => {
        await page.clock.runFor(2_000);
        return await page.evaluate(() => track.status().queued === 0);
      });
      assert.equal(gateway.batches.at(-1)?.try, 1, `${status}`);
    }
  },

  "the waits double with some chance, until eight attempts have failed; then it takes flush()": async (
    browser,
  ) => {
    await using visited = await visit(browser, { attributes: QUIET, before: (page) => page.clock.install() });
    const { page, gateway } = visited;
    await page.clock.pauseAt(Date.now() + 60_000);
    gateway.fate = () => ({ status: 500 });
    // Drawn in turn: at one end and the other of what is added to half of each wait.
    const CHANCES = [0, 0.75];
    await page.evaluate((chances) => {
      const failures: (number | undefined)[] = [];
      document.addEventListener(
        "track:failed",
        ({ detail: { retryAt } }) => failures.push(retryAt && retryAt - Date.now()),
      );
      Math.random = () => chances[failures.length % 2]!;
      Object.assign(window, { failures });
      track("x", {}, { now: true });
    }, CHANCES);
    const failures = () =>
      page.evaluate(() => (window as unknown as { failures: (number | null)[] }).failures);
    for (let count = 1; count <= 8; count++) {
      const [...waits] = await eventually(`failure ${count}`, async () => {
        const list = await failures();
        return list.length === count && list;
      });
      const wait = waits.at(-1);
      if (count === 8) assert.equal(wait ?? undefined, undefined);
      else {
        const middle = Math.min(60_000, 1_000 * 2 ** (count - 1));
        assert.equal(wait, middle * (0.5 + CHANCES[(count - 1) % 2]!));
        await page.clock.runFor(wait! + 1);
      }
    }
    await page.clock.runFor(600_000);
    assert.equal(gateway.batches.length, 8);
    gateway.fate = () => ({ status: 204 });
    await page.evaluate(() => track.flush());
    await eventually("the end", () => page.evaluate(() => track.status().queued === 0));
    assert.equal(gateway.batches.length, 9);
  },

  "when it has given up, what is new is an attempt, a minute later, and so is a page that is seen again":
    async (
      browser,
    ) => {
      await using visited = await visit(browser, {
        attributes: QUIET,
        before: (page) => page.clock.install(),
      });
      const { page, gateway } = visited;
      await page.clock.pauseAt(Date.now() + 60_000);
      gateway.fate = () => ({ status: 500 });
      await page.evaluate(() => {
        let failures = 0;
        document.addEventListener("track:failed", () => Object.assign(window, { failures: ++failures }));
        track("x", {}, { now: true });
      });
      await eventually("eight failures", async () => {
        await page.clock.runFor(90_000);
        return await page.evaluate(() => (window as unknown as { failures?: number }).failures === 8);
      });
      await page.evaluate(() => document.dispatchEvent(new Event("visibilitychange", { bubbles: true })));
      await page.waitForFunction("failures === 9");
      gateway.fate = () => ({ status: 204 });
      await page.evaluate(() => track("y"));
      await page.clock.runFor(59_000);
      assert.equal(gateway.batches.length, 9);
      await page.clock.runFor(2_000);
      await eventually("the end", () => page.evaluate(() => track.status().queued === 0));
      assert.deepEqual(gateway.batches.at(-1)?.e.map(({ k }) => k), ["x", "y"]);
    },

  "a server that does not answer is asked again after half a minute": async (browser) => {
    await using visited = await visit(browser, {
      attributes: QUIET,
      before: (page) =>
        page.addInitScript(() => {
          const { timeout } = AbortSignal;
          AbortSignal.timeout = (ms) => {
            Object.assign(window, { limit: ms });
            return timeout.call(AbortSignal, ms / 1000);
          };
        }),
    });
    const { page, gateway } = visited;
    const never = Promise.withResolvers<Answer>();
    gateway.fate = () => never.promise;
    const failed = page.evaluate(() =>
      new Promise<number>((resolve) =>
        document.addEventListener("track:failed", ({ detail }) => resolve(detail.status), { once: true })
      )
    );
    await page.evaluate(() => track("x"));
    assert.equal(await failed, 0);
    assert.equal(await page.evaluate("limit"), 30_000);
    gateway.fate = () => ({ status: 204 });
    await eventually("the end", () => page.evaluate(() => track.status().queued === 0));
    never.resolve({ status: 204 });
  },

  "an answer that is none of this server's acknowledges nothing": async (browser) => {
    await using visited = await visit(browser, { attributes: QUIET });
    const { page, gateway } = visited;
    for (
      const answer of [
        { status: 200, body: "<title>Sign in to this network</title>" },
        { status: 200, body: "{}" },
        { status: 200 },
        { status: 202 },
      ]
    ) {
      gateway.fate = () => answer;
      const failed = page.evaluate(() =>
        new Promise<number>((resolve) =>
          document.addEventListener("track:failed", ({ detail }) => resolve(detail.status), { once: true })
        )
      );
      await page.evaluate(() => track("x", {}, { now: true }));
      assert.equal(await failed, answer.status);
    }
    assert.deepEqual(await page.evaluate(() => [track.status().queued, track.status().lastAck]), [4, 0]);
    gateway.fate = () => ({ status: 200, body: JSON.stringify({ now: 1 }) });
    await page.evaluate(() => track.flush());
    await eventually("the end", () => page.evaluate(() => track.status().queued === 0));
  },

  "Retry-After is waited for, and coming back online ends the wait": async (browser) => {
    await using visited = await visit(browser, { attributes: QUIET, before: (page) => page.clock.install() });
    const { page, gateway } = visited;
    await page.clock.pauseAt(Date.now() + 60_000);
    gateway.fate = () => ({ status: 429, headers: { "Retry-After": "30" } });
    const failed = page.evaluate(() =>
      new Promise((resolve) =>
        document.addEventListener(
          "track:failed",
          ({ detail }) => resolve([detail.status, Math.round((detail.retryAt! - Date.now()) / 1000)]),
        )
      )
    );
    await page.evaluate(() => track("x", {}, { now: true }));
    assert.deepEqual(await failed, [429, 30]);
    await page.clock.runFor(29_000);
    await page.evaluate(() => track("y"));
    assert.equal(gateway.batches.length, 1);
    gateway.fate = () => ({ status: 204 });
    await page.evaluate(() => dispatchEvent(new Event("online")));
    await eventually("both", () => gateway.events.length === 3);
  },

  "track:sent and status() tell what has arrived": async (browser) => {
    await using visited = await visit(browser, { attributes: QUIET });
    const [ids, id, status] = await visited.page.evaluate(async () => {
      const sent = new Promise<string[]>((resolve) =>
        document.addEventListener("track:sent", ({ detail }) => resolve(detail.ids))
      );
      const id = track("x");
      return [await sent, id, track.status()] as const;
    });
    assert.deepEqual(ids, [id]);
    assert.deepEqual([status.queued, status.dropped], [0, 0]);
    assert.ok(status.lastAck > 0);
  },

  "under a strict policy with Trusted Types nothing is violated": async (browser) => {
    await using visited = await visit(browser, {
      headers: {
        "Content-Security-Policy":
          "default-src 'none'; script-src 'self'; connect-src 'self'; img-src data:; require-trusted-types-for 'script'; trusted-types 'none'",
      },
      body: `<a id=out href="#x" data-track-event="x">x</a>`,
    });
    await visited.page.click("#out");
    await visited.arrived("pageview");
    await visited.arrived("x");
    await visited.page.goto("about:blank");
    await visited.arrived("engagement");
    assert.deepEqual(visited.complaints, []);
  },

  "a sandboxed frame, whose storage throws, is tracked": async (browser) => {
    const gateway = await Gateway.open();
    await using _ = gateway;
    const attributes = `${ATTRIBUTES} data-storage="local"`;
    gateway.pages.set("/frame", { html: html({ attributes }) });
    gateway.pages.set("/page", {
      html:
        `<!DOCTYPE html><title>x</title><link rel="icon" href="data:,"><iframe sandbox="allow-scripts" src="/frame"></iframe>`,
    });
    await using opened = await openPage(browser, gateway.url("/page"));
    await eventually("the page view", () => gateway.events.some(({ k }) => k === "pageview"));
    assert.deepEqual(opened.complaints, []);
  },

  "it never throws, however hostile the page": async (browser) => {
    const hostile: Record<string, () => void> = {
      "fetch throws": () =>
        globalThis.fetch = () => {
          throw new Error("fetch");
        },
      "fetch answers nothing": () => globalThis.fetch = () => undefined as never,
      "fetch answers nonsense": () => globalThis.fetch = () => Promise.resolve({ status: 200 } as never),
      "there is no fetch": () => Object.assign(window, { fetch: undefined }),
      "beacons throw": () =>
        navigator.sendBeacon = () => {
          throw new Error("beacon");
        },
      "storage throws": () => {
        const throws = {
          get: () => {
            throw new Error("storage");
          },
        };
        Object.defineProperties(window, { localStorage: throws, sessionStorage: throws });
      },
      "storage is full": () => {
        Storage.prototype.setItem = () => {
          throw new Error("full");
        };
      },
      "storage holds nonsense": () => {
        localStorage["track.q:1"] = "{";
        localStorage["track.q:2"] = "[null]";
        localStorage["track.q:3"] = "3";
        localStorage["track.rate"] = "[]";
        sessionStorage["track.sid"] = '"x"';
      },
      "history is frozen": () => {
        Object.assign(window, { navigation: undefined });
        Object.freeze(history);
      },
      "locks refuse": () => navigator.locks.request = () => Promise.reject(new Error("locks")),
    };
    for (const [name, spoil] of Object.entries(hostile)) {
      await using visited = await visit(browser, {
        attributes: `${ATTRIBUTES} data-storage="local"`,
        before: (page) => page.addInitScript(spoil),
        body: `<form id=form><input name=attributes><input name=matches></form>`,
      });
      const { page } = visited;
      await page.evaluate(() => {
        track("x", {}, { now: true });
        // @ts-expect-error -- what a page might write
        track(Symbol("x"), 3n, 4);
        // @ts-expect-error -- the same
        track.use(3);
        track("y");
        // @ts-expect-error -- the same
        track.set(null);
        track.page();
        track.flush();
        track.status();
        document.querySelector("form")!.dispatchEvent(new Event("submit", { bubbles: true }));
        history.pushState(null, "", "/second");
        document.body.click();
        dispatchEvent(new Event("pagehide"));
        track.optOut();
        track.optIn();
        return new Promise((resolve) => setTimeout(resolve));
      });
      assert.deepEqual(visited.complaints, [], name);
    }
  },

  "a wrong endpoint leaves a track() that can be called": async (browser) => {
    await using visited = await visit(browser, { attributes: `${ATTRIBUTES} data-endpoint="http://"` });
    const id = await visited.page.evaluate(() => track("x", {}, { now: true }));
    assert.match(id, UUID_V7);
    assert.deepEqual(visited.complaints, []);
  },

  "tracker.mjs starts when it is told to, with its options": async (browser) => {
    const gateway = await Gateway.open();
    await using _ = gateway;
    gateway.pages.set("/page", {
      html: `<!DOCTYPE html><title>x</title><link rel="icon" href="data:,"><script type=module>
        import { init } from "/tracker.mjs";
        const track = init({ site: "app", bots: "allow", flush: 0, auto: false, engagement: false });
        track("from a module");
        document.title = typeof window.track;</script>`,
    });
    await using opened = await openPage(browser, gateway.url("/page"));
    await eventually("the event", () => gateway.events.length === 1);
    assert.deepEqual(gateway.batches.map(({ site, e }) => [site, e[0]?.k]), [["app", "from a module"]]);
    assert.equal(await opened.page.title(), "undefined");
    assert.deepEqual(opened.complaints, []);
  },

  "data-endpoint names another address, and another site is asked without a preflight": async (browser) => {
    const gateway = await Gateway.open();
    await using _ = gateway;
    gateway.pages.set("/page", {
      html: html({ attributes: `${ATTRIBUTES} data-endpoint="${gateway.url("/e", "127.0.0.1")}"` }),
    });
    await using opened = await openPage(browser, gateway.url("/page"));
    await eventually("the page view", () => gateway.events.length > 0);
    await opened.page.goto("about:blank");
    await eventually("the engagement", () => gateway.events.some(({ k }) => k === "engagement"));
    assert.equal(gateway.preflights, 0);
    assert.ok(gateway.batches.every(({ request }) => !request.isBeacon));
    assert.deepEqual(opened.complaints, []);
  },

  "a beacon that is refused is halved until it fits": async (browser) => {
    await using visited = await visit(browser, { attributes: `data-flush="60000" ${QUIET}` });
    const { page, gateway } = visited;
    await page.evaluate(() => {
      const { sendBeacon } = Navigator.prototype;
      navigator.sendBeacon = (url, body) =>
        `${body}`.length < 20_000 && sendBeacon.call(navigator, url, body);
      for (let i = 0; i < 10; i++) track("large", { text: "x".repeat(4000) });
      document.addEventListener("visibilitychange", () => track("last"));
    });
    await page.goto("about:blank");
    await eventually("the last", () => gateway.events.some(({ k }) => k === "last"));
    await eventually("quiet", () => gateway.busy === 0);
    // What went when the page began to go does not go again when it is hidden.
    assert.equal(gateway.events.length, 11);
    assert.ok(gateway.batches.every(({ request }) => request.isBeacon && request.bytes < 20_000));
  },

  "a page that is hidden sends what is not on its way, and again what it does not know of each time": async (
    browser,
  ) => {
    await using visited = await visit(browser, { attributes: QUIET });
    const { page, gateway } = visited;
    const show = (isHidden: boolean) =>
      page.evaluate((isHidden) => {
        Object.defineProperty(document, "hidden", { configurable: true, value: isHidden });
        document.dispatchEvent(new Event("visibilitychange", { bubbles: true }));
      }, isHidden);
    const answer = Promise.withResolvers<void>();
    gateway.fate = async ({ request }) => {
      if (!request.isBeacon) await answer.promise;
      return { status: 503, headers: { "Retry-After": "3600" } };
    };
    const beacons = () =>
      gateway.batches.filter(({ request }) => request.isBeacon).map(({ e }) => e.map(({ k }) => k).join());
    await page.evaluate(() => track("first", {}, { now: true }));
    await eventually("the request", () => gateway.busy === 1);
    await page.evaluate(() => track("second"));
    await show(true);
    await eventually("a beacon", () => beacons().length === 1);
    assert.deepEqual(beacons(), ["second"]);
    await page.evaluate(() => {
      const failed = new Promise((resolve) => document.addEventListener("track:failed", resolve));
      Object.assign(window, { failed });
    });
    answer.resolve();
    await page.waitForFunction("failed");
    await show(false);
    await show(true);
    await eventually("another beacon", () => beacons().length === 2);
    await show(true);
    await page.evaluate(() => track("third"));
    await show(true);
    await eventually("the third", () => beacons().some((kinds) => kinds.includes("third")));
    assert.deepEqual(beacons().slice(1), ["first,second", "third"]);
  },

  "a page that goes without being hidden before sends what it has": async (browser) => {
    await using visited = await visit(browser, { attributes: `data-flush="60000" ${QUIET}` });
    await visited.page.evaluate(() => {
      track("last");
      // All that older versions of Safari say.
      dispatchEvent(new PageTransitionEvent("pagehide"));
    });
    await visited.arrived("last");
    assert.ok(visited.gateway.batches[0]?.request.isBeacon);
  },

  "a page that comes back from the back/forward cache is viewed again": async (browser) => {
    await using visited = await visit(browser, { attributes: `${ATTRIBUTES} data-engagement="off"` });
    const { page, gateway, arrived } = visited;
    await arrived("pageview");
    gateway.pages.set("/other", { html: "<!DOCTYPE html><title>other</title>" });
    // Headless Chromium keeps no pages while it is driven: the event is all that the tracker sees.
    await page.evaluate(() => dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true })));
    await arrived("pageview", 2);
    await page.evaluate(() => dispatchEvent(new PageTransitionEvent("pageshow", { persisted: false })));
    assert.equal((await visited.settled()).length, 2);
  },

  "a page that is prepared before anybody asked for it is silent until it is shown": async (browser) => {
    await using visited = await visit(browser, {
      attributes: ATTRIBUTES,
      before: (page) =>
        page.addInitScript(() =>
          Object.defineProperty(document, "prerendering", { configurable: true, value: true })
        ),
    });
    const { page, gateway, arrived } = visited;
    await page.evaluate(() => track("early", {}, { now: true }));
    await page.evaluate(() => new Promise((resolve) => setTimeout(resolve)));
    assert.deepEqual(gateway.batches, []);
    await page.evaluate(() => {
      Object.defineProperty(document, "prerendering", { value: false });
      document.dispatchEvent(new Event("prerenderingchange"));
    });
    await arrived("pageview");
    await arrived("early");
  },
};

Deno.test("tracker.js", async (t) => {
  const browser = await launchBrowser();
  try {
    for (const [name, test] of Object.entries(TESTS)) await t.step(name, () => test(browser));
  } finally {
    await browser.close();
  }
});
