/** Publishing: what is taken, what is refused, and what an answer means. Much of it at both doors. */
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { eventually, within } from "../lib/testing/deadline.ts";
import { BAD_UTF8, FORBIDDEN_CHARACTERS, trickyText } from "../lib/testing/fixtures.ts";
import { ready, startForwarder } from "../lib/testing/processes.ts";
import {
  assertStatus,
  type Door,
  encode,
  eventsIn,
  type Fields,
  HUB_PATH,
  type Hubs,
  OPEN,
  request,
  type RequestOptions,
  SMALL,
  type Suite,
  unique,
} from "./harness.ts";

const FORM = "application/x-www-form-urlencoded";

/** Topics in the hub's own namespace. */
const RESERVED = [
  "",
  "#a",
  "?a=1",
  "mercure",
  "mercure/x",
  "./mercure",
  "mercure/subscriptions/x",
  "mercure?x",
  "../.well-known/mercure",
  HUB_PATH,
  `${HUB_PATH}/`,
  `${HUB_PATH}/subscriptions/exact/x/y`,
  "/.well-known/%6Dercure/x",
  "/.well-known/me%72cure/x",
  "/%2Ewell-known/mercure/z",
  "/.well-known/mercure/../mercure/x",
  "/.well-known/x/%2e%2e/mercure/y",
  "/./.well-known/mercure",
  "https://any.test/.well-known/mercure",
  "http://any.test:81/.well-known/mercure/x?y#z",
  "https://any.test/.well-known/%6dercure",
  "//other/.well-known/mercure",
  "https://a.test\\.well-known\\mercure\\x",
  "foo:/.well-known/mercure",
  "foo://host/.well-known/mercure/x",
];

/** Topics that only look like that. */
const FREE = [
  "foo",
  "subscriptions/x",
  "a b",
  "/.well-known/mercure-x",
  "/.well-known/mercureXXX",
  "/.well-known/mercure%2Fx",
  "/.well-known//mercure",
  "/.WELL-KNOWN/mercure",
  "/.well-known/Mercure",
  "/mercure",
  "../mercure/x",
  "https://a.test/x/.well-known/mercure",
  "https://a.test/?/.well-known/mercure",
  "urn:a:b",
  "urn:example:mercure",
  "foo:.well-known/mercure",
  "http://[bad",
  "%",
  "/.well-known/mercure%",
  "/.well-known/%256Dercure",
];

/** Runs a case at the streamer and at the broadcaster. */
async function atBothDoors(
  hubs: Hubs,
  t: Deno.TestContext,
  check: (door: Door) => Promise<void>,
): Promise<void> {
  for (
    const [name, open] of [["streamer", () => hubs.open()], [
      "broadcaster",
      () => hubs.broadcaster(),
    ]] as const
  ) {
    await t.step(name, async () => await check(await open()));
  }
}

/** Publishes what must be refused, and shows that none of it reached anybody. */
async function assertRefused(
  hubs: Hubs,
  door: Door,
  forms: readonly (Fields | Uint8Array<ArrayBuffer>)[],
  status: number | readonly number[],
  options: RequestOptions = {},
): Promise<void> {
  const hub = await hubs.open();
  await using everything = await hub.subscribe({ match: "*" }, {
    token: await hub.token({ subscribe: ["*"] }),
  });
  // What was published just before may still come.
  await everything.drain(unique());
  for (const form of forms) {
    const answer = await door.publish(form, options);
    const what = typeof form === "string" ? form : form instanceof Uint8Array ? `${form}` : encode(form);
    const wanted = [status].flat();
    if (!wanted.includes(answer.status)) assertStatus(answer, wanted[0]!, what);
    assert.match(answer.headers.get("Content-Type") ?? "", /^application\/problem\+json/);
  }
  assert.deepEqual((await everything.drain(unique())).map(({ data }) => data), []);
}

