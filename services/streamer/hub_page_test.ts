/// <reference lib="dom" />
/** The hub page in a real browser, served by the real streamer. */
import assert from "node:assert/strict";
import { SignJWT } from "jose";
import type { BrowserContextOptions, Page } from "playwright-core";
import { DETAIL_TYPE } from "../../static/hub/token.js";
import { findBarriers, launchBrowser, openPage, type WatchedPage } from "../lib/testing/browser.ts";
import { eventually } from "../lib/testing/deadline.ts";
import { type HttpProcess, ready, startForwarder, startHttpService } from "../lib/testing/processes.ts";

const KEY = "a secret of at least thirty-two bytes";
const ISSUER = { JWT_ISSUER: "urn:test", JWT_KEY: KEY };

interface Stage {
  streamer: HttpProcess;
  open(path?: string, options?: BrowserContextOptions): Promise<WatchedPage>;
  /** Ends the streamer, waits for what is to happen meanwhile, and starts it anew at the same address. */
  restart(meanwhile: () => Promise<unknown>): Promise<void>;
}

/** Runs a forwarder and a streamer with these settings. No page may complain, but of refused requests. */
async function onStage(
  env: Readonly<Record<string, string>>,
  test: (stage: Stage) => Promise<void>,
): Promise<void> {
  await using running = new AsyncDisposableStack();
  const forwarder = running.use(await startForwarder());
  const start = async (more = {}) => {
    const streamer = running.use(await startHttpService("streamer", { ...forwarder.ports, ...env, ...more }));
    await ready(streamer.url);
    return streamer;
  };
  const browser = await launchBrowser();
  running.defer(() => browser.close());
  const pages: WatchedPage[] = [];
  const stage: Stage = {
    streamer: await start(),
    async open(path = "hub/", options = {}) {
      const page = await openPage(browser, stage.streamer.url + path, options);
      pages.push(page);
      return page;
    },
    async restart(meanwhile) {
      const { port } = new URL(stage.streamer.url);
      await stage.streamer[Symbol.asyncDispose]();
      await meanwhile();
      stage.streamer = await start({ PORT: port });
    },
  };
  await test(stage);
  const complaints = pages.flatMap((page) => page.complaints);
  assert.deepEqual(complaints.filter((each) => !each.startsWith("Failed to load resource")), []);
}

interface TokenOptions {
  readonly topic?: string;
  readonly expiresIn?: string;
  readonly key?: string;
}

function createToken({ streamer }: Stage, { topic = "*", expiresIn = "10m", key = KEY }: TokenOptions = {}) {
  const detail = { type: DETAIL_TYPE, actions: ["publish", "subscribe"], topics: [{ match: topic }] };
  return new SignJWT({ authorization_details: [{ ...detail, payload: { name: "Ada" } }] })
    .setProtectedHeader({ alg: "HS256", typ: "at+jwt" })
    .setIssuer("urn:test")
    .setAudience(`${streamer.url}.well-known/mercure`)
    .setExpirationTime(expiresIn)
    .sign(new TextEncoder().encode(key));
}

async function inState(page: Page, state: string): Promise<void> {
  await page.waitForSelector(`[role="status"][data-state="${state}"]`);
}

async function connect(page: Page): Promise<void> {
  await page.click("[data-connect]");
  await inState(page, "open");
}

/** What the notice of a part says, once it has one. */
async function noticeOf(page: Page, part: string): Promise<string> {
  return await page.locator(`#${part} [data-notice]:visible`).innerText();
}

async function publish(page: Page, data: string): Promise<string> {
  await page.fill("#data", data);
  await page.evaluate(() => document.querySelector("#publish [data-notice]")?.replaceChildren());
  await page.click("[data-publish]");
  await page.waitForSelector("#publish [data-notice] p");
  return await noticeOf(page, "publish");
}

function rows(page: Page, wanted: readonly string[]): Promise<unknown> {
  const locator = page.locator("[data-log] [data-part=data], [data-log] [data-part=gap]");
  return eventually(`the rows ${wanted}`, async () => {
    const texts = await locator.allTextContents();
    return JSON.stringify(texts) === JSON.stringify(wanted);
  });
}

