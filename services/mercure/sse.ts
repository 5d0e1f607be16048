/** The stream on the wire, and what a client's parser makes of it. */
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { trickyText } from "../lib/testing/fixtures.ts";
import { type Event, eventsIn, type Hub, type Settings, type Suite, unique } from "./harness.ts";

const LARGE: Settings = { MAX_BODY: "8MiB" };

/** Publishes one update, and returns the lines of its event as they stand in the stream. */
async function linesOf(hub: Hub, update: Readonly<Record<string, string>>): Promise<string[]> {
  const topic = unique();
  await using wire = await hub.wire({ match: topic });
  await hub.publishOk({ topic, ...update });
  const end = await hub.publishOk({ topic, data: "the end" });
  const text = await wire.until("the last event", (text) => text.includes(end) && text.endsWith("\n\n"));
  const events = eventsIn(text);
  assert.equal(events.length, 2);
  return (events[0] ?? "").split("\n").filter((line) => !line.startsWith(":"));
}

/** What a client sees of an update. */
async function eventOf(hub: Hub, update: Readonly<Record<string, string>>): Promise<Event> {
  const topic = unique();
  await using stream = await hub.subscribe({ match: topic });
  await hub.publishOk({ topic, ...update });
  const [event] = await stream.next(1);
  return event!;
}

const LINE_END = /\r\n|\r|\n/g;