export function register({ requirement, reference }: Suite): void {
  requirement(40, (hubs, t) =>
    atBothDoors(hubs, t, async (door) => {
      const hub = await hubs.open();
      const topic = unique();
      await using stream = await hub.subscribe({ match: topic });
      const given = ["urn:x", '"a" [b] {c} <d> & e', "é日🐇", "1", "a#b", "Earliest"].map((id) =>
        `${id}${topic}`
      );
      const ids: string[] = [];
      for (const id of ["", ...given]) {
        const answer = await door.publish({ topic, data: "x", id });
        assertStatus(answer, 200, id);
        assert.equal(answer.headers.get("Content-Type"), "text/plain; charset=utf-8");
        ids.push(answer.text);
      }
      assert.deepEqual(ids.slice(1), given);
      assert.deepEqual((await stream.drain(topic)).map(({ id }) => id), ids);
    }));

  requirement(41, (hubs, t) =>
    atBothDoors(hubs, t, async (door) => {
      await assertRefused(
        hubs,
        door,
        ["", "data=x", "topics=a&data=x", "Topic=a&data=x", "&&", "topic[]=a"],
        400,
      );
    }));

  requirement(42, async (hubs) => {
    const hub = await hubs.open();
    const [first, second, third] = [unique(), unique(), unique()];
    await using ofFirst = await hub.subscribe({ match: first });
    await using ofThird = await hub.subscribe({ match_urlpattern: third });
    await using ofAll = await hub.subscribe({ match: [first, second, third] });
    await using ofNone = await hub.subscribe({ match: unique("none"), match_exact: `${first}/marker` });
    const id = await hub.publishOk({ topic: [first, second, third, first], data: "x" });
    assert.deepEqual((await ofFirst.drain(first)).map(({ id }) => id), [id]);
    assert.deepEqual((await ofThird.drain(third)).map(({ id }) => id), [id]);
    assert.deepEqual((await ofAll.drain(second)).filter(({ data }) => data === "x").map(({ id }) => id), [
      id,
    ]);
    assert.deepEqual(await ofNone.drain(`${first}/marker`), []);
  });

  requirement(43, (hubs, t) =>
    atBothDoors(hubs, t, async (door) => {
      const topic = unique();
      const ids = await Promise.all(Array.from({ length: 50 }, () => door.publishOk({ topic, data: "x" })));
      assert.equal(new Set(ids).size, ids.length);
      for (const id of ids) assert.ok(id.startsWith("#") || URL.canParse(id), id);
    }));

  requirement(44, async (hubs) => {
    const hub = await hubs.open();
    const topic = unique();
    await using stream = await hub.subscribe({ match: topic });
    const ids = [`urn:uuid:${crypto.randomUUID()}`, `${topic}#fragment`, `id ${topic}`, "%41", "a+b&c=d"];
    for (const id of ids) assert.equal(await hub.publishOk({ topic, id, data: "x" }), id);
    assert.deepEqual((await stream.drain(topic)).map(({ id }) => id), ids);
  });

  requirement(45, (hubs, t) =>
    atBothDoors(hubs, t, async (door) => {
      const topic = unique();
      const ids = [
        "#1",
        "#",
        "earliest",
        ...FORBIDDEN_CHARACTERS.flatMap((character) => [`a${character}b`, character]),
      ];
      await assertRefused(hubs, door, ids.map((id) => ({ topic, id, data: "x" })), 400);
      await assertRefused(hubs, door, BAD_UTF8.map((id) => `topic=a&data=x&id=${id}`), 400);
    }));

  requirement(46, (hubs, t) =>
    atBothDoors(hubs, t, async (door) => {
      const hub = await hubs.open();
      const topic = unique();
      const types = ["mercure", "a\nb", "a\rid: forged", ...FORBIDDEN_CHARACTERS];
      await assertRefused(hubs, door, types.map((type) => ({ topic, type, data: "x" })), 400);
      await assertRefused(hubs, door, BAD_UTF8.map((type) => `topic=a&data=x&type=${type}`), 400);
      await using stream = await hub.subscribe({ match: topic });
      const taken = ["Mercure", "mercure ", "message", "error", "open", "קול"];
      for (const type of taken) await door.publishOk({ topic, type, data: "x" });
      // One space after the colon belongs to the syntax, so one at the end is still there.
      assert.deepEqual((await stream.drain(topic)).map(({ event }) => event), taken);
    }));

  requirement(47, (hubs, t) =>
    atBothDoors(hubs, t, async (door) => {
      const topic = unique();
      const values = [
        "abc",
        "+1",
        "-1",
        "1.5",
        "0x1",
        " 5",
        "5 ",
        "1e3",
        "５",
        "٣",
        "1\n",
        "5;",
        "NaN",
        "Infinity",
      ];
      await assertRefused(hubs, door, values.map((retry) => ({ topic, retry, data: "x" })), 400);
      for (const retry of ["0", "1", "007", "2147483647"]) await door.publishOk({ topic, retry, data: "x" });
    }));

  requirement(48, (hubs, t) =>
    atBothDoors(hubs, t, async (door) => {
      const hub = await hubs.open();
      const topic = unique();
      await using wire = await hub.wire({ match: topic });
      const id = await door.publishOk({ topic, data: "x", id: "", type: "", retry: "" });
      assert.notEqual(id, "");
      const other = await door.publishOk(`${encode({ topic })}&id&type&retry`);
      assert.notEqual(other, id);
      const text = await wire.until("both", (text) => text.includes(other) && text.endsWith("\n\n"));
      const events = eventsIn(text);
      assert.equal(events.length, 2);
      for (const event of events) assert.doesNotMatch(event, /^(event|retry)/m);
    }));

  requirement(49, (hubs, t) =>
    atBothDoors(hubs, t, async (door) => {
      const hub = await hubs.open();
      const topic = unique();
      const form = encode({ topic, data: "x" });
      await using anonymous = await hub.subscribe({ match: topic });
      await using member = await hub.subscribe({ match: topic }, {
        token: await hub.token({ subscribe: [topic] }),
      });
      const ids: string[] = [];
      for (
        const field of [
          "private=on",
          "private=",
          "private",
          "private=0",
          "private=false",
          "private=off",
          "%70rivate=no",
        ]
      ) {
        ids.push(await door.publishOk(`${form}&${field}`));
      }
      assert.deepEqual(await anonymous.drain(topic), []);
      assert.deepEqual(
        (await member.drain(topic)).filter(({ data }) => data === "x").map(({ id }) => id),
        ids,
      );
      // Names are compared as they are.
      for (const field of ["Private=on", "private[]=on", "x=private"]) {
        await door.publishOk(`${form}&${field}`);
      }
      assert.equal((await anonymous.drain(topic)).filter(({ data }) => data === "x").length, 3);
    }));

  requirement(50, async (hubs) => {
    const hub = await hubs.open();
    const topic = unique();
    await using stream = await hub.subscribe({ match: topic });
    await hub.publishOk(
      `foo=1&${encode({ topic, data: "x" })}&Data=y&match=*&target=z&access_token=a&&=&ID=1`,
    );
    assert.deepEqual((await stream.drain(topic)).map(({ data }) => data), ["x"]);
  });

  requirement(51, (hubs, t) =>
    atBothDoors(hubs, t, async (door) => {
      const forms = [{ topic: "*" }, { topic: [unique(), "*"] }, { topic: ["*", unique()] }];
      await assertRefused(hubs, door, forms, 400);
      await assertRefused(hubs, door, ["topic=%2A"], 400);
      for (const topic of ["**", "a*", "* ", "/*", "https://example.test/*"]) await door.publishOk({ topic });
    }));

  requirement(52, (hubs, t) =>
    atBothDoors(hubs, t, async (door) => {
      await assertRefused(hubs, door, RESERVED.map((topic) => ({ topic, data: "x" })), 400);
      const hub = await hubs.open();
      await using stream = await hub.subscribe({ match: "*" });
      for (const topic of FREE) assertStatus(await door.publish({ topic, data: topic }), 200, topic);
      assert.deepEqual((await stream.drain(unique())).map(({ data }) => data), FREE);
    }));

  requirement(53, (hubs, t) =>
    atBothDoors(hubs, t, async (door) => {
      const topic = unique();
      const token = await door.token({ publish: [topic] });
      const topics = [...RESERVED, "*"];
      await assertRefused(hubs, door, topics.map((other) => ({ topic: [topic, other] })), 400);
      await assertRefused(hubs, door, topics.map((other) => ({ topic: other })), 400, { token });
      await assertRefused(hubs, door, topics.map((other) => ({ topic: [topic, other] })), 400, { token });
      assertStatus(await door.publish({ topic }, { token }), 200, "what the token grants");
      assertStatus(await door.publish({ topic: unique() }, { token }), 403, "what it does not grant");
    }));

  requirement(54, (hubs, t) =>
    atBothDoors(hubs, t, async (door) => {
      const topics = FORBIDDEN_CHARACTERS.map((character) => `https://example.test/a${character}b`);
      await assertRefused(hubs, door, topics.map((topic) => ({ topic, data: "x" })), 400);
      await assertRefused(hubs, door, topics.map((topic) => ({ topic: ["a", topic], data: "x" })), 400);
      await assertRefused(hubs, door, BAD_UTF8.map((topic) => `topic=${topic}&data=x`), 400);
      const raw = Uint8Array.from([...new TextEncoder().encode("data=x&topic=a"), 0xFF]);
      await assertRefused(hubs, door, [raw], 400);
      for (const name of ["אב", "é 日 🐇", "\uFFFD"]) await door.publishOk({ topic: unique(name) });
    }));

  requirement(55, (hubs, t) =>
    atBothDoors(hubs, t, async (door) => {
      const hub = await hubs.open();
      await assertRefused(hubs, door, BAD_UTF8.map((data) => `topic=a&data=${data}`), 400);
      const raw = Uint8Array.from([...new TextEncoder().encode("topic=a&data="), 0xC3, 0x28]);
      await assertRefused(hubs, door, [raw], 400);
      const topic = unique();
      await using stream = await hub.subscribe({ match: topic });
      // Bytes need no escape to be UTF-8, and what is no escape stands for itself.
      await door.publishOk(new TextEncoder().encode(`topic=${topic}&data=é+100%25%zz=%2B%`));
      assert.deepEqual((await stream.drain(topic)).map(({ data }) => data), ["é 100%%zz=+%"]);
    }));

  requirement(56, async (hubs, t) => {
    await t.step("as the settings say", async () => {
      const hub = await hubs.open(SMALL);
      const topic = unique();
      const form = `${encode({ topic })}&data=`;
      await using stream = await hub.subscribe({ match: topic });
      const largest = form + "x".repeat(4096 - form.length);
      assertStatus(await hub.publish(`${largest}x`), 413, "4097 bytes");
      assertStatus(await hub.publish(`${form}${"x".repeat(2_000_000)}`), 413, "much more");
      assertStatus(await hub.publish({ topic: [topic, "a", "b", "c"] }), 413, "four topics");
      const token = await hub.token({ publish: ["*"] });
      const chunks = ReadableStream.from([largest, "x"]).pipeThrough(new TextEncoderStream());
      const headers = { "Content-Type": FORM, Authorization: `Bearer ${token}` };
      assertStatus(
        await request(hub.url, { method: "POST", headers, body: chunks }),
        413,
        "4097 bytes in chunks",
      );
      assert.deepEqual(await stream.drain(topic), []);
      const ids = [await hub.publishOk(largest), await hub.publishOk({ topic: [topic, "a", "b"] })];
      assert.deepEqual((await stream.drain(topic)).map(({ id }) => id), ids);
    });
    await atBothDoors(hubs, t, async (door) => {
      const topic = unique();
      const form = `${encode({ topic })}&data=`;
      assertStatus(await door.publish(form + "x".repeat(1024 * 1024 - form.length)), 200, "1 MiB");
      assertStatus(
        await door.publish(form + "x".repeat(1024 * 1024 - form.length + 1)),
        413,
        "1 MiB and a byte",
      );
      const topics = Array.from({ length: 1001 }, (_, index) => `/${index}`);
      assertStatus(await door.publish({ topic: topics.slice(1) }), 200, "1000 topics");
      assertStatus(await door.publish({ topic: topics }), 413, "1001 topics");
      assertStatus(await door.publish({ topic: "/".padEnd(100_000, "a") }), 413, "a very long topic");
    });
  });

  requirement(57, (hubs, t) =>
    atBothDoors(hubs, t, async (door) => {
      const hub = await hubs.open();
      const topic = unique();
      await using stream = await hub.subscribe({ match: topic });
      const body = new TextEncoder().encode(encode({ topic, data: "x" }));
      const Authorization = `Bearer ${await door.token({ publish: ["*"] })}`;
      const post = (headers: Record<string, string>, body: BodyInit) =>
        request(door.url, { method: "POST", headers: { Authorization, ...headers }, body });
      const types = [
        "text/plain",
        "application/json",
        "application/x-www-form-urlencodedx",
        "multipart/form-data",
        "x",
      ];
      types.push("application/octet-stream", "application/", ", application/x-www-form-urlencoded");
      for (const type of types) {
        const { status } = await post({ "Content-Type": type }, body);
        assert.ok(status === 400 || status === 415, `${type} → ${status}`);
      }
      const multipart = new FormData();
      multipart.set("topic", topic);
      for (const other of [await post({}, body), await post({}, multipart)]) {
        assert.ok(other.status === 400 || other.status === 415, `${other.status}`);
      }
      assert.deepEqual(await stream.drain(topic), []);
      for (const type of [`${FORM}; charset=UTF-8`, FORM.toUpperCase(), `${FORM};x="y"`]) {
        assertStatus(await post({ "Content-Type": type }, body), 200, type);
      }
    }));

  requirement(58, async (hubs) => {
    const folder = await Deno.makeTempDir();
    try {
      await using hub = await hubs.fresh({ PUBLISH_TIMEOUT: "500ms" }, { folder });
      const topic = unique();
      await using stream = await hub.subscribe({ match: topic });
      const before = await hub.publishOk({ topic, data: "before" });
      await stream.next(1);
      await hub.forwarder[Symbol.asyncDispose]();
      for (const data of ["first", "second"]) {
        const answer = await hub.publish({ topic, data });
        assertStatus(answer, 503, "publishing without storage");
        assert.match(answer.headers.get("Retry-After") ?? "", /^[1-9][0-9]*$/);
        assert.match(answer.headers.get("Content-Type") ?? "", /^application\/problem\+json/);
      }
      await using _forwarder = await startForwarder({ ports: hub.forwarder.ports, folder });
      await ready(hub.streamer.url);
      assert.deepEqual((await stream.drain(topic)).map(({ id }) => id), [before]);
      await using replayed = await hub.subscribe({ match: topic, last_event_id: "earliest" });
      assert.deepEqual((await replayed.next(2)).map(({ data }) => data), ["before", "marker"]);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });

  requirement(59, async (hubs) => {
    const folder = await Deno.makeTempDir();
    try {
      await using hub = await hubs.fresh({ PUBLISH_TIMEOUT: "15s" }, { folder });
      const topic = unique();
      const taken = new Set([await hub.publishOk({ topic, data: "first" })]);

      // Storage stands still: others are answered meanwhile, but nobody is told that the update is accepted.
      hub.forwarder.kill("SIGSTOP");
      let answered = false;
      const waiting = hub.publish({ topic, data: "waiting" }).finally(() => answered = true);
      for (let count = 0; count < 50; count++) await request(`${hub.origin}/healthz`);
      assert.equal(answered, false);
      hub.forwarder.kill("SIGCONT");
      const answer = await within("the answer", waiting);
      assertStatus(answer, 200, "publishing once storage goes on");
      taken.add(answer.text);

      // Storage is killed in the middle of many: whatever was accepted is there when it comes back.
      const enough = Promise.withResolvers<void>();
      const publishing = Promise.all(Array.from({ length: 200 }, async (_, index) => {
        const { status, text } = await hub.publish({ topic, data: `${index}` });
        if (status === 200) taken.add(text);
        if (taken.size >= 20) enough.resolve();
      }));
      await within("twenty of them", enough.promise);
      await hub.forwarder[Symbol.asyncDispose]();
      await using _forwarder = await startForwarder({ ports: hub.forwarder.ports, folder });
      await ready(hub.streamer.url);
      await within("all answers", publishing);
      const end = await hub.publishOk({ topic, data: "end" });
      await using stream = await hub.subscribe({ match: topic, last_event_id: "earliest" });
      await stream.until("the last one", () => stream.events.some(({ id }) => id === end));
      const stored = new Set(stream.events.map(({ id }) => id));
      assert.deepEqual([...taken].filter((id) => !stored.has(id)), []);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });

  reference(
    "Publish",
    "an Idempotency-Key is its publisher's, and for one body",
    (hubs, t) =>
      atBothDoors(hubs, t, async (door) => {
        const topic = unique();
        const headers = { "Idempotency-Key": crypto.randomUUID() };
        const first = await door.publishOk({ topic, data: "1", private: "on" }, { headers });
        assert.equal(await door.publishOk({ topic, data: "1", private: "on" }, { headers }), first);
        assert.notEqual(await door.publishOk({ topic, data: "2", private: "on" }, { headers }), first);
        const token = await door.token({ publish: [topic], claims: { sub: "another" } });
        const form = { topic, data: "1", private: "on" };
        assert.notEqual(await door.publishOk(form, { headers, token }), first);
      }),
  );

  reference("Publish", "without an issuer nobody can publish: 405", async (hubs) => {
    const hub = await hubs.open(OPEN);
    for (const token of [null, await hub.token({ publish: ["*"] })]) {
      const answer = await hub.publish({ topic: unique() }, { token });
      assertStatus(answer, 405, "publishing");
      assert.match(answer.headers.get("Allow") ?? "", /GET/);
    }
    assertStatus(await hub.get({ match: unique() }), 200, "subscribing");
  });

  reference("Publish", "other methods than POST → 405 at the broadcaster", async (hubs) => {
    const { url } = await hubs.broadcaster();
    for (const method of ["GET", "PUT", "DELETE"]) {
      const answer = await request(url, { method });
      assert.ok([404, 405].includes(answer.status), `${method} → ${answer.status}`);
    }
  });

  reference("Publish", "any form is taken or refused, and what is taken comes as it was", async (hubs) => {
    const hub = await hubs.open();
    const marker = unique("marker");
    await using stream = await hub.subscribe({ match: "*" });
    const text = fc.option(trickyText, { nil: "" });
    const forms = fc.sample(
      fc.record({ topic: fc.array(text, { maxLength: 2 }), id: text, data: text, type: text, retry: text }),
      300,
    );
    const wanted: unknown[] = [];
    for (const [index, form] of forms.entries()) {
      const id = form.id && `${form.id}${index}`;
      const { status, text } = await hub.publish({ ...form, id });
      assert.ok(status === 200 || status === 400, `${JSON.stringify(form)} → ${status}`);
      if (status === 400) continue;
      if (id !== "") assert.equal(text, id);
      wanted.push([text, form.type || undefined, form.data.replace(/\r\n|\r|\n/g, "\n")]);
    }
    const events = await stream.drain(marker);
    assert.deepEqual(events.map(({ id, event, data }) => [id, event, data]), wanted);
  });

  reference("Publish", "of repeated fields the first counts", async (hubs) => {
    const hub = await hubs.open();
    const topic = unique();
    await using stream = await hub.subscribe({ match: topic });
    const id = unique("id");
    const form = { topic, data: ["a", "b"], id: [id, "x"], type: ["t", "u"], retry: ["7", "8"] };
    assert.equal(await hub.publishOk(form), id);
    const [event] = await stream.next(1);
    assert.deepEqual([event?.id, event?.event, event?.data, stream.retry], [id, "t", "a", 7]);
  });

  reference(
    "Publish",
    "a request that is sent again with its key is stored once",
    (hubs, t) =>
      atBothDoors(hubs, t, async (door) => {
        const hub = await hubs.open();
        const topic = unique();
        await using stream = await hub.subscribe({ match: topic });
        const headers = { "Idempotency-Key": crypto.randomUUID() };
        const first = await door.publishOk({ topic, data: "x" }, { headers });
        const again = await Promise.all(
          [1, 2, 3].map(() => door.publishOk({ topic, data: "x" }, { headers })),
        );
        assert.deepEqual(new Set([first, ...again]), new Set([first]));
        const other = await door.publishOk({ topic, data: "y" }, {
          headers: { "Idempotency-Key": crypto.randomUUID() },
        });
        assert.deepEqual((await stream.drain(topic)).map(({ id }) => id), [first, other]);
      }),
  );

  reference("Publish", "what is refused leaves no trace in the history", async (hubs) => {
    const hub = await hubs.open();
    const topic = unique();
    const token = await hub.token({ publish: [unique()] });
    assertStatus(await hub.publish({ topic, data: "x" }, { token }), 403, "no grant");
    assertStatus(await hub.publish({ topic, data: "x" }, { token: null }), 401, "no token");
    assertStatus(await hub.publish({ topic, data: "x", retry: "x" }), 400, "a bad retry");
    await hub.publishOk({ topic, data: "taken" });
    await using stream = await hub.subscribe({ match: topic, last_event_id: "earliest" });
    assert.deepEqual((await stream.next(1)).map(({ data }) => data), ["taken"]);
  });

  reference("Publish", "a client that leaves before the answer harms nobody", async (hubs) => {
    const hub = await hubs.open();
    const topic = unique();
    const leave = new AbortController();
    const pending = hub.publish({ topic, data: "x".repeat(100_000) }, { signal: leave.signal });
    leave.abort();
    await assert.rejects(pending);
    await eventually("the hub goes on", async () => (await hub.publish({ topic, data: "y" })).status === 200);
  });
}
