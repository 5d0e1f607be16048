/** The 0.x generation of the protocol: what it may where it is switched on, and that it may nothing elsewhere. */
import assert from "node:assert/strict";
import {
  type Answer,
  detail,
  goodClaims,
  type Hub,
  HUB_PATH,
  KEY,
  type Stream,
  type Suite,
  unique,
} from "./harness.ts";
import { expand, SUBSCRIPTIONS } from "./presence.ts";
import { assertRefused, bytesOf, hubWithIssuers, sign, unsigned, withBrokenSignature } from "./tokens.ts";

const ON = { JWT_LEGACY: "1", SUBSCRIPTIONS: "on", PUBLISH_ORIGINS: "https://app.example" };
const COOKIE = "mercureAuthorization";
const JWT = { alg: "HS256", typ: "JWT" } as const;

/** The claim of the 0.x generation. */
interface MercureClaim {
  readonly publish?: unknown;
  readonly subscribe?: unknown;
  readonly payload?: unknown;
}

/** Signs a token as libraries of the 0.x generation do. */
function mintLegacy(mercure: MercureClaim, claims: Readonly<Record<string, unknown>> = {}): Promise<string> {
  return sign(JWT, { mercure, ...claims }, bytesOf(KEY));
}

async function dataOf(stream: Stream, topic: string): Promise<string[]> {
  return (await stream.drain(topic)).map(({ data }) => data);
}

/** Publishes a private update on a topic, and resolves with what a stream that matches the topic got. */
async function readPrivately(hub: Hub, topic: string, stream: Stream): Promise<string[]> {
  await hub.publishOk({ topic, private: "on", data: "private" });
  return await dataOf(stream, topic);
}

export function register(suite: Suite): void {
  registerSwitch(suite);
  registerRules(suite);
  registerReferences(suite);
}

function registerSwitch({ requirement }: Suite): void {
  requirement(112, async (hubs, t) => {
    const on = await hubs.open(ON);
    const off = await hubs.open();
    await t.step("topic with a URI template", async () => {
      const base = unique("books");
      await using stream = await on.subscribe({ topic: `${base}/{id}` });
      for (const path of ["1", "a%20b", "1/2", ""]) {
        await on.publishOk({ topic: path === "" ? base : `${base}/${path}`, data: path });
      }
      assert.deepEqual(await dataOf(stream, `${base}/end`), ["1", "a%20b"]);
    });
    await t.step("topic without one is exact, and * is everything", async () => {
      const topic = unique();
      await using exact = await on.subscribe({ topic });
      await using everything = await on.subscribe([["topic", "*"]]);
      await on.publishOk({ topic: `${topic}/below`, data: "below" });
      await on.publishOk({ topic, data: "exact" });
      assert.deepEqual(await dataOf(exact, topic), ["exact"]);
      await everything.next(2);
      assert.deepEqual(everything.events.slice(0, 2).map(({ data }) => data), ["below", "exact"]);
    });
    await t.step("the mercure claim", async () => {
      const topic = unique();
      const token = await mintLegacy({ publish: [topic], subscribe: [topic] });
      await using stream = await on.subscribe({ topic }, { token });
      assert.equal((await on.publish({ topic, data: "public" }, { token })).status, 200);
      assert.deepEqual(await readPrivately(on, topic, stream), ["public", "private"]);
      assertRefused(await off.publish({ topic }, { token }), "invalid_token", "off, to publish");
      assertRefused(await off.get({ match: topic }, { token }), "invalid_token", "off, to subscribe");
    });
    await t.step("the mercureAuthorization cookie", async () => {
      const topic = unique();
      const headers = { Cookie: `${COOKIE}=${await mintLegacy({ subscribe: [topic] })}` };
      await using stream = await on.subscribe({ topic }, { headers });
      assert.deepEqual(await readPrivately(on, topic, stream), ["private"]);
      const good = { Cookie: `${COOKIE}=${await off.token({ subscribe: [topic] })}` };
      await using other = await off.subscribe({ match: topic }, { headers: good });
      assert.deepEqual(await readPrivately(off, topic, other), [], "off, it is no token");
    });
    await t.step("the authorization parameter", async () => {
      const topic = unique();
      const authorization = await mintLegacy({ subscribe: [topic], publish: [topic] });
      await using stream = await on.subscribe({ topic, authorization });
      assert.deepEqual(await readPrivately(on, topic, stream), ["private"]);
      const bad = withBrokenSignature(authorization);
      assertRefused(await on.get({ topic, authorization: bad }), "invalid_token", "a bad one");
      await using other = await off.subscribe({
        match: topic,
        authorization: await off.token({ subscribe: [topic] }),
      });
      assert.deepEqual(await readPrivately(off, topic, other), [], "off, it is no token");
    });
  });

  requirement(116, async (hubs) => {
    const hub = await hubs.open();
    const topic = unique();
    for (const query of [{ topic }, { topic, match: topic }, { topic: "*" }]) {
      const answer = await hub.get(query);
      assert.equal(answer.status, 400, JSON.stringify(query));
      assert.match(JSON.parse(answer.text).detail, /\bmatch/, "the answer says what to use");
    }
    const claims = { ...goodClaims(hub.url), mercure: { publish: ["*"], subscribe: ["*"] } };
    const tokens = {
      "of the old form": await mintLegacy(claims.mercure),
      "of the old form, with all other claims": await sign(JWT, claims),
    };
    for (const [what, token] of Object.entries(tokens)) {
      assertRefused(await hub.publish({ topic }, { token }), "invalid_token", what);
      assertRefused(await hub.get({ match: topic }, { token }), "invalid_token", what);
    }
    const token = await sign({ alg: "HS256", typ: "at+jwt" }, claims);
    const answer = await hub.publish({ topic }, { token });
    assertRefused(answer, "insufficient_scope", "the claim in a good token");
    await using stream = await hub.subscribe({ match: topic }, { token });
    assert.deepEqual(await readPrivately(hub, topic, stream), []);
  });
}