export function register({ requirement, reference }: Suite): void {
  requirement(31, async (hubs) => {
    const hub = await hubs.open();
    const topic = unique();
    await using stream = await hub.subscribe({ match: topic });
    const given = `urn:test:${crypto.randomUUID()}`;
    const ids = [
      await hub.publishOk({ topic, data: "none given" }),
      await hub.publishOk({ topic, data: "one given", id: given }),
      await hub.publishOk({ topic }),
      await hub.publishOk({ topic, type: "t" }),
    ];
    assert.deepEqual((await stream.drain(topic)).map(({ id }) => id), ids);
    assert.equal(ids[1], given);
  });

  requirement(32, async (hubs) => {
    const hub = await hubs.open();
    const cases = [
      ["several\nlines\rwith\r\nends", ["several", "lines", "with", "ends"]],
      ["\r\n\r\n", ["", "", ""]],
      ["\n\r", ["", "", ""]],
      ["a\r\r\nb", ["a", "", "b"]],
      ["a\u2028b\u2029c\u0085d\vf\fg", ["a\u2028b\u2029c\u0085d\vf\fg"]],
    ] as const;
    for (const [data, lines] of cases) {
      const wire = await linesOf(hub, { data });
      assert.deepEqual(wire.filter((line) => !line.startsWith("id:")), lines.map((line) => `data: ${line}`));
      assert.equal((await eventOf(hub, { data })).data, lines.join("\n"));
    }
  });

  requirement(33, async (hubs) => {
    const hub = await hubs.open();
    for (const end of ["\n", "\r", "\r\n", "\n\n", "\r\r", "\n\r\n"]) {
      for (const type of ["", "mine"]) {
        const data = ["x", "id: forged", "event: forged", "retry: 1", ": forged", "id", "data: y", "end"]
          .join(end);
        const id = `urn:test:${crypto.randomUUID()}`;
        const { id: seen, event = "", data: text } = await eventOf(hub, { data, id, type });
        assert.deepEqual([seen, event, text], [id, type, data.replace(LINE_END, "\n")]);
      }
    }
    // One update can neither become two nor reach into the next one.
    const topic = unique();
    await using stream = await hub.subscribe({ match: topic });
    await hub.publishOk({ topic, data: "x\n\nid: forged\ndata: forged\n\n" });
    await hub.publishOk({ topic, data: "second" });
    const events = await stream.drain(topic);
    assert.equal(events.length, 2);
    assert.equal(events[1]?.data, "second");
    assert.equal(stream.retry === 1, false);
  });

  requirement(34, async (hubs) => {
    const hub = await hubs.open();
    for (const update of [{}, { data: "" }]) {
      const { data } = await eventOf(hub, update);
      assert.equal(data, "");
      assert.deepEqual((await linesOf(hub, update)).filter((line) => line.startsWith("data")), ["data: "]);
    }
  });

  requirement(35, async (hubs) => {
    const hub = await hubs.open();
    assert.equal((await eventOf(hub, { type: "stock", data: "x" })).event, "stock");
    assert.equal((await eventOf(hub, { type: "größer: 日", data: "x" })).event, "größer: 日");
    assert.ok((await linesOf(hub, { type: "stock", data: "x" })).includes("event: stock"));
    for (const update of [{ data: "x" }, { data: "x", type: "" }]) {
      assert.ok(!(await linesOf(hub, update)).some((line) => line.startsWith("event")));
      assert.equal((await eventOf(hub, update)).event, undefined);
    }
  });

  requirement(36, async (hubs) => {
    const hub = await hubs.open();
    const retries = async (update: Readonly<Record<string, string>>) =>
      (await linesOf(hub, update)).filter((line) => line.startsWith("retry"));
    assert.deepEqual(await retries({ retry: "2500" }), ["retry: 2500"]);
    // The reference hub loses this one.
    assert.deepEqual(await retries({ retry: "0" }), ["retry: 0"]);
    assert.deepEqual(await retries({ data: "x" }), []);
    const topic = unique();
    await using stream = await hub.subscribe({ match: topic });
    await hub.publishOk({ topic, retry: "2501", data: "x" });
    await stream.next(1);
    assert.equal(stream.retry, 2501);
  });

  requirement(37, async (hubs) => {
    const hub = await hubs.open();
    for (
      const data of [
        " a",
        "  a",
        " ",
        "a ",
        "a\n",
        "a\n\n",
        "\na",
        "\n",
        " \n ",
        ":a",
        "\ta",
        "data: a",
        "\uFEFFa",
      ]
    ) {
      assert.equal((await eventOf(hub, { data })).data, data, JSON.stringify(data));
    }
  });

  requirement(38, async (hubs) => {
    const hub = await hubs.open(LARGE);
    const line = crypto.randomUUID();
    const cases = [
      "x".repeat(1024 * 1024),
      `${line}\n`.repeat(10_000),
      "é日🐇".repeat(100_000),
      "\n".repeat(10_000),
    ];
    for (const data of cases) assert.ok((await eventOf(hub, { data })).data === data, data.slice(0, 10));
  });

  requirement(39, async (hubs) => {
    const hub = await hubs.open();
    for (
      const text of [
        "é日🐇",
        "e\u0301",
        "אבג",
        "👩\u{1F3FD}",
        "\uFFFD",
        "\u{10FFFD}",
        "a\u00A0b",
        '"[quotes]" & <b>',
      ]
    ) {
      const id = `urn:test:${crypto.randomUUID()}:${text}`;
      const { id: seen, data } = await eventOf(hub, { id, data: text });
      assert.deepEqual([seen, data], [id, text]);
    }
    assert.equal((await eventOf(hub, { data: "a\0b\u200Dc" })).data, "a\0b\u200Dc");
  });

  reference("SSE", "an event has the lines that it needs, each once, and no others", async (hubs) => {
    const hub = await hubs.open();
    const id = `urn:test:${crypto.randomUUID()}`;
    const lines = await linesOf(hub, { id, type: "type", retry: "5", data: "several\nlines\rwith\r\nends" });
    const fixed = lines.filter((line) => !line.startsWith("data:") && !line.startsWith("topics:"));
    assert.deepEqual(fixed.toSorted(), ["event: type", `id: ${id}`, "retry: 5"]);
    assert.deepEqual(lines.filter((line) => line.startsWith("data:")), [
      "data: several",
      "data: lines",
      "data: with",
      "data: ends",
    ]);
  });

  reference("SSE", "any data comes as a client has to see it", async (hubs) => {
    const hub = await hubs.open();
    const topic = unique();
    await using stream = await hub.subscribe({ match: topic });
    const texts = fc.sample(trickyText, 200);
    for (const data of texts) await hub.publishOk({ topic, data });
    const events = await stream.drain(topic);
    assert.deepEqual(events.map(({ data }) => data), texts.map((text) => text.replace(LINE_END, "\n")));
  });

  reference("SSE", "what comes before the first event tells nothing of private updates", async (hubs) => {
    const hub = await hubs.open();
    const id = await hub.publishOk({ topic: unique("secret"), data: "secret", private: "on" });
    await hub.publishOk({ topic: unique() });
    // As browsers ask for an EventSource, which is told an id to come back with.
    const headers = { "Cache-Control": "no-cache" };
    await using wire = await hub.wire({ match: unique() }, { headers });
    const text = await wire.until("the first bytes", (text) => text.endsWith("\n\n"));
    assert.match(text, /^id: /m);
    assert.ok(!text.includes(id) && !text.includes("secret"));
  });

  reference("SSE", "what is published at the same time comes in one order to all", async (hubs) => {
    const hub = await hubs.open();
    const topic = unique();
    await using first = await hub.subscribe({ match: topic });
    await using second = await hub.subscribe({ match_urlpattern: topic });
    const published = await Promise.all(
      Array.from({ length: 100 }, (_, index) => hub.publishOk({ topic, data: `${index}` })),
    );
    const [ids, others] = (await Promise.all([first.next(100), second.next(100)])).map((events) =>
      events.map(({ id }) => id)
    );
    assert.deepEqual(ids, others);
    assert.deepEqual(new Set(ids), new Set(published));
    assert.equal(ids?.length, 100);
  });
}
