import assert from "node:assert/strict";
import * as fc from "fast-check";
import type { HistoryAnswer } from "../lib/api/history.ts";
import { type Channel, ChannelUnavailableError } from "../lib/channel.ts";
import { MemoryChannel } from "../lib/channels/memory.ts";
import { readSettings } from "../lib/env.ts";
import { createApp } from "../lib/http.ts";
import type { JsonObject } from "../lib/json.ts";
import { createLog } from "../lib/log.ts";
import { parseMatcher } from "../lib/matcher.ts";
import { DETAIL_TYPE } from "../lib/mercure/authorization_details.ts";
import { importSecret } from "../lib/mercure/keys.ts";
import { openAccess } from "../lib/mercure/settings.ts";
import { signToken } from "../lib/mercure/signing.ts";
import { nextTurn } from "../lib/shutdown.ts";
import { eventually, within } from "../lib/testing/deadline.ts";
import { numberedUpdate } from "../lib/testing/fixtures.ts";
import { openSse } from "../lib/testing/sse_reader.ts";
import type { Update } from "../lib/update.ts";
import { SETTINGS } from "./config.ts";
import { serveHistory } from "./history_api.ts";
import { RawClient, requestFor, startStreamer, type Streamer } from "./streamer_harness.ts";
import { heartbeatUpdate, subscriptionUpdate } from "./subscription.ts";

const HUB_PATH = "/.well-known/mercure";
const ISSUER = "https://shop.test";
const KEY = "a secret of the shop that is long enough for HS256";
const WITH_TOKENS = { JWT_ISSUER: ISSUER, JWT_KEY: KEY };

interface Granted {
  readonly match: string;
  readonly match_type?: string;
}

type Query = readonly (readonly [name: string, value: string])[] | Readonly<Record<string, string>>;

interface Problem {
  readonly status: number;
  readonly detail: string;
  readonly headers: Headers;
}

function request({ url }: Streamer, query: Query | string, init: RequestInit = {}): Promise<Response> {
  const text = typeof query === "string" ? query : `${new URLSearchParams(query as [string, string][])}`;
  return within(`the answer to /history?${text.slice(0, 200)}`, fetch(`${url}history?${text}`, init));
}

/** A page, which must be answered. */
async function read(
  streamer: Streamer,
  query: Query | string,
  init: RequestInit = {},
): Promise<HistoryAnswer> {
  const response = await request(streamer, query, init);
  const body = await response.json();
  assert.equal(response.status, 200, body.detail);
  return body;
}

/** What is wrong with a request, which must be refused. */
async function refusal(streamer: Streamer, query: Query | string, init: RequestInit = {}): Promise<Problem> {
  const response = await request(streamer, query, init);
  const { status, detail } = await response.json();
  assert.equal(response.status, status);
  assert.ok(status >= 400, `${status}`);
  return { status, detail, headers: response.headers };
}