function registerRules({ requirement }: Suite): void {
  requirement(113, async (hubs) => {
    const hub = await hubs.open(ON);
    const topic = unique();
    const ids: string[] = [];
    for (const data of ["1", "2", "3"]) ids.push(await hub.publishOk({ topic, data }));
    const cursor = ids[0]!;
    const ways: Record<string, { query?: Record<string, string>; headers?: Record<string, string> }> = {
      "lastEventID": { query: { lastEventID: cursor } },
      "Last-Event-ID as a parameter": { query: { "Last-Event-ID": cursor } },
      "both, as some clients send them": { query: { lastEventID: cursor, "Last-Event-ID": cursor } },
      "last_event_id": { query: { last_event_id: cursor } },
      "the header": { headers: { "Last-Event-ID": cursor } },
      "the header before the parameter": {
        query: { lastEventID: ids[1]! },
        headers: { "Last-Event-ID": cursor },
      },
    };
    for (const [what, { query = {}, headers = {} }] of Object.entries(ways)) {
      await using stream = await hub.subscribe({ topic, ...query }, { headers });
      await stream.next(2);
      assert.deepEqual(stream.events.map(({ id }) => id), ids.slice(1), what);
      for (const name of ["Last-Event-ID", "Mercure-Last-Event-ID"]) {
        assert.equal(stream.response.headers.get(name), cursor, `${name}: ${what}`);
      }
    }
    await using unknown = await hub.subscribe({ topic, lastEventID: "urn:test:nobody-knows" });
    assert.equal(unknown.response.headers.get("Last-Event-ID"), "earliest");
  });

  requirement(114, async (hubs) => {
    const hub = await hubs.open(ON);
    const base = unique("rules");
    const publish = async (mercure: MercureClaim, topic: string | string[]) =>
      await hub.publish({ topic }, { token: await mintLegacy(mercure) });
    for (const mercure of [{}, { publish: [] }, { subscribe: ["*"] }]) {
      assertRefused(await publish(mercure, base), "insufficient_scope", JSON.stringify(mercure));
    }
    const cases: [publish: string[], topics: string[], status: number][] = [
      [["*"], [base, "urn:a:b", "a b"], 200],
      [[base], [base], 200],
      [[base], [`${base}/1`], 403],
      [[`${base}/{id}`], [`${base}/1`], 200],
      [[`${base}/{id}`], [`${base}/1/2`], 403],
      [[`${base}/{id}`], [base], 403],
      [[`${base}/{id}`], [`${base}/1`, base], 403],
      [[`${base}/{id}`, base], [`${base}/1`, base], 200],
      [[`${base}/{+path}`], [`${base}/1/2`], 200],
      [[`${base}{/type,id}`], [`${base}/a/1`], 200],
      [[`${base}{?q}`], [`${base}?q=1`], 200],
      [[`${base}/:id`], [`${base}/1`], 403],
    ];
    for (const [grant, topics, status] of cases) {
      const answer = await publish({ publish: grant }, topics);
      assert.equal(answer.status, status, `${grant} for ${topics}: ${answer.text}`);
    }
  });

  requirement(115, async (hubs) => {
    const hub = await hubs.open(ON);
    const template = `${unique("legacy")}/{id}`;
    const events = `${SUBSCRIPTIONS}{/topic}{/subscriber}`;
    const token = await mintLegacy({ subscribe: [events] });
    await using watcher = await hub.subscribe({ topic: events }, { token });
    const heard = () =>
      watcher.events.map(({ data }) => JSON.parse(data)).filter(({ topic }) => topic === template);
    await using stream = await hub.subscribe({ topic: template }, { token });
    await watcher.until("the begin", () => heard().length === 1);
    const [document] = heard();
    assertLegacyDocument(document, template);
    assert.equal(document.active, true);

    const collection = `${SUBSCRIPTIONS}/${expand(template)}`;
    for (const path of [SUBSCRIPTIONS, collection, document.id]) {
      const answer = await hub.path(path, { token });
      // The claim above has a template for paths below only.
      if (path === SUBSCRIPTIONS && answer.status === 403) continue;
      assert.equal(answer.status, 200, `${path}: ${answer.text}`);
      const body = JSON.parse(answer.text);
      assert.equal(body.id, path);
      const found = path === document.id ? body : body.subscriptions.find(isAbout(template));
      assertLegacyDocument(found, template);
      assert.equal(found.subscriber, document.subscriber);
    }
    const other = `${SUBSCRIPTIONS}/${expand(unique())}/${expand(document.subscriber)}`;
    assert.equal((await hub.path(other, { token })).status, 404);
    await stream[Symbol.asyncDispose]();
    await watcher.until("the end", () => heard().length === 2);
    assert.equal(heard()[1].active, false);

    const strict = await hubs.open({ SUBSCRIPTIONS: "on" });
    const modern = await strict.token({ subscribe: ["*"] });
    const { status } = await strict.path(collection, { token: modern });
    assert.ok(status === 400 || status === 404, "the path leads nowhere without the switch");
  });
}

