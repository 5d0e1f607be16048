/// <reference lib="dom" />
/** The logger page and a history that forgets, is empty for long, or answers what is none. */
import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { History } from "../../static/logger/history.js";
import { RequestError } from "../../static/logger/refusal.js";
import { eventually } from "../lib/testing/deadline.ts";
import { live, many, row, rowIds, tracked, type Update, withLogger } from "./logger_harness.ts";

/** Reads from an address that answers with this. */
async function readFrom(answer: () => Response | Promise<Response>): Promise<unknown> {
  await using server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, answer);
  return await new History(new URL(`http://127.0.0.1:${server.addr.port}/events?match=/a`)).read({}, 5);
}

Deno.test("History.read() takes what is an update and a place, and passes over the rest", async () => {
  const page = {
    updates: [
      null,
      1,
      [],
      { id: 1, data: "x" },
      { id: "a" },
      { id: "b", data: "1", type: "t" },
      { id: "c", data: "2" },
      { id: "d", data: "3", type: {} },
    ],
    older: 7,
    newer: "#x",
  };
  assert.deepEqual(await readFrom(() => Response.json(page)), {
    events: [
      { id: "b", type: "t", data: "1" },
      { id: "c", type: "message", data: "2" },
      { id: "d", type: "message", data: "3" },
    ],
    older: null,
    newer: "#x",
  });
});

Deno.test("History.read() says so when the answer is no page", async (t) => {
  const cases: Record<string, () => Response> = {
    "null": () => new Response("null"),
    "a list": () => new Response("[]"),
    "HTML": () => new Response("<!doctype html>"),
    "nothing": () => new Response(),
    "updates that are no list": () => Response.json({ updates: {} }),
  };
  for (const [name, answer] of Object.entries(cases)) {
    await t.step(name, async () => {
      await assert.rejects(
        readFrom(answer),
        (error) => error instanceof RequestError && error.refusal.status === 200,
      );
    });
  }
});

Deno.test("History.read() says so when the connection breaks within a page", async () => {
  using listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const answering = (async () => {
    using connection = await listener.accept();
    await connection.read(new Uint8Array(4096));
    await connection.write(
      new TextEncoder().encode('HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"updates":[]}'),
    );
  })();
  const history = new History(new URL(`http://127.0.0.1:${listener.addr.port}/events`));
  await assert.rejects(history.read({}, 5), /answers with something else/);
  await answering;
});

Deno.test("History.read() tells what the server says when it refuses", async () => {
  const answer = () =>
    Response.json({ detail: "of another history" }, {
      status: 410,
      headers: { "Content-Type": "application/problem+json" },
    });
  await assert.rejects(readFrom(answer), (error) => {
    assert.ok(error instanceof RequestError);
    assert.equal(error.refusal.status, 410);
    assert.match(error.message, /410 Gone: of another history/);
    return true;
  });
});

/** Answers what the page asks for before a place, in place of the hub. */
async function answerOlder(page: Page, answer: () => { status: number; body: unknown }): Promise<void> {
  await page.route(
    (url) => url.pathname === "/events/history" && url.searchParams.has("before"),
    (route) => {
      const { status, body } = answer();
      return route.fulfill({ status, json: body });
    },
  );
}

const idle = (page: Page) =>
  eventually(
    "no page is on its way",
    async () => await page.locator("[data-older-label]").textContent() === "Older updates",
  );

async function hasNote(page: Page, text: string): Promise<void> {
  await page.locator("[data-rows] [data-part=message]", { hasText: text }).first().waitFor();
}

Deno.test("when the history was lost, what the page has is where it begins", () =>
  withLogger(many(1_200), async (page) => {
    let asked = 0;
    await answerOlder(page, () => {
      asked++;
      return { status: 410, body: {} };
    });
    await page.keyboard.press("g");
    await hasNote(page, "The history that is kept begins here.");
    await page.keyboard.press("g");
    await idle(page);
    assert.equal(asked, 1);
  }, { ignoreComplaints: /410/ }));

Deno.test("pages without updates are passed over, up to a bound", () =>
  withLogger(many(1_200), async (page) => {
    let asked = 0;
    let updates: Update[] = [];
    await answerOlder(page, () => ({ status: 200, body: { updates, older: `#${++asked}`, newer: null } }));
    await page.keyboard.press("g");
    await eventually("as many as it reads at once", () => asked >= 20);
    await idle(page);
    updates = [tracked(-1, { props: { name: "at last" } })];
    await page.keyboard.press("g");
    await page.waitForSelector(row("urn:t:-1"));
  }));

Deno.test("a tab that cannot go on where it was shows a gap, and then the newest", () =>
  withLogger(many(20), async (first, hub) => {
    const page = await first.context().newPage();
    await page.goto(first.url());
    await live(page);
    hub.log.splice(0, Infinity, ...many(10, 1_000));
    // As when a tab was frozen: what the leader tells does not follow what it has.
    await page.evaluate((name) => {
      const channel = new BroadcastChannel(name);
      channel.postMessage({ kind: "events", after: "urn:t:999", events: [], isLive: true });
      channel.close();
    }, `live ${new URL("/events", hub.url)}`);
    await hasNote(page, "Updates are missing here: what came after the last one is no longer kept");
    await page.waitForSelector(row("urn:t:1009"));
    assert.deepEqual((await rowIds(page)).slice(-10), many(10, 1_000).map(({ id }) => id));
    await page.close();
  }));
