import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import * as fc from "fast-check";
import type { Cursor } from "../lib/channel.ts";
import { MemoryChannel } from "../lib/channels/memory.ts";
import { parseMatcher } from "../lib/matcher.ts";
import { eventually, within } from "../lib/testing/deadline.ts";
import { numberedUpdate } from "../lib/testing/fixtures.ts";
import { Chunk } from "./chunk.ts";
import { RawClient, requestFor, startStreamer, type Streamer } from "./streamer_harness.ts";
import { type EndReason, Subscriber, type SubscriberOptions } from "./subscriber.ts";
import { View } from "./view.ts";

const VIEW = new View([parseMatcher("exact", "*", { base: "http://hub.test/", maxLength: 100 })], []);
const HEARTBEAT = new Chunk(new TextEncoder().encode(":\n"));
/** Milliseconds that no test takes: the clock is told to the subscriber, and what is between two of its values. */
const LONG = 1_000_000;

interface Link extends AsyncDisposable {
  readonly subscriber: Subscriber;
  readonly socket: Socket;
  readonly client: RawClient;
  /** Why it ended; empty while it has not. */
  readonly reasons: readonly EndReason[];
}

/** A subscriber on one end of a connection, with no hub around it, and a client on the other end. */
async function link(options: Partial<SubscriberOptions> = {}): Promise<Link> {
  const server = createServer({ allowHalfOpen: true });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const [[socket], client] = await Promise.all([
    once(server, "connection") as Promise<[Socket]>,
    RawClient.connect((server.address() as AddressInfo).port),
  ]);
  const subscriber = new Subscriber({
    preamble: new Chunk(new Uint8Array()),
    place: "live",
    view: VIEW,
    signals: false,
    gzip: false,
    maxWaiting: Infinity,
    patience: { heartbeatMs: LONG, stallMs: LONG },
    onRoom: () => Promise.resolve(),
    ...options,
  });
  const reasons: EndReason[] = [];
  subscriber.onEnd((reason) => reasons.push(reason));
  subscriber.attach(socket);
  return {
    subscriber,
    socket,
    client,
    reasons,
    async [Symbol.asyncDispose]() {
      client[Symbol.dispose]();
      socket.destroy();
      const closed = once(server, "close");
      server.close();
      await within("the end of the connection", closed);
    },
  };
}

/** A chunk in which every byte says where it is. */
function chunkOf(size: number, seed = 0): Chunk {
  const bytes = new Uint8Array(size);
  for (let index = 0; index < size; index++) bytes[index] = (seed + index) * 31 + (index >>> 8);
  return new Chunk(bytes);
}

/** Writes until the system takes no more; returns what was written. */
function fill({ subscriber }: Link): Uint8Array[] {
  const written: Uint8Array[] = [];
  while (subscriber.isDrained) {
    const chunk = chunkOf(60_000, written.length);
    subscriber.write(chunk);
    written.push(chunk.plain);
  }
  return written;
}

function assertSame(actual: Uint8Array, expected: Uint8Array): void {
  assert.equal(actual.length, expected.length);
  assert.equal(Buffer.compare(actual, expected), 0, "The bytes differ");
}

Deno.test("what waits for a client is bounded, and comes in order when it reads", async () => {
  const maxWaiting = 1_000_000;
  await using one = await link({ maxWaiting });
  const { subscriber, client } = one;
  const written = fill(one);
  assert.ok(subscriber.hasRoom);
  let waiting = 0;
  for (let size = 1; subscriber.hasRoom; size = size * 3 % 99_991) {
    const chunk = chunkOf(size, size);
    subscriber.write(chunk);
    written.push(chunk.plain);
    waiting += size;
  }
  assert.ok(waiting >= maxWaiting && waiting < maxWaiting + 99_991);
  const all = Buffer.concat(written);
  await client.untilSize(all.length);
  assertSame(client.bytes, all);
  await eventually("it has room", () => subscriber.isDrained && subscriber.hasRoom);
  subscriber.write(chunkOf(1));
  await client.untilSize(all.length + 1);
});

