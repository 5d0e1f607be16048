/** Subscribing: matchers, limits, QUERY, HEAD, CORS. */
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { eventually, within } from "../lib/testing/deadline.ts";
import { BAD_UTF8, FORBIDDEN_CHARACTERS, trickyText } from "../lib/testing/fixtures.ts";
import { ready, startForwarder } from "../lib/testing/processes.ts";
import { openSse } from "../lib/testing/sse_reader.ts";
import {
  assertStatus,
  encode,
  type Fields,
  type Hub,
  HUB_PATH,
  mint,
  OPEN,
  request,
  type Settings,
  SMALL,
  type Suite,
  unique,
} from "./harness.ts";

/** Refuses what is above its limits, and trusts what the tests say about where they come from. */
const LIMITED: Settings = {
  OVERLOAD: "refuse",
  MAX_STREAMS: "3",
  MAX_STREAMS_PER_CLIENT: "2",
  MAX_SUBSCRIPTIONS_PER_TOKEN: "2",
  TRUSTED_PROXIES: "127.0.0.1",
};

const ORIGINS = ["https://app.test", "https://www.app.test:8443"];
const CORS: Settings = { CORS_ORIGINS: ORIGINS.join(","), HEARTBEAT: "100ms" };

/** Publishes an update on each topic, and returns the topics of those that a stream with these matchers gets. */
async function received(hub: Hub, query: Fields, topics: readonly string[]): Promise<string[]> {
  const marker = unique("marker");
  await using stream = await hub.subscribe(`${encode(query)}&${encode({ match: marker })}`);
  for (const topic of topics) await hub.publishOk({ topic, data: topic });
  return (await stream.drain(marker)).map(({ data }) => data);
}

/** Members of a header that is a list, in lower case. */
function listOf(headers: Headers, name: string): Set<string> {
  return new Set((headers.get(name) ?? "").split(",").map((member) => member.trim().toLowerCase()));
}

function assertHas(headers: Headers, name: string, members: readonly string[]): void {
  const list = listOf(headers, name);
  for (const member of members) {
    assert.ok(list.has(member.toLowerCase()), `${name}: ${headers.get(name)} has no ${member}`);
  }
}

