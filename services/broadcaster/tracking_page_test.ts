/// <reference lib="dom" />
/**
 * The tracking page by itself: the browser gets what the broadcaster serves, and to its reports the answers that the
 * test has made up.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type { Browser, BrowserContextOptions, Page, Route } from "playwright-core";
import type { Track } from "../../static/tracker/tracker.d.ts";
import { findBarriers, launchBrowser, openPage } from "../lib/testing/browser.ts";
import { eventually } from "../lib/testing/deadline.ts";
import { broadcaster, type Fixture } from "./broadcaster_harness.ts";

declare const track: Track;

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const OPENING = "log:open";
const RED = "pill:red";
const BLUE = "pill:blue";

const NO_ANSWER = "No answer came.";
const IN_THE_WAY = "The server is away, or an ad-blocker is in the way.";
const AWAY = "The channel behind the server is away.";
const MISSING = "The script that sends reports did not load.";
const RELOAD = "An ad-blocker may have stopped it. Allow it here, and reload the page.";
const FINAL = "Trying again would not help.";
const OPENING_WAITS = "The opening of this page is not reported yet. The page keeps trying.";

/** A batch as the tracker sends it. */
interface Batch {
  readonly site: string;
  readonly sid?: string;
  readonly bots?: string;
  readonly privacy?: string;
  readonly try: number;
  readonly e: readonly { readonly id: string; readonly k: string; readonly u: string; readonly r?: string }[];
}

/** What is answered, in place of the broadcaster or after it has done its work; `break` is no answer. */
type Fate =
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly body?: string }
  | "pass on"
  | "lose the answer"
  | "break";

interface VisitOptions {
  readonly browser?: BrowserContextOptions;
  readonly env?: Readonly<Record<string, string>>;
  /** What the page's address begins with: the broadcaster's own paths are below it. */
  readonly base?: string;
  /** What becomes of the first batch and all others until the test decides otherwise. */
  readonly fate?: Fate;
  /** Whether the clock of the page stands still. */
  readonly isTimeStill?: boolean;
  /** Whether to go on as soon as the page begins to come. Default: once it is loaded. */
  readonly isLoading?: boolean;
  /** Runs before anything of the page. */
  readonly before?: (page: Page) => Promise<unknown>;
}

interface Visit extends AsyncDisposable {
  readonly page: Page;
  readonly complaints: readonly string[];
  readonly published: Fixture["published"];
  /** In the order of arrival, whatever became of them. */
  readonly batches: readonly Batch[];
  fate: Fate | (() => Promise<Fate>);
  /** The ids of the events of this kind, again and again if they came so. */
  readonly idsOf: (kind: string) => string[];
  readonly opened: () => Promise<unknown>;
  readonly press: (type: string) => Promise<void>;
  /** Waits until the pill is in this state. */
  readonly pill: (type: string, state: string) => Promise<void>;
  /** Waits until this is said, and this advice given or none. */
  readonly says: (text: string, advice?: string) => Promise<unknown>;
  /** Waits until this is told of the next try. */
  readonly waits: (text: string | RegExp) => Promise<unknown>;
  /** The words on the button that does something about it; undefined while there is none. */
  readonly remedy: () => Promise<string | undefined>;
}

