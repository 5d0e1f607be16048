import assert from "node:assert/strict";
import * as fc from "fast-check";
import { parseUpdate } from "../lib/update.ts";
import { trickyText } from "../lib/testing/fixtures.ts";
import type { App } from "../lib/http.ts";
import { broadcaster, stopClocks } from "./broadcaster_harness.ts";

const SENT = 1_764_000_001_000;
const CHROME =
  "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36";

/** An id of its own for each number. */
function idOf(number: number): string {
  return `01a20a53-e715-7167-bac9-${number.toString(16).padStart(12, "0")}`;
}

function eventOf(number: number, overrides: Record<string, unknown> = {}): Record<string, unknown> {
  return { id: idOf(number), n: number, t: SENT - 50, k: "click", u: "https://shop.test/p", ...overrides };
}

function batchOf(events: unknown[], overrides: Record<string, unknown> = {}): string {
  return JSON.stringify({ v: 1, site: "shop", sent: SENT, try: 0, drop: 0, e: events, ...overrides });
}

interface Sending {
  readonly headers?: Readonly<Record<string, string>>;
  /** Where the connection comes from. */
  readonly from?: string;
  readonly path?: string;
}

async function send(
  app: App,
  body: string | Uint8Array<ArrayBuffer>,
  { headers = {}, from = "192.0.2.1", path = "/e" }: Sending = {},
): Promise<Response> {
  return await app.request(
    path,
    { method: "POST", body, headers: { "User-Agent": CHROME, ...headers } },
    { remoteAddr: { transport: "tcp", hostname: from, port: 1 } },
  );
}

async function assertProblem(response: Response, status: number, detail: RegExp): Promise<void> {
  assert.equal(response.status, status);
  assert.equal(response.headers.get("Content-Type"), "application/problem+json");
  assert.match((await response.json()).detail, detail);
}

Deno.test("each event of a batch becomes an update, in order, and the answer has nothing to say", async () => {
  using clock = stopClocks(SENT + 100);
  const { app, published } = await broadcaster();
  const sid = idOf(99);
  const p = { title: "Größe", deep: [1, { a: null }] };
  const events = [eventOf(1, { r: "https://ref.test/", p }), eventOf(2, { k: "Add to cart: 1/2" })];
  const response = await send(app, batchOf(events, { sid, try: 2, drop: 5, rate: 0.5, site: "a b@c" }));
  assert.equal(response.status, 204);
  assert.equal(await response.text(), "");
  const updates = await published();
  assert.deepEqual(updates.map(({ topics }) => topics), [
    ["/tracking/a%20b@c/click"],
    ["/tracking/a%20b@c/Add%20to%20cart:%201%2F2"],
  ]);
  assert.deepEqual(updates.map(({ type }) => type), ["track", "track"]);
  assert.equal(new Set(updates.map(({ id }) => id)).size, 2);
  for (const update of updates) {
    assert.match(update.id, /^urn:uuid:/);
    assert.deepEqual(parseUpdate(update), update);
  }
  const clocks = { client: SENT - 50, sent: SENT, received: clock.now };
  const shared = {
    site: "a b@c",
    sid,
    time: SENT - 50,
    clocks,
    url: "https://shop.test/p",
    try: 2,
    sample: 0.5,
  };
  assert.deepEqual(updates.map(({ data }) => JSON.parse(data)), [
    { ...shared, kind: "click", id: idOf(1), n: 1, referrer: "https://ref.test/", props: p, dropped: 5 },
    { ...shared, kind: "Add to cart: 1/2", id: idOf(2), n: 2 },
  ]);
});

Deno.test("what is not said is not in the update", async () => {
  using _clock = stopClocks(SENT);
  const { app, published } = await broadcaster();
  await send(app, batchOf([{ id: idOf(1), t: SENT, k: "x" }]));
  const [update] = await published();
  assert.deepEqual(JSON.parse(update?.data ?? ""), {
    kind: "x",
    site: "shop",
    id: idOf(1),
    n: 0,
    time: SENT,
    clocks: { client: SENT, sent: SENT, received: SENT },
  });
});