async function assertNoBarriers(page: Page): Promise<void> {
  for (
    const media of [{ colorScheme: "light" }, { colorScheme: "dark" }, { forcedColors: "active" }] as const
  ) {
    await page.emulateMedia({ colorScheme: "light", forcedColors: "none", ...media });
    assert.deepEqual(await findBarriers(page), [], JSON.stringify(media));
  }
}

Deno.test("one click shows what is published, and the page publishes with a token", () =>
  onStage(ISSUER, async (stage) => {
    await using opened = await stage.open("hub/", { reducedMotion: "reduce" });
    const { page } = opened;
    await assertNoBarriers(page);
    await connect(page);
    assert.match(await noticeOf(page, "subscribe"), /Without a token: public updates only/);
    await assertNoBarriers(page);

    const token = await createToken(stage);
    await page.fill("[data-token]", `Bearer ${token}\n`);
    assert.equal(await page.textContent("[data-token-summary]"), "Nothing wrong can be seen from here.");
    assert.match(await page.locator("[data-expires]").innerText(), /^in (10 min|9 min 5\d s), /);
    const said = await publish(page, '{"message":"<b>Hello</b>"}');
    await rows(page, ['{"message":"<b>Hello</b>"}']);
    const id = await page.locator("[data-log] [data-part=id]").innerText();
    assert.match(said, new RegExp(`^200: published\\s+Its id is ${id}\\.$`));

    await page.click("[data-log] button");
    assert.equal(await page.textContent("[data-log] [data-part=data]"), '{\n  "message": "<b>Hello</b>"\n}');
    assert.equal(await page.locator("[data-log] b").count(), 0);
    for (const summary of await page.locator("summary").all()) await summary.click();
    await assertNoBarriers(page);
    await page.click("[data-copy=subscribe-curl]");
    await page.waitForSelector("[data-copy=subscribe-curl] >> text=/^(Copied|Selected)$/");
    assert.ok(!page.url().includes(token));
    for (const id of ["#subscribe-curl", "#publish-curl"]) {
      const command = await page.locator(id).innerText();
      assert.ok(command.includes("$TOKEN") && !command.includes(token), command);
    }
  }));

Deno.test("a private update comes with a token that grants it, and only after connecting with it", () =>
  onStage(ISSUER, async (stage) => {
    await using opened = await stage.open();
    const { page } = opened;
    await connect(page);
    await page.fill("[data-token]", await createToken(stage));
    assert.ok(await page.isVisible("[data-changed]"));
    await page.check("#private");
    await publish(page, "unseen");
    await page.click("[data-reconnect]");
    await page.waitForSelector("[data-reconnect]", { state: "hidden" });
    await inState(page, "open");
    await publish(page, "seen");
    await rows(page, ["seen"]);
  }));

Deno.test("a refused token is explained, with the request id that the log has", () =>
  onStage(ISSUER, async (stage) => {
    await using opened = await stage.open();
    const { page } = opened;
    assert.match(await publish(page, "x"), /^401: a token is needed[^]*deno task token --publish/);
    await page.fill("[data-token]", await createToken(stage, { key: `${KEY}, another` }));
    await page.click("[data-connect]");
    await inState(page, "refused");
    const said = await noticeOf(page, "subscribe");
    assert.match(said, /^401: the hub does not take this token/);
    const requestId = /Request id (\S+)/.exec(said)?.[1];
    await eventually(
      "the request id in the log",
      () => stage.streamer.entries.some((entry) => entry.requestId === requestId),
    );
    await page.click("[data-follow]");
    assert.match(await noticeOf(page, "subscriptions"), /^40[14]: /);
    await assertNoBarriers(page);

    await page.fill("[data-token]", await createToken(stage, { topic: "/elsewhere" }));
    assert.match(await publish(page, "x"), /^403: the token does not grant this/);
    await page.fill("[data-token]", await createToken(stage, { expiresIn: "-1s" }));
    assert.match(await page.locator("[data-mistakes]").innerText(), /It has expired/);
    assert.match(await page.locator("[data-expires]").innerText(), / ago, /);
    await assertNoBarriers(page);
  }));

Deno.test("a stream ends with its token, and the page says so", () =>
  onStage(ISSUER, async (stage) => {
    await using opened = await stage.open();
    const { page } = opened;
    await page.fill("[data-token]", await createToken(stage, { expiresIn: "3s" }));
    await connect(page);
    assert.equal(await page.locator("[data-mistakes] li").count(), 0);
    await inState(page, "waiting");
    assert.match(await noticeOf(page, "subscribe"), /^The hub has ended the stream/);
    await inState(page, "refused");
    await page.waitForSelector("[data-mistakes] >> text=It has expired.");
  }));

