/// <reference lib="dom" />
/** EventSource in a real browser: the token is in a cookie that no script sees, and the hub may end what it likes. */
import assert from "node:assert/strict";
import type { Browser, Page } from "playwright-core";
import { launchBrowser, openPage, type WatchedPage } from "../lib/testing/browser.ts";
import { eventually, within } from "../lib/testing/deadline.ts";
import { type Fields, type Hub, HUB_PATH, Hubs, type Settings, unique } from "./harness.ts";

/** The usual name has a prefix that browsers keep for HTTPS. */
const COOKIE = "mercure_access_token";

/** Seconds for a stream whose token ends while it is open. */
const LIFE_S = 4;

/** A stream as the page sees it. */
interface Seen {
  /** 0 while it connects, 1 when it is open, 2 when it has given up. */
  readonly readyState: number;
  readonly opened: number;
  readonly errors: number;
  /** Ids of what came. */
  readonly ids: readonly string[];
}

/** What the test keeps in the page. */
interface Recorder {
  readonly streams: Record<string, Seen & { close(): void }>;
}

/** Opens an EventSource with credentials in a page, under a name. */
async function open(page: Page, name: string, url: string): Promise<void> {
  await page.evaluate(({ name, url }) => {
    const source = new EventSource(url, { withCredentials: true });
    const ids: string[] = [];
    const counts = { opened: 0, errors: 0 };
    source.onopen = () => counts.opened++;
    source.onerror = () => counts.errors++;
    source.onmessage = ({ lastEventId }) => ids.push(lastEventId);
    const recorder = globalThis as unknown as { streams?: Recorder["streams"] };
    (recorder.streams ??= {})[name] = {
      get readyState() {
        return source.readyState;
      },
      get opened() {
        return counts.opened;
      },
      get errors() {
        return counts.errors;
      },
      ids,
      close: () => source.close(),
    };
  }, { name, url });
}

function look(page: Page, name: string): Promise<Seen> {
  return page.evaluate((name) => {
    const { readyState, opened, errors, ids } = (globalThis as unknown as Recorder).streams[name]!;
    return { readyState, opened, errors, ids };
  }, name);
}

async function close(page: Page, name: string): Promise<void> {
  await page.evaluate((name) => (globalThis as unknown as Recorder).streams[name]!.close(), name);
}

/** Resolves with the stream as soon as it is so. */
async function sees(
  page: Page,
  name: string,
  what: string,
  condition: (seen: Seen) => boolean,
): Promise<Seen> {
  return await eventually(`the stream ${name}: ${what}`, async () => {
    const seen = await look(page, name);
    return condition(seen) && seen;
  });
}

async function openStream(page: Page, name: string, url: string): Promise<void> {
  await open(page, name, url);
  await sees(page, name, "is open", ({ readyState }) => readyState === 1);
}

/** Publishes a public marker, and resolves with the ids of all that a stream had before it. */
async function drain(hub: Hub, page: Page, name: string, topic: string): Promise<string[]> {
  const marker = await hub.publishOk({ topic, data: "marker" });
  const { ids } = await sees(page, name, "gets the marker", ({ ids }) => ids.includes(marker));
  return ids.slice(0, ids.indexOf(marker));
}

async function setToken(page: Page, hub: Hub, token: string): Promise<void> {
  await page.context().addCookies([{
    name: COOKIE,
    value: token,
    domain: new URL(hub.url).hostname,
    path: HUB_PATH,
    httpOnly: true,
    sameSite: "Strict",
  }]);
}

/** Another origin on the hub's site, with a page that does nothing. */
function serveOrigin(): Deno.HttpServer<Deno.NetAddr> {
  return Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () =>
      new Response("<!doctype html><title>Elsewhere</title>", { headers: { "Content-Type": "text/html" } }),
  );
}

function privately(topic: string): Fields {
  return { topic, private: "on" };
}