Deno.test("a wrong clock is put right, and all three clocks are kept", async () => {
  const hour = 3_600_000;
  using _clock = stopClocks(SENT + hour + 700);
  const { app, published } = await broadcaster();
  await send(app, batchOf([eventOf(1, { t: SENT - 3000 }), eventOf(2, { t: 0 }), eventOf(3, { t: 8e15 })]));
  const data = (await published()).map((update) => JSON.parse(update.data));
  const received = SENT + hour + 700;
  assert.deepEqual(data.map(({ time }) => time), [
    SENT - 3000 + hour,
    received - 24 * hour,
    received + 60_000,
  ]);
  assert.deepEqual(data[1].clocks, { client: 0, sent: SENT, received });
});

Deno.test("events of the demo keep the words and the type of the demo, on topics of the tracker", async () => {
  const { app, published } = await broadcaster();
  const kinds = ["log:open", "pill:blue", "pill:red", "pill:green", "constructor"];
  await send(app, batchOf(kinds.map((k, index) => eventOf(index, { k })), { site: "demo" }));
  await send(app, batchOf([eventOf(9, { k: "pill:red" })], { site: "shop" }));
  const updates = await published();
  assert.deepEqual(updates.map(({ topics: [topic] }) => topic), [
    ...kinds.map((kind) => `/tracking/demo/${kind}`),
    "/tracking/shop/pill:red",
  ]);
  assert.deepEqual(updates.map(({ type }) => type), [
    "login",
    "user:btn",
    "user:btn",
    "track",
    "track",
    "track",
  ]);
  const words = updates.map(({ data }) => JSON.parse(data)).map((
    { message, level, notify },
  ) => [message, level, notify]);
  const nothing = [undefined, undefined, undefined];
  assert.deepEqual(words, [
    ["someone logged in", "debug", undefined],
    ["someone picked a blue pill", "info", undefined],
    ["someone picked a red pill", "info", true],
    nothing,
    nothing,
    nothing,
  ]);
});

Deno.test("a batch is read whatever its type says, and may be asked for first by those who send JSON", async () => {
  const { app, published } = await broadcaster();
  const types = [
    "text/plain;charset=UTF-8",
    "application/json",
    "application/x-www-form-urlencoded",
    "nonsense",
  ];
  for (const [index, type] of types.entries()) {
    const response = await send(app, batchOf([eventOf(index)]), { headers: { "Content-Type": type } });
    assert.equal(response.status, 204, type);
  }
  const bytes = new TextEncoder().encode(`\uFEFF${batchOf([eventOf(10)])}\n`);
  assert.equal((await send(app, bytes)).status, 204);
  assert.equal((await published()).length, 5);
});

Deno.test("an event that comes again is stored once: retried, in another batch, twice in one, as capitals", async () => {
  const { app, published } = await broadcaster();
  const batch = batchOf([eventOf(1), eventOf(2)]);
  await Promise.all([send(app, batch), send(app, batch), send(app, batch, { from: "192.0.2.9" })]);
  await send(app, batchOf([eventOf(2), eventOf(3), eventOf(3)], { try: 1, sent: SENT + 5000 }));
  await send(app, batchOf([eventOf(3, { id: idOf(3).toUpperCase() })]));
  const ids = (await published()).map(({ data }) => JSON.parse(data).id);
  assert.deepEqual(ids, [1, 2, 3].map(idOf));
  // Ids are made by pages: those of one site cannot keep out the events of another.
  await send(app, batchOf([eventOf(1)], { site: "other" }));
  assert.equal((await published()).length, 4);
});

Deno.test("however events are batched, repeated and raced, each is stored once", async () => {
  const sending = fc.array(fc.nat({ max: 30 }), { minLength: 1, maxLength: 50 });
  await fc.assert(
    fc.asyncProperty(fc.array(sending, { minLength: 1, maxLength: 8 }), async (batches) => {
      const { app, published } = await broadcaster();
      const answers = await Promise.all(
        batches.map((numbers) => send(app, batchOf(numbers.map((n) => eventOf(n))))),
      );
      assert.ok(answers.every(({ status }) => status === 204));
      const ids = (await published()).map(({ data }) => JSON.parse(data).id);
      assert.deepEqual(ids.toSorted(), [...new Set(batches.flat())].map(idOf).toSorted());
    }),
    { numRuns: 30 },
  );
});

