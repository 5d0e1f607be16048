import assert from "node:assert/strict";
import { MemoryChannel } from "../lib/channels/memory.ts";
import type { Channel, Entry } from "../lib/channel.ts";
import { eventually } from "../lib/testing/deadline.ts";
import { numberedUpdate } from "../lib/testing/fixtures.ts";
import { openSse, type SseReader } from "../lib/testing/sse_reader.ts";
import { startStreamer, type Streamer } from "./streamer_harness.ts";

async function publish(channel: Channel, first: number, last: number): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (let number = first; number <= last; number++) {
    entries.push(await channel.publish(numberedUpdate(number)));
  }
  return entries;
}

function numbersIn({ events }: SseReader): number[] {
  return events.map(({ data }) => JSON.parse(data).number);
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

/** Opens a stream and waits until the hub has it live, so that what is published next must reach it. */
async function openLive({ url, hub }: Streamer): Promise<SseReader> {
  const before = hub.size;
  const reader = await openSse(`${url}events`);
  await eventually("the stream is open", () => hub.size > before);
  return reader;
}

Deno.test("GET /events sends its first bytes at once, and then each public update with id, event and data", async () => {
  await using streamer = await startStreamer();
  await using reader = await openLive(streamer);
  await reader.until("the preamble", () => reader.retry !== undefined);
  assert.equal(reader.response.headers.get("Content-Type"), "text/event-stream");
  assert.equal(reader.response.headers.get("X-Accel-Buffering"), "no");
  assert.match(reader.response.headers.get("Cache-Control") ?? "", /no-store/);

  await streamer.channel.publish(numberedUpdate(1, { data: "one\r\ntwo" }));
  await streamer.channel.publish(numberedUpdate(2, { private: true }));
  await streamer.channel.publish(numberedUpdate(3));
  await reader.until("two events", () => reader.events.length >= 2);
  assert.deepEqual(reader.events, [
    { id: "urn:test:1", event: "test", data: "one\ntwo" },
    { id: "urn:test:3", event: "test", data: '{"number":3}' },
  ]);
});

/** What browsers send for an EventSource. */
const EVENT_SOURCE = { "Accept": "text/event-stream", "Cache-Control": "no-cache" };

/** The first bytes of a stream, as text. */
async function firstChunk(url: string, headers: HeadersInit): Promise<string> {
  const response = await fetch(url, { headers });
  assert.ok(response.body);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  const { value = "" } = await reader.read();
  await reader.cancel();
  return value;
}

Deno.test("a browser's stream begins with an id to come back with, so that who is cut off early misses nothing", async () => {
  await using streamer = await startStreamer();
  await publish(streamer.channel, 1, 2);
  await streamer.channel.publish(numberedUpdate(3, { private: true }));
  await eventually("the hub has them", () => streamer.hub.recent.newestId(() => true) === "urn:test:3");
  const url = `${streamer.url}events?match=/test/5`;
  assert.match(await firstChunk(url, EVENT_SOURCE), /^:\nretry: \d+\nid: urn:test:2\n\n$/);
  assert.match(await firstChunk(url, {}), /^:\nretry: \d+\n$/, "others may take it for an event");

  await publish(streamer.channel, 4, 5);
  const headers = { "Last-Event-ID": "urn:test:2" };
  await using resumed = await openSse(`${streamer.url}events?match=/test/5`, { headers });
  await resumed.until("what was published meanwhile", () => resumed.events.length === 1);
  assert.deepEqual(numbersIn(resumed), [5]);
});

Deno.test("a stream that resumes does not begin with another id than its own", async () => {
  await using streamer = await startStreamer();
  await publish(streamer.channel, 1, 2);
  const chunk = await firstChunk(`${streamer.url}events?last_event_id=urn:test:1`, EVENT_SOURCE);
  assert.match(chunk, /^:\nretry: \d+\n(id: urn:test:2\nevent: test\n|$)/);
});

Deno.test("GET /events, /events/ and / with an Accept for streams are the same stream", async () => {
  await using streamer = await startStreamer();
  for (const path of ["events", "events/", ""]) {
    await using reader = await openSse(`${streamer.url}${path}`);
    assert.equal(reader.response.headers.get("Content-Type"), "text/event-stream", path);
  }
  const page = await fetch(streamer.url, { headers: { Accept: "text/html" }, redirect: "manual" });
  assert.equal(page.status, 302);
  assert.equal(page.headers.get("Location"), "/hub/");
  await page.body?.cancel();
});

Deno.test("HEAD /events answers the headers and registers nobody", async () => {
  await using streamer = await startStreamer();
  const response = await fetch(`${streamer.url}events`, { method: "HEAD" });
  assert.equal(response.headers.get("Content-Type"), "text/event-stream");
  assert.equal(await response.text(), "");
  assert.equal(streamer.hub.size, 0);
});

Deno.test("POST /events is refused with the methods that can be used", async () => {
  await using streamer = await startStreamer();
  const response = await fetch(`${streamer.url}events`, { method: "POST" });
  assert.equal(response.status, 405);
  assert.match(response.headers.get("Allow") ?? "", /GET/);
  assert.equal(response.headers.get("Content-Type"), "application/problem+json");
  await response.body?.cancel();
});

Deno.test("GET /events resumes after the last id that the client saw", async (t) => {
  await using streamer = await startStreamer();
  await publish(streamer.channel, 1, 5);
  const cases: { name: string; query?: string; header?: string; wanted: number[] }[] = [
    { name: "the header", header: "urn:test:3", wanted: [4, 5] },
    { name: "the parameter", query: "?last_event_id=urn:test:2", wanted: [3, 4, 5] },
    {
      name: "the header beats the parameter",
      header: "urn:test:4",
      query: "?last_event_id=urn:test:1",
      wanted: [5],
    },
    {
      name: "an empty header lets the parameter through",
      header: "",
      query: "?last_event_id=urn:test:4",
      wanted: [5],
    },
    { name: "earliest", query: "?last_event_id=earliest", wanted: [1, 2, 3, 4, 5] },
    { name: "the newest id", header: "urn:test:5", wanted: [] },
    { name: "an unknown id", header: "urn:test:99", wanted: [] },
    { name: "a header that is not UTF-8", header: "\u00FF", wanted: [] },
  ];
  let newest = 5;
  for (const { name, query = "", header, wanted } of cases) {
    await t.step(name, async () => {
      const headers = header === undefined ? {} : { "Last-Event-ID": header };
      await using reader = await openSse(`${streamer.url}events${query}`, { headers });
      await eventually("the stream is live", () => streamer.hub.live === 1);
      const later = wanted.length > 0 || name === "the newest id" ? range(6, newest) : [];
      await publish(streamer.channel, ++newest, newest);
      await reader.until("the update after it", () => numbersIn(reader).includes(newest));
      assert.deepEqual(numbersIn(reader), [...wanted, ...later, newest]);
    });
    await eventually("it is gone", () => streamer.hub.size === 0);
  }
});

Deno.test("a resumed stream says after which id it begins", async (t) => {
  await using streamer = await startStreamer();
  await publish(streamer.channel, 1, 2);
  await streamer.channel.publish(numberedUpdate(3, { id: "urn:é日" }));
  const cases: Record<string, string | null> = {
    "": null,
    "?last_event_id=urn:test:1": "urn:test:1",
    "?lastEventId=urn:test:1": "urn:test:1",
    "?lastEventID=urn:test:1": "urn:test:1",
    "?evs_last_event_id=urn:test:1": "urn:test:1",
    "?last_event_id=earliest": "earliest",
    "?last_event_id=unknown": "earliest",
    "?last_event_id=urn:%C3%A9%E6%97%A5": String.fromCharCode(...new TextEncoder().encode("urn:é日")),
  };
  for (const [query, wanted] of Object.entries(cases)) {
    await t.step(query, async () => {
      await using reader = await openSse(`${streamer.url}events${query}`);
      assert.equal(reader.response.headers.get("Mercure-Last-Event-ID"), wanted);
    });
  }
});

/** The signals on a stream, without their times. */
function signalsIn({ events }: SseReader): Record<string, unknown>[] {
  return events.filter(({ event }) => event === "mercure").map(({ id, data }) => {
    assert.equal(id, undefined);
    const { now: _, ...signal } = JSON.parse(data);
    return signal;
  });
}

Deno.test("?signals=1 adds the hub's own events, which have no id", async () => {
  await using streamer = await startStreamer({ signalMs: 20 });
  await publish(streamer.channel, 1, 2);
  await using reader = await openSse(`${streamer.url}events?signals=1&last_event_id=earliest`);
  await reader.until("a heartbeat", () => signalsIn(reader).some(({ type }) => type === "heartbeat"));
  const [hello, ...more] = signalsIn(reader);
  assert.deepEqual(hello, { type: "hello", oldest: "urn:test:1" });
  const heartbeat = more.find(({ type }) => type === "heartbeat");
  assert.equal(heartbeat?.subscribers, 1);
  assert.equal(typeof heartbeat?.rate, "number");
  await reader.until("the updates", () => reader.events.filter(({ id }) => id !== undefined).length === 2);

  await using plain = await openLive(streamer);
  await publish(streamer.channel, 3, 3);
  await plain.until("the update", () => plain.events.length === 1);
  assert.deepEqual(numbersIn(plain), [3]);
});

Deno.test("?signals=1 does not tell the id of a private update", async () => {
  await using streamer = await startStreamer();
  await streamer.channel.publish(numberedUpdate(1, { private: true }));
  await using reader = await openSse(`${streamer.url}events?signals=1`);
  await reader.until("hello", () => reader.events.length === 1);
  assert.deepEqual(signalsIn(reader), [{ type: "hello", oldest: null }]);
});

Deno.test("?signals=1 tells of a gap: an unknown id, and a place that is no longer kept", async () => {
  await using streamer = await startStreamer({
    channel: new MemoryChannel({ keep: 5 }),
    recentBytes: 1,
    env: { SUBSCRIBER_BUFFER: "5MiB" },
  });
  const signals = `${streamer.url}events?signals=1`;
  {
    await using unknown = await openSse(`${signals}&last_event_id=unknown`);
    await unknown.until("the gap", () => signalsIn(unknown).some(({ type }) => type === "gap"));
  }
  await eventually("it is gone", () => streamer.hub.size === 0);

  const reads = Promise.withResolvers<void>();
  await using slow = await openSse(`${signals}&last_event_id=earliest`, {}, { readAfter: reads.promise });
  await eventually("it is live", () => streamer.hub.live === 1);
  const padding = "x".repeat(1_000_000);
  for (let number = 1; number <= 30; number++) {
    await streamer.channel.publish(numberedUpdate(number, { data: JSON.stringify({ number, padding }) }));
  }
  await eventually("it has fallen behind", () => streamer.hub.live === 0);
  reads.resolve();
  await slow.until("the newest update", () => slow.events.at(-1)?.id === "urn:test:30");
  const order = slow.events.map(({ id, data }) =>
    id === undefined ? JSON.parse(data).type : Number(id.split(":")[2])
  );
  const gap = order.indexOf("gap");
  assert.deepEqual(order.slice(0, gap), ["hello", ...range(1, gap - 1)]);
  assert.deepEqual(order.slice(gap + 1), range(26, 30));
});

Deno.test("an id that is not ASCII comes back in the header as UTF-8 and is found", async () => {
  await using streamer = await startStreamer();
  await streamer.channel.publish(numberedUpdate(1, { id: "urn:é日" }));
  await publish(streamer.channel, 2, 2);
  const header = String.fromCharCode(...new TextEncoder().encode("urn:é日"));
  await using reader = await openSse(`${streamer.url}events`, { headers: { "Last-Event-ID": header } });
  await reader.until("the update after it", () => reader.events.length === 1);
  assert.deepEqual(numbersIn(reader), [2]);
});

Deno.test("a stream that resumes while updates go on has each once and in order", async () => {
  await using streamer = await startStreamer({ recentBytes: 20_000 });
  await publish(streamer.channel, 1, 2000);
  const readers = await Promise.all(
    ["earliest", "urn:test:1", "urn:test:1000", "urn:test:1990"].map((id) =>
      openSse(`${streamer.url}events?last_event_id=${id}`)
    ),
  );
  await publish(streamer.channel, 2001, 4000);
  const firsts = [1, 2, 1001, 1991];
  for (const [index, reader] of readers.entries()) {
    await reader.until("the last update", () => reader.events.at(-1)?.id === "urn:test:4000");
    assert.deepEqual(numbersIn(reader), range(firsts[index]!, 4000));
    await reader[Symbol.asyncDispose]();
  }
});

/** Counts how often the history of a channel is read from now on. */
function countReads(channel: MemoryChannel): () => number {
  let reads = 0;
  const history = channel.history.bind(channel);
  channel.history = (after, options) => {
    reads++;
    return history(after, options);
  };
  return () => reads;
}

Deno.test("many streams that come back at once share what is read of the history", async () => {
  const channel = new MemoryChannel();
  await publish(channel, 1, 5000);
  const reads = countReads(channel);
  await using streamer = await startStreamer({ channel });
  const readers = await Promise.all(
    Array.from({ length: 40 }, () => openSse(`${streamer.url}events?last_event_id=urn:test:1`)),
  );
  for (const reader of readers) {
    await reader.until("all of it", () => reader.events.length === 4999);
    assert.deepEqual(numbersIn(reader), range(2, 5000));
    await reader[Symbol.asyncDispose]();
  }
  // Ten pages; a few more when readers are at the end before the hub is.
  assert.ok(reads() < 40, `${reads()} reads for 40 streams`);
});

Deno.test("streams that wait at the end of an empty history ask no more", async () => {
  const channel = new MemoryChannel();
  const reads = countReads(channel);
  await using streamer = await startStreamer({ channel });
  await using reader = await openSse(`${streamer.url}events?last_event_id=earliest`);
  await eventually("it is live", () => streamer.hub.live === 1);
  assert.equal(reads(), 1);
  await publish(channel, 1, 1);
  await reader.until("the update", () => reader.events.length === 1);
});

Deno.test("a reader that does not read holds up nobody, is bounded, and then has everything in order", async () => {
  await using streamer = await startStreamer({
    channel: new MemoryChannel({ keep: 20_000 }),
    recentBytes: 200_000,
  });
  await using healthy = await openLive(streamer);
  const reads = Promise.withResolvers<void>();
  await using slow = await openSse(`${streamer.url}events`, {}, { readAfter: reads.promise });
  await eventually("both are live", () => streamer.hub.live === 2);

  // Far more than the system buffers of a connection take, so that the rest has to wait on our side.
  const padding = "x".repeat(2000);
  const last = 20_000;
  for (let number = 1; number <= last; number++) {
    await streamer.channel.publish(numberedUpdate(number, { data: JSON.stringify({ number, padding }) }));
  }
  await healthy.until("all updates", () => healthy.events.length === last);
  await eventually("only the healthy one is live", () => streamer.hub.live === 1);

  reads.resolve();
  await slow.until("all updates", () => slow.events.length === last);
  assert.deepEqual(numbersIn(slow), range(1, last));
  await eventually("it is live again", () => streamer.hub.live === 2);
});

Deno.test("without a buffer and a timeout for slow clients, others have all that they have otherwise", async () => {
  await using streamer = await startStreamer({ env: { SUBSCRIBER_BUFFER: "0" }, stallMs: 0 });
  await using reader = await openLive(streamer);
  await publish(streamer.channel, 1, 100);
  await reader.until("all updates", () => reader.events.length === 100);
  assert.deepEqual(numbersIn(reader), range(1, 100));
});

Deno.test("a silent stream gets comments, and no events", async () => {
  await using streamer = await startStreamer({ heartbeatMs: 20 });
  await using reader = await openLive(streamer);
  await reader.until("three heartbeats", () => reader.comments.length >= 4);
  assert.deepEqual(reader.events, []);
});

Deno.test("a client that leaves is forgotten", async () => {
  await using streamer = await startStreamer();
  const reader = await openLive(streamer);
  await reader[Symbol.asyncDispose]();
  await eventually("the hub is empty", () => streamer.hub.size === 0);
});

Deno.test("when the hub ends, its streams end", async () => {
  const streamer = await startStreamer();
  await using reader = await openLive(streamer);
  await streamer[Symbol.asyncDispose]();
  await eventually("the end of the stream", () => reader.ended);
});

Deno.test("CORS_ORIGINS decides which origins may read", async (t) => {
  const request = (url: string, origin: string) =>
    fetch(`${url}events`, { method: "HEAD", headers: { Origin: origin } });
  await t.step("* lets all read", async () => {
    await using streamer = await startStreamer();
    const { headers } = await request(streamer.url, "https://a.test");
    assert.equal(headers.get("Access-Control-Allow-Origin"), "*");
  });
  await t.step("a list lets its members read", async () => {
    await using streamer = await startStreamer({ env: { CORS_ORIGINS: "https://a.test" } });
    const listed = await request(streamer.url, "https://a.test");
    assert.equal(listed.headers.get("Access-Control-Allow-Origin"), "https://a.test");
    assert.match(listed.headers.get("Vary") ?? "", /Origin/);
    const other = await request(streamer.url, "https://b.test");
    assert.equal(other.headers.get("Access-Control-Allow-Origin"), null);
  });
  await t.step("a preflight for Last-Event-ID is answered", async () => {
    await using streamer = await startStreamer();
    const response = await fetch(`${streamer.url}events`, {
      method: "OPTIONS",
      headers: {
        "Origin": "https://a.test",
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "last-event-id",
      },
    });
    assert.equal(response.status, 204);
    assert.match(response.headers.get("Access-Control-Allow-Headers") ?? "", /last-event-id/i);
  });
});