function numbersIn({ updates }: Pick<HistoryAnswer, "updates">): number[] {
  return updates.map(({ id }) => Number(id.split(":")[2]));
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

async function publish(channel: Channel, updates: Iterable<Update>): Promise<void> {
  for (const update of updates) await channel.publish(update);
}

function numbered(first: number, last: number, overrides: Partial<Update> = {}): Update[] {
  return range(first, last).map((number) => numberedUpdate(number, overrides));
}

/** A token for a streamer; its claims add to the usual ones. */
async function mint({ url }: Streamer, claims: JsonObject): Promise<string> {
  const usual = {
    iss: ISSUER,
    aud: new URL(HUB_PATH, url).href,
    sub: "test",
    exp: Math.floor(Date.now() / 1000) + 600,
  };
  const key = await importSecret(new TextEncoder().encode(KEY), "HS256");
  return await signToken({ ...usual, ...claims }, { key, algorithm: "HS256" });
}

/** What a client sends that may subscribe to these; text stands for a topic. */
async function authorized(streamer: Streamer, ...granted: (string | Granted)[]): Promise<RequestInit> {
  const topics = granted.map((each) => typeof each === "string" ? { match: each } : { ...each });
  const details = [{ type: DETAIL_TYPE, actions: ["subscribe"], topics }];
  const token = await mint(streamer, { authorization_details: details });
  return { headers: { Authorization: `Bearer ${token}` } };
}

Deno.test("GET /history answers the newest updates, the oldest first, and how to go on in both directions", async () => {
  await using streamer = await startStreamer();
  await publish(streamer.channel, numbered(1, 250));
  const response = await request(streamer, "");
  assert.equal(response.headers.get("Content-Type"), "application/json");
  assert.equal(response.headers.get("Cache-Control"), "no-store");
  const page: HistoryAnswer = await response.json();
  assert.deepEqual(numbersIn(page), range(151, 250));
  assert.deepEqual(page.updates[0], {
    id: "urn:test:151",
    type: "test",
    topics: ["/test/151"],
    data: '{"number":151}',
  });

  const older = await read(streamer, { before: page.older!, limit: "200" });
  assert.deepEqual([numbersIn(older), older.older], [range(1, 150), null]);
  const again = await read(streamer, { after: older.newer!, limit: "100" });
  assert.deepEqual([numbersIn(again), again.newer], [range(151, 250), null]);
  const back = await read(streamer, { before: again.older!, limit: "1" });
  assert.deepEqual(numbersIn(back), [150]);
  const next = await read(streamer, { after: page.newer! });
  assert.deepEqual([next.updates, next.newer], [[], null]);
  await publish(streamer.channel, numbered(251, 252));
  assert.deepEqual(numbersIn(await read(streamer, { after: page.newer! })), [251, 252]);
});

Deno.test("GET /history reads before, up to and after an id, and from the very oldest", async (t) => {
  await using streamer = await startStreamer();
  await publish(streamer.channel, numbered(1, 9));
  const cases: [query: Record<string, string>, wanted: number[]][] = [
    [{ before: "urn:test:5" }, [1, 2, 3, 4]],
    [{ before: "urn:test:5", limit: "2" }, [3, 4]],
    [{ before: "urn:test:1" }, []],
    [{ until: "urn:test:5", limit: "2" }, [4, 5]],
    [{ until: "urn:test:1" }, [1]],
    [{ until: "urn:test:9", limit: "1" }, [9]],
    [{ after: "urn:test:5" }, [6, 7, 8, 9]],
    [{ after: "urn:test:5", limit: "2" }, [6, 7]],
    [{ after: "urn:test:9" }, []],
    [{ after: "earliest", limit: "3" }, [1, 2, 3]],
  ];
  for (const [query, wanted] of cases) {
    await t.step(JSON.stringify(query), async () => {
      assert.deepEqual(numbersIn(await read(streamer, query)), wanted);
    });
  }
});

Deno.test("/history and /events/history are the same, for GET and for QUERY, and there is nothing to POST", async () => {
  await using streamer = await startStreamer();
  await publish(streamer.channel, numbered(1, 3));
  for (const path of ["history", "events/history"]) {
    const url = `${streamer.url}${path}`;
    const got = await fetch(`${url}?limit=2&match=/test/1&match=/test/3`);
    assert.deepEqual(numbersIn(await got.json()), [1, 3], path);
    const queried = await fetch(`${url}?limit=2`, {
      method: "QUERY",
      body: new URLSearchParams([["match", "/test/1"], ["match", "/test/3"]]),
    });
    assert.deepEqual(numbersIn(await queried.json()), [1, 3], path);
    const posted = await fetch(url, { method: "POST", body: "x" });
    assert.equal(posted.status, 405);
    assert.match(posted.headers.get("Allow") ?? "", /GET.*QUERY/);
    await posted.body?.cancel();
  }
});

Deno.test("HEAD /history answers with the status and the headers of GET, and no body", async () => {
  await using streamer = await startStreamer();
  await publish(streamer.channel, numbered(1, 3));
  for (const [query, status] of [["", 200], ["limit=0", 400], ["until=urn:test:4", 404]] as const) {
    const get = await request(streamer, query);
    const head = await request(streamer, query, { method: "HEAD" });
    assert.equal(head.status, status);
    for (const name of ["Content-Type", "Cache-Control", "Access-Control-Allow-Origin"]) {
      assert.equal(head.headers.get(name), get.headers.get(name), name);
    }
    assert.ok(await get.text());
    assert.equal(await head.text(), "");
  }
});

Deno.test("GET /history shows what a stream with the same matchers and token shows", async () => {
  await using streamer = await startStreamer({ env: WITH_TOKENS });
  await publish(streamer.channel, [
    numberedUpdate(1, { topics: ["/a"] }),
    numberedUpdate(2, { topics: ["/b", "/a"], private: true }),
    numberedUpdate(3, { topics: ["/c/1"], private: true }),
    numberedUpdate(4, { topics: ["/x", "/c/2"] }),
    numberedUpdate(5, { topics: ["/b"] }),
    numberedUpdate(6, { topics: ["/c/3", "/z"], private: true }),
    numberedUpdate(7, { topics: ["/b", "/é"] }),
    numberedUpdate(8, { topics: ["/a", "/c/4"], data: "a\r\nb\0\u2028🐇" }),
  ]);
  const matchers = [
    "match=/a",
    "match_urlpattern=/c/:x",
    "match=/%C3%A9&match=/b",
    "match=*",
    "",
    "match=/nothing",
  ];
  const grants: (string | Granted)[][] = [[], ["/a"], [{ match: "/c/:x", match_type: "urlpattern" }], [
    "/z",
    "/b",
  ], [
    "*",
  ]];
  for (const query of matchers) {
    for (const granted of grants) {
      const init = granted.length === 0 ? {} : await authorized(streamer, ...granted);
      const { updates } = await read(streamer, query, init);
      await using stream = await openSse(`${streamer.url}events?last_event_id=earliest&${query}`, init);
      const end = `urn:end:${crypto.randomUUID()}`;
      await publish(streamer.channel, [
        numberedUpdate(0, { id: end, topics: ["/a", "/c/1", "/é", "/nothing"], data: "end" }),
      ]);
      await stream.until("the end", () => stream.events.some(({ id }) => id === end));
      const shown = stream.events.filter(({ data }) => data !== "end");
      const what = `${query} with ${JSON.stringify(granted)}`;
      const ours = updates.filter(({ data }) => data !== "end");
      assert.deepEqual(ours.map(({ id }) => id), shown.map(({ id }) => id), what);
      assert.deepEqual(ours.map(({ type }) => type), shown.map(({ event }) => event), what);
    }
  }
});

Deno.test("private updates take a token: in the header or the cookie, and never in the address", async () => {
  const env = { ...WITH_TOKENS, COOKIE_NAME: "token" };
  await using streamer = await startStreamer({ env });
  await publish(streamer.channel, [
    numberedUpdate(1),
    numberedUpdate(2, { private: true }),
    numberedUpdate(3),
  ]);
  const init = await authorized(streamer, "/test/2");
  const header = new Headers(init.headers).get("Authorization") ?? "";
  const token = header.replace("Bearer ", "");
  assert.deepEqual(numbersIn(await read(streamer, "")), [1, 3]);
  const { updates } = await read(streamer, "", init);
  assert.deepEqual(updates.map((update) => update.private), [undefined, true, undefined]);
  assert.deepEqual(numbersIn(await read(streamer, "", { headers: { Cookie: `token=${token}` } })), [1, 2, 3]);
  for (const name of ["authorization", "access_token", "token"]) {
    assert.deepEqual(numbersIn(await read(streamer, { [name]: token })), [1, 3], name);
  }
  const wrong = await refusal(streamer, "", { headers: { Authorization: `${header}x` } });
  assert.equal(wrong.status, 401);
  assert.match(wrong.headers.get("WWW-Authenticate") ?? "", /error="invalid_token"/);
  // A grant that the client has no longer counts for what is old, too.
  const other = await authorized(streamer, "/test/3");
  assert.deepEqual(numbersIn(await read(streamer, "", other)), [1, 3]);
});

Deno.test("with ANONYMOUS=off nobody reads without a token, and with Mercure 0.x it may be in the address", async () => {
  await using streamer = await startStreamer({ env: { ...WITH_TOKENS, ANONYMOUS: "off", JWT_LEGACY: "1" } });
  await publish(streamer.channel, [numberedUpdate(1), numberedUpdate(2, { private: true })]);
  const { status, headers } = await refusal(streamer, "");
  assert.equal(status, 401);
  assert.match(headers.get("WWW-Authenticate") ?? "", /^Bearer resource_metadata=/);
  const authorization = await mint(streamer, { mercure: { subscribe: ["/test/{n}"] } });
  assert.deepEqual(numbersIn(await read(streamer, { authorization, topic: "/test/{n}" })), [1, 2]);
});

Deno.test("what is wrong with a request for the history is answered with 400 and a sentence", async (t) => {
  await using streamer = await startStreamer({ env: { MAX_MATCHERS: "2" } });
  await publish(streamer.channel, numbered(1, 3));
  const limit = "The parameter limit must be a whole number from 1 to 1000";
  const cases: Record<string, string> = {
    "limit=0": limit,
    "limit=1001": limit,
    "limit=-1": limit,
    "limit=1e2": limit,
    "limit=": limit,
    "limit=%EF%BC%91": limit,
    "limit=1&limit=2": "The parameter limit can be given once only",
    "before=urn:test:1&after=urn:test:1": "Only one of before, until and after can be given",
    "before=": "The parameter before must not be empty; a # in it has to be written as %23",
    "before=urn:test:1&before=urn:test:2": "The parameter before can be given once only",
    "until=%FF": "The parameter until is not UTF-8",
    [`after=${"x".repeat(1025)}`]: "The parameter after must have at most 1024 characters",
    "match=/a&match=/b&match=/c": "A subscription has at most 2 matchers",
    "match=": "The parameter match is no matcher: Cannot take the matcher: its pattern must not be empty",
    "topic=/a": "The parameter topic is of an older protocol; use match or match_urlpattern",
  };
  for (const [query, wanted] of Object.entries(cases)) {
    await t.step(query.slice(0, 60), async () => {
      const { status, detail } = await refusal(streamer, query);
      assert.deepEqual([status, detail], [400, wanted]);
    });
  }
  const unknown = await read(streamer, "signals=1&last_event_id=urn:test:1&constructor=x&toString=x");
  assert.deepEqual(numbersIn(unknown), [1, 2, 3]);
});

Deno.test("an id that nobody knows, one of a private update and one that no client sees are answered alike", async () => {
  await using streamer = await startStreamer({ env: WITH_TOKENS });
  const { id: heartbeat } = await publishNotices(streamer);
  await publish(streamer.channel, [numberedUpdate(1, { private: true }), numberedUpdate(2)]);
  const granted = await authorized(streamer, "/test/1");
  for (const name of ["before", "until", "after"]) {
    const answers = await Promise.all(
      ["urn:test:1", heartbeat, "urn:unknown", "earliest ", " "].map(async (id) => {
        const { headers, ...answer } = await refusal(streamer, { [name]: id });
        const names = [...headers.keys()].toSorted();
        return { ...answer, names };
      }),
    );
    assert.equal(answers[0]!.status, 404);
    assert.equal(answers[0]!.detail, `Nobody knows the id in ${name}; it may be too old`);
    for (const answer of answers) assert.deepEqual(answer, answers[0]);
    await read(streamer, { [name]: "urn:test:1" }, granted);
  }
  // Matchers do not decide what may be known.
  assert.deepEqual(numbersIn(await read(streamer, { after: "urn:test:1", match: "/test/2" }, granted)), [2]);
});

/** Publishes what streamers tell each other: a heartbeat, the beginning of a subscription, and one of 0.x. */
async function publishNotices({ channel }: Streamer): Promise<Update> {
  const options = { active: true, hubPath: HUB_PATH, streamer: "s1" };
  const heartbeat = heartbeatUpdate(options);
  const begin = (type: "exact" | "template", name: string) =>
    subscriptionUpdate({
      id: `${HUB_PATH}/subscriptions/${name}`,
      matcher: { type, pattern: "/a" },
      subscriber: "urn:uuid:1",
    }, options);
  await publish(channel, [heartbeat, begin("exact", "new"), begin("template", "old")]);
  return heartbeat;
}

Deno.test("the announcements of subscriptions are there for whom they are on the stream, without what is for streamers", async () => {
  await using streamer = await startStreamer({ env: WITH_TOKENS });
  await publishNotices(streamer);
  assert.deepEqual((await read(streamer, "")).updates, []);
  // Streamers tell each other by topics that are nobody else's.
  const streamers = await authorized(streamer, `${HUB_PATH}/streamers/s1`);
  assert.deepEqual((await read(streamer, "", streamers)).updates, []);
  const { updates } = await read(streamer, "", await authorized(streamer, "*"));
  assert.deepEqual(updates.map(({ type, topics, private: isPrivate }) => ({ type, topics, isPrivate })), [
    { type: "mercure", topics: [`${HUB_PATH}/subscriptions/new`], isPrivate: true },
    { type: undefined, topics: [`${HUB_PATH}/subscriptions/old`], isPrivate: true },
  ]);
  assert.equal(JSON.parse(updates[0]!.data).active, true);
  assert.equal((await refusal(streamer, { until: updates[0]!.id }, streamers)).status, 404);
});

/** A walk through the history, as a client may take it. */
type Step =
  | { readonly go: "newest" | "oldest" | "older" | "newer"; readonly limit: number }
  | { readonly go: "before" | "until" | "after"; readonly limit: number; readonly at: number };

const limits = fc.integer({ min: 1, max: 4 });
const steps: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    go: fc.constantFrom("newest" as const, "oldest" as const, "older" as const, "newer" as const),
    limit: limits,
  }),
  fc.record({
    go: fc.constantFrom("before" as const, "until" as const, "after" as const),
    limit: limits,
    at: fc.nat(20),
  }),
);

