/** Active subscriptions: the events about them, and the API that lists them. */
import assert from "node:assert/strict";
import { eventually, within } from "../lib/testing/deadline.ts";
import { detail, type Hub, type Stream, type Suite, unique } from "./harness.ts";
import {
  ANY_SUBSCRIPTION,
  documentsOf,
  linkOf,
  pathOf,
  snapshotOf,
  snapshotWith,
  type SubscriptionDocument,
  SUBSCRIPTIONS,
  watch,
  watcherToken,
} from "./presence.ts";
import { assertRefused, bytesOf, NO_ISSUER } from "./tokens.ts";
import * as twoStreamers from "./two_streamers.ts";

/** Most tests share a hub; its other subscriptions are those of other tests. */
const ON = { SUBSCRIPTIONS: "on" };

/** A random URN of a UUID, as the protocol recommends it for subscribers. */
const UUID_URN = /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export function register(suite: Suite): void {
  registerEvents(suite);
  registerApi(suite);
  registerConsistency(suite);
  registerReferences(suite);
  twoStreamers.register(suite);
}

function registerEvents({ requirement }: Suite): void {
  requirement(100, async (hubs) => {
    const hub = await hubs.open(ON);
    const [exact, pattern, fence] = [unique("exact"), `${unique("pattern")}/:id`, unique("fence")];
    await using anonymous = await hub.subscribe([["match", "*"]]);
    await using other = await hub.subscribe([["match", "*"]], {
      token: await hub.token({ subscribe: [exact, pattern] }),
    });
    await using watcher = await watch(hub);
    let subscriber: string | undefined;
    {
      await using _stream = await hub.subscribe([["match", exact], ["match_urlpattern", pattern]]);
      const [first] = await watcher.heard(exact, 1);
      await watcher.heard(pattern, 1);
      subscriber = first?.subscriber;
    }
    await watcher.heard(exact, 2);
    await watcher.heard(pattern, 2);
    await watcher.settle();
    assert.match(subscriber ?? "", UUID_URN);
    for (const [match_type, match] of [["exact", exact], ["urlpattern", pattern]] as const) {
      const document = {
        id: pathOf(match_type, match, subscriber),
        type: "subscription",
        match_type,
        match,
        subscriber,
      };
      const wanted = [{ ...document, active: true }, { ...document, active: false }];
      assert.deepEqual(watcher.about(match), wanted, `once each, for ${match}`);
    }
    for (const { id, event, data } of watcher.stream.events) {
      assert.ok(id, "each event has an id");
      if (data.includes(exact)) assert.equal(event, "mercure");
    }
    for (const stream of [anonymous, other]) {
      const events = await stream.drain(fence);
      assert.ok(events.every(({ event, data }) => event !== "mercure" && !data.includes("subscriber")));
    }
  });

  requirement(101, async (hubs) => {
    const hub = await hubs.open(ON);
    const base = unique("encoding");
    const matches = [
      base,
      `${base}/!'()*`,
      `${base} with spaces`,
      `${base}/100%/%2F`,
      `${base}/?a=b&c=d#e+f`,
      `${base}/~-._`,
      `${base}/é日🐇`,
      `${base}/"quoted"\\[x]{y}<z>|^\``,
    ];
    const patterns = [`${base}/:id`, `https://*.example.test/(\\d+)/*`];
    const start = await hub.publishOk({ topic: base });
    await using watcher = await watch(hub);
    await using _stream = await hub.subscribe({ match: matches, match_urlpattern: patterns });
    const documents: SubscriptionDocument[] = [];
    for (const [type, match] of pairsOf({ exact: matches, urlpattern: patterns })) {
      const [document] = await watcher.heard(match, 1);
      assert.equal(document?.id, pathOf(type, match, document?.subscriber));
      assert.equal(document?.match_type, type);
      documents.push(document!);
    }
    // The topic cannot be seen on a stream. Whoever asks for exactly the id and may read exactly that gets it.
    for (const { id } of documents) {
      const token = await hub.token({ subscribe: [id] });
      await using stream = await hub.subscribe({ match: id, last_event_id: start }, { token });
      await stream.next(1);
      assert.equal(JSON.parse(stream.events[0]!.data).id, id);
      const answer = await hub.path(id, { token });
      assert.equal(answer.status, 200, `${id} at the API: ${answer.text}`);
      assert.equal(JSON.parse(answer.text).id, id);
    }
  });

  requirement(102, async (hubs) => {
    const hub = await hubs.open(ON);
    const [a, b] = [unique("a"), unique("b")];
    const token = await hub.token({ subscribe: [a, b] });
    await using watcher = await watch(hub);
    await using _first = await hub.subscribe({ match: [a, b] }, { token });
    await using _second = await hub.subscribe({ match: [a, b] }, { token });
    const [ofA, ofB] = [await watcher.heard(a, 2), await watcher.heard(b, 2)];
    const subscribersOf = (documents: typeof ofA) => documents.map(({ subscriber }) => subscriber).toSorted();
    assert.equal(new Set(subscribersOf(ofA)).size, 2, "two connections are two subscribers");
    assert.deepEqual(
      subscribersOf(ofA),
      subscribersOf(ofB),
      "two matchers of a connection have the same one",
    );
  });

  requirement(103, async (hubs) => {
    const hub = await hubs.open(ON);
    const topic = unique();
    const chosen = `urn:uuid:${crypto.randomUUID()}`;
    await using watcher = await watch(hub);
    const token = await hub.token({
      subscribe: [topic],
      claims: { sub: chosen, jti: chosen, client_id: chosen, subscriber: chosen },
    });
    const query = { match: topic, subscriber: chosen, subscriber_id: chosen, id: chosen };
    const headers = { "X-Request-Id": chosen.slice(9), "Subscriber": chosen, "Mercure-Subscriber": chosen };
    await using _stream = await hub.subscribe(query, { token, headers });
    const [document] = await watcher.heard(topic, 1);
    assert.match(document?.subscriber ?? "", UUID_URN);
    assert.ok(!JSON.stringify(document).includes(chosen.slice(9)));
  });

  requirement(107, async (hubs) => {
    const hub = await hubs.open(ON);
    const base = unique("payload");
    const [foo, bar, bare, elsewhere] = [`${base}/foo`, `${base}/bar`, `${base}/bare`, unique("elsewhere")];
    const pattern = `${base}/:id`;
    const token = await hub.token({
      details: [
        { ...detail("publish", ["*"]), payload: { tag: "of a publisher" } },
        detail("subscribe", [unique("nothing of the below")], { tag: "matches nothing" }),
        detail("subscribe", [bare]),
        detail("subscribe", [{ match: `${base}/(foo|bar|bare)`, match_type: "urlpattern" }], {
          tag: "pattern",
        }),
        detail("subscribe", [bar], { tag: "exact, and later" }),
        detail("subscribe", ["*"], { tag: "default", deep: { list: [1, null, "é"] } }),
      ],
    });
    await using watcher = await watch(hub);
    const query = { match: [foo, bar, bare, elsewhere], match_urlpattern: pattern };
    await using _stream = await hub.subscribe(query, { token });
    const fallback = { tag: "default", deep: { list: [1, null, "é"] } };
    const wanted = [
      [foo, { tag: "pattern" }],
      [bar, { tag: "pattern" }],
      [elsewhere, fallback],
      // A matcher is taken for a topic here, whatever its own type.
      [pattern, fallback],
    ] as const;
    for (const [match, payload] of wanted) {
      const [document] = await watcher.heard(match, 1);
      assert.deepEqual(document?.payload, payload, match);
      const path = pathOf(document!.match_type, match);
      const { subscriptions } = await snapshotWith(hub, 1, path);
      assert.deepEqual(subscriptions, [document], `${match}, at the API`);
    }
    const [document] = await watcher.heard(bare, 1);
    assert.ok(!("payload" in document!), "none when the first entry that matches has none");

    const plain = unique("no default");
    await using _other = await hub.subscribe({ match: plain }, {
      token: await hub.token({ subscribe: [foo], payload: { tag: "not for this" } }),
    });
    const [without] = await watcher.heard(plain, 1);
    assert.ok(!("payload" in without!), "none when no entry matches");
  });
}

