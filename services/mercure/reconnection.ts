/** Reconnection: what was missed comes first, once and in order, and only to those who may read it today. */
import assert from "node:assert/strict";
import { within } from "../lib/testing/deadline.ts";
import { startForwarder } from "../lib/testing/processes.ts";
import { fill } from "./fill.ts";
import {
  type Event,
  fromHeaderText,
  headerText,
  Hub,
  startStreamer,
  type Stream,
  type Suite,
  unique,
} from "./harness.ts";

/** The response header with the id of the update before the first one that is sent. */
const CURSOR = "Mercure-Last-Event-ID";

/** Publishes updates on a topic one after the other, and resolves with their ids. */
async function publishSeveral(hub: Hub, topic: string, count: number, fields = {}): Promise<string[]> {
  const ids: string[] = [];
  for (let index = 0; index < count; index++) {
    ids.push(await hub.publishOk({ topic, data: `${index}`, ...fields }));
  }
  return ids;
}

function idsOf(events: readonly Event[]): (string | undefined)[] {
  return events.map(({ id }) => id);
}

/** The ids of all that a stream had up to now. */
async function drainIds(stream: Stream, topic: string): Promise<(string | undefined)[]> {
  return idsOf(await stream.drain(topic));
}

export function register(suite: Suite): void {
  registerCursors(suite);
  registerReplay(suite);
  registerLoad(suite);
  registerReferences(suite);
}

function registerCursors({ requirement }: Suite): void {
  requirement(88, async (hubs) => {
    const hub = await hubs.open();
    const [topic, other] = [unique(), unique("other")];
    const before = await publishSeveral(hub, topic, 4);
    const k = before.at(-1)!;
    const after: string[] = [];
    for (let index = 0; index < 6; index++) {
      await publishSeveral(hub, other, 1);
      after.push(...await publishSeveral(hub, topic, 1));
    }
    await using stream = await hub.subscribe({ match: topic }, { headers: { "Last-Event-ID": k } });
    after.push(...await publishSeveral(hub, topic, 3));
    assert.deepEqual(await drainIds(stream, topic), after);
    assert.equal(stream.ended, false);
  });

  requirement(89, async (hubs) => {
    const hub = await hubs.open();
    const topic = unique();
    const ids = await publishSeveral(hub, topic, 6);
    await using byParameter = await hub.subscribe({ match: topic, last_event_id: ids[1]! });
    await using byBoth = await hub.subscribe({ match: topic, last_event_id: ids[1]! }, {
      headers: { "Last-Event-ID": ids[3]! },
    });
    await using older = await hub.subscribe({ match: topic, last_event_id: ids[3]! }, {
      headers: { "Last-Event-ID": ids[1]! },
    });
    assert.equal(byBoth.response.headers.get(CURSOR), ids[3]);
    const marker = await hub.publishOk({ topic });
    for (const [stream, start] of [[byParameter, 2], [byBoth, 4], [older, 2]] as const) {
      await stream.until("the marker", () => stream.events.at(-1)?.id === marker);
      assert.deepEqual(idsOf(stream.events), [...ids.slice(start), marker]);
    }
  });

  requirement(90, async (hubs) => {
    const hub = await hubs.open();
    const topic = unique();
    const ids = await publishSeveral(hub, topic, 5);
    await publishSeveral(hub, unique("other"), 3);
    await using stream = await hub.subscribe({ match: topic, last_event_id: "earliest" });
    await using other = await hub.subscribe({ match: topic }, { headers: { "Last-Event-ID": "earliest" } });
    assert.deepEqual(await drainIds(stream, topic), ids);
    await other.next(ids.length);
    assert.deepEqual(idsOf(other.events.slice(0, ids.length)), ids);
  });

  requirement(91, async (hubs) => {
    const hub = await hubs.open();
    const topic = unique();
    const [known = ""] = await publishSeveral(hub, topic, 3);
    const unknown = `urn:uuid:${crypto.randomUUID()}`;
    interface Case {
      readonly query?: Readonly<Record<string, string>>;
      readonly header?: string;
      readonly cursor: string | null;
    }
    const cases: Record<string, Case> = {
      "a known id in the address": { query: { last_event_id: known }, cursor: known },
      "a known id in the header": { header: known, cursor: known },
      "a known id in the address and an empty header": {
        query: { last_event_id: known },
        header: "",
        cursor: known,
      },
      "earliest": { query: { last_event_id: "earliest" }, cursor: "earliest" },
      "earliest in the header": { header: "earliest", cursor: "earliest" },
      "an unknown id in the address": { query: { last_event_id: unknown }, cursor: "earliest" },
      "an unknown id in the header": { header: unknown, cursor: "earliest" },
      "an empty id in the address": { query: { last_event_id: "" }, cursor: "earliest" },
      "an empty id in the header": { header: "", cursor: "earliest" },
      "none": { cursor: null },
    };
    for (const [what, { query = {}, header, cursor }] of Object.entries(cases)) {
      const headers = header === undefined ? {} : { "Last-Event-ID": header };
      await using stream = await hub.subscribe({ match: topic, ...query }, { headers });
      assert.equal(stream.response.headers.get(CURSOR), cursor, what);
    }
    await using empty = await hubs.fresh();
    for (const last_event_id of ["earliest", unknown, ""]) {
      await using stream = await empty.subscribe({ match: topic, last_event_id });
      assert.equal(stream.response.headers.get(CURSOR), "earliest", `${last_event_id} in an empty history`);
    }
  });

  requirement(98, async (hubs) => {
    const hub = await hubs.open();
    const topic = unique();
    const id = `é日🐇/${topic}`;
    assert.equal(await hub.publishOk({ topic, id }), id);
    const [next] = await publishSeveral(hub, topic, 1);
    await using first = await hub.subscribe({ match: topic, last_event_id: "earliest" });
    await first.next(1);
    assert.equal(first.events[0]?.id, id);
    const headers = { "Last-Event-ID": headerText(id) };
    await using byHeader = await hub.subscribe({ match: topic }, { headers });
    await using byParameter = await hub.subscribe({ match: topic, last_event_id: id });
    for (const stream of [byHeader, byParameter]) {
      assert.equal(fromHeaderText(stream.response.headers.get(CURSOR) ?? ""), id);
      await stream.next(1);
      assert.equal(stream.events[0]?.id, next);
    }
  });
}