async function visit(browser: Browser, options: VisitOptions = {}): Promise<Visit> {
  const { base = "http://localhost/" } = options;
  const { app, published } = await broadcaster(options.env);
  const opened = await openPage(browser, "about:blank", options.browser);
  const { page } = opened;
  const batches: Batch[] = [];

  const pass = async (route: Route) => {
    const request = route.request();
    const init = { method: request.method(), headers: request.headers(), body: request.postData() };
    const response = await app.request(`/${request.url().slice(base.length)}`, init, {});
    const body = Buffer.from(await response.arrayBuffer());
    return { status: response.status, headers: Object.fromEntries(response.headers), body };
  };
  const answer = async (route: Route) => {
    const request = route.request();
    if (request.method() !== "POST") return await route.fulfill(await pass(route));
    batches.push(JSON.parse(request.postData() ?? ""));
    const fate = typeof visited.fate === "function" ? await visited.fate() : visited.fate;
    if (fate === "break") return await route.abort("connectionreset");
    if (typeof fate === "object") return await route.fulfill(fate);
    const passed = await pass(route);
    if (fate === "lose the answer") await route.abort("connectionreset");
    else await route.fulfill(passed);
  };

  const text = async (part: string) => await page.textContent(`[data-report-${part}]`) ?? "";
  const visited: Visit = {
    page,
    // What the answers that are made up look like to the browser.
    get complaints() {
      return opened.complaints.filter((complaint) => !/^Failed to load resource/.test(complaint));
    },
    published,
    batches,
    fate: options.fate ?? { status: 204 },
    idsOf: (kind) => batches.flatMap(({ e }) => e).filter(({ k }) => k === kind).map(({ id }) => id),
    opened: () => eventually("the opening", () => visited.idsOf(OPENING).length > 0),
    press: (type) => page.click(`button[data-event="${type}"]`),
    pill: async (type, state) => {
      await page.waitForSelector(`button[data-event="${type}"][data-state="${state}"]`);
    },
    says: (wanted, advice = "") =>
      eventually(
        `"${wanted}" "${advice}"`,
        async () => await text("text") === wanted && await text("advice") === advice,
      ),
    waits: (wanted) =>
      eventually(`"${wanted}"`, async () => {
        const found = await text("wait");
        return typeof wanted === "string" ? found === wanted : wanted.test(found);
      }),
    remedy: async () => await page.locator("[data-retry]:visible").allTextContents().then(([words]) => words),
    [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
  };

  await page.route(`${new URL(base).origin}/**`, answer);
  await options.before?.(page);
  if (options.isTimeStill) {
    // Before the page is there: the leap would be a time-out to what is under way.
    await page.clock.install();
    await page.clock.pauseAt(Date.now() + 60_000);
  }
  await page.goto(base, { waitUntil: options.isLoading ? "commit" : "load" });
  return visited;
}

/** Answers to wait for: a request gets none before `answer` is called. */
function withheld(): { fate: () => Promise<Fate>; answer: (fate: Fate) => void } {
  const { promise, resolve } = Promise.withResolvers<Fate>();
  return { fate: () => promise, answer: resolve };
}

/** Leaves the tracker's script to the test; a reload of the page gets it. */
async function withoutTracker(page: Page, answer: (route: Route) => Promise<unknown>): Promise<void> {
  let isFirst = true;
  await page.route("**/tracker.js", async (route) => {
    if (!isFirst) return await route.fallback();
    isFirst = false;
    await answer(route);
  });
}

const TESTS: Record<string, (browser: Browser) => Promise<void>> = {
  "the opening and each press are events of the tracker, with ids of their own, and tell nothing else":
    async (
      browser,
    ) => {
      await using visited = await visit(browser, { fate: "pass on" });
      const { page, batches, press, pill, says, idsOf } = visited;
      // Where the visitor came from is not told either.
      await page.goto("http://localhost/", { referer: "http://localhost/secret" });
      await press(RED);
      await pill(RED, "confirmed");
      await says("Red pill delivered.");
      await press(BLUE);
      await pill(BLUE, "confirmed");
      await press(RED);
      await says("Red pill delivered, 2 times.");
      assert.equal(await page.textContent(`button[data-event="${RED}"] [data-pill-state]`), "Delivered × 2");
      assert.equal(await page.getAttribute("body", "data-chosen"), RED);

      const ids = [OPENING, RED, BLUE].flatMap(idsOf);
      assert.deepEqual([OPENING, RED, BLUE].map((kind) => idsOf(kind).length), [2, 2, 1]);
      assert.equal(new Set(ids).size, 5);
      for (const id of ids) assert.match(id, UUID_V7);
      for (const { site, sid, bots, privacy } of batches) {
        assert.deepEqual([site, sid, bots, privacy], ["demo", undefined, "allow", "ignore"]);
      }
      for (const { u, r } of batches.flatMap(({ e }) => e)) {
        assert.deepEqual([u, r], ["http://localhost/", undefined]);
      }
      const kept = () => [document.cookie, localStorage.length, sessionStorage.length].join();
      assert.equal(await page.evaluate(kept), ",0,0");
      const updates = await visited.published();
      assert.deepEqual(updates.map(({ type, topics }) => [type, ...topics]), [
        ["login", "/tracking/demo/log:open"],
        ["login", "/tracking/demo/log:open"],
        ["user:btn", "/tracking/demo/pill:red"],
        ["user:btn", "/tracking/demo/pill:blue"],
        ["user:btn", "/tracking/demo/pill:red"],
      ]);
      assert.deepEqual(visited.complaints, []);
    },

  "leaving the page reports nothing: no engagement, no link": async (browser) => {
    await using visited = await visit(browser);
    const { page } = visited;
    await visited.opened();
    await page.evaluate(() => {
      addEventListener("click", (event) => event.preventDefault());
      document.querySelector<HTMLElement>("#logger-link")?.click();
      dispatchEvent(new Event("pagehide"));
      dispatchEvent(new ErrorEvent("error", { message: "of an extension" }));
    });
    await visited.press(BLUE);
    await visited.pill(BLUE, "confirmed");
    const kinds = visited.batches.flatMap(({ e }) => e).map(({ k }) => k);
    assert.deepEqual(kinds, [OPENING, BLUE]);
  },

  "two presses in quick succession are two reports, the second on its way while the first has no answer":
    async (
      browser,
    ) => {
      await using visited = await visit(browser);
      const { idsOf, press, pill, says, batches } = visited;
      await visited.opened();
      const first = withheld();
      visited.fate = first.fate;
      await press(RED);
      await press(RED);
      await press(BLUE);
      await pill(RED, "pending");
      await pill(BLUE, "pending");
      await eventually("the first press", () => idsOf(RED).length === 1);
      await says("");
      visited.fate = { status: 204 };
      first.answer({ status: 204 });
      await pill(RED, "confirmed");
      await pill(BLUE, "confirmed");
      assert.deepEqual(batches.slice(1).map(({ e }) => e.map(({ k }) => k)), [[RED], [RED, BLUE]]);
      assert.equal(new Set(idsOf(RED)).size, 2);
      assert.equal(
        await visited.page.textContent(`button[data-event="${RED}"] [data-pill-state]`),
        "Delivered × 2",
      );
    },

  "a press that did not get through goes again by itself, with its id": async (browser) => {
    await using visited = await visit(browser);
    const { idsOf, press, pill, says, waits } = visited;
    await visited.opened();
    visited.fate = { status: 503 };
    await press(RED);
    await pill(RED, "waiting");
    await says(`Not delivered yet: red pill. ${AWAY}`);
    await waits(/^Next try in \d s\.$|^Trying again now…$/);
    visited.fate = { status: 204 };
    await pill(RED, "confirmed");
    await says("Red pill delivered.");
    await waits("");
    assert.equal(await visited.remedy(), undefined);
    const ids = idsOf(RED);
    assert.ok(ids.length >= 2);
    assert.equal(new Set(ids).size, 1);
  },

  "an answer that gets lost is no second press": async (browser) => {
    await using visited = await visit(browser, { fate: "pass on", isTimeStill: true });
    await visited.opened();
    visited.fate = "lose the answer";
    await visited.press(RED);
    await visited.says(`Not delivered yet: red pill. ${NO_ANSWER}`, IN_THE_WAY);
    visited.fate = "pass on";
    await visited.page.click("[data-retry]");
    await visited.says("Red pill delivered.");
    assert.equal(visited.idsOf(RED).length, 2);
    const types = (await visited.published()).map(({ type }) => type);
    assert.deepEqual(types, ["login", "user:btn"]);
  },

  "a press while another one waits takes it along at once": async (browser) => {
    await using visited = await visit(browser, { isTimeStill: true });
    const { idsOf, press, pill, says } = visited;
    await visited.opened();
    visited.fate = { status: 503 };
    await press(RED);
    await says(`Not delivered yet: red pill. ${AWAY}`);
    await press(RED);
    await says(`Not delivered yet: red pill (2 times). ${AWAY}`);
    visited.fate = { status: 204 };
    await press(BLUE);
    await pill(RED, "confirmed");
    await pill(BLUE, "confirmed");
    const [first, again, second] = idsOf(RED);
    assert.equal(again, first);
    assert.notEqual(second, first);
    assert.deepEqual(idsOf(RED).slice(-2), [first, second]);
  },

  "where the server asks for a pause, presses wait with it; Try again does not": async (browser) => {
    await using visited = await visit(browser, { isTimeStill: true });
    const { page, idsOf, press, pill, says, waits } = visited;
    await visited.opened();
    visited.fate = { status: 429, headers: { "Retry-After": "30" } };
    await press(RED);
    await says("Not delivered yet: red pill. Too many reports at once.");
    await waits("Next try in 30 s.");
    // What is said again is read out again.
    await page.evaluate(() => {
      const live = [...document.querySelectorAll("[aria-live]")];
      const observer = new MutationObserver(() => document.body.dataset.announced = "");
      for (const region of live) {
        observer.observe(region, { childList: true, characterData: true, subtree: true });
      }
    });
    await page.clock.runFor(10_000);
    await waits("Next try in 20 s.");
    assert.equal(await page.getAttribute("body", "data-announced"), null);
    await press(BLUE);
    await pill(BLUE, "waiting");
    await says("Not delivered yet: red pill, blue pill. Too many reports at once.");
    await waits("Next try in 20 s.");
    assert.deepEqual(idsOf(BLUE), []);

    visited.fate = { status: 429, headers: { "Retry-After": "7200" } };
    await page.click("[data-retry]");
    await waits("Next try in 120 minutes.");
    assert.deepEqual([idsOf(RED).length, idsOf(BLUE).length], [2, 1]);
    visited.fate = { status: 204 };
    await page.clock.runFor(7_199_000);
    assert.deepEqual([idsOf(RED).length, idsOf(BLUE).length], [2, 1]);
    await page.clock.runFor(2_000);
    await pill(RED, "confirmed");
    await pill(BLUE, "confirmed");
    assert.equal(new Set([...idsOf(RED), ...idsOf(BLUE)]).size, 2);
  },

  "an attempt that is under way is said; one whose answer is late, too": async (browser) => {
    await using visited = await visit(browser, { isTimeStill: true });
    const { page, press, pill, says, waits } = visited;
    await visited.opened();
    visited.fate = { status: 500 };
    await press(RED);
    await says("Not delivered yet: red pill. The server answered 500.");
    const late = withheld();
    visited.fate = late.fate;
    await page.clock.runFor(2_000);
    await waits("Trying again now…");
    await pill(RED, "waiting");
    late.answer({ status: 500 });
    await waits(/^Next try in \d s\.$/);

    const later = withheld();
    visited.fate = later.fate;
    await page.click("[data-retry]");
    await says("Trying again…");
    await pill(RED, "pending");
    assert.equal(await visited.remedy(), "Try again");
    await page.clock.runFor(9_000);
    await says("Trying again…");
    await page.clock.runFor(2_000);
    await says("No answer yet: red pill.", "The page keeps waiting.");
    later.answer({ status: 204 });
    await says("Red pill delivered.");
  },

  "what the tracker has given up waits for Try again, and says so": async (browser) => {
    await using visited = await visit(browser, { fate: { status: 404 }, isTimeStill: true });
    const { page, idsOf, press, pill, says, waits } = visited;
    await says("", OPENING_WAITS);
    assert.equal(await visited.remedy(), undefined);
    const obstacle = "There is nothing at the address that reports go to.";
    await eventually("the end of the attempts", async () => {
      await page.clock.runFor(10_000);
      return await page.textContent("[data-report-text]") ===
        `Not delivered yet: opening of this page. ${obstacle}`;
    });
    await waits("");
    assert.equal(await visited.remedy(), "Try again");
    await press(RED);
    await says(`Not delivered yet: red pill. ${obstacle}`);
    await waits(/^Next try/);
    visited.fate = { status: 204 };
    await page.click("[data-retry]");
    await pill(RED, "confirmed");
    await says("Red pill delivered.");
    for (const kind of [OPENING, RED]) assert.equal(new Set(idsOf(kind)).size, 1, kind);
  },

  "the opening is tried again by itself, with the id that it had": async (browser) => {
    await using visited = await visit(browser, { fate: { status: 503 } });
    const { waits, says, idsOf } = visited;
    await says("", OPENING_WAITS);
    visited.fate = { status: 204 };
    await waits("");
    await says("");
    assert.ok(idsOf(OPENING).length >= 2);
    assert.equal(new Set(idsOf(OPENING)).size, 1);
  },

  "a refusal is final: the page says why, and offers no other attempt": async (browser) => {
    await using visited = await visit(browser, { isTimeStill: true });
    const { page, press, pill, says } = visited;
    await visited.opened();
    const refusals: Readonly<Record<number, string>> = {
      400: "The server cannot make sense of it.",
      401: "The server wants to know who reports.",
      403: "The server takes no reports from this page.",
      410: "The server takes no reports any more.",
      413: "The server finds it too large.",
      422: "The server cannot make sense of it.",
    };
    for (const [status, why] of Object.entries(refusals)) {
      visited.fate = { status: Number(status) };
      await press(RED);
      await says(`Not delivered: red pill. ${why}`, FINAL);
      await pill(RED, "failed");
      assert.equal(await visited.remedy(), undefined);
      assert.equal(await page.evaluate(() => track.status().queued), 0);
      visited.fate = { status: 204 };
      await press(RED);
      await pill(RED, "confirmed");
    }
    await says("Red pill delivered, 6 times.");
    assert.equal(visited.idsOf(RED).length, 12);
  },

  "what was behind a press that did not get through waits with it": async (browser) => {
    await using visited = await visit(browser, { isTimeStill: true });
    const { press, pill, says } = visited;
    await visited.opened();
    const first = withheld();
    visited.fate = first.fate;
    await press(RED);
    await press(BLUE);
    await eventually("the first press", () => visited.idsOf(RED).length === 1);
    first.answer({ status: 503 });
    await says(`Not delivered yet: red pill, blue pill. ${AWAY}`);
    await pill(BLUE, "waiting");
    assert.deepEqual(visited.idsOf(BLUE), []);
    visited.fate = { status: 204 };
    await visited.page.clock.runFor(3_000);
    await pill(RED, "confirmed");
    await pill(BLUE, "confirmed");
  },

  "a refusal of one batch is none of what was behind it": async (browser) => {
    await using visited = await visit(browser);
    const { press, pill, says } = visited;
    await visited.opened();
    const first = withheld();
    visited.fate = first.fate;
    await press(RED);
    await press(BLUE);
    await eventually("the first press", () => visited.idsOf(RED).length === 1);
    visited.fate = { status: 204 };
    first.answer({ status: 413 });
    await pill(BLUE, "confirmed");
    await pill(RED, "failed");
    await says("Not delivered: red pill. The server finds it too large.", FINAL);
  },

  "a site that may not report is told by the broadcaster, and so is the visitor": async (browser) => {
    await using visited = await visit(browser, { env: { TRACK_SITES: "shop" }, fate: "pass on" });
    const why = "The server takes no reports from this page.";
    await visited.says(`Not delivered: opening of this page. ${why}`, FINAL);
    await visited.press(BLUE);
    await visited.says(`Not delivered: blue pill. ${why}`, FINAL);
    assert.deepEqual(await visited.published(), []);
  },

  "a server that is switched off takes nothing, whatever its status says": async (browser) => {
    await using visited = await visit(browser, { env: { TRACK_OFF: "demo" }, fate: "pass on" });
    const why = "The server wants no more reports from this page.";
    await visited.says(`Not delivered: opening of this page. ${why}`, FINAL);
    await visited.press(RED);
    await visited.says(`Not delivered: red pill. ${why}`, FINAL);
    await visited.pill(RED, "failed");
    assert.equal(await visited.remedy(), undefined);
    assert.deepEqual([visited.batches.length, await visited.published()], [1, []]);
  },

  "a press that waits when the server is switched off is lost": async (browser) => {
    await using visited = await visit(browser);
    const { press, says } = visited;
    await visited.opened();
    const first = withheld();
    visited.fate = first.fate;
    await press(RED);
    await press(BLUE);
    await eventually("the first press", () => visited.idsOf(RED).length === 1);
    first.answer({ status: 200, body: JSON.stringify({ now: 1, off: true }) });
    await says("Not delivered: red pill, blue pill. The server wants no more reports from this page.", FINAL);
    assert.deepEqual(visited.idsOf(BLUE), []);
  },

  "success in the status alone is no delivery: the server may reject one event, or not have answered": async (
    browser,
  ) => {
    await using visited = await visit(browser, { isTimeStill: true });
    const { press, pill, says } = visited;
    await visited.opened();
    visited.fate = { status: 503 };
    await press(RED);
    await says(`Not delivered yet: red pill. ${AWAY}`);
    visited.fate = {
      status: 200,
      body: JSON.stringify({ now: 1, rejected: [{ index: 0, reason: "k is missing" }] }),
    };
    await press(BLUE);
    await pill(BLUE, "confirmed");
    await pill(RED, "failed");
    await says("Not delivered: red pill. The server rejects it: k is missing.", FINAL);

    for (const body of ["<title>Sign in to this network</title>", "{}", "null"]) {
      visited.fate = { status: 200, body };
      await press(RED);
      await says("Not delivered yet: red pill. Something else answered in place of the server.");
      visited.fate = { status: 200, body: JSON.stringify({ now: 1, rate: 0.5 }) };
      await visited.page.click("[data-retry]");
      await pill(RED, "confirmed");
    }
    await says("Red pill delivered, 3 times.");
  },

  "without a connection the page says so, and sends when there is one again": async (browser) => {
    await using visited = await visit(browser, { isTimeStill: true });
    const { page, press, pill, says } = visited;
    await visited.opened();
    visited.fate = "break";
    await press(RED);
    await says(`Not delivered yet: red pill. ${NO_ANSWER}`, IN_THE_WAY);
    await page.context().setOffline(true);
    await press(BLUE);
    await says("Not delivered yet: red pill, blue pill. This device is offline.");
    const back = withheld();
    visited.fate = back.fate;
    await page.context().setOffline(false);
    await says("Trying again…");
    back.answer({ status: 204 });
    await pill(RED, "confirmed");
    await pill(BLUE, "confirmed");
    assert.equal(new Set([...visited.idsOf(RED), ...visited.idsOf(BLUE)]).size, 2);
  },

  "a tracker that does not load is said, before and after a press; the page can be loaded again": async (
    browser,
  ) => {
    const failures: Readonly<Record<string, (route: Route) => Promise<unknown>>> = {
      "an ad-blocker stops it": (route) => route.abort("blockedbyclient"),
      "it is not there": (route) => route.fulfill({ status: 404 }),
      "an ad-blocker puts nothing in its place": (route) =>
        route.fulfill({ contentType: "text/javascript", body: "" }),
      "it is broken": (route) => route.fulfill({ contentType: "text/javascript", body: "const" }),
    };
    for (const [name, failure] of Object.entries(failures)) {
      await using visited = await visit(browser, { before: (page) => withoutTracker(page, failure) });
      const { page, press, pill, says } = visited;
      await says(`Not delivered: opening of this page. ${MISSING}`, RELOAD);
      await press(RED);
      await says(`Not delivered: red pill. ${MISSING}`, RELOAD);
      await pill(RED, "failed");
      await press(BLUE);
      await says(`Not delivered: red pill, blue pill. ${MISSING}`, RELOAD);
      assert.deepEqual(visited.batches, [], name);
      assert.equal(await visited.remedy(), "Reload the page");
      await page.click("[data-retry]");
      await visited.opened();
      await says("");
      await press(RED);
      await pill(RED, "confirmed");
    }
  },

  "the pills do not wait for a tracker that hangs, and what was pressed meanwhile is sent": async (
    browser,
  ) => {
    const tracker = withheld();
    await using visited = await visit(browser, {
      before: (page) =>
        withoutTracker(page, async (route) => {
          await tracker.fate();
          await route.fallback();
        }),
      isLoading: true,
      isTimeStill: true,
    });
    const { page, press, pill, says } = visited;
    await press(RED);
    await pill(RED, "pending");
    await page.clock.runFor(11_000);
    await says("Not sent yet: red pill.", "A script of this page is still loading.");
    assert.deepEqual(visited.batches, []);
    tracker.answer("pass on");
    await pill(RED, "confirmed");
    await says("Red pill delivered.");
    assert.deepEqual([OPENING, RED].map((kind) => visited.idsOf(kind).length), [1, 1]);
    assert.deepEqual(visited.complaints, []);
  },

  "of who asks not to be tracked nothing is reported but what is pressed, and the page says so": async (
    browser,
  ) => {
    for (const [property, value] of [["globalPrivacyControl", true], ["doNotTrack", "1"]] as const) {
      await using visited = await visit(browser, {
        fate: "pass on",
        browser: { extraHTTPHeaders: property === "doNotTrack" ? { DNT: "1" } : { "Sec-GPC": "1" } },
        before: (page) =>
          page.addInitScript(
            ([property, value]) => Object.defineProperty(navigator, property, { value }),
            [property, value] as const,
          ),
      });
      const { page, press, says } = visited;
      await press(BLUE);
      await says("Blue pill delivered.");
      await page.evaluate(() => dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true })));
      await press(BLUE);
      await says("Blue pill delivered, 2 times.");
      assert.deepEqual((await visited.published()).map(({ type }) => type), ["user:btn", "user:btn"]);
      assert.deepEqual(visited.idsOf(OPENING), []);
      assert.match(
        await page.textContent("footer") ?? "",
        /Your browser asks not to be tracked, so only a pill that you press is reported/,
      );
    }
    await using visited = await visit(browser);
    await visited.opened();
    assert.match(
      await visited.page.textContent("footer") ?? "",
      /If your browser asks not to be tracked, only a pill that you press\s+is\s+reported/,
    );
  },

  "who has switched tracking off in this browser is told that a press is not sent": async (browser) => {
    await using visited = await visit(browser, {
      before: (page) => page.addInitScript(() => localStorage.setItem("track.off", "1")),
    });
    await visited.press(RED);
    await visited.says("Not delivered: red pill. Tracking is switched off in this browser for this site.");
    await visited.pill(RED, "failed");
    assert.equal(await visited.remedy(), undefined);
    assert.deepEqual(visited.batches, []);
  },

  "a press that the tracker does not take, because it is one of too many, is said": async (browser) => {
    await using visited = await visit(browser, { isTimeStill: true });
    const { page, pill, says } = visited;
    await visited.opened();
    await page.evaluate((type) => {
      const button = document.querySelector<HTMLElement>(`button[data-event="${type}"]`);
      for (let i = 0; i < 120; i++) button?.click();
    }, RED);
    await pill(RED, "failed");
    await says(
      "Not delivered: red pill. That was faster than the page may send.",
      "Press again in a moment.",
    );
    const delivered = new Set(visited.idsOf(RED)).size;
    assert.ok(delivered >= 99 && delivered < 120, `${delivered}`);
    await page.clock.runFor(1_000);
    await visited.press(RED);
    await says(`Red pill delivered, ${delivered + 1} times.`);
  },

  "a press that the tracker had to let go, because too many wait, is not said to wait": async (browser) => {
    await using visited = await visit(browser, { isTimeStill: true });
    const { page, press, says } = visited;
    await visited.opened();
    visited.fate = { status: 429, headers: { "Retry-After": "3600" } };
    await press(BLUE);
    await says("Not delivered yet: blue pill. Too many reports at once.");
    for (let i = 0; i < 6; i++) {
      await page.evaluate((type) => {
        const button = document.querySelector<HTMLElement>(`button[data-event="${type}"]`);
        for (let j = 0; j < 90; j++) button?.click();
      }, RED);
      await page.clock.runFor(5_000);
    }
    assert.equal(await page.evaluate(() => track.status().queued), 500);
    const said = await page.textContent("[data-report-text]") ?? "";
    assert.match(
      said,
      /^Not delivered: blue pill, red pill.* More reports are waiting than the page can keep\./,
    );
    assert.match(said, /Not delivered yet: red pill \(500 times\)\. Too many reports at once\.$/);
  },

  "a page that comes back from the back/forward cache is opened again, once": async (browser) => {
    await using visited = await visit(browser);
    await visited.opened();
    // Headless Chromium keeps no pages while it is driven: the event is all that the page sees.
    await visited.page.evaluate(() => {
      dispatchEvent(new PageTransitionEvent("pagehide", { persisted: true }));
      dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true }));
    });
    await visited.press(RED);
    await visited.says("Red pill delivered.");
    await visited.page.evaluate(() =>
      dispatchEvent(new PageTransitionEvent("pageshow", { persisted: false }))
    );
    await visited.press(RED);
    await visited.says("Red pill delivered, 2 times.");
    assert.equal(visited.idsOf(OPENING).length, 2);
    assert.equal(new Set(visited.idsOf(OPENING)).size, 2);
  },

  "a page that is prepared before anybody asked for it is opened when it is shown, once": async (browser) => {
    await using visited = await visit(browser, {
      before: (page) =>
        page.addInitScript(() =>
          Object.defineProperty(document, "prerendering", { configurable: true, value: true })
        ),
    });
    const { page } = visited;
    await page.evaluate(() => new Promise((resolve) => setTimeout(resolve)));
    assert.deepEqual(await page.evaluate(() => track.status().queued), 0);
    await page.evaluate(() => {
      Object.defineProperty(document, "prerendering", { value: false });
      document.dispatchEvent(new Event("prerenderingchange"));
    });
    await visited.press(RED);
    await visited.says("Red pill delivered.");
    assert.deepEqual([OPENING, RED].map((kind) => visited.idsOf(kind).length), [1, 1]);
  },

  "below a folder, and with other paths, the page finds the tracker, and that the path of events": async (
    browser,
  ) => {
    await using visited = await visit(browser, {
      base: "http://localhost/demo/",
      env: { TRACKER_PATH: "/js/t.js", EVENTS_PATH: "/in/box" },
      fate: "pass on",
    });
    const posts: string[] = [];
    visited.page.on("request", (request) => {
      if (request.method() === "POST") posts.push(request.url());
    });
    await visited.press(RED);
    await visited.says("Red pill delivered.");
    assert.deepEqual(new Set(posts), new Set(["http://localhost/demo/in/box"]));
    assert.equal((await visited.published()).at(-1)?.type, "user:btn");
    assert.deepEqual(visited.complaints, []);
  },

  "the keyboard's place stays on the page when Try again has done its work": async (browser) => {
    await using visited = await visit(browser, { isTimeStill: true });
    const { page, press, says } = visited;
    await visited.opened();
    visited.fate = { status: 503 };
    await press(RED);
    await says(`Not delivered yet: red pill. ${AWAY}`);
    visited.fate = { status: 204 };
    await page.focus("[data-retry]");
    await page.keyboard.press("Enter");
    await says("Red pill delivered.");
    assert.equal(await page.evaluate(() => document.activeElement?.matches("[data-report-status]")), true);
  },
};