function pairsOf(lists: Readonly<Record<string, readonly string[]>>): [string, string][] {
  return Object.entries(lists).flatMap(([name, values]) =>
    values.map((value) => [name, value] satisfies [string, string])
  );
}

function registerApi({ requirement }: Suite): void {
  requirement(104, async (hubs) => {
    const hub = await hubs.open(ON);
    const topic = unique();
    await using watcher = await watch(hub);
    await using _stream = await hub.subscribe({ match: topic });
    const [document] = await watcher.heard(topic, 1);
    const paths = [SUBSCRIPTIONS, pathOf("exact", topic), document!.id];
    for (const path of paths) {
      assertRefused(await hub.path(path), "none", path);
      const useless = {
        "no grant": {},
        "a grant on another path": { subscribe: [`${path}x`, topic] },
        // Only where the two differ.
        ...(path.includes("%") &&
          { "a grant on the path decoded": { subscribe: [decodeURIComponent(path)] } }),
        "a grant to publish": { publish: ["*"] },
      };
      for (const [what, options] of Object.entries(useless)) {
        const answer = await hub.path(path, { token: await hub.token(options) });
        assertRefused(answer, "insufficient_scope", `${what}: ${path}`);
      }
      const useful = {
        "the exact path": path,
        "a pattern": ANY_SUBSCRIPTION,
        "a pattern for the path": { match: path.replace(/[^/]+$/, ":last"), match_type: "urlpattern" },
        "everything": "*",
      };
      for (const [what, grant] of Object.entries(useful)) {
        const token = await hub.token({ subscribe: [grant] });
        for (const query of ["", "?last_event_id=foo", "?a=b&c"]) {
          const { status, text } = await hub.path(path + query, { token });
          assert.equal(status, 200, `${what}: ${path}${query}: ${text}`);
        }
      }
      const headers = { Cookie: `__Secure-mercure_access_token=${await hub.token({ subscribe: [path] })}` };
      assert.equal((await hub.path(path, { headers })).status, 200, `with a cookie: ${path}`);
    }
    // Each path needs a grant of its own.
    const token = await hub.token({ subscribe: [SUBSCRIPTIONS] });
    assertRefused(await hub.path(paths[1]!, { token }), "insufficient_scope", "what is below the grant");
  });

  requirement(105, async (hubs) => {
    // Heartbeats of streamers have ids as well.
    await using hub = await hubs.fresh({ ...ON, PRESENCE_INTERVAL: "1h" });
    const token = await watcherToken(hub);
    const first = await hub.path(SUBSCRIPTIONS, { token });
    assert.equal(linkOf(first).lastEventId, "earliest", "nothing was dispatched");
    assert.deepEqual(JSON.parse(first.text), {
      id: SUBSCRIPTIONS,
      type: "subscriptions",
      subscriptions: [],
    });
    const id = await hub.publishOk({ topic: unique() });
    await eventually("the cursor of the update", async () => (await snapshotOf(hub)).lastEventId === id);
    const topic = unique();
    await using watcher = await watch(hub);
    await using _stream = await hub.subscribe({ match: topic });
    const [document] = await watcher.heard(topic, 1);
    const last = watcher.stream.events.at(-1)?.id;
    for (const path of [SUBSCRIPTIONS, pathOf("exact", topic), document!.id]) {
      const answer = await hub.path(path, { token });
      assert.match(answer.headers.get("Content-Type") ?? "", /^application\/json(?:;|$)/, path);
      const { url, lastEventId } = linkOf(answer);
      assert.equal(new URL(url, hub.url).href, hub.url, path);
      assert.equal(lastEventId, last, path);
      assert.ok(!answer.text.includes("@context") && !/last_?event_?id/i.test(answer.text), path);
    }
  });

  requirement(106, async (hubs) => {
    const hub = await hubs.open(ON);
    const token = await watcherToken(hub);
    const [topic, other] = [unique(), unique("other")];
    await using watcher = await watch(hub);
    await using both = await hub.subscribe({ match: [topic, other] });
    await using _pattern = await hub.subscribe({ match_urlpattern: topic });
    const documents = await watcher.heard(topic, 2);
    for (const document of documents) {
      const path = pathOf(document.match_type, topic);
      const snapshot = await snapshotOf(hub, path);
      assert.equal(snapshot.id, path);
      assert.equal(snapshot.type, "subscriptions");
      assert.deepEqual(snapshot.subscriptions, [document]);
      const answer = await hub.path(document.id, { token });
      assert.deepEqual(JSON.parse(answer.text), document);
    }
    const all = (await snapshotOf(hub)).subscriptions.filter(({ match }) => [topic, other].includes(match));
    assert.equal(all.length, 3, "the collection of all has each of them");
    const [exact] = documents.filter(({ match_type }) => match_type === "exact");
    const unknown = [
      pathOf("exact", topic, `urn:uuid:${crypto.randomUUID()}`),
      pathOf("exact", topic, "x"),
      pathOf("exact", unique(), exact!.subscriber),
      pathOf("urlpattern", topic, exact!.subscriber),
    ];
    for (const path of unknown) assert.equal((await hub.path(path, { token })).status, 404, path);
    assert.deepEqual((await snapshotOf(hub, pathOf("exact", unique()))).subscriptions, []);
    const { status } = await hub.path(pathOf("regexp", topic), { token });
    assert.ok(status === 400 || status === 404, "an unknown type");
    await both[Symbol.asyncDispose]();
    await eventually("its end", async () => (await hub.path(exact!.id, { token })).status === 404);
  });
}

