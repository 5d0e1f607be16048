/// <reference lib="dom" />
/** `COMPRESS=on` through the whole streamer, with clients that are not ours. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { get, type IncomingMessage } from "node:http";
import { createGunzip, gunzipSync } from "node:zlib";
import { MemoryChannel } from "../lib/channels/memory.ts";
import { launchBrowser, openPage } from "../lib/testing/browser.ts";
import { eventually, within } from "../lib/testing/deadline.ts";
import { numberedUpdate } from "../lib/testing/fixtures.ts";
import { openSse } from "../lib/testing/sse_reader.ts";
import { Chunk } from "./chunk.ts";
import type { Deflated } from "./gzip.ts";
import { RawClient, startStreamer, type Streamer, type StreamerOptions } from "./streamer_harness.ts";

const GZIP = { "Accept-Encoding": "gzip" };

const startCompressing = (options: StreamerOptions = {}) =>
  startStreamer({ ...options, env: { COMPRESS: "on", ...options.env } });

async function publish({ channel }: Streamer, first: number, last: number): Promise<void> {
  for (let number = first; number <= last; number++) {
    await channel.publish(numberedUpdate(number, { data: `${"x".repeat(100)}${number}` }));
  }
}

const range = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index);
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const numbersIn = (text: string) => [...text.matchAll(/^id: urn:test:(\d+)\n/gm)].map(([, id]) => Number(id));

/** What a client makes of a stream, as text. */
interface Opened extends AsyncDisposable {
  text(): string;
  hasEnded(): boolean;
}

type Client = (url: string) => Promise<Opened>;

const withFetch: Client = async (url) => {
  const leave = new AbortController();
  const response = await within("the head", fetch(url, { headers: GZIP, signal: leave.signal }));
  let text = "";
  let ended = false;
  const reading = (async () => {
    for await (const piece of response.body!.pipeThrough(new TextDecoderStream())) text += piece;
    ended = true;
  })().catch((error) => assert.equal(error.name, "AbortError"));
  return {
    text: () => text,
    hasEnded: () => ended,
    async [Symbol.asyncDispose]() {
      leave.abort();
      await reading;
    },
  };
};

const withNode: Client = async (url) => {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const request = get(url, { headers: GZIP }, resolve).on("error", reject);
  const response = await within("the head", promise);
  assert.equal(response.headers["content-encoding"], "gzip");
  let text = "";
  let ended = false;
  const gunzip = createGunzip().setEncoding("utf8");
  const closed = new Promise((resolve) => gunzip.once("close", resolve));
  gunzip.on("data", (piece: string) => void (text += piece)).on("end", () => void (ended = true));
  const gone = new Promise((resolve) => response.once("close", resolve));
  // It is left in the middle.
  response.on("error", () => {});
  response.pipe(gunzip);
  return {
    text: () => text,
    hasEnded: () => ended,
    async [Symbol.asyncDispose]() {
      request.destroy();
      gunzip.destroy();
      await within("the end of the request", Promise.all([gone, closed]));
    },
  };
};

const withCurl: Client = (url) => {
  const child = new Deno.Command("curl", {
    args: ["-sN", "--compressed", "--noproxy", "*", url],
    stdout: "piped",
  }).spawn();
  let text = "";
  let ended = false;
  const reading = (async () => {
    for await (const piece of child.stdout.pipeThrough(new TextDecoderStream())) text += piece;
    const { code } = await child.status;
    ended = code === 0;
  })();
  return Promise.resolve({
    text: () => text,
    hasEnded: () => ended,
    async [Symbol.asyncDispose]() {
      try {
        child.kill("SIGKILL");
      } catch (error) {
        // It has ended already.
        if (!(error instanceof TypeError)) throw error;
      }
      await reading;
    },
  });
};