// Browsers trust localhost as they trust HTTPS; from any other host over HTTP the page gets no randomUUID().
for (const host of ["localhost", "tracking.test"]) {
  TESTS[`"Try again" on ${host} sends each press with the id that it had`] = async (browser) => {
    await using visited = await visit(browser, { base: `http://${host}/`, isTimeStill: true });
    const { page, idsOf, press, pill, says } = visited;
    await visited.opened();
    assert.equal(await page.evaluate(() => "randomUUID" in crypto), host === "localhost");
    visited.fate = { status: 503 };
    await press(RED);
    await says(`Not delivered yet: red pill. ${AWAY}`);
    await press(RED);
    await says(`Not delivered yet: red pill (2 times). ${AWAY}`);
    await pill(RED, "waiting");
    assert.equal(await visited.remedy(), "Try again");

    const before = idsOf(RED).length;
    visited.fate = { status: 204 };
    await page.click("[data-retry]");
    await pill(RED, "confirmed");
    await says("Red pill delivered, 2 times.");
    assert.equal(await visited.remedy(), undefined);
    const [first, , second] = idsOf(RED);
    assert.deepEqual(idsOf(RED).slice(before), [first, second]);
    assert.equal(new Set([...idsOf(OPENING), ...idsOf(RED)]).size, 3);
    assert.match(first!, UUID_V7);
  };
}