const PATTERN = /^\/c\/[^/]+$/;

/** What a request matches, or a token grants: as the hub is told, and what it stands for. */
const GROUPS = [
  { name: "match", pattern: "/a", has: (topic: string) => topic === "/a" },
  { name: "match", pattern: "/b", has: (topic: string) => topic === "/b" },
  { name: "match_urlpattern", pattern: "/c/:x", has: (topic: string) => PATTERN.test(topic) },
  { name: "match", pattern: "*", has: () => true },
] as const;

type Group = (typeof GROUPS)[number];

const groups = fc.subarray([...GROUPS]);
const topicLists = fc.subarray(["/a", "/b", "/c/1", "/c/2", "/d"], { minLength: 1, maxLength: 3 });
const kinds = fc.record({ topics: topicLists, private: fc.boolean() });
type Kind = { readonly topics: string[]; readonly private: boolean };

function updateOf({ topics, ...rest }: Kind, number: number): Update {
  return numberedUpdate(number, { ...rest, topics: topics as [string, ...string[]] });
}

function isVisible(
  { topics, private: isPrivate }: Kind,
  matched: readonly Group[],
  granted: readonly Group[],
): boolean {
  const isIn = (groups: readonly Group[]) => topics.some((topic) => groups.some(({ has }) => has(topic)));
  return (matched.length === 0 || isIn(matched)) && (!isPrivate || isIn(granted));
}

