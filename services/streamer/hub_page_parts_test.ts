/** The small parts of the hub page that need no browser. */
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { formatDuration } from "../../static/hub/duration.js";
import { ENTRIES_MAX, EntryBuffer } from "../../static/hub/entry_buffer.js";
import { readCursor } from "../../static/hub/link.js";
import { cut, prettify } from "../../static/hub/pretty.js";
import { explainRefusal, isPassing } from "../../static/hub/refusal.js";
import { readSubscription, SubscriptionList } from "../../static/hub/subscription_list.js";
import { noAnswer, readRefusal } from "../../static/logger/refusal.js";

Deno.test("formatDuration() says the two greatest units", () => {
  const seconds = [-1, 0, 0.4, 59.6, 60, 843, 3_600, 3_661, 90_061, 172_800];
  assert.deepEqual(seconds.map((each) => formatDuration(each * 1000)), [
    "0 s",
    "0 s",
    "0 s",
    "1 min",
    "1 min",
    "14 min 3 s",
    "1 h",
    "1 h 1 min",
    "1 d 1 h",
    "2 d",
  ]);
});

Deno.test("readCursor() reads the last event id of the link to the hub", () => {
  const hub = '<https://rt.test/hub>; rel="mercure"; last-event-id="urn:uuid:1"; type="mercure"';
  const utf8 = String.fromCharCode(...new TextEncoder().encode("é日"));
  const headers: readonly [header: string | null, cursor: string | undefined][] = [
    [hub, "urn:uuid:1"],
    [`<a,b;c>; rel="next"; last-event-id="no", ${hub}`, "urn:uuid:1"],
    ['<x>; last-event-id=earliest; REL="self mercure"', "earliest"],
    ['<x>;rel=mercure;last-event-id="a, \\"b\\"; <c>"', 'a, "b"; <c>'],
    [`<x>; rel="mercure"; last-event-id="${utf8}"`, "é日"],
    ['<x>; rel="mercure"; last-event-id="1"; last-event-id="2"', "1"],
    ['<x>; rel="mercure"', undefined],
    ['<x>; rel="mercurex"; last-event-id="1"', undefined],
    [null, undefined],
    ["", undefined],
  ];
  for (const [header, cursor] of headers) assert.equal(readCursor(header), cursor, `${header}`);
});

Deno.test("prettify() indents JSON as JSON.stringify() does", () => {
  fc.assert(fc.property(fc.json(), (json) => {
    const value = JSON.parse(json);
    const expected = typeof value === "object" && value !== null ? JSON.stringify(value, null, 2) : undefined;
    // The text is kept as it is, so compare with what is written the same way.
    assert.equal(prettify(JSON.stringify(value)), expected);
  }));
});

Deno.test("prettify() changes nothing but the space between", () => {
  assert.equal(
    prettify('{"a":12345678901234567890,"a":1.50e3}'),
    '{\n  "a": 12345678901234567890,\n  "a": 1.50e3\n}',
  );
  for (const data of ["", "x", "7", '"{}"', "null", "{", "[1,]", "{x}"]) {
    assert.equal(prettify(data), undefined, data);
  }
});

Deno.test("cut() says how much it has cut", () => {
  assert.equal(cut("abc", 3), "abc");
  assert.equal(cut("abcd", 3), "abc… (1 more characters)");
});

Deno.test("EntryBuffer keeps the newest, and counts what has no room", () => {
  const buffer = new EntryBuffer<number>();
  const add = (count: number) => Array.from({ length: count }, (_, i) => i).forEach((i) => buffer.add(i));
  add(ENTRIES_MAX - 1);
  assert.equal(buffer.take().length, ENTRIES_MAX - 1);
  add(2);
  assert.deepEqual([buffer.take(), buffer.shown, buffer.dropped], [[0, 1], ENTRIES_MAX, 1]);

  buffer.isPaused = true;
  add(ENTRIES_MAX + 3);
  assert.deepEqual([buffer.take(), buffer.waiting, buffer.dropped], [[], ENTRIES_MAX, 4]);
  buffer.isPaused = false;
  assert.deepEqual([buffer.take()[0], buffer.waiting, buffer.dropped], [3, 0, ENTRIES_MAX + 4]);

  add(1);
  buffer.clear();
  assert.deepEqual([buffer.take(), buffer.shown, buffer.dropped], [[], 0, 0]);
});

const document = (subscriber: string, more: Readonly<Record<string, unknown>> = {}) => ({
  id: `/h/subscriptions/exact/x/${subscriber}`,
  type: "subscription",
  match_type: "exact",
  match: "x",
  subscriber,
  active: true,
  ...more,
});
const idsOf = (list: SubscriptionList) => [...list.all].map(({ subscription }) => subscription.subscriber);