Deno.test("a page reads its hub with a token in a cookie", async (t) => {
  await using hubs = new Hubs();
  const browser = await launchBrowser();
  try {
    // The processes and the browser outlive the steps: what must not leak is looked at when all have ended.
    const step = (name: string, fn: () => Promise<void>) =>
      t.step({ name, sanitizeOps: false, sanitizeResources: false, fn });
    const openHub = (settings: Settings = {}) => hubs.open({ COOKIE_NAME: COOKIE, ...settings });
    await step("a private update arrives, and without the cookie it does not", async () => {
      await readsPrivately(await openHub(), browser);
    });
    await step("the stream ends with its token; a new token in the cookie resumes it", async () => {
      await endsWithToken(await openHub(), browser);
    });
    await step("nothing is lost or doubled when the hub ends streams after a while", async () => {
      await outlivesStreams(await openHub({ MAX_STREAM_LIFE: "500ms" }), browser);
    });
    await step("who is turned away for a while comes back", async () => {
      await comesBack(await openHub({ MAX_STREAMS: "1", OVERLOAD: "retry" }), browser);
    });
    await step("who is refused gives up", async () => {
      await givesUp(await openHub({ MAX_STREAMS: "1", OVERLOAD: "refuse" }), browser);
    });
    await step("pages of listed origins may use the cookie, others may not", async () => {
      await using listed = serveOrigin();
      await using unlisted = serveOrigin();
      const hub = await openHub({ CORS_ORIGINS: originOf(listed) });
      await readsFromElsewhere(hub, browser, { listed: originOf(listed), unlisted: originOf(unlisted) });
    });
  } finally {
    await browser.close();
  }
});

function originOf({ addr }: Deno.HttpServer<Deno.NetAddr>): string {
  return `http://127.0.0.1:${addr.port}`;
}

/** A page on the hub's own origin. */
function openHubPage(browser: Browser, hub: Hub): Promise<WatchedPage> {
  return openPage(browser, `${hub.origin}/hub/`);
}

async function readsPrivately(hub: Hub, browser: Browser): Promise<void> {
  await using opened = await openHubPage(browser, hub);
  const { page } = opened;
  const topic = unique();
  await openStream(page, "without", hub.urlOf({ match: topic }));
  await setToken(page, hub, await hub.token({ subscribe: [topic] }));
  assert.equal(await page.evaluate(() => document.cookie), "");
  await openStream(page, "with", hub.urlOf({ match: topic }));
  const id = await hub.publishOk(privately(topic));
  assert.deepEqual(await drain(hub, page, "with", topic), [id]);
  const [, marker] = (await look(page, "with")).ids;
  const { ids } = await sees(page, "without", "gets the marker", ({ ids }) => ids.length > 0);
  assert.deepEqual(ids, [marker]);
}

async function endsWithToken(hub: Hub, browser: Browser): Promise<void> {
  await using opened = await openHubPage(browser, hub);
  const { page } = opened;
  const topic = unique();
  const exp = Math.ceil(Date.now() / 1000) + LIFE_S;
  await setToken(page, hub, await hub.token({ subscribe: [topic], claims: { exp } }));
  await openStream(page, "first", hub.urlOf({ match: topic }));
  const ids = [await hub.publishOk(privately(topic))];
  await sees(page, "first", "gets what its token allows", ({ ids }) => ids.length === 1);
  const late: string[] = [];
  const gone = await eventually("the stream gives up", async () => {
    const isLate = Date.now() >= exp * 1000;
    const id = await hub.publishOk(privately(topic));
    ids.push(id);
    if (isLate) late.push(id);
    const seen = await look(page, "first");
    return seen.readyState === 2 && seen;
  });
  assert.equal(gone.opened, 1);
  // Once when the stream ended, and once when the hub refused the next one.
  assert.equal(gone.errors, 2);
  assert.deepEqual(gone.ids, ids.slice(0, gone.ids.length));
  assert.ok(!gone.ids.some((id) => late.includes(id)), "an update arrived that came after the token's end");
  assert.ok(late.length > 0, "the stream gave up before its token's end");

  await setToken(page, hub, await hub.token({ subscribe: [topic] }));
  const last_event_id = gone.ids.at(-1)!;
  await openStream(page, "second", hub.urlOf({ match: topic, last_event_id }));
  ids.push(await hub.publishOk(privately(topic)));
  assert.deepEqual(await drain(hub, page, "second", topic), ids.slice(gone.ids.length));
  assert.deepEqual(await look(page, "first"), gone);
}