interface LegacyDocument {
  readonly id: string;
  readonly type: string;
  readonly topic: string;
  readonly subscriber: string;
}

function isAbout(topic: string): (document: LegacyDocument) => boolean {
  return (document) => document.topic === topic;
}

function assertLegacyDocument(document: LegacyDocument, topic: string): void {
  assert.equal(document.topic, topic);
  assert.match(document.type, /^subscription$/i);
  assert.equal(document.id, `${SUBSCRIPTIONS}/${expand(topic)}/${expand(document.subscriber)}`);
  assert.ok(!("match" in document) && !("match_type" in document));
}

function registerReferences(suite: Suite): void {
  const reference = suite.reference.bind(suite, "Discovery and legacy");

  reference("the new parameters and tokens work beside the old ones", async (hubs) => {
    const hub = await hubs.open(ON);
    const base = unique("both");
    await using stream = await hub.subscribe(
      { match_urlpattern: `${base}/a/:id`, topic: `${base}/b/{id}`, match: base },
      { token: await hub.token({ subscribe: [`${base}/b/1`] }) },
    );
    await hub.publishOk({ topic: `${base}/a/1`, data: "pattern" });
    await hub.publishOk({ topic: `${base}/b/1`, data: "template", private: "on" });
    await hub.publishOk({ topic: `${base}/b/{id}`, data: "the template itself" });
    assert.deepEqual(await dataOf(stream, base), ["pattern", "template", "the template itself"]);
  });

  reference("a selector that is no template is exact", async (hubs) => {
    const hub = await hubs.open(ON);
    const topic = `${unique()}/{open`;
    await using stream = await hub.subscribe({ topic });
    await hub.publishOk({ topic, data: "itself" });
    await stream.next(1);
    assert.equal(stream.events[0]?.data, "itself");
  });

  reference("an alternate topic reaches whoever may read one of the topics", async (hubs) => {
    const hub = await hubs.open(ON);
    const base = unique("alternates");
    const book = `${base}/books/1`;
    const of = (user: string) => `${base}/users/${user}/?topic=${expand(book)}`;
    const token = await mintLegacy({ subscribe: [`${base}/users/foo/{?topic}`] });
    await using stream = await hub.subscribe({ topic: [`${base}/none`, `${base}/books/{id}`] }, { token });
    await hub.publishOk({ topic: book, data: "public" });
    await hub.publishOk({ topic: book, data: "private, of nobody", private: "on" });
    await hub.publishOk({ topic: [book, of("bar")], data: "private, of bar", private: "on" });
    await hub.publishOk({ topic: [book, of("foo")], data: "private, of foo", private: "on" });
    assert.deepEqual(await dataOf(stream, book), ["public", "private, of foo"]);
  });

  reference("the old tokens are still verified", async (hubs) => {
    const hub = await hubs.open(ON);
    const mercure = { publish: ["*"], subscribe: ["*"] };
    const now = Date.now() / 1000;
    const topic = unique();
    const refused = {
      "a bad signature": withBrokenSignature(await mintLegacy(mercure)),
      "another secret": await sign(JWT, { mercure }, bytesOf("another secret, of a length that is enough")),
      "expired": await mintLegacy(mercure, { exp: now - 600 }),
      "not yet valid": await mintLegacy(mercure, { nbf: now + 600 }),
      "alg none": unsigned({ ...JWT, alg: "none" }, { mercure, exp: now + 600, sub: "x" }),
      "another algorithm": await sign({ ...JWT, alg: "HS512" }, { mercure }),
      "a claim that is no object": await sign(JWT, { mercure: "*" }),
      "grants that are no list": await mintLegacy({ publish: "*" }),
      "too many grants": await mintLegacy({ publish: Array.from({ length: 1001 }, () => "x") }),
      "a bad pattern": await mintLegacy({ publish: [{ match: "{open", match_type: "urlpattern" }] }),
    };
    for (const [what, token] of Object.entries(refused)) {
      const answers: Record<string, Answer> = {
        "in the header": await hub.publish({ topic }, { token }),
        "in the cookie": await hub.get({ topic }, { headers: { Cookie: `${COOKIE}=${token}` } }),
        "in the address": await hub.get({ topic, authorization: token }),
      };
      for (const [where, answer] of Object.entries(answers)) {
        assertRefused(answer, "invalid_token", `${what}, ${where}`);
      }
    }
    const taken = {
      "without any other claim": await mintLegacy(mercure),
      "with another audience": await mintLegacy(mercure, { aud: "https://other.example" }),
      "with a fraction": await mintLegacy(mercure, { exp: Math.floor(now) + 600.25 }),
      "without typ": await sign({ alg: "HS256" }, { mercure }),
      "1000 grants": await mintLegacy({ publish: ["*", ...Array.from({ length: 999 }, () => "x")] }),
    };
    for (const [what, token] of Object.entries(taken)) {
      const answer = await hub.publish({ topic }, { token });
      assert.equal(answer.status, 200, `${what}: ${answer.text}`);
    }
  });

  reference("the switch weakens nothing for tokens of the new generation", async (hubs) => {
    const hub = await hubs.open(ON);
    const topic = unique();
    const good = goodClaims(hub.url, [detail("publish", ["*"])]);
    const { aud: _aud, ...withoutAudience } = good;
    const { exp: _exp, ...withoutExpiry } = good;
    const refused = {
      "typ JWT": await sign(JWT, good),
      "no audience": await sign({ alg: "HS256", typ: "at+jwt" }, withoutAudience),
      "no expiry": await sign({ alg: "HS256", typ: "at+jwt" }, withoutExpiry),
    };
    for (const [what, token] of Object.entries(refused)) {
      assertRefused(await hub.publish({ topic }, { token }), "invalid_token", what);
    }
    const narrow = { ...goodClaims(hub.url, [detail("publish", [topic])]), mercure: { publish: ["*"] } };
    const token = await sign({ alg: "HS256", typ: "at+jwt" }, narrow);
    assert.equal((await hub.publish({ topic }, { token })).status, 200);
    const answer = await hub.publish({ topic: unique() }, { token });
    assertRefused(answer, "insufficient_scope", "beside details the old claim counts for nothing");
  });

  reference("the claim under the name of the site comes before the short one", async (hubs) => {
    const hub = await hubs.open(ON);
    const [topic, other] = [unique(), unique()];
    const claims = { "https://mercure.rocks/": { publish: [topic] }, mercure: { publish: [other] } };
    const token = await sign(JWT, claims);
    assert.equal((await hub.publish({ topic }, { token })).status, 200);
    assertRefused(await hub.publish({ topic: other }, { token }), "insufficient_scope", "the short one");
  });

  reference(
    "the payload of the old claim is for all subscriptions, but for those with their own",
    async (hubs) => {
      const hub = await hubs.open(ON);
      const [topic, own] = [unique(), unique("own")];
      const events = `${SUBSCRIPTIONS}{/topic}{/subscriber}`;
      const token = await mintLegacy({
        subscribe: [events, { match: own, payload: { name: "own" } }],
        payload: { name: "of all" },
      });
      await using watcher = await hub.subscribe({ topic: events }, { token });
      const payloadOf = async (topic: string) => {
        const heard = () => watcher.events.map(({ data }) => JSON.parse(data)).find(isAbout(topic));
        await watcher.until("the begin", () => heard() !== undefined);
        return heard().payload;
      };
      await using _stream = await hub.subscribe({ topic: [topic, own] }, { token });
      assert.deepEqual(await payloadOf(own), { name: "own" });
      assert.deepEqual(await payloadOf(topic), { name: "of all" }, "no entry matches");
    },
  );

  reference("grants may be objects of the new form", async (hubs) => {
    const hub = await hubs.open(ON);
    const base = unique("objects");
    const token = await mintLegacy({
      publish: [{ match: `${base}/:id`, match_type: "urlpattern" }, { match: base }],
    });
    assert.equal((await hub.publish({ topic: [`${base}/1`, base] }, { token })).status, 200);
    assertRefused(await hub.publish({ topic: `${base}/1/2` }, { token }), "insufficient_scope", "no match");
  });

  reference("a parameter that is too short for a token, or there twice, is none", async (hubs) => {
    const hub = await hubs.open(ON);
    const topic = unique();
    const token = await mintLegacy({ subscribe: [topic] });
    for (const values of [["x"], [""], [token, token]]) {
      const query = [["topic", topic], ...values.map((value) => ["authorization", value])] as [
        string,
        string,
      ][];
      await using stream = await hub.subscribe(query);
      assert.deepEqual(await readPrivately(hub, topic, stream), [], `${values.length} of them`);
    }
  });

  reference("the header beats the parameter, and that the cookies", async (hubs) => {
    const hub = await hubs.open(ON);
    const topics = [unique("header"), unique("parameter"), unique("new cookie"), unique("old cookie")];
    const [header = "", parameter = "", cookie = "", old = ""] = await Promise.all(
      topics.map((topic) => mintLegacy({ subscribe: [topic] })),
    );
    const cookies = `${COOKIE}=${old}; __Secure-mercure_access_token=${cookie}`;
    const ways: [{ authorization?: string }, Record<string, string>][] = [
      [{ authorization: parameter }, { Authorization: `Bearer ${header}`, Cookie: cookies }],
      [{ authorization: parameter }, { Cookie: cookies }],
      [{}, { Cookie: cookies }],
      [{}, { Cookie: `${COOKIE}=${old}` }],
    ];
    for (const [index, [query, headers]] of ways.entries()) {
      await using stream = await hub.subscribe({ topic: topics, ...query }, { headers });
      for (const topic of topics) await hub.publishOk({ topic, data: topic, private: "on" });
      assert.deepEqual(await dataOf(stream, topics[0]!), [topics[index]]);
    }
  });

  reference("the old cookie publishes from a listed origin only", async (hubs) => {
    const hub = await hubs.open(ON);
    const Cookie = `${COOKIE}=${await mintLegacy({ publish: ["*"] })}`;
    const send = (headers: Record<string, string>) =>
      hub.publish({ topic: unique() }, { token: null, headers: { Cookie, ...headers } });
    assertRefused(await send({}), "invalid_request", "no origin");
    assertRefused(await send({ Origin: "https://evil.example" }), "invalid_request", "another origin");
    assert.equal((await send({ Origin: "https://app.example" })).status, 200);
  });

  reference("without an issuer only old tokens are taken", async (hubs) => {
    const hub = await hubs.open({ JWT_ISSUER: "", JWT_LEGACY: "1" });
    const topic = unique();
    const token = await mintLegacy({ publish: ["*"] });
    assert.equal((await hub.publish({ topic }, { token })).status, 200);
    const modern = await hub.token({ publish: ["*"] });
    assertRefused(await hub.publish({ topic }, { token: modern }), "invalid_token", "of an unknown issuer");
  });

  reference("the switch is one for each issuer", async (hubs) => {
    const [a, b] = ["secret of A, which is long enough", "secret of B, which is long enough"];
    await using hub = await hubWithIssuers(await hubs.open(), [
      { issuer: "https://a.example", keys: [{ secret: a }], legacy: true },
      { issuer: "https://b.example", keys: [{ secret: b }] },
    ]);
    const topic = unique();
    const mercure = { publish: ["*"] };
    const ofA = await sign(JWT, { mercure, iss: "https://a.example" }, bytesOf(a));
    assert.equal((await hub.publish({ topic }, { token: ofA })).status, 200);
    const refused = {
      "of the other issuer": await sign(JWT, { mercure, iss: "https://b.example" }, bytesOf(b)),
      "of the other issuer, with the key of the first": await sign(
        JWT,
        { mercure, iss: "https://b.example" },
        bytesOf(a),
      ),
      "of the first, with the key of the other": await sign(
        JWT,
        { mercure, iss: "https://a.example" },
        bytesOf(b),
      ),
      "of nobody, with the key of the other": await sign(JWT, { mercure }, bytesOf(b)),
    };
    for (const [what, token] of Object.entries(refused)) {
      assertRefused(await hub.publish({ topic }, { token }), "invalid_token", what);
    }
  });

  reference("the hub's own namespace is closed to old tokens too", async (hubs) => {
    const hub = await hubs.open(ON);
    const token = await mintLegacy({ publish: ["*"] });
    const answer = await hub.publish({ topic: `${HUB_PATH}/subscriptions/x/y` }, { token });
    assert.equal(answer.status, 400);
  });
}
