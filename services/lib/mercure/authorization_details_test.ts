import assert from "node:assert/strict";
import { Topic } from "../matcher.ts";
import {
  DETAIL_TYPE,
  InvalidDetailsError,
  parseAuthorizationDetails,
  parseLegacyClaim,
} from "./authorization_details.ts";

const OPTIONS = { base: "https://hub.test/.well-known/mercure", maxLength: 100, maxDetails: 3 };
const GOOD = { type: DETAIL_TYPE, actions: ["publish"], topics: [{ match: "/good" }] };

function detail(overrides: Record<string, unknown>): unknown {
  return { ...GOOD, ...overrides };
}

Deno.test("parseAuthorizationDetails() returns matchers and payloads in order", () => {
  const { publish, subscribe } = parseAuthorizationDetails([
    detail({
      actions: ["publish", "subscribe"],
      topics: [{ match: "/a" }, { match: "*" }],
      payload: { n: 1 },
    }),
    detail({ actions: ["subscribe"], topics: [{ match: "/b/:id", match_type: "urlpattern" }] }),
  ], OPTIONS);
  assert.deepEqual(publish.map(({ pattern }) => pattern), ["/a", "*"]);
  assert.deepEqual(
    subscribe.map((
      { matchers, payload },
    ) => [matchers.map(({ type, pattern }) => `${type} ${pattern}`), payload]),
    [[["exact /a", "exact *"], { n: 1 }], [["urlpattern /b/:id"], undefined]],
  );
  assert.ok(subscribe[1]?.matchers[0]?.matches(new Topic("https://hub.test/b/1")));
  assert.ok(!subscribe[1]?.matchers[0]?.matches(new Topic("https://else.test/b/1")));
});

Deno.test("parseAuthorizationDetails() grants nothing without a claim, a Mercure entry or a known action", () => {
  for (const claim of [undefined, [], [detail({ actions: ["fly"] })]]) {
    assert.deepEqual(parseAuthorizationDetails(claim, OPTIONS), { publish: [], subscribe: [] });
  }
  const { publish, subscribe } = parseAuthorizationDetails(
    [detail({ actions: ["fly", "publish"] })],
    OPTIONS,
  );
  assert.deepEqual([publish.length, subscribe.length], [1, 0]);
});

Deno.test("parseAuthorizationDetails() does not look into entries of other types, however many", () => {
  const foreign = [
    { type: "payment", actions: 5, topics: "x" },
    { type: `${DETAIL_TYPE}/`, actions: [] },
    { type: DETAIL_TYPE.toUpperCase(), topics: [] },
    { type: [DETAIL_TYPE] },
    { actions: ["publish"], topics: [{ match: "*" }] },
    {},
    null,
    "text",
    [GOOD],
  ];
  const { publish } = parseAuthorizationDetails([...foreign, GOOD, ...foreign], OPTIONS);
  assert.deepEqual(publish.map(({ pattern }) => pattern), ["/good"]);
});

const DEFECTS: Record<string, unknown> = {
  "no actions": detail({ actions: undefined }),
  "empty actions": detail({ actions: [] }),
  "actions as text": detail({ actions: "publish" }),
  "an action that is a number": detail({ actions: ["publish", 1] }),
  "an action that is null": detail({ actions: [null] }),
  "no topics": detail({ topics: undefined }),
  "empty topics": detail({ topics: [] }),
  "topics as an object": detail({ topics: { match: "/a" } }),
  "a topic as text": detail({ topics: ["/a"] }),
  "a topic that is null": detail({ topics: [null] }),
  "a topic that is a list": detail({ topics: [["/a"]] }),
  "a topic without match": detail({ topics: [{ match_type: "exact" }] }),
  "a match that is a number": detail({ topics: [{ match: 1 }] }),
  "an empty match": detail({ topics: [{ match: "" }] }),
  "an unknown match_type": detail({ topics: [{ match: "/a", match_type: "regexp" }] }),
  "a match_type in capitals": detail({ topics: [{ match: "/a", match_type: "Exact" }] }),
  "a match_type that is null": detail({ topics: [{ match: "/a", match_type: null }] }),
  "the selectors of 0.x": detail({ topics: [{ match: "/{a}", match_type: "template" }] }),
  "a wildcard of unknown type": detail({ topics: [{ match: "*", match_type: "bogus" }] }),
  "a broken pattern": detail({ topics: [{ match: "{open", match_type: "urlpattern" }] }),
  "a control character": detail({ topics: [{ match: "/a\n" }] }),
  "an invisible character": detail({ topics: [{ match: "/a\u200b" }] }),
  "a match that is too long": detail({ topics: [{ match: "/".repeat(101) }] }),
  "a payload as text": detail({ payload: "x" }),
  "a payload as list": detail({ payload: [] }),
  "a payload of null": detail({ payload: null }),
  "a broken topic beside a good one": detail({ topics: [{ match: "/a" }, {}] }),
  "a broken entry without known actions": detail({ actions: ["fly"], topics: [] }),
};