Deno.test("a bad event is named in the answer, and does not keep the good ones out", async () => {
  using clock = stopClocks(SENT);
  const { app, published } = await broadcaster();
  const events = [eventOf(1), { ...eventOf(2), id: "x" }, null, eventOf(3), eventOf(4, { k: ".." })];
  const response = await send(app, batchOf(events, { drop: 2 }));
  assert.equal(response.status, 200);
  assert.deepEqual(await response.json(), {
    now: clock.now,
    rejected: [
      { index: 1, reason: "id must be a UUID" },
      { index: 2, reason: "it must be an object" },
      { index: 4, reason: "k must not be . or .." },
    ],
  });
  const data = (await published()).map((update) => JSON.parse(update.data));
  assert.deepEqual(data.map(({ id, dropped }) => [id, dropped]), [[idOf(1), 2], [idOf(3), undefined]]);
  const none = await send(app, batchOf([null]));
  assert.equal((await none.json()).rejected.length, 1);
});

Deno.test("a body that is no batch is refused, and says why without repeating it", async () => {
  const { app, published } = await broadcaster();
  const invalid = new TextEncoder().encode(batchOf([eventOf(1, { k: "~" })])).map((byte) =>
    byte === 0x7e ? 0xff : byte
  );
  for (const body of ["", "{", "secret", "{}}", invalid]) {
    await assertProblem(await send(app, body), 400, /^The body is not JSON$/);
  }
  for (const body of ["null", "[]", '"secret"', "7", "{}", batchOf([]), batchOf([eventOf(1)], { v: 2 })]) {
    await assertProblem(await send(app, body), 422, /^The body is no batch of events: (?!.*secret)/);
  }
  await assertProblem(await send(app, `{"__proto__":${batchOf([eventOf(1)])}}`), 422, /v is missing/);
  assert.deepEqual(await published(), []);
});

Deno.test("a body over 64 KiB is refused before it is read as JSON, one of just that size is taken", async () => {
  const { app, published } = await broadcaster();
  const filled = (bytes: number) => {
    const batch = batchOf([eventOf(1)]);
    return batch + " ".repeat(bytes - batch.length);
  };
  assert.equal((await send(app, filled(64 * 1024))).status, 204);
  await assertProblem(await send(app, filled(64 * 1024 + 1)), 413, /65536 bytes/);
  await assertProblem(await send(app, "[".repeat(64 * 1024 + 1)), 413, /65536 bytes/);
  assert.equal((await published()).length, 1);
});

Deno.test("TRACK_SITES decides which sites may report, TRACK_OFF which have to stop, TRACK_SAMPLE how much", async () => {
  const { app, published } = await broadcaster({
    TRACK_SITES: "shop,blog",
    TRACK_OFF: "blog",
    TRACK_SAMPLE: "0.25",
  });
  const answer = async (site: string) => (await send(app, batchOf([eventOf(1)], { site }))).json();
  assert.equal((await answer("other")).status, 403);
  const off = await answer("blog");
  assert.deepEqual({ ...off, now: 0 }, { now: 0, off: true });
  const sampled = await answer("shop");
  assert.deepEqual({ ...sampled, now: 0 }, { now: 0, rate: 0.25 });
  assert.ok(Math.abs(sampled.now - Date.now()) < 60_000);
  assert.deepEqual((await published()).map(({ topics }) => topics), [["/tracking/shop/click"]]);

  const everything = await broadcaster({ TRACK_OFF: "*" });
  assert.equal((await (await send(everything.app, batchOf([eventOf(1)]))).json()).off, true);
  const nobody = await broadcaster({ TRACK_SITES: "none" });
  assert.equal((await send(nobody.app, batchOf([eventOf(1)]))).status, 403);
});