Deno.test("chunks of any size arrive once and in order, however the client reads", async () => {
  const size = fc.oneof(
    fc.constantFrom(1, 10_000, 64 * 1024 - 1, 64 * 1024, 64 * 1024 + 1, 128 * 1024, 1_000_000),
    fc.integer({ min: 1, max: 200_000 }),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ size, read: fc.option(fc.integer({ min: 1, max: 300_000 })) }), {
        maxLength: 40,
      }),
      async (steps) => {
        await using one = await link();
        const written: Uint8Array[] = [];
        let total = 0;
        for (const [seed, { size, read }] of steps.entries()) {
          const chunk = chunkOf(size, seed);
          one.subscriber.write(chunk);
          written.push(chunk.plain);
          total += size;
          if (read !== null) await one.client.untilSize(Math.min(total, one.client.size + read));
        }
        await one.client.untilSize(total);
        assertSame(one.client.bytes, Buffer.concat(written));
        await eventually("all has left", () => one.subscriber.isDrained);
        assert.deepEqual(one.reasons, []);
      },
    ),
    { numRuns: 30, endOnFailure: true },
  );
});

Deno.test("a client that takes nothing for too long is given up, and not before", async () => {
  await using one = await link();
  fill(one);
  const now = performance.now();
  one.subscriber.look(now + LONG / 2, 0, HEARTBEAT);
  assert.deepEqual(one.reasons, []);
  one.subscriber.look(now + LONG, 0, HEARTBEAT);
  assert.deepEqual(one.reasons, ["stalled"]);
  assert.ok(one.socket.destroyed);
  await one.client.untilEnd();
});

Deno.test("a client that takes something now and then is never given up", async () => {
  await using one = await link();
  let total = fill(one).reduce((sum, { length }) => sum + length, 0);
  const more = chunkOf(10_000_000);
  one.subscriber.write(more);
  total += more.plain.length;
  // The clock that is told goes by less than the patience for each piece of some hundred KB that the client takes.
  let now = performance.now();
  while (one.client.size < total) {
    await one.client.untilSize(Math.min(total, one.client.size + 500_000));
    now += LONG / 1000;
    one.subscriber.look(now, 0, HEARTBEAT);
  }
  assert.deepEqual(one.reasons, []);
});

Deno.test("a stream is never given up while it waits for its socket", () => {
  const subscriber = new Subscriber({
    preamble: chunkOf(10),
    place: "live",
    view: VIEW,
    signals: false,
    gzip: false,
    maxWaiting: 1,
    patience: { heartbeatMs: 1, stallMs: 1 },
    onRoom: () => Promise.resolve(),
  });
  subscriber.look(performance.now() + LONG, 0, HEARTBEAT);
  assert.equal(subscriber.isOver, false);
  subscriber.abandon();
  assert.equal(subscriber.isOver, true);
});

Deno.test("a heartbeat is written after a silence, and only then", async () => {
  await using one = await link({ patience: { heartbeatMs: LONG, stallMs: 10 * LONG } });
  const { subscriber, client } = one;
  const look = async (ms: number) => {
    await eventually("all has left", () => subscriber.isDrained);
    subscriber.look(performance.now() + ms, 0, HEARTBEAT);
  };
  const write = (text: string) => subscriber.write(new Chunk(new TextEncoder().encode(text)));
  await look(LONG / 2);
  write("a");
  await look(LONG / 2);
  write("b");
  await look(LONG);
  write("c");
  await client.untilText("c");
  assert.equal(client.text, "ab:\nc");
});