Deno.test("SubscriptionList follows the updates after the list of the hub", () => {
  const list = new SubscriptionList();
  list.replace(JSON.stringify({ subscriptions: [document("1"), 7, document("2", { active: false })] }), 100);
  assert.deepEqual(idsOf(list), ["1"]);
  list.apply(JSON.stringify(document("1", { payload: "later" })), 200);
  list.apply(JSON.stringify(document("3", { payload: { name: "Ada" } })), 200);
  list.apply("no JSON", 200);
  assert.deepEqual(
    [...list.all].map(({ subscription, at, isExact }) => [subscription.payload, at, isExact]),
    [
      ["", 100, false],
      ['{"name":"Ada"}', 200, true],
    ],
  );
  list.apply(JSON.stringify(document("1", { active: false })), 300);
  assert.deepEqual(idsOf(list), ["3"]);
  list.replace("no JSON", 400);
  assert.equal(list.size, 0);
});

Deno.test("SubscriptionList has a bound, and says when it was reached", () => {
  const list = new SubscriptionList();
  for (let i = 0; i < 1_000; i++) list.apply(JSON.stringify(document(`${i}`)), 0);
  assert.equal(list.isCut, false);
  list.apply(JSON.stringify(document("one more")), 0);
  assert.deepEqual([list.size, list.isCut], [1_000, true]);
});

Deno.test("readSubscription() reads the documents of Mercure 0.x too, and nothing that is none", () => {
  const { match_type: _type, match: _match, ...legacy } = document("1", { topic: "/a/{b}" });
  const { matchType, match } = readSubscription(legacy) ?? {};
  assert.deepEqual([matchType, match], ["topic", "/a/{b}"]);
  fc.assert(fc.property(fc.jsonValue(), (value) => assert.equal(readSubscription(value), undefined)));
});

const hubUrl = new URL("https://rt.test/.well-known/mercure");

Deno.test("readRefusal() reads what the hub says, and no page of a proxy", async () => {
  const headers = { "Content-Type": "application/problem+json", "X-Request-Id": "r1", "Retry-After": "7" };
  const body = JSON.stringify({ detail: "x".repeat(1_000) });
  assert.deepEqual(await readRefusal(new Response(body, { status: 429, headers })), {
    status: 429,
    detail: "x".repeat(300),
    requestId: "r1",
    retryAfterMs: 7_000,
  });
  const html = new Response("<h1>Bad gateway</h1>", {
    status: 502,
    headers: { "Content-Type": "text/html" },
  });
  assert.deepEqual(await readRefusal(html), { status: 502, detail: "", requestId: "", retryAfterMs: 0 });
});

Deno.test("isPassing() tells what may succeed later from what has to change", () => {
  const statuses = [0, 400, 401, 403, 404, 405, 408, 413, 429, 500, 503];
  assert.deepEqual(statuses.filter((status) => isPassing({ ...noAnswer(), status })), [
    0,
    408,
    429,
    500,
    503,
  ]);
});

Deno.test("explainRefusal() says of each refusal what to do about it", () => {
  const explain = (status: number, action: "subscribe" | "publish" | "subscriptions", hasToken = true) => {
    const refusal = { ...noAnswer(), status };
    const { title, advice } = explainRefusal(refusal, { action, hasToken, hubUrl });
    return `${title} | ${advice.join(" ")}`;
  };
  assert.match(explain(0, "subscribe"), /cannot be reached \|.*https:\/\/rt\.test/);
  assert.match(explain(401, "publish", false), /a token is needed \|.*deno task token --publish/);
  assert.match(explain(401, "subscribe", false), /ANONYMOUS=off/);
  assert.match(explain(401, "subscribe"), /does not take this token \|.*request id/);
  assert.match(explain(403, "subscriptions"), /`\/\.well-known\/mercure\/subscriptions`/);
  assert.match(explain(404, "subscriptions"), /SUBSCRIPTIONS=on/);
  assert.match(explain(405, "publish"), /deno task start.*JWT_ISSUER/);
  assert.match(explain(429, "subscribe"), /too many/);
});

Deno.test("explainRefusal() puts the hub's own words first", () => {
  const refusal = { ...noAnswer(), status: 400, detail: "no such matcher" };
  const { advice } = explainRefusal(refusal, { action: "subscribe", hasToken: false, hubUrl });
  assert.equal(advice[0], "The hub says: “no such matcher”");
});