async function isInstalled(program: string): Promise<boolean> {
  try {
    await new Deno.Command(program, { args: ["--version"], stdout: "null" }).output();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

const hasCurl = await isInstalled("curl");
for (
  const [name, open] of Object.entries({
    "Deno's fetch": withFetch,
    "Node and zlib": withNode,
    curl: withCurl,
  })
) {
  const ignore = name === "curl" && !hasCurl;

  Deno.test({
    name: `${name}: each update of a compressed stream is seen when it comes, and the end is an end`,
    ignore,
    async fn() {
      await using streamer = await startCompressing();
      await using client = await open(`${streamer.url}events?signals=1`);
      await eventually("the preamble and hello", () => client.text().includes('"type":"hello"'));
      for (const number of range(1, 5)) {
        await publish(streamer, number, number);
        await eventually(`update ${number}`, () => numbersIn(client.text()).length === number);
      }
      await streamer.shutdown();
      await eventually("the end", () => client.hasEnded());
      assert.deepEqual(numbersIn(client.text()), range(1, 5));
      assert.match(client.text(), /\nretry: \d+\n$/);
    },
  });

  Deno.test({
    name: `${name}: a compressed stream resumes from the history and the recent updates, and goes on live`,
    ignore,
    async fn() {
      await using streamer = await startCompressing({ recentBytes: 20_000 });
      await publish(streamer, 1, 1000);
      await eventually("the hub has them", () => streamer.hub.counters.updates === 1000);
      for (const first of [1, 500, 990, 1000]) {
        await using client = await open(`${streamer.url}events?last_event_id=urn:test:${first}`);
        await eventually("what was missed", () => numbersIn(client.text()).length === 1000 - first);
        assert.deepEqual(numbersIn(client.text()), range(first + 1, 1000));
      }
      await using client = await open(`${streamer.url}events?last_event_id=urn:test:900`);
      await eventually("it is live", () => streamer.hub.live === 1);
      await publish(streamer, 1001, 1003);
      await eventually("the rest", () => numbersIn(client.text()).length === 103);
      assert.deepEqual(numbersIn(client.text()), range(901, 1003));
    },
  });
}

Deno.test("a silent compressed stream gets heartbeats", async () => {
  await using streamer = await startCompressing({ heartbeatMs: 20 });
  await using reader = await openSse(`${streamer.url}events`, { headers: GZIP });
  await reader.until("three heartbeats", () => reader.comments.length >= 4);
});

/** A live stream, of which the first bytes have been read. */
async function openLive(
  streamer: Streamer,
  headers: Record<string, string>,
  path?: string,
): Promise<RawClient> {
  const before = streamer.hub.live;
  const client = await RawClient.get(streamer.port, path, headers);
  await client.until("the head", (text) => /\r\n\r\n./s.test(text));
  await eventually("it is live", () => streamer.hub.live === before + 1);
  return client;
}

/** What was deflated from now on, each piece once. */
function watchDeflated(): { pieces: ReadonlySet<Deflated>; [Symbol.dispose](): void } {
  const property = Object.getOwnPropertyDescriptor(Chunk.prototype, "deflated")!;
  const pieces = new Set<Deflated>();
  Object.defineProperty(Chunk.prototype, "deflated", {
    ...property,
    get() {
      const deflated = property.get!.call(this);
      pieces.add(deflated);
      return deflated;
    },
  });
  return { pieces, [Symbol.dispose]: () => Object.defineProperty(Chunk.prototype, "deflated", property) };
}

Deno.test("clients with the same view share what is deflated once, beside others that take it plain", async () => {
  await using streamer = await startCompressing();
  const gzip = [
    await openLive(streamer, GZIP),
    await openLive(streamer, GZIP),
    await openLive(streamer, GZIP),
  ];
  const plain = [await openLive(streamer, {}), await openLive(streamer, {})];
  const starts = gzip.map(({ size }) => size);
  using watched = watchDeflated();
  for (const number of range(1, 10)) {
    await publish(streamer, number, number);
    await Promise.all(plain.map((client) => client.untilText(`${number}\n\n`)));
  }
  assert.equal(watched.pieces.size, 10, "each update by itself, once for all three");
  const bytes = [...watched.pieces].map((piece) => piece.bytes);
  const wanted = Buffer.concat(bytes);
  for (const [index, client] of gzip.entries()) {
    await client.untilSize(starts[index]! + wanted.length);
    assert.equal(
      Buffer.compare(client.bytes.subarray(starts[index]), wanted),
      0,
      "the same bytes on each wire",
    );
  }
  const ends = [...gzip, ...plain].map((client) => client.untilEnd().finally(() => client[Symbol.dispose]()));
  await streamer.shutdown();
  await Promise.all(ends);
  const [expected, ...others] = plain.map((client) => decode(client.body));
  const updates = (text: string) => text.slice(text.indexOf("id:"), text.lastIndexOf("retry:"));
  for (const text of [...others, ...gzip.map((client) => decode(gunzipSync(client.body)))]) {
    assert.equal(updates(text), updates(expected!));
  }
  assert.deepEqual(numbersIn(expected!), range(1, 10));
});

Deno.test("readers that come back together share what is deflated of the history", async () => {
  await using streamer = await startCompressing({ recentBytes: 20_000 });
  await publish(streamer, 1, 1000);
  await eventually("the hub has them", () => streamer.hub.counters.updates === 1000);
  using watched = watchDeflated();
  const readers = await Promise.all(
    Array.from(
      { length: 20 },
      () => openSse(`${streamer.url}events?last_event_id=urn:test:1`, { headers: GZIP }),
    ),
  );
  for (const reader of readers) {
    await reader.until("all of it", () => reader.events.length === 999);
    await reader[Symbol.asyncDispose]();
  }
  // The preamble of each is its own.
  const shared = watched.pieces.size - readers.length;
  assert.ok(shared < 40, `${shared} pieces were deflated for 20 readers of 5 pages`);
});

Deno.test("a compressed stream is whole at its end, whatever ends it", async (t) => {
  await t.step("the end of the streamer", async () => {
    await using streamer = await startCompressing();
    const client = await openLive(streamer, GZIP);
    await publish(streamer, 1, 3);
    await eventually("they were dispatched", () => streamer.hub.counters.updates === 3);
    const end = client.untilEnd().finally(() => client[Symbol.dispose]());
    await streamer.shutdown();
    assert.equal(await end, "ended");
    assert.match(decode(gunzipSync(client.body)), /^:\nretry: \d+\n(id: .*\n\n)+retry: \d+\n$/s);
  });
  await t.step("MAX_STREAM_LIFE", async () => {
    await using streamer = await startCompressing({ env: { MAX_STREAM_LIFE: "500ms" } });
    using client = await RawClient.get(streamer.port, "/events", GZIP);
    assert.equal(await client.untilEnd(), "ended");
    assert.match(decode(gunzipSync(client.body)), /^:\nretry: \d+\n$/);
    assert.equal(streamer.hub.counters.ended.expired, 1);
  });
  await t.step("what was not read is no longer kept", async () => {
    await using streamer = await startCompressing({
      channel: new MemoryChannel({ keep: 300 }),
      recentBytes: 1,
      env: { COMPRESS: "on", SUBSCRIBER_BUFFER: "100KiB" },
    });
    using client = await openLive(streamer, GZIP);
    let last = 0;
    // Of bytes that do not shrink, so that they fill what the system holds.
    const more = async () => {
      for (const _ of range(1, 100)) {
        const data = Buffer.from(crypto.getRandomValues(new Uint8Array(20_000))).toString("base64");
        await streamer.channel.publish(numberedUpdate(++last, { data }));
      }
      await eventually("the hub has them", () => streamer.hub.counters.updates === last);
    };
    while (streamer.hub.counters.fellBehind === 0) await more();
    for (const _ of range(1, 5)) await more();
    assert.equal(await client.untilEnd(), "ended");
    assert.equal(streamer.hub.counters.ended.lagged, 1);
    const numbers = numbersIn(decode(gunzipSync(client.body)));
    assert.deepEqual(numbers, range(1, numbers.length));
    assert.ok(numbers.length > 0 && numbers.length < last);
  });
});

Deno.test("a compressed stream that falls behind has everything once and in order", async () => {
  await using streamer = await startCompressing({
    channel: new MemoryChannel({ keep: 100_000 }),
    recentBytes: 1_000_000,
    env: { SUBSCRIBER_BUFFER: "100KiB" },
  });
  const client = await openLive(streamer, GZIP);
  let last = 0;
  while (streamer.hub.counters.fellBehind === 0) {
    for (const _ of range(1, 100)) {
      const data = Buffer.from(crypto.getRandomValues(new Uint8Array(20_000))).toString("base64");
      await streamer.channel.publish(numberedUpdate(++last, { data }));
    }
    await eventually("the hub has them", () => streamer.hub.counters.updates === last);
  }
  await Promise.all([
    (async () => {
      while (streamer.hub.live === 0) await client.read();
    })(),
    eventually("it is live again", () => streamer.hub.live === 1),
  ]);
  await publish(streamer, ++last, last);
  const end = client.untilEnd().finally(() => client[Symbol.dispose]());
  await eventually("it was dispatched", () => streamer.hub.counters.updates === last);
  await streamer.shutdown();
  assert.equal(await end, "ended");
  assert.deepEqual(numbersIn(decode(gunzipSync(client.body))), range(1, last));
});

Deno.test("only a stream is compressed, where COMPRESS is on and the client takes gzip", async (t) => {
  const cases: {
    name: string;
    env?: Record<string, string>;
    headers?: Record<string, string>;
    path?: string;
    method?: string;
    status?: number;
    encoding?: string;
    vary?: boolean;
  }[] = [
    { name: "gzip", encoding: "gzip" },
    { name: "gzip among others", headers: { "Accept-Encoding": "br, gzip;q=0.5" }, encoding: "gzip" },
    { name: "whatever", headers: { "Accept-Encoding": "*" }, encoding: "gzip" },
    { name: "HEAD", method: "HEAD", encoding: "gzip" },
    { name: "no Accept-Encoding", headers: {} },
    { name: "HEAD without Accept-Encoding", headers: {}, method: "HEAD" },
    { name: "gzip;q=0", headers: { "Accept-Encoding": "gzip;q=0" } },
    { name: "*;q=0", headers: { "Accept-Encoding": "*;q=0" } },
    { name: "identity", headers: { "Accept-Encoding": "identity" } },
    { name: "COMPRESS=off", env: { COMPRESS: "off" }, vary: false },
    { name: "COMPRESS=off, HEAD", env: { COMPRESS: "off" }, method: "HEAD", vary: false },
    { name: "400", path: "/events?match_nothing=1", status: 400 },
    {
      name: "401",
      env: { ANONYMOUS: "off", JWT_KEY: "k".repeat(32), JWT_ISSUER: "https://a.test" },
      status: 401,
    },
    { name: "404", path: "/nothing", status: 404, vary: false },
  ];
  for (const one of cases) {
    const { name, env = {}, headers = GZIP, path = "/events", method = "GET", status = 200, encoding } = one;
    await t.step(name, async () => {
      await using streamer = await startCompressing({ env });
      using client = await RawClient.connect(streamer.port);
      const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join("");
      await client.send(`${method} ${path} HTTP/1.1\r\nHost: hub.test\r\n${lines}\r\n`);
      await client.until("the head", (text) => text.includes("\r\n\r\n"));
      assert.equal(client.head.status, status);
      assert.deepEqual(client.header("content-encoding"), encoding === undefined ? [] : [encoding]);
      if (status === 200) {
        const varies = client.header("vary").join().toLowerCase().includes("accept-encoding");
        assert.equal(varies, one.vary ?? true);
      }
      if (method === "HEAD") assert.equal(client.body.length, 0);
    });
  }
  for (const [overload, status] of [["refuse", 429], ["retry", 200]] as const) {
    await t.step(`one stream too many, OVERLOAD=${overload}`, async () => {
      await using streamer = await startCompressing({ env: { MAX_STREAMS: "1", OVERLOAD: overload } });
      using first = await openLive(streamer, GZIP);
      using second = await RawClient.get(streamer.port, "/events", {
        ...GZIP,
        Accept: "text/event-stream",
        Connection: "close",
      });
      await second.untilEnd();
      assert.equal(second.head.status, status);
      assert.deepEqual(second.header("content-encoding"), []);
      assert.match(decode(second.body), overload === "retry" ? /^:\nretry: \d+\n$/ : /^\{.*\}$/);
      assert.deepEqual(first.header("content-encoding"), ["gzip"]);
    });
  }
});

Deno.test("EventSource of Chromium follows a compressed stream, and resumes it by itself after its end", async () => {
  await using streamer = await startCompressing({ env: { MAX_STREAM_LIFE: "1s" } });
  const browser = await launchBrowser();
  try {
    await using watched = await openPage(browser, `${streamer.url}hub/`);
    const received: string[] = [];
    await watched.page.exposeFunction("tell", (what: string) => void received.push(what));
    await watched.page.evaluate(() => {
      const source = new EventSource("/events");
      const { tell } = globalThis as unknown as { tell: (what: string) => void };
      source.onopen = () => tell("open");
      source.addEventListener("test", ({ lastEventId }) => tell(lastEventId));
    });
    let expected: string[] = [];
    const isNext = async (...more: string[]) => {
      expected = [...expected, ...more];
      await eventually(`${more}`, () => received.length >= expected.length);
      assert.deepEqual(received, expected);
    };
    await isNext("open");
    await publish(streamer, 1, 1);
    await isNext("urn:test:1");
    await eventually("the stream is over", () => streamer.hub.counters.ended.expired === 1);
    await publish(streamer, 2, 4);
    await isNext("open", "urn:test:2", "urn:test:3", "urn:test:4");
  } finally {
    await browser.close();
  }
});