Deno.test("no heartbeat is written where there is to be none, nor behind what waits", async () => {
  await using silent = await link({ patience: { heartbeatMs: 0, stallMs: LONG } });
  silent.subscriber.look(performance.now() + LONG, 0, HEARTBEAT);
  silent.subscriber.write(new Chunk(new TextEncoder().encode("x")));
  await silent.client.untilText("x");
  assert.equal(silent.client.text, "x");

  await using blocked = await link({ patience: { heartbeatMs: 1, stallMs: LONG } });
  const written = Buffer.concat(fill(blocked));
  blocked.subscriber.look(performance.now() + LONG / 2, 0, HEARTBEAT);
  blocked.subscriber.write(new Chunk(new TextEncoder().encode("x")));
  await blocked.client.untilSize(written.length + 1);
  assert.equal(blocked.client.bytes[written.length], "x".charCodeAt(0));
});

Deno.test("a stream ends when its time is up, not before, and takes nothing more from then on", async () => {
  const closesAt = Date.now() + 50;
  await using one = await link({ closesAt });
  const { subscriber, client } = one;
  subscriber.look(performance.now(), 100, HEARTBEAT);
  assert.equal(await client.untilEnd(), "ended");
  assert.ok(Date.now() >= closesAt);
  assert.deepEqual(one.reasons, ["expired"]);
  assert.equal(subscriber.hasRoom, false);
});

Deno.test("a stream whose time is far away gets no timer, which could not wait for so long", async () => {
  await using one = await link({ closesAt: Date.now() + 2 ** 40 });
  one.subscriber.look(performance.now(), 2 ** 31, HEARTBEAT);
  assert.equal(one.subscriber.isOver, false);
});

Deno.test("what waits when a stream ends is still delivered, then the end", async () => {
  await using one = await link();
  const written = fill(one);
  const rest = chunkOf(300_000);
  one.subscriber.write(rest);
  one.subscriber.close("expired", new Chunk(new TextEncoder().encode("bye")));
  assert.deepEqual(one.reasons, ["expired"]);
  assert.equal(await one.client.untilEnd(), "ended");
  assertSame(one.client.bytes, Buffer.concat([...written, rest.plain, Buffer.from("bye")]));
});

Deno.test("a stream that is over does not wait for ever: for a client to read, or to close its side", async () => {
  await Promise.all([
    (async () => {
      await using one = await link();
      fill(one);
      one.subscriber.close("shutdown");
      await eventually("the socket is closed", () => one.socket.destroyed);
    })(),
    (async () => {
      await using one = await link();
      one.subscriber.close("expired");
      assert.equal(await one.client.untilEnd(), "ended");
      await eventually("the socket is closed", () => one.socket.destroyed);
    })(),
  ]);
});