export function register({ requirement, reference }: Suite): void {
  for (const [number, parameter] of [[1, "match"], [2, "match_exact"]] as const) {
    requirement(number, async (hubs) => {
      const hub = await hubs.open();
      const topic = unique();
      await using stream = await hub.subscribe({ [parameter]: topic });
      assert.match(stream.response.headers.get("Content-Type") ?? "", /^text\/event-stream(;|$)/);
      const id = await hub.publishOk({ topic, data: "first" });
      await hub.publishOk({ topic: `${topic}/other`, data: "of another topic" });
      const events = await stream.drain(topic);
      assert.deepEqual(events.map(({ id, data }) => ({ id, data })), [{ id, data: "first" }]);
    });
  }

  requirement(3, async (hubs) => {
    const hub = await hubs.open();
    const base = unique("books");
    const [, host = "", path = ""] = /^https:\/\/([^/]+)(.*)$/.exec(base) ?? [];
    const cases: [pattern: string, yes: string[], no: string[]][] = [
      [`${base}/:id`, [`${base}/1`, `${base}/1?x=y`, `${base}/1#f`, `https://EXAMPLE.TEST${path}/1`], [
        base,
        `${base}/`,
        `${base}/1/`,
        `${base}/1/2`,
        `http://${host}${path}/1`,
        `https://other.test${path}/1`,
        `https://${host}:8443${path}/1`,
      ]],
      [`${base}/*`, [`${base}/`, `${base}/1`, `${base}/1/2`], [base, `${base}s/1`]],
      [`${base}{/*}?`, [base, `${base}/`, `${base}/1/2`], [`${base}s`]],
      [`${base}/:id(\\d+)`, [`${base}/12`], [`${base}/1a`, `${base}/a`]],
      [`${base}/:a/c/:b?`, [`${base}/x/c`, `${base}/x/c/y`], [`${base}/x`, `${base}/x/d`, `${base}/x/c/y/z`]],
      [`https://*.${host}${path}`, [`https://b.${host}${path}`], [base]],
      [`*://${host}${path}/:id`, [`https://${host}${path}/1`, `http://${host}${path}/1`], [`${base}/1/2`]],
      [`${base}\\?k=:v`, [`${base}?k=1`], [base, `${base}?l=1`, `${base}/?k=1`]],
    ];
    for (const [pattern, yes, no] of cases) {
      assert.deepEqual(
        await received(hub, { match_urlpattern: pattern }, [...no, ...yes, ...no]),
        yes,
        pattern,
      );
    }
  });

  requirement(4, async (hubs) => {
    const hub = await hubs.open();
    const [exact, base] = [unique("exact"), unique("base")];
    await using stream = await hub.subscribe([
      ["match", exact],
      ["match_urlpattern", `${base}/:id`],
      ["match_exact", `${base}/2`],
      ["match", exact],
      ["match_urlpattern", `${base}/*`],
    ]);
    await hub.publishOk({ topic: exact, data: "exact" });
    await hub.publishOk({ topic: `${base}/1`, data: "pattern" });
    await hub.publishOk({ topic: `${base}/2`, data: "several of them" });
    await hub.publishOk({ topic: [exact, `${base}/3`, unique()], data: "several topics" });
    await hub.publishOk({ topic: base, data: "none" });
    const events = await stream.drain(exact);
    assert.deepEqual(events.map(({ data }) => data), [
      "exact",
      "pattern",
      "several of them",
      "several topics",
    ]);
  });

  requirement(5, async (hubs) => {
    const hub = await hubs.open();
    const base = unique();
    const path = new URL(base).pathname;
    const cases: [topic: string, others: string[]][] = [
      [`${base}/Foo`, [
        `${base}/foo`,
        `${base}/Foo/`,
        `${base}/Foo?`,
        ` ${base}/Foo`,
        `HTTPS${base.slice(5)}/Foo`,
      ]],
      [`${base}/\u00E9`, [`${base}/e\u0301`, `${base}/%C3%A9`]],
      [`${base}/e\u0301`, [`${base}/\u00E9`]],
      [`${path}/a`, [`${hub.origin}${path}/a`, `${path.slice(1)}/a`]],
      [`${hub.origin}${path}/b`, [`${path}/b`]],
      [`${base}/:id`, [`${base}/1`]],
      [`${base}/{id}`, [`${base}/1`]],
      [`${base}/~`, [`${base}/%7E`]],
      [`https://example.test:443${path}`, [base]],
    ];
    for (const [topic, others] of cases) {
      assert.deepEqual(await received(hub, { match: topic }, [...others, topic]), [topic]);
    }
  });

  requirement(6, async (hubs) => {
    const hub = await hubs.open();
    const tag = crypto.randomUUID();
    const topics = [
      `https://a.test/${tag}`,
      `/${tag}`,
      `${tag} with spaces`,
      `urn:uuid:${tag}`,
      `http://[${tag}`,
    ];
    for (const parameter of ["match", "match_exact", "match_urlpattern"]) {
      await using stream = await hub.subscribe({ [parameter]: "*" });
      for (const topic of topics) await hub.publishOk({ topic, data: topic });
      await hub.publishOk({ topic: `/${tag}`, data: `private ${tag}`, private: "on" });
      const events = await stream.drain(unique());
      assert.deepEqual(
        events.map(({ data }) => data).filter((data) => data.includes(tag)),
        topics,
        parameter,
      );
    }
  });

  requirement(7, async (hubs) => {
    const hub = await hubs.open();
    const name = unique("a");
    const others = [name, `${name}b`, `${name}**`, `${name}/b`];
    assert.deepEqual(await received(hub, { match: `${name}*` }, [...others, `${name}*`]), [`${name}*`]);
    assert.deepEqual(await received(hub, { match_exact: "**" }, [...others, "**"]), ["**"]);
  });

  requirement(8, async (hubs) => {
    const hub = await hubs.open();
    const { origin } = hub;
    const name = `n${crypto.randomUUID()}`;
    const cases: [pattern: string, yes: string[], no: string[]][] = [
      [`/${name}/:id`, [`/${name}/1`, `${origin}/${name}/1`], [`https://other.test/${name}/1`, `${name}/1`]],
      [`${origin}/${name}/:id`, [`/${name}/1`, `${origin}/${name}/1`], [`https://other.test/${name}/1`]],
      [`${name}/:id`, [`${name}/1`, `/.well-known/${name}/1`, `./${name}/1`], [`/${name}/1`]],
      [name, [name, `/.well-known/${name}`, `${origin}/.well-known/${name}`], [`/${name}`]],
      [`https://other.test/${name}/:id`, [`https://other.test/${name}/1`], [`/${name}/1`]],
    ];
    for (const [pattern, yes, no] of cases) {
      assert.deepEqual(await received(hub, { match_urlpattern: pattern }, [...no, ...yes]), yes, pattern);
    }
  });

  requirement(9, async (hubs) => {
    const hub = await hubs.open();
    const path = new URL(unique("Books")).pathname;
    const yes = [
      `https://example.test${path}/1`,
      `https://EXAMPLE.Test${path}/1`,
      `HTTPS://example.test${path}/1`,
    ];
    const no = [`https://example.test${path.toLowerCase()}/1`, `https://example.test${path.toUpperCase()}/1`];
    for (const host of ["example.test", "Example.TEST"]) {
      const pattern = `https://${host}${path}/:id`;
      assert.deepEqual(await received(hub, { match_urlpattern: pattern }, [...no, ...yes]), yes, pattern);
    }
  });

  requirement(10, async (hubs) => {
    const hub = await hubs.open();
    const topic = `http://[bad${crypto.randomUUID()}`;
    for (const pattern of ["http://*", "*://*", "*://*/*", "/*", "http://:host/*"]) {
      const topics = await received(hub, { match_urlpattern: pattern }, [topic]);
      assert.ok(!topics.includes(topic), pattern);
    }
    assert.deepEqual(await received(hub, { match: topic }, [topic]), [topic]);
  });

  requirement(11, async (hubs) => {
    const hub = await hubs.open();
    const names = ["Match", "MATCH", "match_regexp", "matchurlpattern", "matches", "match_", "match-exact"];
    names.push(
      "match[]",
      "MATCH_URLPATTERN",
      "match_URLPattern",
      "match_exactly",
      "mAtch_exact",
      "match ",
      "match_exact ",
    );
    for (const name of names) {
      assertStatus(await hub.get({ [name]: "foo" }), 400, name);
      assertStatus(await hub.get([["match", "foo"], [name, "foo"]]), 400, `match and ${name}`);
      assertStatus(await hub.get([[name, ""], ["match", "foo"]]), 400, `an empty ${name}`);
      assertStatus(
        await hub.get("match=foo", { method: "QUERY", body: { [name]: "foo" } }),
        400,
        `${name} in a body`,
      );
    }
    assertStatus(await hub.get("match=foo&matches"), 400, "a name without a value");
  });

  requirement(12, async (hubs) => {
    const hub = await hubs.open();
    for (const name of ["%6Datch_x", "%4Datch", "m%61tches", "match%5Fregexp", "match+"]) {
      assertStatus(await hub.get(`${name}=foo`), 400, name);
      assertStatus(await hub.get(`match=foo&${name}=foo`), 400, `match and ${name}`);
    }
    const topic = unique("a b+c");
    assert.deepEqual(await received(hub, `%6Datch=${encodeURIComponent(topic)}`, [topic]), [topic]);
    assert.deepEqual(
      await received(hub, `match%5fexact=${new URLSearchParams([["", topic]]).toString().slice(1)}`, [topic]),
      [
        topic,
      ],
    );
    // What is no escape stands for itself. Source: WHATWG URL, percent-decode.
    const odd = `${unique()}/100%/%zz`;
    assert.deepEqual(await received(hub, `match=${odd}`, [odd]), [odd]);
  });

  requirement(13, async (hubs) => {
    const hub = await hubs.open();
    for (const parameter of ["match", "match_exact", "match_urlpattern"]) {
      for (const character of FORBIDDEN_CHARACTERS) {
        const what = `U+${character.codePointAt(0)!.toString(16)} in ${parameter}`;
        assertStatus(await hub.get({ [parameter]: `https://example.test/${character}` }), 400, what);
        assertStatus(await hub.get([["match", "foo"], [parameter, character]]), 400, `${what} alone`);
      }
    }
    const body = { match: "a\u200Bb" };
    assertStatus(await hub.get("", { method: "QUERY", body }), 400, "a zero-width space in a body");
    for (const name of ["אב", "قناة", "é 日 🐇", "a\u00A0b", "a\u2028b"]) {
      const topic = unique(name);
      assert.deepEqual(await received(hub, { match: topic }, [topic]), [topic]);
    }
  });

  requirement(14, async (hubs) => {
    const hub = await hubs.open();
    for (const parameter of ["match", "match_exact", "match_urlpattern"]) {
      for (const bytes of BAD_UTF8) {
        assertStatus(await hub.get(`${parameter}=${bytes}`), 400, `${parameter}=${bytes}`);
        assertStatus(
          await hub.get(`match=foo&${parameter}=${bytes}`),
          400,
          `match and ${parameter}=${bytes}`,
        );
      }
    }
    assertStatus(await hub.get("", { method: "QUERY", body: "match=%FF" }), 400, "%FF in a body");
    const body = Uint8Array.from([...new TextEncoder().encode("match="), 0xFF]);
    assertStatus(await hub.get("", { method: "QUERY", body }), 400, "the byte FF in a body");
    // The character that stands for what could not be decoded is a character like others.
    const topic = unique("\uFFFD");
    assert.deepEqual(await received(hub, { match: topic }, [topic]), [topic]);
  });

  requirement(15, async (hubs) => {
    const hub = await hubs.open();
    const patterns = ["{open", "/x/(", "/x/{a", "/x/(?<=a)b", "/:", "https://[xyz/:id", "/x/(()", "/:a/:a"];
    for (const pattern of patterns) {
      const answer = await hub.get({ match_urlpattern: pattern });
      assertStatus(answer, 400, pattern);
      assert.match(answer.headers.get("Content-Type") ?? "", /^application\/problem\+json/);
      const { status, title } = JSON.parse(answer.text);
      assert.deepEqual([status, typeof title], [400, "string"]);
      assert.doesNotMatch(
        answer.text,
        /\.[jt]s\b|file:|\bat \w|Error\b|re2|regexp|0x[0-9a-f]|node_modules|stack/i,
      );
      assertStatus(await hub.get({ match: ["foo"], match_urlpattern: pattern }), 400, `match and ${pattern}`);
    }
  });

  requirement(16, async (hubs, t) => {
    const hub = await hubs.open();
    const names = Array.from({ length: 101 }, (_, index) => `/${index}`);
    await t.step("100 matchers and no more", async () => {
      assertStatus(await hub.get({ match: names.slice(1) }), 200, "100 matchers");
      assertStatus(await hub.get({ match: names }), 400, "101 matchers");
      const mixed = {
        match: names.slice(0, 50),
        match_exact: names.slice(50, 99),
        match_urlpattern: names.slice(99),
      };
      assertStatus(await hub.get(mixed), 400, "101 matchers of all kinds");
      const body = { match: names.slice(60) };
      assertStatus(await hub.get({ match: names.slice(0, 60) }, { method: "QUERY", body }), 400, "60 and 41");
    });
    await t.step("4096 bytes and no more", async () => {
      for (const parameter of ["match", "match_exact", "match_urlpattern"]) {
        assertStatus(
          await hub.get({ [parameter]: `/${"a".repeat(4095)}` }),
          200,
          `4096 bytes in ${parameter}`,
        );
        assertStatus(
          await hub.get({ [parameter]: `/${"a".repeat(4096)}` }),
          400,
          `4097 bytes in ${parameter}`,
        );
      }
      assertStatus(await hub.get({ match: "é".repeat(2048) }), 200, "2048 characters of two bytes");
      assertStatus(await hub.get({ match: "é".repeat(2049) }), 400, "2049 characters of two bytes");
    });
    await t.step("what the settings say", async () => {
      const small = await hubs.open(SMALL);
      assertStatus(await small.get({ match: ["a".repeat(100), "b"] }), 200, "two matchers");
      assertStatus(await small.get({ match: ["a", "b", "c"] }), 400, "three matchers");
      assertStatus(await small.get({ match: "a".repeat(101) }), 400, "101 bytes");
    });
  });

  requirement(17, async (hubs) => {
    const hub = await hubs.open();
    for (
      const query of ["", "foo=1", "last_event_id=earliest", "&&", "match=", "match", "match_urlpattern="]
    ) {
      assertStatus(await hub.get(query), 400, `?${query}`);
    }
    assertStatus(await hub.get("", { method: "QUERY", body: "" }), 400, "an empty body");
    assertStatus(await hub.get("match=foo&match="), 400, "an empty matcher beside another");
  });

  requirement(18, async (hubs) => {
    const hub = await hubs.open();
    const topic = unique();
    const others = "foo=1&amatch=x&unmatched&_match=&foo=%FF&authorization=x&access_token=x&&=";
    assert.deepEqual(await received(hub, `${others}&${encode({ match: topic })}`, [topic]), [topic]);
  });

  requirement(19, async (hubs) => {
    // A hub that freezes here must not take the other tests with it.
    await using hub = await hubs.fresh();
    const base = unique();
    const patterns = [
      `${base}/*a*a*a*a*a*a*a*ab`,
      `${base}/*a*a*a*a*ac`,
      `${base}/:x-:y-:z-:a-:b-c`,
      `${base}/((?:a+)+b)`,
      `${base}/{a*}*b`,
      `${base}/(.*)(.*)(.*)(.*)(.*)c`,
    ];
    // A pattern that is beyond the hub's means may also be refused.
    const usable: string[] = [];
    for (const pattern of patterns) {
      const { status } = await hub.get({ match_urlpattern: pattern });
      assert.ok(status === 200 || status === 400, pattern);
      if (status === 200) usable.push(pattern);
    }
    assert.ok(usable.length >= 3, "wildcards and names are no reason to refuse a pattern");
    const marker = unique("marker");
    await using stream = await hub.subscribe({ match: marker, match_urlpattern: usable });
    const long = `${base}/${"a".repeat(4000)}`;
    await Promise.all(
      [long, `${base}/${"a-".repeat(2000)}`].map((topic) => hub.publishOk({ topic, data: topic })),
    );
    // Who backtracks answers neither of these before the end of the world.
    assertStatus(await request(`${hub.origin}/healthz`), 200, "healthz meanwhile");
    assert.deepEqual(await stream.drain(marker), []);
    // What the patterns cannot be tried on in time does not match; this they can.
    await hub.publishOk({ topic: `${base}/${"a".repeat(900)}b`, data: "match" });
    assert.deepEqual((await stream.drain(marker)).map(({ data }) => data), ["match"]);
  });

  requirement(20, async (hubs, t) => {
    const from = (client: string) => ({ headers: { "X-Forwarded-For": client } });
    const hub = await hubs.open(LIMITED);
    const topic = unique();
    const assertRefused = async (options: Parameters<Hub["get"]>[1], what: string) => {
      const answer = await hub.get({ match: topic }, options);
      assertStatus(answer, 429, what);
      assert.match(answer.headers.get("Retry-After") ?? "", /^[1-9][0-9]*$/);
    };
    /** Who has left is not gone at once. */
    const opensAgain = (options: Parameters<Hub["get"]>[1]) =>
      eventually("a place is free", async () => (await hub.get({ match: topic }, options)).status === 200);

    await t.step("in total, and per client", async () => {
      const first = await hub.subscribe({ match: topic }, from("192.0.2.1"));
      await using _second = await hub.subscribe({ match: topic }, from("192.0.2.1"));
      await assertRefused(from("192.0.2.1"), "a third stream of one client");
      // What stands before the last address, the client may have written itself.
      await assertRefused(from("192.0.2.8, 192.0.2.1"), "the same in disguise");
      await using third = await hub.subscribe({ match: topic }, from("192.0.2.2"));
      await assertRefused(from("192.0.2.3"), "a fourth stream");
      assert.deepEqual(await third.drain(topic), []);
      await first[Symbol.asyncDispose]();
      await opensAgain(from("192.0.2.1"));
    });
    await t.step("per token", async () => {
      await opensAgain(from("192.0.2.9"));
      const [token, other] = [await hub.token({ subscribe: ["*"] }), await hub.token({ subscribe: ["*"] })];
      {
        await using _first = await hub.subscribe({ match: topic }, { token, ...from("192.0.2.4") });
        await using _second = await hub.subscribe({ match: topic }, { token, ...from("192.0.2.5") });
        await assertRefused({ token, ...from("192.0.2.6") }, "a third subscription of one token");
        await using _third = await hub.subscribe({ match: topic }, { token: other, ...from("192.0.2.6") });
      }
      await opensAgain({ token, ...from("192.0.2.6") });
    });
    await t.step("a limit that keeps EventSource trying", async () => {
      // No proxy is trusted here, so what they say does not make two clients of one.
      const patient = await hubs.open({ MAX_STREAMS_PER_CLIENT: "1" });
      await using _first = await patient.subscribe({ match: topic }, from("192.0.2.1"));
      const headers = { Accept: "text/event-stream", "X-Forwarded-For": "192.0.2.2" };
      await using second = await patient.wire({ match: topic }, { headers });
      await eventually("the end of the second", () => second.ended);
      assert.match(second.text, /^retry: ?[1-9][0-9]*$/m);
      assert.doesNotMatch(second.text, /^(data|id|event):/m);
      const answer = await patient.get({ match: topic }, { headers: { Accept: "application/json" } });
      assertStatus(answer, 429, "a second stream for another kind of client");
    });
  });

  requirement(21, async (hubs) => {
    const hub = await hubs.open();
    const [inUrl, inBody, base] = [unique("url"), unique("body"), unique("pattern")];
    const body = { match: inBody, match_urlpattern: `${base}/:id` };
    await using stream = await hub.subscribe({ match: inUrl }, { method: "QUERY", body });
    for (const topic of [inUrl, inBody, `${base}/1`, base]) await hub.publishOk({ topic, data: topic });
    assert.deepEqual((await stream.drain(inUrl)).map(({ data }) => data), [inUrl, inBody, `${base}/1`]);
    await using bodyOnly = await hub.subscribe("", { method: "QUERY", body: { match: inBody } });
    assert.deepEqual(await bodyOnly.drain(inBody), []);
    const headers = { "Content-Type": "Application/X-WWW-Form-URLEncoded; charset=utf-8" };
    assertStatus(await hub.get("", { method: "QUERY", body, headers }), 200, "a type with a parameter");
  });

  requirement(22, async (hubs) => {
    const hub = await hubs.open();
    const topic = unique();
    const ids: string[] = [];
    for (let number = 0; number < 4; number++) ids.push(await hub.publishOk({ topic, data: `${number}` }));
    const [first = "", second = "", third = ""] = ids;
    const after = async (query: Fields, options: Parameters<Hub["subscribe"]>[1]) => {
      await using stream = await hub.subscribe(query, { method: "QUERY", ...options });
      return (await stream.drain(topic)).map(({ id }) => id);
    };
    const body = { match: topic, last_event_id: first };
    const headers = { "Last-Event-ID": third };
    assert.deepEqual(await after("", { body }), [second, third, ids[3]]);
    assert.equal((await after({ last_event_id: second }, { body }))[0], third);
    assert.equal((await after({ last_event_id: second }, { body, headers }))[0], ids[3]);
    assert.equal((await after("", { body, headers }))[0], ids[3]);
  });

  requirement(23, async (hubs) => {
    const hub = await hubs.open(SMALL);
    const query = (headers: Record<string, string>, body: BodyInit) =>
      request(`${hub.url}?match=foo`, { method: "QUERY", headers, body });
    const form = { "Content-Type": "application/x-www-form-urlencoded" };
    const large = `foo=${"a".repeat(4096)}`;
    assertStatus(await query(form, large.slice(0, 4096)), 200, "a body of the largest size");
    assertStatus(await query(form, large), 413, "a larger body");
    assertStatus(
      await query(form, ReadableStream.from([large]).pipeThrough(new TextEncoderStream())),
      413,
      "in chunks",
    );
    assertStatus(await query({ "Content-Type": "application/json" }, "{}"), 415, "JSON");
    assertStatus(await query({ "Content-Type": "text/plain" }, "match=bar"), 415, "text");
    assertStatus(await query({ "Content-Type": "nonsense" }, "match=bar"), 400, "a type that is none");
    assertStatus(await query({}, new TextEncoder().encode("match=bar")), 400, "no type");
  });

  requirement(24, async (hubs) => {
    const hub = await hubs.open(LIMITED);
    const topic = unique();
    for (let count = 0; count < 5; count++) {
      const { status, headers } = await hub.get({ match: topic }, { method: "HEAD" });
      assert.equal(status, 200);
      assert.match(headers.get("Content-Type") ?? "", /^text\/event-stream/);
    }
    // More than three streams would be too many here.
    await using stream = await hub.subscribe({ match: topic });
    assert.deepEqual(await stream.drain(topic), []);
    assertStatus(await hub.get({ matches: topic }, { method: "HEAD" }), 400, "a reserved name");
  });

  requirement(25, async (hubs) => {
    const hub = await hubs.open(OPEN);
    await using wire = await hub.wire({ match: unique() });
    assert.equal(wire.response.status, 200);
    const text = await wire.until("a first comment", (text) => /^:.*\n/m.test(text));
    assert.doesNotMatch(text, /^(data|id|event)/m);
  });

  requirement(26, async (hubs) => {
    const hub = await hubs.open(CORS);
    const topic = unique();
    await using stream = await hub.subscribe({ match: topic });
    await stream.until("comments", () => stream.comments.length >= 5);
    await hub.publishOk({ topic, data: "between" });
    const { length } = stream.comments;
    await stream.until("more of them", () => stream.comments.length >= length + 3);
    assert.deepEqual(stream.events.map(({ data }) => data), ["between"]);
  });

  requirement(27, async (hubs) => {
    const hub = await hubs.open();
    await using stream = await hub.subscribe({ match: unique() });
    const { headers } = stream.response;
    assertHas(headers, "Cache-Control", ["no-store"]);
    assert.equal(headers.get("X-Accel-Buffering"), "no");
    const body = { match: unique() };
    await using query = await hub.subscribe("", { method: "QUERY", body });
    assertHas(query.response.headers, "Cache-Control", ["no-store"]);
  });

  requirement(28, async (hubs) => {
    const hub = await hubs.open(CORS);
    const topic = unique();
    const asked = async (Origin: string) => [
      await hub.get({ match: topic }, { headers: { Origin } }),
      await hub.get("matches=1", { headers: { Origin } }),
      await hub.publish({ topic }, { headers: { Origin } }),
      await hub.publish({ topic }, { token: null, headers: { Origin } }),
      await hub.path(`${HUB_PATH}/subscriptions`, { headers: { Origin } }),
      await hub.get("", {
        method: "OPTIONS",
        headers: {
          Origin,
          "Access-Control-Request-Method": "GET",
          "Access-Control-Request-Headers": "authorization",
        },
      }),
    ];
    for (const origin of ORIGINS) {
      for (const { headers } of await asked(origin)) {
        assert.equal(headers.get("Access-Control-Allow-Origin"), origin);
        assert.equal(headers.get("Access-Control-Allow-Credentials"), "true");
        assertHas(headers, "Vary", ["Origin"]);
      }
    }
    const strangers = ["https://evil.test", "null", "http://app.test", "https://app.test.evil.test"];
    strangers.push(
      "https://evilapp.test",
      "https://www.app.test",
      "https://app.test:443",
      "https://APP.test",
    );
    for (const origin of strangers) {
      for (const { headers } of await asked(origin)) {
        assert.equal(headers.get("Access-Control-Allow-Origin"), null, origin);
        assert.equal(headers.get("Access-Control-Allow-Credentials"), null, origin);
      }
    }
  });

  requirement(29, async (hubs) => {
    const hub = await hubs.open();
    const headers = { Origin: "https://any.test" };
    const answers = [
      await hub.get({ match: unique() }, { headers }),
      await hub.get("matches=1", { headers }),
      await hub.publish({ topic: unique() }, { headers }),
      await hub.get("", {
        method: "OPTIONS",
        headers: { ...headers, "Access-Control-Request-Method": "GET" },
      }),
    ];
    for (const { headers } of answers) {
      assert.equal(headers.get("Access-Control-Allow-Origin"), "*");
      assert.equal(headers.get("Access-Control-Allow-Credentials"), null);
    }
  });

  requirement(30, async (hubs) => {
    for (const settings of [{}, CORS]) {
      const hub = await hubs.open(settings);
      const headers = { Origin: ORIGINS[0]! };
      for (const method of ["GET", "QUERY", "POST"]) {
        const answer = await hub.get("", {
          method: "OPTIONS",
          headers: {
            ...headers,
            "Access-Control-Request-Method": method,
            "Access-Control-Request-Headers": "authorization,cache-control,last-event-id",
          },
        });
        assert.ok(answer.status === 204 || answer.status === 200, `${answer.status}`);
        assertHas(answer.headers, "Access-Control-Allow-Methods", ["GET", "HEAD", "POST", "QUERY"]);
        assertHas(answer.headers, "Access-Control-Allow-Headers", [
          "authorization",
          "cache-control",
          "last-event-id",
        ]);
      }
      const exposed = ["Link", "Mercure-Last-Event-ID", "WWW-Authenticate"];
      await using stream = await hub.subscribe({ match: unique() }, { headers });
      assertHas(stream.response.headers, "Access-Control-Expose-Headers", exposed);
      const refused = await hub.publish({ topic: unique() }, { token: null, headers });
      assertHas(refused.headers, "Access-Control-Expose-Headers", exposed);
      for (const path of [`${HUB_PATH}/subscriptions`, `/.well-known/oauth-protected-resource${HUB_PATH}`]) {
        const answer = await hub.path(path, {
          method: "OPTIONS",
          headers: {
            ...headers,
            "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": "authorization",
          },
        });
        assert.ok(answer.status === 204 || answer.status === 200, `${path} ${answer.status}`);
        assertHas(answer.headers, "Access-Control-Allow-Headers", ["authorization"]);
      }
    }
  });

  reference("Subscribe", "a hub without anonymous subscribers wants a token from all", async (hubs) => {
    const hub = await hubs.open({ ANONYMOUS: "off" });
    const topic = unique();
    const answer = await hub.get({ match: topic });
    assertStatus(answer, 401, "no token");
    assert.match(answer.headers.get("WWW-Authenticate") ?? "", /^Bearer\b(?!.*error=)/);
    // Authorisation or not, a token that grants nothing is a token.
    await using stream = await hub.subscribe({ match: topic }, { token: await hub.token() });
    assert.deepEqual(await stream.drain(topic), []);
  });

  reference("Subscribe", "other methods → 405", async (hubs) => {
    const hub = await hubs.open();
    for (const method of ["PUT", "DELETE", "PATCH"]) {
      assertStatus(await hub.get({ match: unique() }, { method }), 405, method);
    }
  });

  reference("Subscribe", "patterns of subscription events are valid, relative or not", async (hubs) => {
    const hub = await hubs.open();
    for (const prefix of ["", hub.origin]) {
      const pattern = `${prefix}${HUB_PATH}/subscriptions/:match_type/:match/:subscriber`;
      assertStatus(await hub.get({ match_urlpattern: pattern }), 200, pattern);
      assertStatus(
        await hub.get({ match_urlpattern: `${prefix}${HUB_PATH}/subscriptions{/*}?` }),
        200,
        "all below",
      );
    }
  });

  reference(
    "Subscribe",
    "an update of several topics is found by a pattern for any of them",
    async (hubs) => {
      const hub = await hubs.open();
      const base = unique();
      await using stream = await hub.subscribe({ match_urlpattern: `${base}/books/:id` });
      await hub.publishOk({ topic: [`${base}/authors/1`, `${base}/books/1`], data: "second" });
      await hub.publishOk({ topic: [`${base}/books/1`, `${base}/authors/1`], data: "first" });
      await hub.publishOk({ topic: [`${base}/authors/1`, `${base}/authors/2`], data: "none" });
      assert.deepEqual((await stream.drain(`${base}/books/2`)).map(({ data }) => data), ["second", "first"]);
    },
  );

  reference("Subscribe", "browsers do not guess the type of a response", async (hubs) => {
    const hub = await hubs.open();
    for (
      const answer of [
        await hub.get({ match: unique() }),
        await hub.get(""),
        await hub.publish({ topic: unique() }),
      ]
    ) {
      assert.equal(answer.headers.get("X-Content-Type-Options"), "nosniff");
      assert.ok(answer.headers.get("X-Request-Id"));
    }
  });

  reference("Subscribe", "QUERY is advertised with Accept-Query", async (hubs) => {
    const hub = await hubs.open();
    const { headers } = await hub.get({ match: unique() });
    assertHas(headers, "Accept-Query", ["application/x-www-form-urlencoded"]);
  });

  reference("Subscribe", "any matcher is taken or refused", async (hubs) => {
    const hub = await hubs.open();
    const syntax = [
      "{",
      "}",
      "(",
      ")",
      "*",
      "?",
      "+",
      "\\",
      "[",
      "]",
      "/",
      ":",
      ":a",
      "a",
      "é",
      ".",
      "|",
      "^",
      "#",
      "$",
    ];
    const pattern = fc.array(fc.constantFrom(...syntax), { minLength: 1, maxLength: 12 }).map((parts) =>
      parts.join("")
    );
    for (const match_urlpattern of fc.sample(fc.oneof(pattern, trickyText), 300)) {
      const { status } = await hub.get({ match_urlpattern });
      assert.ok(status === 200 || status === 400, `${match_urlpattern} → ${status}`);
      // A hub may understand less than everything, but nothing that is no pattern.
      if (status === 200 && match_urlpattern !== "*") new URLPattern(match_urlpattern, hub.url);
    }
    for (const match of fc.sample(trickyText, 200)) {
      const wanted = match === "" || /[\p{Cc}\p{Cf}]/u.test(match) ? 400 : 200;
      assertStatus(await hub.get({ match }), wanted, JSON.stringify(match));
    }
  });

  reference(
    "Subscribe",
    "the hub's URL decides where it is, what it is the audience of, and what is relative to it",
    async (hubs) => {
      const HUB_URL = "https://hub.test:8443/base/hub";
      const hub = await hubs.open({ HUB_URL });
      const url = `${hub.origin}/base/hub`;
      const post = async (topic: string, audience = HUB_URL) => {
        const headers = { Authorization: `Bearer ${await mint(audience, { publish: ["*"] })}` };
        return await request(url, {
          method: "POST",
          headers,
          body: new URLSearchParams({ topic, data: topic }),
        });
      };
      assertStatus(await hub.get({ match: "x" }), 404, "where hubs are by default");
      const name = `n${crypto.randomUUID()}`;
      const relative = `${name}/:id`;
      await using stream = await openSse(
        `${url}?${encode({ match_urlpattern: [relative, `/${relative}`], match: name })}`,
      );
      const topics = [`${name}/1`, `/base/${name}/2`, `https://hub.test:8443/${name}/3`, `/${name}/4`, name];
      const others = [
        `/.well-known/${name}/1`,
        `${hub.origin}/${name}/2`,
        `https://hub.test/${name}/3`,
        `${HUB_PATH}/x`,
      ];
      for (const topic of [...others, ...topics]) assertStatus(await post(topic), 200, topic);
      await stream.until("the last one", () => stream.events.some(({ data }) => data === name));
      assert.deepEqual(stream.events.map(({ data }) => data), topics);
      for (const topic of ["/base/hub", "hub/x", "https://any.test/base/hub/subscriptions/x", ""]) {
        assertStatus(await post(topic), 400, `the topic ${topic}`);
      }
      assertStatus(await post(name, url), 401, "a token for where the request went");
      const { text } = await hub.path("/.well-known/oauth-protected-resource/base/hub");
      assert.equal(JSON.parse(text).resource, HUB_URL);
    },
  );

  reference("Subscribe", "a Host that is none → 400", async (hubs) => {
    const hub = await hubs.open();
    const { hostname, port } = new URL(hub.url);
    for (const header of ["Host: a b\r\n", "Host: [bad\r\n", "Host: a:b:c\r\n"]) {
      using connection = await Deno.connect({ hostname, port: Number(port) });
      const head = `GET ${HUB_PATH}?match_urlpattern=/x HTTP/1.1\r\n${header}\r\n`;
      await connection.write(new TextEncoder().encode(head));
      const bytes = new Uint8Array(1024);
      const length = await within("an answer", connection.read(bytes)) ?? 0;
      const [line] = new TextDecoder().decode(bytes.subarray(0, length)).split("\r\n");
      assert.match(line ?? "", /^HTTP\/1\.1 400 /, JSON.stringify(header));
    }
  });

  reference("Subscribe", "a stream that could not be opened takes no place from others", async (hubs) => {
    await using hub = await hubs.fresh({ OVERLOAD: "refuse", MAX_STREAMS: "1" });
    const query = { match: unique(), last_event_id: unique() };
    await hub.forwarder[Symbol.asyncDispose]();
    // Whether it waits for its history or says that there is none, is not the point here.
    const signal = AbortSignal.timeout(3000);
    await hub.get(query, { signal }).catch((error) => assert.equal(error.name, "TimeoutError"));
    await using _forwarder = await startForwarder({ ports: hub.forwarder.ports });
    await ready(hub.streamer.url);
    await eventually("a place is free", async () => (await hub.get(query)).status === 200);
  });

  reference("Subscribe", "many streams with many matchers each get their own", async (hubs) => {
    const hub = await hubs.open();
    const base = unique();
    await using streams = new AsyncDisposableStack();
    const opened = await within(
      "30 streams",
      Promise.all(Array.from({ length: 30 }, async (_, index) =>
        streams.use(
          await hub.subscribe({
            match: [`${base}/all`, ...Array.from({ length: 50 }, (_, other) => `${base}/${index}/${other}`)],
            match_urlpattern: [`${base}/${index}/p/:id`],
          }),
        ))),
    );
    await Promise.all(
      opened.flatMap((_, index) =>
        [`${base}/${index}/7`, `${base}/${index}/p/1`].map((topic) =>
          hub.publishOk({ topic, data: `${index}` })
        )
      ),
    );
    await hub.publishOk({ topic: `${base}/all`, data: "all" });
    for (const [index, stream] of opened.entries()) {
      const events = await stream.next(3);
      assert.deepEqual(events.map(({ data }) => data), [`${index}`, `${index}`, "all"]);
    }
  });
}
