/** What every adapter of the channel owes, as tests. A gap of an adapter is an argument with its reason. */
import assert from "node:assert/strict";
import {
  type Channel,
  ChannelUnavailableError,
  type Cursor,
  type Entry,
  HistoryLostError,
} from "../channel.ts";
import { within } from "./deadline.ts";
import { numberedUpdate } from "./fixtures.ts";

/** A fresh, empty channel for one test. */
export interface ChannelFixture extends AsyncDisposable {
  readonly channel: Channel;
  /** The same channel as another process would open it. It is closed with the fixture. */
  open(): Channel;
  /** How many updates are kept. */
  readonly keep: number;
  /** Kills what is behind the channel and brings it back, with its history or without. */
  restart(options: { forget: boolean }): Promise<void>;
}

export interface ContractOptions {
  readonly name: string;
  readonly open: () => Promise<ChannelFixture>;
  /** Cases that the adapter need not pass, each with the reason. */
  readonly gaps?: Readonly<Partial<Record<"restart" | "reopen", string>>>;
}

export function testChannel({ name, open, gaps = {} }: ContractOptions): void {
  const test = (what: string, check: (fixture: ChannelFixture) => Promise<void>, gap?: string) =>
    Deno.test({
      name: `${name}: ${what}${gap ? ` (gap: ${gap})` : ""}`,
      ignore: gap !== undefined,
      async fn() {
        await using fixture = await open();
        await within(what, check(fixture));
      },
    });

  test("publish() resolves with the update and its cursor", async ({ channel }) => {
    const update = numberedUpdate(1, { private: true, retry: 5, data: "a\r\nb\0🐇" });
    const entry = await channel.publish(update);
    assert.deepEqual(entry.update, update);
    assert.deepEqual(await channel.history("earliest", { limit: 10 }), [entry]);
  });

  test("publish() with a key that was used resolves with the first entry", async ({ channel, open }) => {
    const other = open();
    const first = await channel.publish(numberedUpdate(1), { requestKey: "a" });
    assert.deepEqual(await channel.publish(numberedUpdate(2), { requestKey: "a" }), first);
    assert.deepEqual(await other.publish(numberedUpdate(3), { requestKey: "a" }), first);
    await channel.publish(numberedUpdate(4), { requestKey: "b" });
    assert.deepEqual(numbersOf(await channel.history("earliest", { limit: 10 })), [1, 4]);
  });

  test("publish() gives up when its signal aborts", async ({ channel }) => {
    const reason = new Error("enough");
    await assert.rejects(
      channel.publish(numberedUpdate(1), { signal: AbortSignal.abort(reason) }),
      (error) => error === reason,
    );
  });

  test("history() returns pages in the order of publishing, whoever published", async ({ channel, open }) => {
    const other = open();
    await publish(channel, 1, 3);
    await publish(other, 4, 6);
    const first = await channel.history("earliest", { limit: 4 });
    const second = await other.history(cursorOf(first, 3), { limit: 4 });
    const third = await channel.history(cursorOf(second, 1), { limit: 4 });
    assert.deepEqual([first, second, third].map(numbersOf), [[1, 2, 3, 4], [5, 6], []]);
  });

  test("history() of an empty channel is empty, and latest() is its end", async ({ channel }) => {
    assert.deepEqual(await channel.history("earliest", { limit: 10 }), []);
    const start = await channel.latest();
    assert.deepEqual(await channel.history(start, { limit: 10 }), []);
    const entry = await channel.publish(numberedUpdate(1));
    assert.deepEqual(await channel.history(start, { limit: 10 }), [entry]);
    assert.equal(await channel.latest(), entry.cursor);
  });

  test("history() after a cursor that is older than what is kept is lost", async ({ channel, keep }) => {
    const [first] = await publish(channel, 1, keep + 2);
    await assert.rejects(channel.history(first!.cursor, { limit: 10 }), HistoryLostError);
    const kept = await channel.history("earliest", { limit: 2 });
    assert.deepEqual(numbersOf(kept), [3, 4]);
    const subscription = firstBatch(
      channel.subscribe(first!.cursor, { signal: AbortSignal.timeout(20_000) }),
    );
    await assert.rejects(subscription, HistoryLostError);
  });

  test("history() after a cursor of another channel is lost", async ({ channel }) => {
    await assert.rejects(channel.history("elsewhere" as Cursor, { limit: 10 }), HistoryLostError);
    await assert.rejects(channel.history("0123456789abcdef-1" as Cursor, { limit: 10 }), HistoryLostError);
  });

  test("historyBefore() pages backwards through all that history() has", async ({ channel }) => {
    for (let number = 1; number <= 7; number++) await channel.publish(numberedUpdate(number));
    const all = await channel.history("earliest", { limit: 10 });
    for (const limit of [1, 2, 3, 7, 8]) {
      const pages: Entry[][] = [];
      let before: Cursor | "latest" = "latest";
      for (;;) {
        const page: Entry[] = await channel.historyBefore(before, { limit });
        if (page[0] === undefined) break;
        assert.ok(page.length <= limit);
        pages.unshift(page);
        before = page[0].cursor;
      }
      assert.deepEqual(pages.flat(), all, `${limit} at a time`);
    }
    assert.deepEqual(numbersOf(await channel.historyBefore(all[3]!.cursor, { limit: 2 })), [2, 3]);
  });

  test("historyBefore() with inclusive ends with the entry of the cursor, whatever comes after it", async ({ channel }) => {
    const entries = await publish(channel, 1, 5);
    const newest = await channel.latest();
    await publish(channel, 6, 7);
    const upTo = async (cursor: Cursor, limit: number) =>
      numbersOf(await channel.historyBefore(cursor, { limit, inclusive: true }));
    assert.deepEqual(await upTo(newest, 2), [4, 5]);
    assert.deepEqual(await upTo(cursorOf(entries, 2), 10), [1, 2, 3]);
    assert.deepEqual(await upTo(cursorOf(entries, 0), 1), [1]);
  });

  test("historyBefore() has large updates between small ones, each once", async ({ channel }) => {
    // More than fits into one answer of whoever keeps them, and less, in no order that could help.
    const sizes = [
      3_000_000,
      1,
      1,
      300_000,
      1,
      200_000,
      200_000,
      1_000_000,
      1,
      1,
      1,
      70_000,
      70_000,
      4_000_000,
    ];
    const updates = sizes.map((size, number) => numberedUpdate(number, { data: "x".repeat(size) }));
    for (const update of updates) await channel.publish(update);
    const numbers = range(0, sizes.length - 1);
    for (const limit of [1, 3, 1000]) {
      const found: number[] = [];
      for (let before: Cursor | "latest" = "latest";;) {
        const page: Entry[] = await channel.historyBefore(before, { limit });
        if (page[0] === undefined) break;
        assert.ok(page.length <= limit);
        found.unshift(...numbersOf(page));
        before = page[0].cursor;
      }
      assert.deepEqual(found, numbers, `${limit} at a time`);
    }
  });

  test("historyBefore() while the oldest are forgotten goes on right before, until nothing older is kept", async (fixture) => {
    const { channel, keep } = fixture;
    const entries = await publish(channel, 1, keep);
    const publishing = publish(channel, keep + 1, keep + 2000);
    let before = cursorOf(entries, 1500);
    let wanted = 1500;
    while (true) {
      const page = await channel.historyBefore(before, { limit: 50 });
      const [oldest] = page;
      if (oldest === undefined) break;
      assert.deepEqual(numbersOf(page), range(wanted - page.length + 1, wanted));
      wanted -= page.length;
      before = oldest.cursor;
    }
    const [kept] = numbersOf(await channel.history("earliest", { limit: 1 }));
    assert.ok(kept! > wanted, `${kept} is kept, and nothing was found before ${wanted + 1}`);
    await publishing;
    assert.deepEqual(await channel.historyBefore(cursorOf(entries, 1500), { limit: 50 }), []);
  });

  test("historyBefore() passes over what is no longer kept", async ({ channel, keep }) => {
    const first = await channel.publish(numberedUpdate(0));
    await Promise.all(
      Array.from({ length: keep + 5 }, (_, index) => channel.publish(numberedUpdate(index + 1))),
    );
    assert.deepEqual(await channel.historyBefore(first.cursor, { limit: 5 }), []);
    const kept = await channel.history("earliest", { limit: 3 });
    assert.deepEqual(await channel.historyBefore(kept[2]!.cursor, { limit: 1000 }), kept.slice(0, 2));
  });

  test("historyBefore() a cursor of another channel is lost, and of an empty one nothing", async ({ channel }) => {
    assert.deepEqual(await channel.historyBefore("latest", { limit: 5 }), []);
    await using other = await open();
    const { cursor } = await other.channel.publish(numberedUpdate(1));
    await channel.publish(numberedUpdate(2));
    await assert.rejects(channel.historyBefore(cursor, { limit: 5 }), HistoryLostError);
  });

  test("epoch() is the same for all who have the channel open, and no other channel's", async (fixture) => {
    const epoch = await fixture.channel.epoch();
    await fixture.channel.publish(numberedUpdate(1));
    assert.equal(await fixture.open().epoch(), epoch);
    await using other = await open();
    assert.notEqual(await other.channel.epoch(), epoch);
  });

  test("locate() finds the first update of an id", async ({ channel }) => {
    await publish(channel, 1, 2);
    const twin = await channel.publish(numberedUpdate(3));
    await channel.publish(numberedUpdate(3));
    assert.equal(await channel.locate("urn:test:3"), twin.cursor);
    assert.equal(await channel.locate("urn:test:4"), undefined);
    assert.equal(await channel.locate(""), undefined);
  });

  test("subscribe() from earliest yields what was and what comes, once and in order", async ({ channel, open }) => {
    const other = open();
    await publish(channel, 1, 1500);
    const received = collect(channel.subscribe("earliest", { signal: AbortSignal.timeout(20_000) }), 3000);
    await publish(other, 1501, 3000);
    assert.deepEqual(numbersOf(await received), range(1, 3000));
  });

  test("subscribe() from latest begins at the call", async ({ channel }) => {
    await publish(channel, 1, 3);
    const subscription = channel.subscribe("latest", { signal: AbortSignal.timeout(20_000) });
    await publish(channel, 4, 6);
    assert.deepEqual(numbersOf(await collect(subscription, 3)), [4, 5, 6]);
  });

  test("subscribe() from a cursor joins history and live", async ({ channel }) => {
    const entries = await publish(channel, 1, 10);
    const subscription = channel.subscribe(cursorOf(entries, 4), { signal: AbortSignal.timeout(20_000) });
    const received = collect(subscription, 15);
    await publish(channel, 11, 20);
    assert.deepEqual(numbersOf(await received), range(6, 20));
  });

  test("subscribe() shows all subscribers one order", async ({ open }) => {
    const left = open();
    const right = open();
    const signal = AbortSignal.timeout(20_000);
    const received = [left, right].map((each) => collect(each.subscribe("earliest", { signal }), 1000));
    await Promise.all([publish(left, 1, 500), publish(right, 501, 1000)]);
    const [one, two] = await Promise.all(received);
    assert.deepEqual(one, two);
    assert.deepEqual(numbersOf(one!).toSorted((a, b) => a - b), range(1, 1000));
  });

  test("subscribe() waits for a slow consumer and loses nothing", async ({ channel }) => {
    const subscription = channel.subscribe("earliest", { signal: AbortSignal.timeout(20_000) });
    const batches = subscription[Symbol.asyncIterator]();
    await publish(channel, 1, 1);
    const received = [...(await batches.next()).value];
    // Nobody asks for the next batch while all of this is published, and published without hindrance.
    await publish(channel, 2, 6000);
    while (received.length < 6000) received.push(...(await batches.next()).value);
    assert.deepEqual(numbersOf(received), range(1, 6000));
    await batches.return?.();
  });

  test("subscribe() ends when its signal aborts", async ({ channel }) => {
    const ended = new AbortController();
    await publish(channel, 1, 1);
    const received: Entry[] = [];
    for await (const batch of channel.subscribe("earliest", { signal: ended.signal })) {
      received.push(...batch);
      ended.abort();
    }
    assert.deepEqual(numbersOf(received), [1]);
  });

  test("a closed channel ends its subscriptions and refuses the rest", async ({ open }) => {
    const channel = open();
    const subscription = firstBatch(channel.subscribe("latest", { signal: AbortSignal.timeout(20_000) }));
    await channel[Symbol.asyncDispose]();
    assert.equal(await subscription, undefined);
    assert.equal(channel.status().reachable, false);
    await assert.rejects(channel.publish(numberedUpdate(1)), ChannelUnavailableError);
    await assert.rejects(channel.history("earliest", { limit: 1 }), ChannelUnavailableError);
    await assert.rejects(channel.locate("urn:test:1"), ChannelUnavailableError);
    await assert.rejects(channel.latest(), ChannelUnavailableError);
    await assert.rejects(channel.epoch(), ChannelUnavailableError);
    await assert.rejects(channel.historyBefore("latest", { limit: 1 }), ChannelUnavailableError);
  });

  test("history() while the oldest are forgotten goes on in order, or says that it is lost", async (fixture) => {
    const { channel, keep } = fixture;
    await publish(channel, 1, keep);
    const publishing = publish(channel, keep + 1, keep + 2000);
    let after: Cursor | "earliest" = "earliest";
    let last = 0;
    while (last < keep + 2000) {
      try {
        const page = await channel.history(after, { limit: 100 });
        const numbers = numbersOf(page);
        assert.ok(numbers.length === 0 || after === "earliest" || numbers[0] === last + 1);
        assert.deepEqual(numbers, range(numbers[0] ?? 1, (numbers[0] ?? 1) + numbers.length - 1));
        after = page.at(-1)?.cursor ?? after;
        last = numbers.at(-1) ?? last;
      } catch (error) {
        if (!(error instanceof HistoryLostError)) throw error;
        after = "earliest";
      }
    }
    await publishing;
  });

  test(
    "closing in the middle ends what waits, and the channel can be opened again",
    async ({ channel, open }) => {
      const closing = open();
      await publish(channel, 1, 2000);
      const received: Entry[] = [];
      for await (const batch of closing.subscribe("earliest", { signal: AbortSignal.timeout(20_000) })) {
        received.push(...batch);
        await closing[Symbol.asyncDispose]();
      }
      const seen = numbersOf(received);
      assert.deepEqual(seen, range(1, seen.length));
    },
    gaps.reopen,
  );

  test("after a restart with its history, a subscription goes on where it was", async (fixture) => {
    const { channel } = fixture;
    const received = collect(channel.subscribe("earliest", { signal: AbortSignal.timeout(20_000) }), 2000);
    const before = await publish(channel, 1, 1000);
    const epoch = await channel.epoch();
    await fixture.restart({ forget: false });
    await publish(channel, 1001, 2000);
    assert.equal(await channel.epoch(), epoch);
    assert.deepEqual(numbersOf(await received), range(1, 2000));
    assert.deepEqual(await channel.history("earliest", { limit: 1 }), before.slice(0, 1));
    assert.equal(await channel.locate("urn:test:1"), before[0]?.cursor);
  }, gaps.restart);

  test(
    "after a restart without history, a subscription says so and all that came is new",
    async (fixture) => {
      const { channel } = fixture;
      const epoch = await channel.epoch();
      const signal = AbortSignal.timeout(20_000);
      const batches = channel.subscribe("earliest", { signal })[Symbol.asyncIterator]();
      await publish(channel, 1, 3);
      const received: Entry[] = [];
      while (received.length < 3) received.push(...(await batches.next()).value);

      await fixture.restart({ forget: true });
      await publish(channel, 4, 5);
      assert.notEqual(await channel.epoch(), epoch);
      await assert.rejects(batches.next(), HistoryLostError);
      assert.deepEqual(numbersOf(await collect(channel.subscribe("earliest", { signal }), 2)), [4, 5]);
      await assert.rejects(channel.history(cursorOf(received, 0), { limit: 1 }), HistoryLostError);
      await assert.rejects(channel.historyBefore(cursorOf(received, 2), { limit: 1 }), HistoryLostError);
    },
    gaps.restart,
  );
}

/** Publishes updates with these numbers, many at a time but in their order. */
async function publish(channel: Channel, first: number, last: number): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (let start = first; start <= last; start += 1000) {
    const numbers = range(start, Math.min(start + 999, last));
    entries.push(...await Promise.all(numbers.map((number) => channel.publish(numberedUpdate(number)))));
  }
  return entries;
}

/** Takes entries until there are as many as wanted. */
async function collect(subscription: AsyncIterable<Entry[]>, count: number): Promise<Entry[]> {
  const entries: Entry[] = [];
  for await (const batch of subscription) {
    assert.notEqual(batch.length, 0);
    entries.push(...batch);
    if (entries.length >= count) break;
  }
  return entries;
}

async function firstBatch(subscription: AsyncIterable<Entry[]>): Promise<Entry[] | undefined> {
  for await (const batch of subscription) return batch;
  return undefined;
}

function numbersOf(entries: readonly Entry[]): number[] {
  return entries.map(({ update }) => Number(update.id.split(":")[2]));
}

function cursorOf(entries: readonly Entry[], index: number): Cursor {
  const entry = entries[index];
  assert.ok(entry);
  return entry.cursor;
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}