Deno.test("a stream that was closed before it had a socket ends on it at once, with all that it has", async () => {
  const preamble = chunkOf(100);
  await using one = await link();
  one.client[Symbol.dispose]();
  const subscriber = new Subscriber({
    preamble,
    place: "live",
    view: VIEW,
    signals: false,
    gzip: false,
    maxWaiting: 1,
    patience: { heartbeatMs: LONG, stallMs: LONG },
    onRoom: () => Promise.resolve(),
  });
  subscriber.close("shutdown", new Chunk(new TextEncoder().encode("bye")));
  const server = createServer({ allowHalfOpen: true }, (socket) => subscriber.attach(socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  using client = await RawClient.connect((server.address() as AddressInfo).port);
  assert.equal(await client.untilEnd(), "ended");
  assertSame(client.bytes, Buffer.concat([preamble.plain, Buffer.from("bye")]));
  client[Symbol.dispose]();
  const closed = once(server, "close");
  server.close();
  await within("the end of the server", closed);
});

Deno.test("why a stream ended is told once, also to who asks later", async () => {
  await using one = await link();
  one.subscriber.close("lagged");
  one.subscriber.close("expired");
  one.subscriber.abandon();
  assert.deepEqual(one.reasons, ["lagged"]);
  const later: EndReason[] = [];
  one.subscriber.onEnd((reason) => later.push(reason));
  assert.deepEqual(later, ["lagged"]);
  assert.ok(one.subscriber.ended.aborted);
});

Deno.test("a reader of the history gets room when all has left, one call at a time, until it is live", async () => {
  const total = 200;
  let running = 0;
  let count = 0;
  await using one = await link({
    place: { after: "earliest" },
    async onRoom(subscriber) {
      assert.equal(++running, 1);
      while (subscriber.isDrained && subscriber.place !== "live") {
        await Promise.resolve();
        if (count === total) subscriber.place = "live";
        else subscriber.write(chunkOf(50_000, count++));
      }
      running--;
    },
  });
  await one.client.untilSize(total * 50_000);
  assertSame(
    one.client.bytes,
    Buffer.concat(Array.from({ length: total }, (_, seed) => chunkOf(50_000, seed).plain)),
  );
  await eventually("it is live", () => one.subscriber.place === "live");
});

Deno.test("a reader that ends just when there is room again is not forgotten", async () => {
  const size = 1_000_000;
  let count = 0;
  await using one = await link({
    place: { after: "earliest" },
    async onRoom(subscriber) {
      if (++count === 2) return void (subscriber.place = "live");
      subscriber.write(chunkOf(size));
      await eventually("all has left", () => subscriber.isDrained);
    },
  });
  await one.client.untilSize(size);
  await eventually("it is live", () => one.subscriber.place === "live");
});

/** The numbers of the updates on a stream, in the order in which they came. */
function numbersIn(client: RawClient): number[] {
  return [...client.text.matchAll(/^id: urn:test:(\d+)\n/gm)].map(([, number]) => Number(number));
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

/** Publishes updates with data of about so many bytes. */
async function publish({ channel }: Streamer, first: number, last: number, size = 10): Promise<void> {
  for (let number = first; number <= last; number++) {
    await channel.publish(numberedUpdate(number, { data: "x".repeat(size) }));
  }
}

/** Streams that are live. */
async function openLive({ port, hub }: Streamer, count: number, path?: string): Promise<RawClient[]> {
  const before = hub.live;
  const clients = await Promise.all(Array.from({ length: count }, () => RawClient.get(port, path)));
  await eventually("they are live", () => hub.live === before + count);
  return clients;
}

const disposeAll = (clients: readonly RawClient[]) => clients.forEach((client) => client[Symbol.dispose]());

/** Publishes until a reader that does not read has fallen behind, at the pace of the others; returns the last number. */
async function publishUntilBehind(streamer: Streamer, others: readonly RawClient[] = []): Promise<number> {
  const size = 10_000;
  let last = 0;
  await eventually("one is behind", async () => {
    await publish(streamer, last + 1, last + 100, size);
    last += 100;
    await eventually("the others have it", () => others.every((client) => client.size >= last * size));
    return streamer.hub.counters.fellBehind > 0;
  });
  return last;
}

Deno.test("a reader that stops falls behind alone, and has everything once and in order when it reads again", async () => {
  await using streamer = await startStreamer({
    channel: new MemoryChannel({ keep: 100_000 }),
    // More than comes at once, so that nobody falls behind who reads.
    env: { SUBSCRIBER_BUFFER: "5MiB" },
    recentBytes: 1_000_000,
  });
  const [stopped, ...healthy] = await openLive(streamer, 4) as [RawClient, ...RawClient[]];
  const reading = healthy.map((client) => client.untilText("id: urn:test:0\n"));
  let last = await publishUntilBehind(streamer, healthy);
  assert.equal(streamer.hub.live, 3);
  // Of each size, while nobody waits for the one that does not read.
  for (const size of [1, 10_000, 1_000_000]) {
    await publish(streamer, last + 1, last + 3, size);
    last += 3;
  }
  await streamer.channel.publish(numberedUpdate(0));
  await Promise.all(reading);
  for (const client of healthy) assert.deepEqual(numbersIn(client), [...range(1, last), 0]);
  assert.equal(streamer.hub.counters.fellBehind, 1);

  await stopped.untilText("id: urn:test:0\n");
  assert.deepEqual(numbersIn(stopped), [...range(1, last), 0]);
  await eventually("it is live again", () => streamer.hub.live === 4);
  await streamer.channel.publish(numberedUpdate(last + 1));
  await stopped.untilText(`id: urn:test:${last + 1}\n`);
  assert.deepEqual(numbersIn(stopped).slice(-2), [0, last + 1]);
  disposeAll([stopped, ...healthy]);
});

Deno.test("a reader that takes nothing for too long is closed, and loses nothing when it comes back", async () => {
  await using streamer = await startStreamer({
    channel: new MemoryChannel({ keep: 100_000 }),
    env: { SUBSCRIBER_BUFFER: "100KiB" },
    // Long enough for a reader that only gets little of a busy machine.
    stallMs: 1000,
    // How often the hub looks depends on it.
    heartbeatMs: 100,
  });
  const [stopped, silent] = await openLive(streamer, 2) as [RawClient, RawClient];
  const reading = silent.untilEnd();
  const last = await publishUntilBehind(streamer);
  await eventually("it is closed", () => streamer.hub.counters.ended.stalled === 1);
  assert.equal(streamer.hub.size, 1, "the other one is not");
  await stopped.untilEnd();
  // What was cut off in the middle was not received.
  const whole = stopped.text.slice(0, stopped.text.lastIndexOf("\n\n"));
  const seen = [...whole.matchAll(/^id: urn:test:(\d+)\n/gm)].map(([, number]) => Number(number));
  using resumed = await RawClient.get(streamer.port, "/events", {
    "Last-Event-ID": `urn:test:${seen.at(-1)}`,
  });
  await resumed.untilText(`id: urn:test:${last}\n`);
  assert.deepEqual([...seen, ...numbersIn(resumed)], range(1, last));
  disposeAll([stopped, silent, resumed]);
  await reading;
});

Deno.test("a reader that falls off what is kept is closed, and resumes with what there is", async () => {
  await using streamer = await startStreamer({
    channel: new MemoryChannel({ keep: 500 }),
    env: { SUBSCRIBER_BUFFER: "100KiB" },
    recentBytes: 1,
  });
  const [stopped] = await openLive(streamer, 1) as [RawClient];
  let last = await publishUntilBehind(streamer);
  for (const end = last + 1000; last < end; last += 100) {
    await publish(streamer, last + 1, last + 100);
    await eventually("the hub has them", () => streamer.hub.counters.updates === last + 100);
  }
  assert.equal(await stopped.untilEnd(), "ended");
  assert.equal(streamer.hub.counters.ended.lagged, 1);
  const seen = numbersIn(stopped);
  assert.deepEqual(seen, range(1, seen.length), "no gap before the end");
  assert.ok(stopped.text.endsWith("\n\n"));
  using resumed = await RawClient.get(streamer.port, "/events", {
    "Last-Event-ID": `urn:test:${seen.at(-1)}`,
  });
  await resumed.until("its head", (text) => text.includes("\r\n\r\n"));
  assert.deepEqual(resumed.header("mercure-last-event-id"), ["earliest"]);
  stopped[Symbol.dispose]();
});

Deno.test("readers that read and pause at random miss nothing and have nothing twice", async () => {
  const reads = fc.array(
    fc.record({ size: fc.integer({ min: 1, max: 2_000_000 }), more: fc.nat({ max: 60 }) }),
    {
      minLength: 1,
      maxLength: 20,
    },
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(reads, { minLength: 1, maxLength: 4 }),
      fc.array(fc.constantFrom(1, 100, 10_000, 100_000, 1_000_000), { minLength: 1, maxLength: 5 }),
      async (plans, sizes) => {
        await using streamer = await startStreamer({
          channel: new MemoryChannel({ keep: 100_000 }),
          env: { SUBSCRIBER_BUFFER: "64KiB" },
          recentBytes: 3_000_000,
          maxBatchDelayMs: 5,
        });
        const clients = await openLive(streamer, plans.length);
        let last = 0;
        let bytes = 0;
        const more = async (count: number) => {
          for (let index = 0; index < count && bytes < 20_000_000; index++) {
            const size = sizes[last % sizes.length]!;
            await publish(streamer, ++last, last, size);
            bytes += size;
          }
        };
        await Promise.all(plans.map(async (plan, index) => {
          const client = clients[index]!;
          for (const { size, more: count } of plan) {
            await more(count);
            // No more than what was published can be waited for.
            await client.untilSize(Math.min(client.size + size, bytes));
          }
        }));
        await publish(streamer, last + 1, last + 1);
        last++;
        await Promise.all(clients.map((client) => client.untilText(`id: urn:test:${last}\n`)));
        for (const client of clients) assert.deepEqual(numbersIn(client), range(1, last));
        disposeAll(clients);
      },
    ),
    { numRuns: 8, endOnFailure: true },
  );
});

/** How often anything is written to a subscriber from now on. */
function countWrites(): { count(): number; [Symbol.dispose](): void } {
  const { write } = Subscriber.prototype;
  let count = 0;
  Subscriber.prototype.write = function (chunk) {
    count++;
    write.call(this, chunk);
  };
  return { count: () => count, [Symbol.dispose]: () => void (Subscriber.prototype.write = write) };
}

Deno.test("what one turn brings is one write for each stream", async () => {
  await using streamer = await startStreamer();
  const clients = await openLive(streamer, 3);
  await Promise.all(clients.map((client) => client.untilText("retry")));
  using writes = countWrites();
  // Within one turn: this channel hands out what came together.
  const publishing = range(1, 500).map((number) => streamer.channel.publish(numberedUpdate(number)));
  await Promise.all(publishing);
  await Promise.all(clients.map((client) => client.untilText("id: urn:test:500\n")));
  assert.ok(writes.count() <= 6, `${writes.count()} writes of 500 updates to 3 streams`);
  assert.equal(streamer.hub.counters.frames, 1500);
  assert.equal(streamer.hub.counters.updates, 500);
  disposeAll(clients);
});

/** Sets the clock of the process forward while something is dispatched, as if that took so long. */
function slowDispatch(hub: Streamer["hub"], ms: number): Disposable {
  const { now } = performance;
  let ahead = 0;
  performance.now = () => now.call(performance) + ahead;
  hub.observe({ onEntries: () => void (ahead += ms), onHistoryLost: () => {} });
  return { [Symbol.dispose]: () => void (performance.now = now) };
}

Deno.test("MAX_BATCH_DELAY holds updates back under load only, never the first, and not past the end", async (t) => {
  await t.step("at low rates nothing waits", async () => {
    await using streamer = await startStreamer({ maxBatchDelayMs: LONG });
    const [client] = await openLive(streamer, 1) as [RawClient];
    const { now } = performance;
    // A clock that stands still: dispatching takes no time.
    const stopped = now.call(performance);
    performance.now = () => stopped;
    try {
      for (const number of range(1, 100)) {
        await publish(streamer, number, number);
        await client.untilText(`id: urn:test:${number}\n`);
      }
    } finally {
      performance.now = now;
    }
    client[Symbol.dispose]();
  });
  await t.step("under load what comes in the meantime is one write", async () => {
    await using streamer = await startStreamer({ maxBatchDelayMs: 300 });
    const [client] = await openLive(streamer, 1) as [RawClient];
    await client.untilText("retry");
    using _ = slowDispatch(streamer.hub, 100);
    await publish(streamer, 1, 1);
    await client.untilText("id: urn:test:1\n");
    using writes = countWrites();
    for (const number of range(2, 20)) {
      await publish(streamer, number, number);
      await new Promise((resolve) => setTimeout(resolve));
    }
    await client.untilText("id: urn:test:20\n");
    assert.ok(writes.count() < 5, `${writes.count()} writes of 19 updates`);
    client[Symbol.dispose]();
  });
  await t.step("the end does not wait for it, nor does what was written before", async () => {
    await using streamer = await startStreamer({ maxBatchDelayMs: LONG });
    const [client] = await openLive(streamer, 1) as [RawClient];
    await client.untilText("retry");
    {
      using _ = slowDispatch(streamer.hub, LONG);
      await publish(streamer, 1, 1);
      await client.untilText("id: urn:test:1\n");
      await publish(streamer, 2, 2);
    }
    const end = client.untilEnd().finally(() => client[Symbol.dispose]());
    await streamer.shutdown();
    await end;
  });
  await t.step("so many at once that more may wait are not followed by a rest", async () => {
    await using streamer = await startStreamer({ maxBatchDelayMs: LONG });
    const [client] = await openLive(streamer, 1) as [RawClient];
    using _ = slowDispatch(streamer.hub, LONG);
    for (const first of [1, 501, 1001]) {
      const numbers = range(first, first + 499);
      await Promise.all(numbers.map((number) => streamer.channel.publish(numberedUpdate(number))));
      await client.untilText(`id: urn:test:${first + 499}\n`);
    }
    client[Symbol.dispose]();
  });
  await t.step("0 switches it off", async () => {
    await using streamer = await startStreamer({ maxBatchDelayMs: 0 });
    const [client] = await openLive(streamer, 1) as [RawClient];
    using _ = slowDispatch(streamer.hub, LONG);
    for (const number of range(1, 20)) {
      await publish(streamer, number, number);
      await client.untilText(`id: urn:test:${number}\n`);
    }
    client[Symbol.dispose]();
  });
});

Deno.test("MAX_STREAM_LIFE ends a stream cleanly, also one that nobody reads", async () => {
  await using streamer = await startStreamer({
    channel: new MemoryChannel({ keep: 100_000 }),
    env: { MAX_STREAM_LIFE: "1s", SUBSCRIBER_BUFFER: "100KiB" },
  });
  const [stopped, silent] = await openLive(streamer, 2) as [RawClient, RawClient];
  const reading = silent.untilEnd();
  await publishUntilBehind(streamer);
  assert.equal(await reading, "ended");
  await eventually("both are over", () => streamer.hub.counters.ended.expired === 2);
  assert.equal(streamer.hub.size, 0);
  await stopped.untilEnd();
  disposeAll([stopped, silent]);
});

Deno.test("a stream whose time is up gets nothing more, also when its timer is late", async () => {
  await using streamer = await startStreamer({ env: { MAX_STREAM_LIFE: "1h" } });
  const [client] = await openLive(streamer, 1) as [RawClient];
  await publish(streamer, 1, 1);
  await client.untilText("id: urn:test:1\n");
  const { now } = Date;
  Date.now = () => now() + 3_600_000;
  try {
    await publish(streamer, 2, 2);
    await streamer.hub.advanced;
    assert.equal(await client.untilEnd(), "ended");
  } finally {
    Date.now = now;
  }
  assert.deepEqual(numbersIn(client), [1]);
  assert.equal(streamer.hub.counters.ended.expired, 1);
  client[Symbol.dispose]();
});

Deno.test("a stream that waits for the channel does not begin with an update twice or out of order", async () => {
  let open = Promise.withResolvers<void>();
  const channel = new class extends MemoryChannel {
    override async locate(id: string): Promise<Cursor | undefined> {
      await open.promise;
      return await super.locate(id);
    }
  }({ keep: 100_000 });
  await using streamer = await startStreamer({ channel });
  await publish(streamer, 1, 10);
  for (const round of range(0, 4)) {
    open = Promise.withResolvers<void>();
    using client = await RawClient.connect(streamer.port);
    await client.send(requestFor("/events", { "Last-Event-ID": "urn:test:5" }));
    await publish(streamer, 11 + round * 10, 20 + round * 10);
    open.resolve();
    await client.untilText(`id: urn:test:${20 + round * 10}\n`);
    assert.deepEqual(numbersIn(client), range(6, 20 + round * 10));
  }
});
