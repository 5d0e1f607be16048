/** The history over HTTP, from the real processes: pages over ØMQ, by several streamers, over restarts and retention. */
import assert from "node:assert/strict";
import type { HistoryAnswer } from "./lib/api/history.ts";
import { eventually, within } from "./lib/testing/deadline.ts";
import { type HttpProcess, ready, startForwarder } from "./lib/testing/processes.ts";
import { mint, startStreamer } from "./mercure/harness.ts";

/** One name for all streamers, so that tokens are good at each. */
const HUB_URL = "https://hub.test/.well-known/mercure";
const SETTINGS = { HUB_URL };

async function temporaryFolder(): Promise<AsyncDisposable & { readonly folder: string }> {
  const folder = await Deno.makeTempDir({ prefix: "history-" });
  return { folder, [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }) };
}

/** Asks for a page; the status, and the answer where there is one. */
async function ask(
  { url }: HttpProcess,
  query: Readonly<Record<string, string>> = {},
  token?: string,
): Promise<{ status: number; page: HistoryAnswer; retryAfter: number }> {
  const headers = token === undefined ? {} : { Authorization: `Bearer ${token}` };
  const address = `${url}events/history?${new URLSearchParams(query)}`;
  const response = await within(`the answer to ${address}`, fetch(address, { headers }));
  const retryAfter = Number(response.headers.get("Retry-After"));
  return { status: response.status, page: await response.json(), retryAfter };
}

async function read(streamer: HttpProcess, query: Readonly<Record<string, string>> = {}, token?: string) {
  const { status, page } = await ask(streamer, query, token);
  assert.equal(status, 200, JSON.stringify(page));
  return page;
}