/** How the page can look. */
const SCENES: Readonly<Record<string, (visited: Visit) => Promise<unknown>>> = {
  idle: ({ opened }) => opened(),
  pending: async (visited) => {
    visited.fate = withheld().fate;
    await visited.press(BLUE);
    await visited.pill(BLUE, "pending");
  },
  delivered: async ({ press, says }) => {
    await press(BLUE);
    await press(RED);
    await says("Red pill delivered.");
  },
  waiting: async (visited) => {
    await visited.opened();
    visited.fate = { status: 429, headers: { "Retry-After": "30" } };
    await visited.press(BLUE);
    await visited.waits("Next try in 30 s.");
  },
  refused: async (visited) => {
    visited.fate = { status: 403 };
    await visited.press(RED);
    await visited.pill(RED, "failed");
  },
  "not opened": async (visited) => {
    visited.fate = { status: 503, headers: { "Retry-After": "30" } };
    await visited.page.evaluate(() =>
      dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true }))
    );
    await visited.says("", OPENING_WAITS);
  },
  unanswered: async (visited) => {
    await visited.opened();
    visited.fate = "break";
    await visited.press(BLUE);
    await visited.says(`Not delivered yet: blue pill. ${NO_ANSWER}`, IN_THE_WAY);
  },
  blocked: async ({ page, press, pill }) => {
    await withoutTracker(page, (route) => route.abort("blockedbyclient"));
    await page.reload();
    await press(RED);
    await pill(RED, "failed");
  },
};

Deno.test("the tracking page", async (t) => {
  const browser = await launchBrowser();
  try {
    for (const [name, test] of Object.entries(TESTS)) {
      await t.step(name, () => test(browser));
    }
    for (const colorScheme of ["light", "dark"] as const) {
      for (const width of [320, 1280]) {
        for (const [name, show] of Object.entries(SCENES)) {
          await t.step(
            `has no barrier and is not too wide: ${name}, ${colorScheme}, ${width} px`,
            async () => {
              await using visited = await visit(browser, {
                browser: { colorScheme, viewport: { width, height: 800 } },
              });
              await show(visited);
              assert.deepEqual(await findBarriers(visited.page), []);
              assert.deepEqual(visited.complaints, []);
              const excess = await visited.page.evaluate(() =>
                document.documentElement.scrollWidth - innerWidth
              );
              assert.ok(excess <= 0, `${excess} px too wide`);
            },
          );
        }
      }
    }
  } finally {
    await browser.close();
  }
});