Deno.test("bots and visitors who opt out are not counted, unless the site decided otherwise", async () => {
  const bots = [
    "Googlebot/2.1 (+http://www.google.com/bot.html)",
    `${CHROME} HeadlessChrome/142`,
    "curl/8.11.0",
  ];
  const cases: { headers: Record<string, string>; counts: Record<string, boolean> }[] = [
    ...bots.map((agent) => ({
      headers: { "User-Agent": agent },
      counts: { none: false, bots: true, privacy: false, both: true },
    })),
    ...["Sec-GPC", "DNT"].map((name) => ({
      headers: { [name]: "1" },
      counts: { none: false, bots: false, privacy: true, both: true },
    })),
    {
      headers: { "Sec-GPC": "1", "User-Agent": "curl/8" },
      counts: { none: false, bots: false, privacy: false, both: true },
    },
    {
      headers: { "Sec-GPC": "0", DNT: "0" },
      counts: { none: true, bots: true, privacy: true, both: true },
    },
  ];
  const bypasses: Record<string, Record<string, string>> = {
    none: {},
    bots: { bots: "allow" },
    privacy: { privacy: "ignore" },
    both: { bots: "allow", privacy: "ignore" },
  };
  for (const { headers, counts } of cases) {
    for (const [bypass, fields] of Object.entries(bypasses)) {
      const { app, published } = await broadcaster({ TRACK_SAMPLE: "0.5" });
      const response = await send(app, batchOf([eventOf(1)], fields), { headers });
      const isCounted = (await published()).length === 1;
      assert.equal(isCounted, counts[bypass], `${JSON.stringify(headers)}, ${bypass}`);
      assert.equal(response.status, isCounted ? 200 : 204);
    }
  }
});

Deno.test("one address may send so many batches in a minute, whoever the proxy says it is", async () => {
  using clock = stopClocks(SENT);
  const { app } = await broadcaster({ MAX_BATCHES_PER_CLIENT: "2", TRUSTED_PROXIES: "10.0.0.0/8" });
  const status = async (from: string, forwarded?: string) => {
    const headers = forwarded === undefined ? {} : { "X-Forwarded-For": forwarded };
    return (await send(app, batchOf([eventOf(1)]), { from, headers })).status;
  };
  const statuses = async (...clients: [from: string, forwarded?: string][]) => {
    const result: number[] = [];
    for (const client of clients) result.push(await status(...client));
    return result;
  };
  const mine = "192.0.2.7";
  assert.deepEqual(await statuses([mine], [mine], [mine], [mine, "198.51.100.1"]), [204, 204, 429, 429]);
  assert.deepEqual(await statuses(["10.0.0.1", `1.1.1.1, ${mine}`], ["10.0.0.1", "192.0.2.8"]), [429, 204]);
  const networks = ["2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8:0:1::3"];
  assert.deepEqual(await statuses(...networks.map((from): [string] => [from])), [204, 204, 429, 204]);
  assert.deepEqual(await statuses(["::ffff:192.0.2.1"], ["::ffff:192.0.2.2"], ["::ffff:192.0.2.3"]), [
    204,
    204,
    204,
  ]);

  clock.now += 15_000;
  const refused = await send(app, batchOf([eventOf(1)]), { from: mine });
  assertRetryAfter(refused, 45);
  await assertProblem(refused, 429, /^Too many requests from one address/);
  // The original's reports count with them.
  assert.equal((await send(app, "", { from: mine, path: "/event/pill:red" })).status, 429);
  // Refused before it is read, and what is no batch counts too.
  assert.equal((await send(app, "{", { from: mine })).status, 429);
  clock.now += 45_000;
  assert.deepEqual(await statuses([mine]), [204]);
});

/** Rounded up, and spread over the next seconds. */
function assertRetryAfter({ headers }: Response, least: number): void {
  const seconds = Number(headers.get("Retry-After"));
  assert.ok(seconds >= least && seconds <= least + 10, `${seconds} s`);
}