function grantOf({ name, pattern }: Group): Granted {
  return { match: pattern, match_type: name === "match" ? "exact" : "urlpattern" };
}

function matchersOf(matched: readonly Group[]): [string, string][] {
  return matched.map(({ name, pattern }) => [name, pattern]);
}

Deno.test("however one walks through the history, each page depends on what one may see, and on nothing else", async () => {
  const walk = async (
    { log, matched, granted, steps }: { log: Kind[]; matched: Group[]; granted: Group[]; steps: Step[] },
  ) => {
    await using streamer = await startStreamer({ env: WITH_TOKENS });
    await publish(streamer.channel, log.map(updateOf));
    const init = granted.length === 0 ? {} : await authorized(streamer, ...granted.map(grantOf));
    const visible = log.flatMap((kind, number) => isVisible(kind, matched, granted) ? [number] : []);
    // A place is known by how many visible updates are before it.
    let older: { place: number; token: string } | undefined;
    let newer: { place: number; token: string } | undefined;
    const tokenLengths = new Set<number>();
    for (const step of steps) {
      const { go, limit } = step;
      let place = go === "oldest" ? 0 : visible.length;
      let isForward = go === "oldest";
      const query: [string, string][] = [["limit", `${limit}`], ...matchersOf(matched)];
      if (go === "oldest") query.push(["after", "earliest"]);
      if (go === "older" || go === "newer") {
        const next = go === "older" ? older : newer;
        if (next === undefined) continue;
        place = next.place;
        isForward = go === "newer";
        query.push([isForward ? "after" : "before", next.token]);
      }
      if (go === "before" || go === "until" || go === "after") {
        const index = step.at % Math.max(1, visible.length);
        if (visible[index] === undefined) continue;
        query.push([go, `urn:test:${visible[index]}`]);
        place = go === "before" ? index : index + 1;
        isForward = go === "after";
      }
      const page = await read(streamer, query, init);
      const first = isForward ? place : Math.max(0, place - limit);
      const end = isForward ? Math.min(visible.length, place + limit) : place;
      const what = `${JSON.stringify(step)} at ${place}`;
      assert.deepEqual(numbersIn(page), visible.slice(first, end), what);
      assert.equal(page.newer === null, isForward && end === visible.length, `newer after ${what}`);
      assert.equal(page.older === null, go === "oldest" || !isForward && first === 0, `older after ${what}`);
      older = page.older === null ? undefined : { place: first, token: page.older };
      newer = page.newer === null ? undefined : { place: end, token: page.newer };
      for (const token of [page.older, page.newer]) {
        if (token !== null) tokenLengths.add(token.length);
      }
    }
    // Not even how many digits a number has is told.
    assert.ok(tokenLengths.size <= 1);
  };
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        log: fc.array(kinds, { maxLength: 15 }),
        matched: groups,
        granted: groups,
        steps: fc.array(steps, { minLength: 1, maxLength: 12 }),
      }),
      walk,
    ),
    { numRuns: 150 },
  );
});