function registerReplay({ requirement }: Suite): void {
  requirement(92, async (hubs) => {
    const hub = await hubs.open();
    const [mine, yours] = [unique("mine"), unique("yours")];
    const match = [mine, yours];
    const [start = ""] = await publishSeveral(hub, mine, 1);
    const [public1 = ""] = await publishSeveral(hub, mine, 1);
    const [privateOfMine = ""] = await publishSeveral(hub, mine, 1, { private: "on", data: "secret" });
    const [privateOfYours = ""] = await publishSeveral(hub, yours, 1, { private: "on", data: "secret" });
    const [public2 = ""] = await publishSeveral(hub, yours, 1);
    const [last = ""] = await publishSeveral(hub, mine, 1, { private: "on", data: "secret" });
    const cases = [
      { subscribe: undefined, wanted: [public1, public2] },
      { subscribe: [mine], wanted: [public1, privateOfMine, public2, last] },
      { subscribe: [yours], wanted: [public1, privateOfYours, public2] },
      { subscribe: ["*"], wanted: [public1, privateOfMine, privateOfYours, public2, last] },
      { subscribe: [unique()], wanted: [public1, public2] },
    ];
    const all = [public1, privateOfMine, privateOfYours, public2, last];
    for (const { subscribe, wanted } of cases) {
      const token = subscribe === undefined ? null : await hub.token({ subscribe });
      for (const last_event_id of [start, "earliest", `urn:uuid:${crypto.randomUUID()}`]) {
        await using wire = await hub.wire({ match, last_event_id }, { token });
        const marker = await hub.publishOk({ topic: mine });
        const text = await wire.until("the marker", (text) => text.includes(marker));
        const replayed = last_event_id === start || last_event_id === "earliest" ? wanted : [];
        assert.deepEqual(all.filter((id) => text.includes(id)), replayed, `${subscribe}, ${last_event_id}`);
        const headers = JSON.stringify([...wire.response.headers]);
        assert.ok(all.every((id) => !headers.includes(id)), "no id of an update is in the headers");
      }
    }
    // Who names the id of an update that it may not read learns nothing but what it has said itself.
    await using stream = await hub.subscribe({ match, last_event_id: privateOfYours });
    assert.ok([privateOfYours, "earliest"].includes(stream.response.headers.get(CURSOR) ?? ""));
    const seen = await drainIds(stream, mine);
    assert.ok(!seen.includes(last) && !seen.includes(privateOfMine));
  });

  requirement(93, async (hubs) => {
    const hub = await hubs.open();
    const topic = unique();
    const twin = `urn:test:twin:${topic}`;
    await publishSeveral(hub, topic, 1);
    await hub.publishOk({ topic, id: twin, data: "first" });
    const [between] = await publishSeveral(hub, topic, 1);
    await hub.publishOk({ topic, id: twin, data: "second" });
    const [after] = await publishSeveral(hub, topic, 1);
    await using stream = await hub.subscribe({ match: topic, last_event_id: twin });
    const events = await stream.drain(topic);
    assert.deepEqual(idsOf(events), [between, twin, after]);
    assert.equal(events[1]?.data, "second");
  });

  requirement(94, async (hubs) => {
    const hub = await hubs.open();
    const topic = unique();
    const ids = await publishSeveral(hub, topic, 200);
    let publishing = true;
    const published = (async () => {
      while (publishing) ids.push(await hub.publishOk({ topic, data: "during" }));
    })();
    await using streams = new AsyncDisposableStack();
    const starts = [0, 50, 100, 150, 199, 120, 60, 10];
    const opened: { start: number; stream: Stream }[] = [];
    for (const start of starts) {
      const stream = await hub.subscribe({ match: topic, last_event_id: ids[start]! });
      opened.push({ start, stream: streams.use(stream) });
      // It goes on while this one still replays and the next one opens.
      await stream.next(1);
    }
    publishing = false;
    await published;
    for (const { start, stream } of opened) {
      const wanted = ids.slice(start + 1);
      await stream.next(wanted.length);
      assert.deepEqual(idsOf(stream.events), wanted, `after number ${start}`);
    }
  });

  requirement(95, async () => {
    const folder = await Deno.makeTempDir();
    try {
      const topic = unique();
      let ids: string[];
      {
        await using forwarder = await startForwarder({ folder });
        await using streamer = await startStreamer(forwarder);
        ids = await publishSeveral(new Hub(streamer, forwarder, new AsyncDisposableStack()), topic, 5);
        // Both are killed here, without a word.
      }
      await using forwarder = await startForwarder({ folder });
      await using streamer = await startStreamer(forwarder);
      const hub = new Hub(streamer, forwarder, new AsyncDisposableStack());
      await using resumed = await hub.subscribe({ match: topic, last_event_id: ids[1]! });
      assert.equal(resumed.response.headers.get(CURSOR), ids[1]);
      await resumed.next(3);
      assert.deepEqual(idsOf(resumed.events), ids.slice(2));
      await using all = await hub.subscribe({ match: topic, last_event_id: "earliest" });
      await all.next(5);
      assert.deepEqual(idsOf(all.events), ids);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}

function registerLoad({ requirement }: Suite): void {
  requirement(96, async (hubs) => {
    await using hub = await hubs.fresh();
    const topic = unique();
    const ids = await fill(hub, topic, 50_001);
    await using stream = await hub.subscribe({ match: topic, last_event_id: ids[0]! });
    await stream.next(50_000);
    assert.deepEqual(idsOf(stream.events), ids.slice(1));
    assert.equal(stream.ended, false);
    assert.equal((await stream.drain(topic)).length, 50_000, "and it is live");
  });

  requirement(97, async (hubs) => {
    await using hub = await hubs.fresh();
    const topic = unique();
    const ids = await fill(hub, topic, 100_000);
    // Whoever read the history for each of them would not be done within the deadline of one.
    const opened = Promise.all(Array.from({ length: 100 }, async (_, index) => {
      const start = ids.length - 1 - index % 10;
      const stream = await hub.subscribe({ match: topic, last_event_id: ids[start]! });
      return { start, stream };
    }));
    const streams = await within("100 streams that resume", opened);
    try {
      const marker = await hub.publishOk({ topic });
      for (const { start, stream } of streams) {
        assert.equal(stream.response.headers.get(CURSOR), ids[start]);
        await stream.until("the marker", () => stream.events.at(-1)?.id === marker);
        assert.deepEqual(idsOf(stream.events), [...ids.slice(start + 1), marker]);
      }
    } finally {
      await Promise.all(streams.map(({ stream }) => stream[Symbol.asyncDispose]()));
    }
  });

  requirement(99, async (hubs) => {
    const hub = await hubs.open();
    const topic = unique();
    const { promise: readAfter, resolve: read } = Promise.withResolvers<void>();
    const slow = await hub.subscribe({ match: topic }, { readAfter });
    const ids: string[] = [];
    try {
      await using quick = await hub.subscribe({ match: topic });
      // More than all the buffers on the way hold.
      const data = "x".repeat(500_000);
      for (let index = 0; index < 30; index++) ids.push(await hub.publishOk({ topic, data }));
      await quick.next(ids.length);
      assert.deepEqual(idsOf(quick.events), ids, "another reader has everything meanwhile");
    } finally {
      read();
    }
    const seen: (string | undefined)[] = [];
    // Whether it was cut, or is given the rest at its own pace: from its cursor on it has everything once.
    let stream = slow;
    while (true) {
      const missing = ids.length - seen.length;
      await within("the slow reader", until(stream, missing));
      seen.push(...idsOf(stream.events));
      await stream[Symbol.asyncDispose]();
      if (seen.length >= ids.length) break;
      const last_event_id = seen.at(-1);
      stream = await hub.subscribe({ match: topic, ...(last_event_id !== undefined && { last_event_id }) });
    }
    assert.deepEqual(seen, ids);
  });
}

/** Resolves when the stream has so many events, or has ended. */
async function until(stream: Stream, count: number): Promise<void> {
  try {
    await stream.until("the rest or the end", () => stream.ended || stream.events.length >= count);
  } catch (error) {
    if (!stream.ended) throw error;
  }
}

function registerReferences(suite: Suite): void {
  const reference = suite.reference.bind(suite, "Reconnection");

  reference("an unknown id replays nothing, and what comes is live", async (hubs) => {
    const hub = await hubs.open();
    const topic = unique();
    await publishSeveral(hub, topic, 3);
    const unknown = `urn:uuid:${crypto.randomUUID()}`;
    await using byParameter = await hub.subscribe({ match: topic, last_event_id: unknown });
    await using byHeader = await hub.subscribe({ match: topic }, { headers: { "Last-Event-ID": unknown } });
    const ids = await publishSeveral(hub, topic, 2);
    assert.deepEqual(await drainIds(byParameter, topic), ids);
    await byHeader.next(2);
    assert.deepEqual(idsOf(byHeader.events.slice(0, 2)), ids);
  });

  reference("the id of an update on another topic is a cursor as well", async (hubs) => {
    const hub = await hubs.open();
    const [topic, other] = [unique(), unique("other")];
    await publishSeveral(hub, topic, 2);
    const [cursor = ""] = await publishSeveral(hub, other, 1);
    const ids = await publishSeveral(hub, topic, 2);
    await using stream = await hub.subscribe({ match: topic, last_event_id: cursor });
    assert.deepEqual(await drainIds(stream, topic), ids);
  });

  reference("the newest id replays nothing", async (hubs) => {
    const hub = await hubs.open();
    const topic = unique();
    const ids = await publishSeveral(hub, topic, 3);
    await using stream = await hub.subscribe({ match: topic, last_event_id: ids[2]! });
    assert.equal(stream.response.headers.get(CURSOR), ids[2]);
    assert.deepEqual(await drainIds(stream, topic), []);
  });
}