Deno.test("behind a proxy that is not named nobody is limited by its address, and the log says why", async () => {
  const { app, lines } = await broadcaster({ MAX_BATCHES_PER_CLIENT: "2" });
  for (let i = 0; i < 5; i++) {
    const headers = { "X-Forwarded-For": `192.0.2.${i}` };
    assert.equal((await send(app, batchOf([eventOf(i)]), { from: "127.0.0.1", headers })).status, 204);
  }
  assert.deepEqual(lines.filter((line) => /TRUSTED_PROXIES/.test(line)).length, 1);
});

Deno.test("one site may report so many events in a minute; what is refused can be sent again", async () => {
  using clock = stopClocks(SENT);
  const { app, published } = await broadcaster({ MAX_EVENTS_PER_SITE: "3" });
  const events = (...numbers: number[]) => batchOf(numbers.map((number) => eventOf(number)));
  assert.equal((await send(app, events(1, 2))).status, 204);
  const refused = await send(app, events(3, 4), { from: "192.0.2.2" });
  assertRetryAfter(refused, 60);
  await assertProblem(refused, 429, /^Too many events of one site/);
  assert.equal((await send(app, batchOf([eventOf(1)], { site: "other" }))).status, 204);
  clock.now += 60_000;
  assert.equal((await send(app, events(3, 4))).status, 204);
  clock.now += 60_000;
  assert.equal((await send(app, events(5, 6, 7, 8, 9))).status, 204);
  assert.equal((await published()).length, 10);
});

Deno.test("MAX_BATCHES_PER_CLIENT=0 and MAX_EVENTS_PER_SITE=0 bound nothing", async () => {
  const { app } = await broadcaster({ MAX_BATCHES_PER_CLIENT: "0", MAX_EVENTS_PER_SITE: "0" });
  for (let i = 0; i < 1500; i++) assert.equal((await send(app, batchOf([eventOf(i)]))).status, 204);
});

Deno.test("nothing is claimed while the channel is away, and whoever waits is told so", async () => {
  const { app, channel } = await broadcaster();
  await channel[Symbol.asyncDispose]();
  const response = await send(app, batchOf([eventOf(1), eventOf(2)]));
  assert.ok(Number(response.headers.get("Retry-After")) > 0);
  await assertProblem(response, 503, /try again/);
});

Deno.test("pages of every site may report and read each answer, without credentials", async () => {
  const { app, channel } = await broadcaster({
    MAX_BATCHES_PER_CLIENT: "10",
    TRACK_SITES: "shop",
    CORS_ORIGINS: "https://a.test",
  });
  const headers = { Origin: "https://shop.test" };
  const preflight = await app.request("/e", {
    method: "OPTIONS",
    headers: {
      ...headers,
      "Access-Control-Request-Method": "POST",
      // Whatever a page's own code or its tools add.
      "Access-Control-Request-Headers": "content-type,traceparent",
    },
  });
  assert.equal(preflight.status, 204);
  assert.equal(preflight.headers.get("Access-Control-Allow-Origin"), "*");
  assert.equal(preflight.headers.get("Access-Control-Allow-Methods"), "POST");
  assert.equal(preflight.headers.get("Access-Control-Allow-Headers"), "content-type,traceparent");
  assert.equal(preflight.headers.get("Access-Control-Max-Age"), "86400");

  const good = batchOf([eventOf(1)]);
  const answers: [number, Response][] = [
    [204, await send(app, good, { headers })],
    [200, await send(app, batchOf([null]), { headers })],
    [400, await send(app, "{", { headers })],
    [403, await send(app, batchOf([eventOf(1)], { site: "other" }), { headers })],
    [405, await app.request("/e", { headers })],
    [413, await send(app, " ".repeat(70_000), { headers })],
    [422, await send(app, "{}", { headers })],
  ];
  await channel[Symbol.asyncDispose]();
  answers.push([503, await send(app, good, { headers })]);
  for (let i = 0; i < 10; i++) await send(app, good, { headers });
  answers.push([429, await send(app, good, { headers })]);
  for (const [status, response] of answers) {
    assert.equal(response.status, status);
    assert.equal(response.headers.get("Access-Control-Allow-Origin"), "*", `${status}`);
    assert.equal(response.headers.get("Access-Control-Expose-Headers"), "Retry-After", `${status}`);
    assert.equal(response.headers.get("Access-Control-Allow-Credentials"), null, `${status}`);
    assert.equal(response.headers.get("Set-Cookie"), null, `${status}`);
  }
});