Deno.test("pages have each update once and in order, whatever is published or forgotten between them", async () => {
  const readAll = async (
    { log, later, meanwhile, keep, limit, matched, granted }: {
      log: Kind[];
      later: Kind[][];
      meanwhile: Kind[][];
      keep: number;
      limit: number;
      matched: Group[];
      granted: Group[];
    },
  ) => {
    await using streamer = await startStreamer({ env: WITH_TOKENS, channel: new MemoryChannel({ keep }) });
    const { channel } = streamer;
    const init = granted.length === 0 ? {} : await authorized(streamer, ...granted.map(grantOf));
    const all: Kind[] = [];
    const add = async (kinds: readonly Kind[]) => {
      for (const kind of kinds) await channel.publish(updateOf(kind, all.push(kind) - 1));
    };
    const visibleFrom = (first: number, end: number) =>
      range(first, end - 1).filter((number) => isVisible(all[number]!, matched, granted));
    const oldestKept = () => Math.max(0, all.length - keep);
    // Others publish, and so the oldest are forgotten, between the reads of one page as well.
    const between = meanwhile.values();
    const history = channel.history.bind(channel);
    channel.history = async (after, options) => {
      const entries = await history(after, options);
      await add(between.next().value ?? []);
      return entries;
    };
    const ask = (...place: [string, string][]) =>
      request(streamer, [["limit", `${limit}`], ...matchersOf(matched), ...place], init);
    const inOrder = (numbers: readonly number[]) =>
      assert.deepEqual(numbers, [...new Set(numbers)].toSorted((a, b) => a - b));

    const pageOf = async (...place: [string, string][]) => {
      const response = await ask(...place);
      const body = await response.json();
      if (response.status === 410) return undefined;
      assert.equal(response.status, 200, body.detail);
      assert.ok(body.updates.length <= limit);
      return body as HistoryAnswer;
    };

    await add(log);
    const backwards: number[] = [];
    let next = later.values();
    for (let answer = await pageOf(); answer !== undefined;) {
      backwards.unshift(...numbersIn(answer));
      await add(next.next().value ?? []);
      if (answer.older === null) break;
      answer = await pageOf(["before", answer.older]);
      assert.ok(answer, "What is older is never lost, it is only less");
    }
    inOrder(backwards);
    const kept = oldestKept();
    assert.deepEqual(backwards.filter((number) => number >= kept), visibleFrom(kept, log.length));
    assert.deepEqual(backwards.filter((number) => !isVisible(all[number]!, matched, granted)), []);

    const wanted = visibleFrom(oldestKept(), all.length);
    const forwards: number[] = [];
    next = later.values();
    for (let after: string | null = "earliest"; after !== null;) {
      const answer: HistoryAnswer | undefined = await pageOf(["after", after]);
      assert.ok(
        answer !== undefined || after !== "earliest",
        "What is oldest is never lost, it is only less",
      );
      assert.ok(
        answer !== undefined || oldestKept() > (forwards.at(-1) ?? -1) + 1,
        "What follows is lost, though nothing is forgotten",
      );
      forwards.push(...answer === undefined ? [] : numbersIn(answer));
      // What follows is forgotten: all that is kept comes after it.
      after = answer === undefined ? "earliest" : answer.newer;
      if (after !== null) await add(next.next().value ?? []);
    }
    inOrder(forwards);
    assert.deepEqual(forwards.filter((number) => !isVisible(all[number]!, matched, granted)), []);
    const missing = wanted.filter((number) => !forwards.includes(number));
    assert.deepEqual(missing.filter((number) => number >= oldestKept()), []);
  };
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        log: fc.array(kinds, { maxLength: 25 }),
        later: fc.array(fc.array(kinds, { maxLength: 8 }), { maxLength: 10 }),
        meanwhile: fc.array(fc.array(kinds, { maxLength: 8 }), { maxLength: 10 }),
        keep: fc.integer({ min: 1, max: 30 }),
        limit: limits,
        matched: groups,
        granted: groups,
      }),
      readAll,
    ),
    { numRuns: 150 },
  );
});

Deno.test("a page ends where the next updates are forgotten while it is read, and its end leads on to that", async () => {
  const channel = new MemoryChannel({ keep: 10 });
  await using streamer = await startStreamer({ channel });
  await publish(channel, numbered(1, 10));
  const history = channel.history.bind(channel);
  let reads = 0;
  channel.history = async (after, options) => {
    reads++;
    const entries = await history(after, options);
    if (reads === 1) await publish(channel, numbered(11, 30));
    return entries;
  };
  // The first read is of three entries, of which one matches.
  const page = await read(streamer, { after: "earliest", match: "/test/2", limit: "2" });
  assert.deepEqual([numbersIn(page), page.older, reads], [[2], null, 2]);
  assert.equal((await refusal(streamer, { after: page.newer! })).status, 410);
  assert.deepEqual(numbersIn(await read(streamer, { after: "earliest", limit: "1" })), [21]);
});

Deno.test("a page up to the newest update ends with it, also when others come while it is read", async () => {
  const channel = new MemoryChannel();
  const locate = channel.locate.bind(channel);
  channel.locate = async (id) => {
    const cursor = await locate(id);
    await channel.publish(numberedUpdate(99));
    return cursor;
  };
  await using streamer = await startStreamer({ channel });
  await publish(channel, numbered(1, 3));
  const page = await read(streamer, { until: "urn:test:3", limit: "2" });
  assert.deepEqual(numbersIn(page), [2, 3]);
  assert.deepEqual(numbersIn(await read(streamer, { after: page.newer! })), [99]);
});

Deno.test("of two updates with one id the first is found, and pages have both", async () => {
  await using streamer = await startStreamer();
  await publish(streamer.channel, [1, 2, 3, 2, 5].map((number) => numberedUpdate(number)));
  assert.deepEqual(numbersIn(await read(streamer, { after: "urn:test:2" })), [3, 2, 5]);
  assert.deepEqual(numbersIn(await read(streamer, { until: "urn:test:2" })), [1, 2]);
  const found: number[] = [];
  let page = await read(streamer, { limit: "2" });
  while (page.older !== null) {
    found.unshift(...numbersIn(page));
    page = await read(streamer, { limit: "2", before: page.older });
  }
  assert.deepEqual([...numbersIn(page), ...found], [1, 2, 3, 2, 5]);
});