Deno.test("a hub that has too many streams is waited for, however it says so", async (t) => {
  for (
    const [overload, said] of [["retry", /^The hub has ended the stream at once/], [
      "refuse",
      /^429: /,
    ]] as const
  ) {
    await t.step(overload, () =>
      onStage({ MAX_STREAMS: "1", OVERLOAD: overload }, async (stage) => {
        await using first = await stage.open();
        await connect(first.page);
        await using second = await stage.open();
        await second.page.click("[data-connect]");
        await inState(second.page, "waiting");
        assert.match(await noticeOf(second.page, "subscribe"), said);
        assert.match(await second.page.textContent("[role=status]") ?? "", /^Reconnecting in \d+ s$/);
        await assertNoBarriers(second.page);
      }));
  }
});

Deno.test("without an issuer the page says why nobody can publish", () =>
  onStage({}, async (stage) => {
    await using opened = await stage.open();
    assert.match(
      await publish(opened.page, "x"),
      /^405: nobody can publish here yet[^]*deno task start[^]*JWT_ISSUER/,
    );
    await assertNoBarriers(opened.page);
  }));

Deno.test("active subscriptions are listed, and followed as they come and go", () =>
  onStage({ ...ISSUER, SUBSCRIPTIONS: "on" }, async (stage) => {
    await using opened = await stage.open();
    const { page } = opened;
    await page.click("[data-follow]");
    assert.match(await noticeOf(page, "subscriptions"), /^401: a token is needed/);
    await page.fill("[data-token]", await createToken(stage, { topic: "/elsewhere" }));
    await page.click("[data-follow]");
    await page.waitForSelector("#subscriptions >> text=/^403/");

    await page.fill("[data-token]", await createToken(stage));
    await connect(page);
    await page.click("[data-follow]");
    const matches = (wanted: readonly string[]) =>
      eventually(`the subscriptions ${wanted}`, async () => {
        const texts = await page.locator("[data-subscriptions] [data-part=match]").allTextContents();
        return `${texts.toSorted()}` === `${wanted.toSorted()}`;
      });
    const own = ["*", "/.well-known/mercure/subscriptions{/*}?"];
    await matches(own);
    assert.match(await page.locator("[data-subscriptions]").innerText(), /\{"name":"Ada"\}/);
    await assertNoBarriers(page);
    await page.setViewportSize({ width: 320, height: 600 });
    await assertNoBarriers(page);
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 320);

    const other = await stage.open("hub/?match=/a&match_urlpattern=/b/:id");
    await connect(other.page);
    await matches([...own, "/a", "/b/:id"]);
    await other[Symbol.asyncDispose]();
    await matches(own);
    await page.click("[data-follow]");
    await eventually(
      "the end of the list",
      async () => await page.textContent("[data-list-state]") === "No longer live.",
    );
  }));

Deno.test("a list that is switched off is explained", () =>
  onStage(ISSUER, async (stage) => {
    await using opened = await stage.open();
    await opened.page.fill("[data-token]", await createToken(stage));
    await opened.page.click("[data-follow]");
    assert.match(
      await noticeOf(opened.page, "subscriptions"),
      /^404: the list is switched off[^]*SUBSCRIPTIONS=on/,
    );
  }));

Deno.test("after a restart of the streamer the stream goes on, without a gap or a duplicate", () =>
  onStage(ISSUER, async (stage) => {
    await using opened = await stage.open();
    const { page } = opened;
    await page.fill("[data-token]", await createToken(stage));
    await connect(page);
    await publish(page, "one");
    await rows(page, ["one"]);
    await stage.restart(async () => {
      await inState(page, "waiting");
      assert.match(await page.textContent("[role=status]") ?? "", /^Reconnecting/);
      assert.match(await publish(page, "lost"), /^The hub cannot be reached/);
      await assertNoBarriers(page);
    });
    await inState(page, "open");
    await publish(page, "two");
    await rows(page, ["two", "one"]);
    await page.click("[data-disconnect]");
    await inState(page, "closed");
    assert.equal(await page.evaluate(() => document.activeElement?.hasAttribute("data-connect")), true);
  }));