Deno.test("EVENTS_PATH moves the path, and the old one is gone", async () => {
  const { app } = await broadcaster({ EVENTS_PATH: "/in/box" });
  assert.equal((await send(app, batchOf([eventOf(1)]), { path: "/in/box" })).status, 204);
  assert.equal((await send(app, batchOf([eventOf(1)]))).status, 404);
});

/** Anything that JSON can hold, some of it nearly a batch. */
const anyBody: fc.Arbitrary<string> = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.json(),
  fc.record({
    v: fc.oneof({ weight: 20, arbitrary: fc.constant(1) }, fc.jsonValue()),
    site: fc.oneof({ weight: 9, arbitrary: trickyText }, fc.jsonValue()),
    sid: fc.oneof({ weight: 9, arbitrary: fc.uuid() }, fc.jsonValue()),
    sent: fc.oneof({ weight: 9, arbitrary: fc.double() }, fc.jsonValue()),
    try: fc.oneof({ weight: 20, arbitrary: fc.nat() }, fc.jsonValue()),
    drop: fc.oneof({ weight: 20, arbitrary: fc.nat() }, fc.jsonValue()),
    rate: fc.oneof({ weight: 20, arbitrary: fc.constantFrom(0, 0.5, 1) }, fc.jsonValue()),
    bots: fc.constant("allow"),
    privacy: fc.constant("ignore"),
    e: fc.oneof(
      { weight: 20, arbitrary: fc.array(anyEvent(), { minLength: 1, maxLength: 5 }) },
      fc.jsonValue(),
    ),
  }, { requiredKeys: ["v", "site", "sent", "e"] }).map((value) => JSON.stringify(value)),
);

function anyEvent(): fc.Arbitrary<unknown> {
  const value = fc.oneof(trickyText, fc.jsonValue(), fc.double());
  return fc.oneof(
    fc.jsonValue(),
    fc.record({
      id: fc.oneof({ weight: 9, arbitrary: fc.uuid() }, value),
      n: fc.oneof({ weight: 9, arbitrary: fc.nat() }, value),
      t: fc.oneof({ weight: 9, arbitrary: fc.double() }, value),
      k: fc.oneof({ weight: 9, arbitrary: trickyText }, value),
      u: trickyText,
      r: trickyText,
      p: fc.oneof({ weight: 9, arbitrary: fc.dictionary(trickyText, value) }, value),
    }, { requiredKeys: ["id", "t", "k"] }),
  );
}

Deno.test("whatever is sent, the service does not fail, and stores only what is sound", async () => {
  const { app, published } = await broadcaster({ MAX_BATCHES_PER_CLIENT: "0" });
  const seen: Record<number, number> = {};
  await fc.assert(
    fc.asyncProperty(anyBody, async (body) => {
      const { status } = await send(app, body);
      assert.ok([200, 204, 400, 422].includes(status), `${status}`);
      seen[status] = (seen[status] ?? 0) + 1;
    }),
    { numRuns: 2000 },
  );
  for (const status of [200, 204, 400, 422]) assert.ok((seen[status] ?? 0) > 10, JSON.stringify(seen));
  const updates = await published();
  assert.ok(updates.length > 100, `only ${updates.length}`);
  for (const update of updates) {
    assert.deepEqual(parseUpdate(update), update);
    const [topic] = update.topics;
    // What a watcher of one site sees is of that site, also where topics are read as URLs.
    assert.match(topic, /^\/tracking\/[^/]+\/[^/]+$/);
    assert.equal(new URL(topic, "https://hub.test").pathname, topic);
    const { site, kind, time, clocks } = JSON.parse(update.data);
    assert.deepEqual(topic.split("/").slice(2).map(decodeURIComponent), [site, kind]);
    assert.ok(time >= clocks.received - 86_400_000 && time <= clocks.received + 60_000);
    assert.equal(update.type, "track");
  }
});