Deno.test("a place is sealed: what a client makes of it, or takes from elsewhere, is answered with 410", async (t) => {
  await using streamer = await startStreamer();
  await using other = await startStreamer();
  for (const { channel } of [streamer, other]) await publish(channel, numbered(1, 5));
  const page = await read(streamer, { limit: "2" });
  const again = await read(streamer, { limit: "2" });
  assert.notEqual(page.older, again.older, "the same place looks the same, which tells that nothing came");
  assert.match(page.older!, /^#[A-Za-z0-9_-]+$/);
  assert.doesNotMatch(page.older!, /[/-][0-9]+$/);
  const { cursor } = (await streamer.channel.history("earliest", { limit: 1 }))[0]!;
  const middle = page.older!.length / 2;
  const flipped = page.older![middle] === "A" ? "B" : "A";
  const cases: Record<string, [name: string, token: string]> = {
    "a cursor itself": ["before", `#${cursor}`],
    "the sign alone": ["before", "#"],
    "what is not base64url": ["before", "#!"],
    "too short for a seal": ["before", "#AAAA"],
    "half of one": ["before", page.older!.slice(0, middle)],
    "one with another character": [
      "before",
      page.older!.slice(0, middle) + flipped + page.older!.slice(middle + 1),
    ],
    "what is for the other direction": ["after", page.older!],
    "the other one for the other direction": ["before", page.newer!],
    "one where an id is wanted": ["until", page.older!],
    "one of another history": ["before", (await read(other, { limit: "2" })).older!],
  };
  for (const [name, [parameter, token]] of Object.entries(cases)) {
    await t.step(name, async () => {
      const { status, detail } = await refusal(streamer, { [parameter]: token });
      assert.deepEqual([status, detail], [410, "The place is no longer kept, or of another history"]);
    });
  }
  assert.deepEqual(numbersIn(await read(streamer, { before: page.older! })), [1, 2, 3]);
});

Deno.test("once a place is forgotten, nothing is before it, what was after it is lost, and its id unknown", async () => {
  await using streamer = await startStreamer({ channel: new MemoryChannel({ keep: 10 }) });
  await publish(streamer.channel, numbered(1, 10));
  const page = await read(streamer, { after: "earliest", limit: "3" });
  const older = await read(streamer, { before: "urn:test:5", limit: "2" });
  await publish(streamer.channel, numbered(11, 15));
  assert.deepEqual((await read(streamer, { before: older.older! })).updates, []);
  assert.equal((await refusal(streamer, { after: page.newer! })).status, 410);
  assert.equal((await refusal(streamer, { after: "urn:test:3" })).status, 404);
  assert.deepEqual(numbersIn(await read(streamer, { after: "earliest", limit: "2" })), [6, 7]);
  // Nothing was forgotten between them.
  assert.deepEqual(
    numbersIn(await read(streamer, { after: (await read(streamer, { before: "urn:test:6" })).newer! })),
    range(6, 15),
  );
});

Deno.test("where matchers match little, answers are short and say how to go on", async () => {
  const channel = new MemoryChannel({ keep: 20_000 });
  await publish(channel, numbered(1, 12_000));
  await using streamer = await startStreamer({ channel });
  const walk = async (first: Record<string, string>, direction: "before" | "after") => {
    const pages: number[][] = [];
    for (let query = first;;) {
      const page = await read(streamer, { match: "/test/1", limit: "1000", ...query });
      pages.push(numbersIn(page));
      const token = direction === "before" ? page.older : page.newer;
      if (token === null) return pages;
      query = { [direction]: token };
    }
  };
  assert.deepEqual(await walk({}, "before"), [[], [], [1]]);
  assert.deepEqual(await walk({ after: "earliest" }, "after"), [[1], [], []]);
});

Deno.test("large updates come a few at a time, or alone, and each once", async () => {
  const channel = new MemoryChannel();
  const large = "x".repeat(250_000);
  await publish(channel, [
    ...numbered(1, 6, { data: large }),
    numberedUpdate(7, { data: "x".repeat(1_500_000) }),
    numberedUpdate(8),
    // Topics count as well.
    ...numbered(9, 14, {
      topics: ["/a", ...Array.from({ length: 25 }, (_, index) => `/${index}/`.padEnd(10_000, "x"))],
    }),
  ]);
  await using streamer = await startStreamer({ channel });
  const backwards: number[][] = [];
  for (let query: Record<string, string> = {};;) {
    const page = await read(streamer, query);
    backwards.push(numbersIn(page));
    if (page.older === null) break;
    query = { before: page.older };
  }
  assert.deepEqual(backwards, [[11, 12, 13, 14], [8, 9, 10], [7], [3, 4, 5, 6], [1, 2]]);
  const forwards: number[][] = [];
  for (let after = "earliest";;) {
    const page = await read(streamer, { after });
    forwards.push(numbersIn(page));
    if (page.newer === null) break;
    after = page.newer;
  }
  assert.deepEqual(forwards, [[1, 2, 3, 4], [5, 6], [7], [8, 9, 10, 11, 12], [13, 14]]);
});

Deno.test("one request does not look through more than some megabytes of what it does not show", async () => {
  const channel = new MemoryChannel();
  await publish(channel, numbered(1, 40, { data: "x".repeat(1_000_000) }));
  await using streamer = await startStreamer({ channel });
  let requests = 0;
  let query: Record<string, string> = {};
  for (let found = false; !found; requests++) {
    const page = await read(streamer, { match: "/test/1", ...query });
    found = page.updates.length > 0;
    query = { before: page.older ?? "" };
  }
  assert.equal(requests, 3);
});

/** Matchers and topics that take long together, though each is matched in linear time. */
const SLOW_MATCHERS = Array.from(
  { length: 100 },
  (_, index): [string, string] => ["match_urlpattern", `/*${index}*/:x/*/(a+)b`],
);
const SLOW_TOPICS = ["/1/", "/2/"].map((start) => `${start}${"a/".repeat(200)}${"a".repeat(200)}`);

Deno.test("a request that is slow to match leaves others their turn, and ends early", async () => {
  const channel = new MemoryChannel();
  await publish(channel, numbered(1, 5000, { topics: SLOW_TOPICS as [string, ...string[]] }));
  let turns = 0;
  const turnsAtRead: number[] = [];
  const historyBefore = channel.historyBefore.bind(channel);
  channel.historyBefore = (before, options) => {
    turnsAtRead.push(turns);
    return historyBefore(before, options);
  };
  await using streamer = await startStreamer({ channel });
  const asked = read(streamer, [...SLOW_MATCHERS, ["limit", "1000"]]);
  let isOver = false;
  const counting = (async () => {
    for (; !isOver; turns++) await nextTurn();
  })();
  const page = await asked.finally(() => isOver = true);
  await counting;
  assert.deepEqual(page.updates, []);
  assert.notEqual(page.older, null);
  // It would have been a read more than it takes for all that is looked through otherwise.
  assert.ok(turnsAtRead.length < 5000 / 200, `${turnsAtRead.length} reads`);
  const between = turnsAtRead[1]! - turnsAtRead[0]!;
  assert.ok(between > 3, `${between} turns for others between two reads`);
});

Deno.test("some read the history at a time, and the others wait for their turn", async () => {
  const channel = new MemoryChannel();
  await publish(channel, numbered(1, 3));
  let working = 0;
  let most = 0;
  let hold = Promise.resolve();
  const historyBefore = channel.historyBefore.bind(channel);
  channel.historyBefore = async (before, options) => {
    most = Math.max(most, ++working);
    await hold;
    working--;
    return await historyBefore(before, options);
  };
  await using streamer = await startStreamer({ channel });
  const held = Promise.withResolvers<void>();
  hold = held.promise;
  const asked = range(1, 30).map(() => read(streamer, { limit: "2" }));
  await eventually("they are at work", () => working > 1);
  // Whatever else is asked meanwhile is answered.
  const health = await fetch(`${streamer.url}healthz`);
  assert.equal(await health.text(), '{"status":"ok"}');
  held.resolve();
  for (const page of await Promise.all(asked)) assert.deepEqual(numbersIn(page), [2, 3]);
  assert.equal(most, 8);
});

type Bounds = Partial<Parameters<typeof serveHistory>[2]>;

/** A streamer with `/bounded`: the history within other bounds, and what became of the requests for it. */
async function startBounded(channel: Channel, bounds: Bounds) {
  const config = readSettings(SETTINGS, { get: () => undefined });
  const { access } = await openAccess(config, { log: createLog({ service: "test", level: "error" }) });
  const matchAll = () => [parseMatcher("exact", "*", { base: "https://hub.test/", maxLength: 1 })];
  const requests = { come: 0, left: 0, over: 0 };
  const streamer = await startStreamer({
    channel,
    extend: (app) => {
      app.use("/bounded", async (c, next) => {
        requests.come++;
        c.req.raw.signal.addEventListener("abort", () => requests.left++);
        await next();
        requests.over++;
      });
      serveHistory(app, ["/bounded"], { config, access, channel, matchAll, ...bounds });
    },
  });
  const ask = async (query = "") => {
    const response = await within("an answer", fetch(`${streamer.url}bounded?${query}`));
    if (response.status === 503) assert.ok(Number(response.headers.get("Retry-After")) > 0);
    await response.body?.cancel();
    return response.status;
  };
  return { requests, ask, port: streamer.port, [Symbol.asyncDispose]: () => streamer[Symbol.asyncDispose]() };
}

/** Holds whoever reads backwards, until it is told to let them go on; `reads` counts them. */
function holdReaders(channel: Channel) {
  const held = Promise.withResolvers<void>();
  const holding = { reads: 0, release: () => held.resolve() };
  const historyBefore = channel.historyBefore.bind(channel);
  channel.historyBefore = async (before, options) => {
    holding.reads++;
    await held.promise;
    return await historyBefore(before, options);
  };
  return holding;
}

Deno.test("who has waited long for a turn is answered with 503 and when to come back", async () => {
  const channel = new MemoryChannel();
  const holding = holdReaders(channel);
  await using bounded = await startBounded(channel, { patienceMs: 1 });
  const asked = range(1, 20).map(() => bounded.ask());
  // Of those that wait one ends first, and then all are let in or sent away.
  assert.equal(await within("the first", Promise.race(asked)), 503);
  holding.release();
  const statuses = await Promise.all(asked);
  assert.deepEqual([...new Set(statuses)].toSorted(), [200, 503]);
});

Deno.test("where too many wait for a turn, the next is answered with 503 at once", async () => {
  const channel = new MemoryChannel();
  const holding = holdReaders(channel);
  await using bounded = await startBounded(channel, { maxWaiting: 3, patienceMs: 600_000 });
  const asked = range(1, 20).map(() => bounded.ask());
  await eventually("those beyond the line are answered", () => bounded.requests.over === 20 - 8 - 3);
  holding.release();
  const statuses = await Promise.all(asked);
  assert.deepEqual(statuses.toSorted(), [...Array(11).fill(200), ...Array(9).fill(503)]);
});

Deno.test("whoever leaves gives up the place in line, and nothing is read for them", async () => {
  const channel = new MemoryChannel();
  const holding = holdReaders(channel);
  await using bounded = await startBounded(channel, { maxWaiting: 20, patienceMs: 600_000 });
  const served = range(1, 8).map(() => bounded.ask());
  await eventually("all places are taken", () => holding.reads === 8);
  {
    using _alone = await RawClient.get(bounded.port, "/bounded");
    // On one connection only the first of several answers has a socket.
    using pipelining = await RawClient.connect(bounded.port);
    await pipelining.send(requestFor("/bounded").repeat(19));
    await eventually("the line is full", () => bounded.requests.come === 28);
    assert.equal(await bounded.ask(), 503);
    assert.equal(bounded.requests.left, 0);
  }
  await eventually("they have left", () => bounded.requests.over === 21);
  const last = bounded.ask();
  holding.release();
  assert.deepEqual(await Promise.all([...served, last]), Array(9).fill(200));
  assert.equal(holding.reads, 9);
});

Deno.test("the reading for who leaves meanwhile ends", async () => {
  const channel = new MemoryChannel();
  await publish(channel, numbered(1, 2000));
  const holding = holdReaders(channel);
  await using bounded = await startBounded(channel, {});
  {
    using _client = await RawClient.get(bounded.port, "/bounded?match=/nothing");
    await eventually("it is read for", () => holding.reads === 1);
  }
  await eventually("it has left", () => bounded.requests.left === 1);
  holding.release();
  await eventually("the end of the request", () => bounded.requests.over === 1);
  assert.equal(holding.reads, 1);
});

/** Far more characters than the buffers of a connection hold. */
const UNSENDABLE = 32_000_000;

/** A client that takes the beginning of a large answer, and no more. */
async function openIdle({ port }: { port: number }): Promise<RawClient> {
  const client = await RawClient.get(port, "/bounded?match=/test/1");
  assert.ok(await client.read(16));
  return client;
}

Deno.test("while too many answers are under way to their clients, the next is answered with 503 at once", async () => {
  const channel = new MemoryChannel();
  await publish(channel, [numberedUpdate(1, { data: "x".repeat(UNSENDABLE) }), numberedUpdate(2)]);
  await using bounded = await startBounded(channel, { maxAnswers: 2, sendMs: 600_000, patienceMs: 600_000 });
  using reading = await openIdle(bounded);
  {
    using _leaving = await openIdle(bounded);
    assert.equal(await bounded.ask("match=/test/2"), 503);
  }
  await eventually("the one that left makes room", async () => await bounded.ask("match=/test/2") === 200);
  using _another = await openIdle(bounded);
  assert.equal(await bounded.ask("match=/test/2"), 503);
  await reading.untilSize(UNSENDABLE);
  await eventually(
    "the one that read all makes room",
    async () => await bounded.ask("match=/test/2") === 200,
  );
});

Deno.test("an answer that its client does not take in time is cut, and makes room for others", async () => {
  const channel = new MemoryChannel();
  await publish(channel, [numberedUpdate(1, { data: "x".repeat(UNSENDABLE) }), numberedUpdate(2)]);
  await using bounded = await startBounded(channel, { maxAnswers: 1, sendMs: 50 });
  using client = await openIdle(bounded);
  await eventually("there is room", async () => await bounded.ask("match=/test/2") === 200);
  await client.untilEnd();
  assert.ok(client.size < UNSENDABLE, `${client.size}`);
});

Deno.test("requests that fail, or find nothing, take no room from others", async () => {
  const channel = new MemoryChannel();
  await publish(channel, numbered(1, 3));
  await using bounded = await startBounded(channel, { maxAnswers: 1, sendMs: 600_000 });
  for (const [query, status] of [["until=urn:unknown", 404], ["before=%23x", 410], ["", 200]] as const) {
    for (let count = 0; count < 3; count++) {
      await eventually(`${status}`, async () => await bounded.ask(query) === status);
    }
  }
});

Deno.test("the history is answered also where there is no connection, and no server", async () => {
  const channel = new MemoryChannel();
  await publish(channel, numbered(1, 3));
  const config = readSettings(SETTINGS, { get: () => undefined });
  const { access } = await openAccess(config, { log: createLog({ service: "test", level: "error" }) });
  const app = createApp({ log: createLog({ service: "test", level: "error" }) });
  const matchAll = () => [parseMatcher("exact", "*", { base: "https://hub.test/", maxLength: 1 })];
  serveHistory(app, ["/history"], { config, access, channel, matchAll, maxAnswers: 1 });
  for (let count = 0; count < 3; count++) {
    const response = await app.request("https://hub.test/history");
    assert.deepEqual(numbersIn(await response.json()), [1, 2, 3]);
  }
});

Deno.test("while the channel cannot be reached, the history is answered with 503 and when to come back", async () => {
  const channel = new MemoryChannel();
  await using streamer = await startStreamer({ channel });
  channel.locate = () => Promise.reject(new ChannelUnavailableError("away"));
  channel.historyBefore = () => Promise.reject(new ChannelUnavailableError("away"));
  channel.history = () => Promise.reject(new ChannelUnavailableError("away"));
  for (const query of ["", "until=urn:test:1", "after=earliest"]) {
    const { status, headers } = await refusal(streamer, query);
    assert.equal(status, 503);
    assert.ok(Number(headers.get("Retry-After")) > 0);
  }
});

Deno.test("pages of other origins read the history as they read the stream", async () => {
  const headers = { Origin: "https://page.test" };
  {
    await using streamer = await startStreamer();
    for (const query of ["", "after=%23x", "limit=0"]) {
      const response = await request(streamer, query, { headers });
      await response.body?.cancel();
      assert.equal(response.headers.get("Access-Control-Allow-Origin"), "*", query);
      assert.match(response.headers.get("Access-Control-Expose-Headers") ?? "", /Retry-After/, query);
    }
    const preflight = await request(streamer, "", {
      method: "OPTIONS",
      headers: { ...headers, "Access-Control-Request-Method": "QUERY" },
    });
    assert.match(preflight.headers.get("Access-Control-Allow-Methods") ?? "", /QUERY/);
    await preflight.body?.cancel();
  }
  await using streamer = await startStreamer({ env: { CORS_ORIGINS: "https://page.test" } });
  for (
    const [origin, allowed] of [["https://page.test", "https://page.test"], ["https://other.test", null]]
  ) {
    const response = await request(streamer, "", { headers: { Origin: origin! } });
    await response.body?.cancel();
    assert.equal(response.headers.get("Access-Control-Allow-Origin"), allowed);
    assert.equal(response.headers.get("Access-Control-Allow-Credentials"), allowed && "true");
  }
});