function numbersIn({ updates }: HistoryAnswer): number[] {
  return updates.map(({ id }) => Number(id.split(":")[2]));
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

/** Publishes updates with these numbers, in their order; the private ones are those that 3 divides. */
async function publish({ url }: HttpProcess, first: number, last: number, data = ""): Promise<void> {
  const token = await mint(HUB_URL, { publish: ["*"] });
  for (const number of range(first, last)) {
    const body = new URLSearchParams({ id: `urn:t:${number}`, topic: `/t/${number % 3}`, data });
    if (number % 3 === 0) body.set("private", "");
    const response = await fetch(`${url}.well-known/mercure`, {
      method: "POST",
      headers: { Authorization: `Bearer ${token}` },
      body,
    });
    assert.equal(await response.text(), `urn:t:${number}`);
  }
}

const isPublic = (number: number) => number % 3 !== 0;

Deno.test("two streamers give the same pages, and each reads on where the other has ended, while old updates are forgotten", async () => {
  await using place = await temporaryFolder();
  await using forwarder = await startForwarder({ folder: place.folder, env: { RETAIN_UPDATES: "60" } });
  await using left = await startStreamer(forwarder, SETTINGS);
  await using right = await startStreamer(forwarder, SETTINGS);
  const all = await mint(HUB_URL, { subscribe: ["*"] });
  await publish(left, 1, 60);
  for (
    const query of [{}, { before: "urn:t:20" }, { until: "urn:t:20", limit: "3" }, { after: "urn:t:50" }]
  ) {
    for (const token of [undefined, all]) {
      const [one, other] = await Promise.all([read(left, query, token), read(right, query, token)]);
      assert.deepEqual(one.updates, other.updates);
      assert.ok(one.updates.length > 0);
    }
  }

  const backwards: number[] = [];
  let page = await read(right, { limit: "7" });
  for (let count = 1; page.older !== null; count++) {
    backwards.unshift(...numbersIn(page));
    // Two are forgotten with each page, in which ten are read.
    await publish(left, 59 + 2 * count, 60 + 2 * count);
    page = await read(count % 2 === 0 ? right : left, { limit: "7", before: page.older });
  }
  backwards.unshift(...numbersIn(page));
  const [oldest = 0] = backwards;
  assert.deepEqual(backwards, range(oldest, 60).filter(isPublic));
  assert.ok(oldest > 1 && oldest < 20, `${oldest}`);

  const forwards: number[] = [];
  for (let after = "earliest", count = 0;; count++) {
    const page = await read(count % 2 === 0 ? right : left, { limit: "7", after }, all);
    forwards.push(...numbersIn(page));
    if (page.newer === null) break;
    after = page.newer;
  }
  const [first = 0] = forwards;
  assert.deepEqual(forwards, range(first, first + 59));
  const kept = (await read(right, { after: "earliest", limit: "1" }, all)).newer!;
  assert.deepEqual(numbersIn(await read(left, { after: kept, limit: "1" }, all)), [first + 1]);
  await publish(left, first + 60, first + 65);
  assert.equal((await ask(left, { after: kept })).status, 410);
  assert.equal((await ask(left, { after: `urn:t:${first}` }, all)).status, 404);
});

Deno.test("private updates are there for the tokens that grant them, and nothing of them for others", async () => {
  await using forwarder = await startForwarder();
  await using streamer = await startStreamer(forwarder, SETTINGS);
  await publish(streamer, 1, 9);
  const granted = await mint(HUB_URL, { subscribe: ["/t/0"] });
  const other = await mint(HUB_URL, { subscribe: ["/t/1"] });
  assert.deepEqual(numbersIn(await read(streamer, {}, granted)), range(1, 9));
  assert.deepEqual(numbersIn(await read(streamer, { match: "/t/0" }, granted)), [3, 6, 9]);
  for (const token of [undefined, other]) {
    assert.deepEqual(numbersIn(await read(streamer, {}, token)), range(1, 9).filter(isPublic));
    assert.equal((await ask(streamer, { until: "urn:t:6" }, token)).status, 404);
    const newest = await read(streamer, { limit: "1" }, token);
    assert.deepEqual(numbersIn(newest), [8]);
    assert.deepEqual((await read(streamer, { after: newest.newer! }, token)).updates, []);
  }
  const expired = await mint(HUB_URL, { subscribe: ["*"], claims: { exp: 1 } });
  assert.equal((await ask(streamer, {}, expired)).status, 401);
});

Deno.test("paging goes on over a restart of the forwarder, but not into another history", async () => {
  await using place = await temporaryFolder();
  const { folder } = place;
  const first = await startForwarder({ folder });
  const { ports } = first;
  await using streamer = await startStreamer(first, SETTINGS);
  await publish(streamer, 1, 20);
  const page = await read(streamer, { limit: "4" });
  assert.deepEqual(numbersIn(page), [16, 17, 19, 20].filter(isPublic));
  await first[Symbol.asyncDispose]();

  const away = await ask(streamer, { before: page.older! });
  assert.equal(away.status, 503);
  assert.ok(away.retryAfter > 0);

  const second = await startForwarder({ folder, ports });
  await ready(streamer.url);
  const older = await read(streamer, { before: page.older! });
  assert.deepEqual(numbersIn(older), range(1, 15).filter(isPublic));
  assert.deepEqual(numbersIn(await read(streamer, { after: older.newer! })), numbersIn(page));
  await second[Symbol.asyncDispose]();

  await using _third = await startForwarder({ ports });
  await ready(streamer.url);
  for (const query of [{ before: page.older! }, { after: page.newer! }]) {
    await eventually("it is another history", async () => (await ask(streamer, query)).status === 410);
  }
  assert.equal((await ask(streamer, { until: "urn:t:20" })).status, 404);
  assert.deepEqual((await read(streamer)).updates, []);
});

Deno.test("large updates come over ØMQ a few at a time, in both directions", async () => {
  await using forwarder = await startForwarder();
  await using streamer = await startStreamer(forwarder, SETTINGS);
  const large = "x".repeat(900_000);
  await publish(streamer, 1, 2);
  await publish(streamer, 4, 8, large);
  await publish(streamer, 10, 11);
  await publish(streamer, 13, 17, large);
  const walk = async (start: Record<string, string>, onward: "older" | "newer") => {
    const pages: number[][] = [];
    for (let query = start;;) {
      const page = await read(streamer, { limit: "1000", ...query });
      pages.push(numbersIn(page));
      const token = page[onward];
      if (token === null) return pages;
      query = { [onward === "older" ? "before" : "after"]: token };
    }
  };
  // A large one that follows smaller ones, or precedes them, shares a page with them.
  const forwards = [[1, 2, 4], [5], [7], [8, 10, 11], [13], [14], [16], [17]];
  assert.deepEqual(await walk({ after: "earliest" }, "newer"), forwards);
  const backwards = [[17], [16], [14], [10, 11, 13], [8], [7], [5], [1, 2, 4]];
  assert.deepEqual(await walk({}, "older"), backwards);
});