Deno.test("a stream that breaks off before any update says that some may be missing", () =>
  onStage(ISSUER, async (stage) => {
    await using opened = await stage.open();
    const { page } = opened;
    await connect(page);
    await stage.restart(() => inState(page, "waiting"));
    await rows(page, [
      "Updates may be missing here: no update had come yet, so there was no id to go on after.",
    ]);
    assert.equal(await page.textContent("[data-total]"), "0");
    await assertNoBarriers(page);
  }));

Deno.test("the log keeps the newest 500, and says how many it dropped", () =>
  onStage(ISSUER, async (stage) => {
    await using opened = await stage.open("hub/?match=/many&last_event_id=earliest");
    const headers = { Authorization: `Bearer ${await createToken(stage)}` };
    await Promise.all(Array.from({ length: 507 }, async () => {
      const body = new URLSearchParams({ topic: "/many", data: "x" });
      const response = await fetch(`${stage.streamer.url}.well-known/mercure`, {
        method: "POST",
        headers,
        body,
      });
      assert.equal(response.status, 200, await response.text());
    }));
    await connect(opened.page);
    await opened.page.waitForSelector("text=The newest 500 are kept; 7 older rows were dropped.");
    assert.equal(await opened.page.locator("[data-log] > li").count(), 500);
    assert.equal(await opened.page.textContent("[data-total]"), "507");
  }));

Deno.test("a stream that begins with all that is kept shows it; a paused log keeps what comes", () =>
  onStage(ISSUER, async (stage) => {
    await using opened = await stage.open("hub/?match=/greetings&last_event_id=earliest");
    const { page } = opened;
    await page.fill("[data-token]", await createToken(stage));
    await publish(page, "one");
    await connect(page);
    await rows(page, ["one"]);
    await page.click("[data-pause]");
    await publish(page, "two");
    await page.waitForSelector("text=Paused, 1 waiting");
    await rows(page, ["one"]);
    await assertNoBarriers(page);
    await page.click("[data-pause]");
    await rows(page, ["two", "one"]);
    await page.click("[data-clear]");
    await rows(page, []);
    assert.equal(await page.textContent("[data-total]"), "0");
  }));

Deno.test("what is asked for stands in the address, the token does not, and both survive a reload", () =>
  onStage(ISSUER, async (stage) => {
    await using opened = await stage.open();
    const { page } = opened;
    await page.fill("[data-matchers] input", "/a");
    await page.click("[data-add]");
    await page.click("[data-connect]");
    assert.match(await noticeOf(page, "subscribe"), /^A matcher has no value/);
    await assertNoBarriers(page);
    await page.keyboard.type("/b/:id");
    await page.selectOption("[data-begin]", "earliest");
    await page.fill("[data-token]", "not.a.token");
    assert.equal(
      page.url(),
      `${stage.streamer.url}hub/?match=/a&match_urlpattern=/b/:id&last_event_id=earliest`,
    );
    await page.reload();
    const values = await page.locator("[data-matchers] input").evaluateAll((inputs) =>
      inputs.map((input) => (input as HTMLInputElement).value)
    );
    assert.deepEqual(values, ["/a", "/b/:id"]);
    assert.equal(await page.inputValue("[data-begin]"), "earliest");
    assert.equal(await page.inputValue("[data-token]"), "not.a.token");
    await page.click("[data-forget]");
    await page.reload();
    assert.equal(await page.inputValue("[data-token]"), "");
  }));

Deno.test("the page can be used with the keyboard alone", () =>
  onStage(ISSUER, async (stage) => {
    await using opened = await stage.open();
    const { page } = opened;
    const reach = (selector: string) =>
      eventually(`${selector} has the focus`, async () => {
        await page.keyboard.press("Tab");
        return await page.evaluate((wanted) => document.activeElement?.matches(wanted), selector);
      });
    await reach("[data-connect]");
    await page.keyboard.press("Enter");
    await inState(page, "open");
    assert.equal(await page.evaluate(() => document.activeElement?.hasAttribute("data-disconnect")), true);
    await reach("[data-token]");
    await page.keyboard.insertText(await createToken(stage));
    await reach("#data");
    await page.keyboard.press("Control+A");
    await page.keyboard.type("typed");
    await page.keyboard.press("Control+Enter");
    await rows(page, ["typed"]);
  }));