for (const [name, entry] of Object.entries(DEFECTS)) {
  Deno.test(`parseAuthorizationDetails() refuses all for ${name}`, () => {
    for (const claim of [[entry], [GOOD, entry], [entry, GOOD]]) {
      // As it comes out of a token: without members that are undefined.
      const json = JSON.parse(JSON.stringify(claim));
      assert.throws(() => parseAuthorizationDetails(json, OPTIONS), InvalidDetailsError);
    }
  });
}

Deno.test("parseAuthorizationDetails() refuses a claim that is no list", () => {
  for (const claim of [null, {}, GOOD, "x", 0, false]) {
    assert.throws(() => parseAuthorizationDetails(claim, OPTIONS), InvalidDetailsError);
  }
});

Deno.test("parseAuthorizationDetails() has limits on entries and, over all of them, on topics", () => {
  const topics = (count: number) => Array.from({ length: count }, (_, index) => ({ match: `/${index}` }));
  parseAuthorizationDetails([GOOD, GOOD, GOOD], OPTIONS);
  parseAuthorizationDetails([GOOD, detail({ topics: topics(2) })], OPTIONS);
  for (
    const claim of [[GOOD, GOOD, GOOD, GOOD], [detail({ topics: topics(4) })], [
      detail({ topics: topics(2) }),
      detail({ topics: topics(2) }),
    ]]
  ) {
    assert.throws(() => parseAuthorizationDetails(claim, OPTIONS), /more than 3/);
  }
});

Deno.test("parseLegacyClaim() reads selectors and objects, each with its payload", () => {
  const { publish, subscribe, payload } = parseLegacyClaim({
    publish: ["*", "/books/{id}", { match: "/x/:id", match_type: "urlpattern" }],
    subscribe: ["/a", { match: "/b", payload: { own: true } }],
    payload: { all: true },
  }, OPTIONS);
  const publishes = (topic: string) => publish.slice(1).some((matcher) => matcher.matches(new Topic(topic)));
  assert.ok(publish[0]?.matchesAll);
  assert.ok(publishes("/books/1") && publishes("/x/1"));
  assert.ok(!publishes("/books/1/2") && !publishes("/y"));
  assert.deepEqual(subscribe.map(({ payload }) => payload), [undefined, { own: true }]);
  assert.deepEqual(payload, { all: true });
});

Deno.test("parseLegacyClaim() takes lists that are missing, null or empty for no grant, and any payload", () => {
  for (const claim of [{}, { publish: null, subscribe: null }, { publish: [], subscribe: [] }]) {
    assert.deepEqual(parseLegacyClaim(claim, OPTIONS), { publish: [], subscribe: [] });
  }
  assert.equal(parseLegacyClaim({ subscribe: ["/a"], payload: "text" }, OPTIONS).payload, "text");
});

Deno.test("parseLegacyClaim() refuses all for one defect, and lists that are too long", () => {
  for (
    const claim of [
      null,
      [],
      "*",
      { publish: "*" },
      { subscribe: {} },
      { publish: ["*", 1] },
      { publish: ["*", ""] },
      { publish: [{ match_type: "exact" }] },
      { subscribe: [{ match: "/a", match_type: "bogus" }] },
      { publish: Array.from({ length: 1001 }, (_, index) => `/${index}`) },
    ]
  ) {
    assert.throws(() => parseLegacyClaim(claim, OPTIONS), InvalidDetailsError);
  }
});