function registerConsistency({ requirement }: Suite): void {
  requirement(108, async (hubs) => {
    const hub = await hubs.open(ON);
    const base = unique("churn");
    let churning = true;
    const remaining: Stream[] = [];
    const churn = async (name: number) => {
      for (let round = 0; churning; round++) {
        const stream = await hub.subscribe({ match: [`${base}/${name}`, `${base}/${name}/${round}`] });
        if (round % 5 === 4) remaining.push(stream);
        else await stream[Symbol.asyncDispose]();
      }
    };
    const churners = Promise.all([1, 2, 3].map(churn));
    await using trackers = new AsyncDisposableStack();
    const tracked: { state: Map<string, boolean>; stream: Stream }[] = [];
    try {
      for (let index = 0; index < 5; index++) {
        await eventually("some more streams", () => remaining.length > index);
        const snapshot = await snapshotOf(hub);
        const state = new Map(snapshot.subscriptions.map(({ id, active }) => [id, active]));
        // Between the two there is time enough to miss something.
        await snapshotOf(hub);
        const watcher = trackers.use(await watch(hub, snapshot.lastEventId));
        tracked.push({ state, stream: watcher.stream });
      }
      churning = false;
      await churners;
      const isBelow = (id: string) => id.startsWith(pathOf("exact", base));
      const wanted = await eventually("the rest alone", async () => {
        const { subscriptions } = await snapshotOf(hub);
        const ours = subscriptions.map(({ id }) => id).filter(isBelow);
        return ours.length === remaining.length * 2 ? ours.toSorted() : undefined;
      });
      for (const { state, stream } of tracked) {
        const active = () => {
          const now = new Map(state);
          for (const { id, active } of documentsOf(stream.events)) now.set(id, active);
          return [...now].filter(([id, active]) => active && isBelow(id)).map(([id]) => id).toSorted();
        };
        await stream.until("what the API says", () => `${active()}` === `${wanted}`);
      }
    } finally {
      churning = false;
      await churners;
      await Promise.all(remaining.map((stream) => stream[Symbol.asyncDispose]()));
    }
  });

  requirement(109, async (hubs) => {
    const hub = await hubs.open({ ...ON, MAX_STREAMS_PER_CLIENT: "2", OVERLOAD: "refuse" });
    const topic = unique();
    await using watcher = await watch(hub);
    await using _stream = await hub.subscribe({ match: topic });
    await watcher.heard(topic, 1);
    const refused = {
      "a pattern that is none": await hub.get([["match", topic], ["match_urlpattern", "{open"]]),
      "an unknown type": await hub.get([["match", topic], ["match_regexp", "x"]]),
      "a bad token": await hub.get({ match: topic }, { token: `${await hub.token()}x` }),
      "too many streams": await hub.get({ match: topic }),
      "headers only": await hub.get({ match: topic }, { method: "HEAD" }),
    };
    assert.equal(refused["too many streams"].status, 429);
    await watcher.settle();
    assert.equal(watcher.about(topic).length, 1, "none of them was announced");
    const { subscriptions } = await snapshotOf(hub, pathOf("exact", topic));
    assert.equal(subscriptions.length, 1, "nor is it listed");
  });

  requirement(110, async (hubs) => {
    const hub = await hubs.open({ ...ON, HEARTBEAT: "500ms" });
    await using watcher = await watch(hub);
    for (const ending of ["a reset", "a closed connection"]) {
      const topic = unique();
      const connection = await openRaw(hub, topic);
      try {
        await watcher.heard(topic, 1);
        // A connection that is closed with bytes unread is reset.
        if (ending === "a reset") await hub.publishOk({ topic, data: "unread" });
      } finally {
        connection.close();
      }
      const [, end] = await within(ending, watcher.heard(topic, 2));
      assert.equal(end?.active, false, ending);
      await watcher.settle();
      assert.equal(watcher.about(topic).length, 2, `${ending}: no more than that`);
    }
  });
}