async function outlivesStreams(hub: Hub, browser: Browser): Promise<void> {
  await using opened = await openHubPage(browser, hub);
  const { page } = opened;
  const topic = unique();
  await setToken(page, hub, await hub.token({ subscribe: [topic] }));
  await openStream(page, "all", hub.urlOf({ match: topic }));
  const ids: string[] = [];
  await eventually("the stream reconnects three times", async () => {
    // Browsers send back such ids as UTF-8.
    ids.push(await hub.publishOk({ topic, private: "on", id: `é日🐇/${topic}/${ids.length}` }));
    return (await look(page, "all")).opened >= 4;
  });
  assert.deepEqual(await drain(hub, page, "all", topic), ids);
}

async function comesBack(hub: Hub, browser: Browser): Promise<void> {
  await using opened = await openHubPage(browser, hub);
  const { page } = opened;
  const topic = unique();
  const url = hub.urlOf({ match: topic, attempt: "second" });
  // The time that the hub says, which is too long for a test, and how the test makes it shorter.
  const told = Promise.withResolvers<number>();
  await page.route(url, async (route) => {
    const response = await route.fetch();
    const body = await response.text();
    told.resolve(Number(/^retry: (\d+)$/m.exec(body)?.[1]));
    await route.fulfill({ response, body: body.replace(/^retry: \d+$/m, "retry: 1000") });
  }, { times: 1 });
  await openStream(page, "first", hub.urlOf({ match: topic }));
  await open(page, "second", url);
  const retryMs = await within("the answer to the second stream", told.promise);
  assert.ok(retryMs >= 5000 && retryMs <= 15_000, `it is to come back after ${retryMs} ms`);
  await hub.publishOk({ topic });
  await sees(page, "first", "goes on", ({ ids }) => ids.length === 1);
  await close(page, "first");
  // If the hub has not seen that the first one is gone when it comes back, it is turned away once more.
  await eventually("the second stream is open and gets an update", async () => {
    await hub.publishOk({ topic });
    const { opened, errors, ids } = await look(page, "second");
    assert.ok(opened === errors || opened === errors + 1, "it was refused");
    return ids.length > 0;
  });
}

async function givesUp(hub: Hub, browser: Browser): Promise<void> {
  await using opened = await openHubPage(browser, hub);
  const { page } = opened;
  const topic = unique();
  await openStream(page, "first", hub.urlOf({ match: topic }));
  await open(page, "second", hub.urlOf({ match: topic }));
  const refused = await sees(page, "second", "gives up", ({ readyState }) => readyState === 2);
  assert.equal(refused.opened, 0);
  assert.deepEqual(await drain(hub, page, "first", topic), []);
}

async function readsFromElsewhere(
  hub: Hub,
  browser: Browser,
  { listed, unlisted }: { listed: string; unlisted: string },
): Promise<void> {
  await using opened = await openPage(browser, listed);
  const { page } = opened;
  const topic = unique();
  const url = hub.urlOf({ match: topic });
  await setToken(page, hub, await hub.token({ subscribe: [topic] }));
  await openStream(page, "listed", url);
  const id = await hub.publishOk(privately(topic));
  assert.deepEqual(await drain(hub, page, "listed", topic), [id]);

  // The same browser with the same cookie, on the page of another origin.
  await page.goto(unlisted);
  await open(page, "unlisted", `${url}&last_event_id=earliest`);
  const refused = await sees(page, "unlisted", "gives up", ({ readyState }) => readyState === 2);
  assert.deepEqual(refused, { readyState: 2, opened: 0, errors: 1, ids: [] });
}