/** Opens a stream of which nothing is read but the head. */
async function openRaw(hub: Hub, topic: string): Promise<Deno.TcpConn> {
  const { hostname, port, host, pathname } = new URL(hub.urlOf({ match: topic }));
  const connection = await Deno.connect({ hostname, port: Number(port) });
  const path = `${pathname}?match=${encodeURIComponent(topic)}`;
  await connection.write(bytesOf(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`));
  const count = await within("the head of a stream", connection.read(new Uint8Array(64)));
  assert.ok(count);
  return connection;
}

function registerReferences(suite: Suite): void {
  const reference = suite.reference.bind(suite, "Active subscriptions");

  reference("who may read of subscriptions sees the own arrival", async (hubs) => {
    const hub = await hubs.open(ON);
    const pattern = `${SUBSCRIPTIONS}/:type/:match/:subscriber`;
    const token = await hub.token({ subscribe: ["*"] });
    await using stream = await hub.subscribe({ match_urlpattern: pattern }, { token });
    await stream.until(
      "the own arrival",
      () => documentsOf(stream.events).some(({ match }) => match === pattern),
    );
    const [own] = documentsOf(stream.events).filter(({ match }) => match === pattern);
    assert.equal(own?.active, true);
  });

  reference("an API response that did not change is not sent again", async (hubs) => {
    const hub = await hubs.open(ON);
    const topic = unique();
    const path = pathOf("exact", topic);
    const token = await watcherToken(hub);
    const first = await hub.path(path, { token });
    const etag = first.headers.get("ETag");
    assert.match(etag ?? "", /^(?:W\/)?"[^"]*"$/);
    const headers = { "If-None-Match": etag! };
    assert.equal((await hub.path(path, { token, headers })).status, 304);
    assertRefused(await hub.path(path, { headers }), "none", "not even that without a token");
    await using watcher = await watch(hub);
    await using _stream = await hub.subscribe({ match: topic });
    await watcher.heard(topic, 1);
    assert.equal((await hub.path(path, { token, headers })).status, 200);
  });

  reference("where subscriptions are off, there is no API and no event", async (hubs) => {
    const hub = await hubs.open();
    const token = await hub.token({ subscribe: ["*"] });
    assert.equal((await hub.path(SUBSCRIPTIONS, { token })).status, 404);
    const topic = unique();
    await using stream = await hub.subscribe(
      [["match", topic], ["match_urlpattern", ANY_SUBSCRIPTION.match]],
      {
        token,
      },
    );
    await using _other = await hub.subscribe({ match: topic });
    assert.deepEqual(documentsOf(await stream.drain(topic)).filter(({ match }) => match === topic), []);
  });

  reference("the API is open to nobody where no issuer is known", async (hubs) => {
    const hub = await hubs.open({ ...NO_ISSUER, ...ON });
    const { status } = await hub.path(SUBSCRIPTIONS);
    assert.ok([401, 403, 404].includes(status), `${status}`);
  });

  reference("publishers cannot speak for the hub", async (hubs) => {
    const hub = await hubs.open(ON);
    const topic = unique();
    await using watcher = await watch(hub);
    const forged = pathOf("exact", topic, `urn:uuid:${crypto.randomUUID()}`);
    const data = JSON.stringify({ id: forged, type: "subscription", match: topic, active: true });
    assert.equal((await hub.publish({ topic: forged, data, private: "on" })).status, 400);
    assert.equal((await hub.publish({ topic: [topic, hub.origin + forged], data })).status, 400);
    assert.equal((await hub.publish({ topic, data, type: "mercure" })).status, 400);
    await watcher.settle();
    assert.deepEqual(watcher.about(topic), []);
  });

  reference("a grant on another path opens no list, however the request is spelt", async (hubs) => {
    const hub = await hubs.open(ON);
    await using _stream = await hub.subscribe({ match: unique() });
    const tokens = [
      await hub.token({ subscribe: ["/users/3"] }),
      await hub.token({ subscribe: [{ match: "/users/*", match_type: "urlpattern" }] }),
    ];
    const up = "%2e%2e/".repeat(3);
    for (const token of tokens) {
      for (
        const path of [
          `${SUBSCRIPTIONS}/../../../users/3`,
          `${SUBSCRIPTIONS}/${up}users/3`,
          `${SUBSCRIPTIONS}/exact/%2E%2E/${up}users/3`,
          `${SUBSCRIPTIONS.replace("mercure", "%6Dercure")}/x`,
        ]
      ) {
        // Spelt by hand: fetch() would resolve the dots.
        const status = await statusOf(hub, `GET ${path} HTTP/1.1\r\nAuthorization: Bearer ${token}\r\n`);
        assert.equal(status, 404, path);
      }
    }
  });

  reference("the cursor is no id that the client may not read", async (hubs) => {
    const hub = await hubs.open(ON);
    const token = await watcherToken(hub);
    const visible = await hub.publishOk({ topic: unique() });
    const secret = await hub.publishOk({ topic: unique("secret"), private: "on" });
    await using watcher = await watch(hub, visible);
    await watcher.settle();
    const answer = await hub.path(SUBSCRIPTIONS, { token });
    assert.ok(!(answer.headers.get("Link") ?? "").includes(secret));
  });

  reference("an id with quotes does not break the link", async (hubs) => {
    const hub = await hubs.open(ON);
    const id = `id-["${unique()}", é]`;
    await hub.publishOk({ topic: unique(), id });
    const token = await watcherToken(hub);
    const answer = await hub.path(SUBSCRIPTIONS, { token });
    assert.equal(answer.status, 200);
    assert.equal(new URL(linkOf(answer).url, hub.url).href, hub.url);
  });

  reference("a stream that the hub ends is a subscription that ends", async (hubs) => {
    const hub = await hubs.open({ ...ON, MAX_STREAM_LIFE: "1s" });
    const other = await hubs.open(ON);
    await using watcher = await watch(other);
    const topic = unique();
    await using stream = await hub.subscribe({ match: topic });
    const [, end] = await watcher.heard(topic, 2);
    assert.equal(end?.active, false);
    await eventually("the end of the stream", () => stream.ended);
  });
}

/** Sends the head of a request as it is, and returns the status of the answer. */
async function statusOf(hub: Hub, head: string): Promise<number> {
  const { hostname, port, host } = new URL(hub.url);
  using connection = await Deno.connect({ hostname, port: Number(port) });
  await connection.write(new TextEncoder().encode(`${head}Host: ${host}\r\nConnection: close\r\n\r\n`));
  const bytes = new Uint8Array(1024);
  const length = await within("an answer", connection.read(bytes)) ?? 0;
  const [, status] = /^HTTP\/1\.1 ([0-9]{3})/.exec(new TextDecoder().decode(bytes.subarray(0, length))) ?? [];
  return Number(status);
}
