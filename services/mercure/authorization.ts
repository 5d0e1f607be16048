/** Authorization: who may publish, who reads what is private, and what happens to every other token. */
import assert from "node:assert/strict";
import { base64url, exportJWK, exportSPKI, generateKeyPair } from "jose";
import { eventually, within } from "../lib/testing/deadline.ts";
import { startForwarder, startService } from "../lib/testing/processes.ts";
import {
  type Answer,
  detail,
  DETAIL_TYPE,
  encode,
  type Event,
  goodClaims,
  type Hub,
  HUB_PATH,
  ISSUER,
  KEY,
  mint,
  request,
  type Suite,
  unique,
} from "./harness.ts";
import {
  assertRefused,
  bytesOf,
  challengeOf,
  hubWithIssuers,
  NO_ISSUER,
  sign,
  unsigned,
  withBrokenSignature,
} from "./tokens.ts";

/** The setting for the tests that publish with cookies, and the name that the protocol recommends for them. */
const COOKIE_ORIGIN = "https://app.example";
const COOKIE_NAME = "__Secure-mercure_access_token";

/** Settings that make a hub stricter than it is by itself. */
const STRICT = { ANONYMOUS: "off", COOKIE_NAME: "token", PUBLISH_ORIGINS: COOKIE_ORIGIN } as const;

const AT_JWT = { alg: "HS256", typ: "at+jwt" } as const;
const FORM = { "Content-Type": "application/x-www-form-urlencoded" } as const;
/** More than the bodies of the responses may differ in. */
const REQUEST_ID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;

export function register(suite: Suite): void {
  registerPresenting(suite);
  registerValidation(suite);
  registerDetails(suite);
  registerDecisions(suite);
  registerLifetime(suite);
  registerReferences(suite);
}

/** A token that may do everything. */
function almighty(hub: Hub): Promise<string> {
  return hub.token({ publish: ["*"], subscribe: ["*"] });
}

/** Asserts that a token can publish. */
async function assertPublishes(hub: Hub, token: string, what: string): Promise<void> {
  const { status, text } = await hub.publish({ topic: unique() }, { token });
  assert.equal(status, 200, `${what}: ${text}`);
}

/** Asserts that a token opens no stream and publishes nothing, because it is invalid. */
async function assertInvalid(hub: Hub, token: string, what: string): Promise<void> {
  const topic = unique();
  assertRefused(await hub.publish({ topic }, { token }), "invalid_token", `${what}, to publish`);
  assertRefused(await hub.get({ match: topic }, { token }), "invalid_token", `${what}, to subscribe`);
}

function registerPresenting({ requirement }: Suite): void {
  requirement(60, async (hubs) => {
    const hub = await hubs.open();
    const answer = await hub.publish({ topic: unique() }, { token: null });
    assertRefused(answer, "none", "no token");
    const broadcaster = await hubs.broadcaster();
    const other = await broadcaster.publish({ topic: unique() }, { token: null });
    assertRefused(other, "none", "no token, at the broadcaster");
  });

  requirement(61, async (hubs) => {
    const hub = await hubs.open();
    const metadata = `${hub.origin}/.well-known/oauth-protected-resource${HUB_PATH}`;
    const refused = {
      "none, to publish": await hub.publish({ topic: unique() }, { token: null }),
      "invalid": await hub.get({ match: unique() }, { token: withBrokenSignature(await hub.token()) }),
      "without a grant": await hub.publish({ topic: unique() }, { token: await hub.token() }),
      "malformed": await hub.get({ match: unique() }, { headers: { Authorization: "Basic dTpw" } }),
    };
    for (const [what, answer] of Object.entries(refused)) {
      assert.equal(challengeOf(answer).resource_metadata, metadata, what);
    }
    assert.equal((await request(metadata)).status, 200, "the address leads to the document");
  });

  requirement(69, async (hubs) => {
    const hub = await hubs.open();
    const token = await almighty(hub);
    for (const scheme of ["bearer", "BEARER", "bEaReR"]) {
      const headers = { Authorization: `${scheme} ${token}` };
      const { status, text } = await hub.publish({ topic: unique() }, { token: null, headers });
      assert.equal(status, 200, `${scheme}: ${text}`);
    }
  });

  requirement(70, async (hubs) => {
    const hub = await hubs.open({ PUBLISH_ORIGINS: COOKIE_ORIGIN });
    const good = await almighty(hub);
    const bad = withBrokenSignature(good);
    const topic = unique();
    const send = (header: string, cookie: string) => {
      const headers = { Cookie: `${COOKIE_NAME}=${cookie}`, Origin: COOKIE_ORIGIN };
      return hub.publish({ topic }, { token: header, headers });
    };
    assertRefused(await send(bad, good), "invalid_token", "bad header and good cookie");
    assert.equal((await send(good, bad)).status, 200, "good header and bad cookie");
    const headers = { Cookie: `${COOKIE_NAME}=${good}` };
    const answer = await hub.get({ match: topic }, { token: bad, headers });
    assertRefused(answer, "invalid_token", "bad header and good cookie, to subscribe");
    const empty = await hub.publish({ topic }, {
      token: null,
      headers: { Authorization: "", Cookie: `${COOKIE_NAME}=${good}`, Origin: COOKIE_ORIGIN },
    });
    assertRefused(empty, "invalid_request", "empty header and good cookie");
    const weak = await hub.token({ subscribe: [unique()] });
    assertRefused(await send(weak, good), "insufficient_scope", "the cookie adds nothing to the header");
  });

  requirement(71, async (hubs) => {
    const hub = await hubs.open();
    const token = await almighty(hub);
    const malformed = {
      "another scheme": "Basic dXNlcjpwYXNzd29yZA==",
      "another scheme with a good token": `Greater ${token}`,
      "nothing": "",
      "the scheme alone": "Bearer",
      "no scheme": token,
      "two tokens": `Bearer ${token} ${token}`,
      "two credentials in one field": `Bearer ${token}, Bearer ${token}`,
      "too short for a token": "Bearer x",
    };
    for (const [what, Authorization] of Object.entries(malformed)) {
      const headers = { Authorization };
      const published = await hub.publish({ topic: unique() }, { token: null, headers });
      assertRefused(published, "invalid_request", what);
      const subscribed = await hub.get({ match: unique() }, { headers });
      assertRefused(subscribed, "invalid_request", `${what}, to subscribe`);
    }
    const head = await rawHead(hub, [`Authorization: Bearer ${token}`, `Authorization: Bearer ${token}`]);
    assert.match(head, /^HTTP\/1\.1 400 /, "the field twice");
    assert.match(head, /www-authenticate: Bearer error="invalid_request"/i, "the field twice");
  });

  requirement(72, async (hubs) => {
    const hub = await hubs.open();
    const token = await almighty(hub);
    const topic = unique();
    await using stream = await hub.subscribe({ match: topic, access_token: token });
    await using other = await hub.subscribe({ match: topic, access_token: withBrokenSignature(token) });
    await hub.publishOk({ topic, private: "on" });
    assert.deepEqual(await stream.drain(topic), [], "a good token in the address reads nothing");
    const updates = (await other.drain(topic)).filter(({ data }) => data !== "marker");
    assert.deepEqual(updates, [], "and a bad one closes nothing");
    const inQuery = await request(hub.urlOf({ access_token: token }), {
      method: "POST",
      headers: FORM,
      body: encode({ topic }),
    });
    assertRefused(inQuery, "none", "in the address, to publish");
    const inBody = await hub.publish({ topic, access_token: token }, { token: null });
    assertRefused(inBody, "none", "in the form, to publish");
  });

  requirement(73, async (hubs) => {
    const hub = await hubs.open({ PUBLISH_ORIGINS: COOKIE_ORIGIN });
    const topic = unique();
    const Cookie = `theme=dark; ${COOKIE_NAME}=${await almighty(hub)}`;
    const send = (headers: Record<string, string>) =>
      hub.publish({ topic }, { token: null, headers: { Cookie, ...headers } });
    await using stream = await hub.subscribe({ match: topic });
    const refused: Record<string, Record<string, string>> = {
      "neither Origin nor Referer": {},
      "an unlisted Origin": { Origin: "https://evil.example" },
      "the origin null": { Origin: "null" },
      "another port": { Origin: `${COOKIE_ORIGIN}:8443` },
      "another scheme": { Origin: "http://app.example" },
      "a host that begins alike": { Origin: `${COOKIE_ORIGIN}.evil.example` },
      "an unlisted Referer": { Referer: "https://evil.example/app.example" },
      "a Referer that is no URL": { Referer: COOKIE_ORIGIN.slice(8) },
      "a listed Referer beside an unlisted Origin": {
        Origin: "https://evil.example",
        Referer: `${COOKIE_ORIGIN}/page`,
      },
    };
    for (const [what, headers] of Object.entries(refused)) {
      assertRefused(await send(headers), "invalid_request", what);
    }
    assert.deepEqual(await stream.drain(topic), [], "nothing was published");
    const taken: Record<string, Record<string, string>> = {
      "a listed Origin": { Origin: COOKIE_ORIGIN },
      "a listed Referer": { Referer: `${COOKIE_ORIGIN}/page?x=y` },
      "a listed Origin beside an unlisted Referer": {
        Origin: COOKIE_ORIGIN,
        Referer: "https://evil.example/",
      },
    };
    for (const [what, headers] of Object.entries(taken)) {
      const { status, text } = await send(headers);
      assert.equal(status, 200, `${what}: ${text}`);
    }
    const none = await hubs.open();
    const answer = await none.publish({ topic }, {
      token: null,
      headers: { Cookie: `${COOKIE_NAME}=${await almighty(none)}`, Origin: none.origin },
    });
    assertRefused(answer, "invalid_request", "where no origin is listed");
  });

  requirement(84, async (hubs) => {
    const hub = await hubs.open();
    const token = withBrokenSignature(await almighty(hub));
    const topic = unique();
    assertRefused(await hub.get({ match: topic }, { token }), "invalid_token", "in the header");
    const headers = { Cookie: `${COOKIE_NAME}=${token}` };
    assertRefused(await hub.get({ match: topic }, { headers }), "invalid_token", "in the cookie");
    const nonsense = { Cookie: `${COOKIE_NAME}=invalid` };
    assertRefused(await hub.get({ match: topic }, { headers: nonsense }), "invalid_token", "no token at all");
  });
}

/** The head of the response to a request whose header fields `fetch` would not send. */
async function rawHead(hub: Hub, fields: readonly string[]): Promise<string> {
  const { hostname, port, host, pathname } = new URL(hub.url);
  using connection = await Deno.connect({ hostname, port: Number(port) });
  const lines = [`GET ${pathname}?match=x HTTP/1.1`, `Host: ${host}`, "Connection: close", ...fields, "", ""];
  await connection.write(bytesOf(lines.join("\r\n")));
  let head = "";
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(4096);
  while (!head.includes("\r\n\r\n")) {
    const count = await within("the head of a response", connection.read(buffer));
    if (count === null) break;
    head += decoder.decode(buffer.subarray(0, count), { stream: true });
  }
  return head;
}

function registerValidation({ requirement }: Suite): void {
  requirement(62, async (hubs) => {
    const hub = await hubs.open({ SUBSCRIPTIONS: "on" });
    const details = [{ ...detail("publish", ["*"]), actions: ["publish", "subscribe"] }];
    const good = goodClaims(hub.url, details);
    const without = (name: string) =>
      Object.fromEntries(Object.entries(good).filter(([key]) => key !== name));
    const now = Math.floor(Date.now() / 1000);
    const secret = bytesOf(KEY);
    const rsa = await generateKeyPair("RS256");
    const ec = await generateKeyPair("ES256");
    await assertPublishes(hub, await sign(AT_JWT, good), "the claims that are spoilt below");

    const defects = {
      "a bad signature": withBrokenSignature(await sign(AT_JWT, good)),
      "another secret": await sign(AT_JWT, good, bytesOf("another secret, of a length that is enough")),
      "an unknown issuer": await sign(AT_JWT, { ...good, iss: "https://unknown.example" }),
      "an issuer with a slash too much": await sign(AT_JWT, { ...good, iss: `${ISSUER}/` }),
      "no issuer": await sign(AT_JWT, without("iss")),
      "another audience": await sign(AT_JWT, { ...good, aud: "https://other.example/.well-known/mercure" }),
      "the origin as audience": await sign(AT_JWT, { ...good, aud: hub.origin }),
      "other audiences": await sign(AT_JWT, { ...good, aud: ["https://a.example", "https://b.example"] }),
      "an empty list of audiences": await sign(AT_JWT, { ...good, aud: [] }),
      "no audience": await sign(AT_JWT, without("aud")),
      "expired": await sign(AT_JWT, { ...good, exp: now - 600 }),
      "no expiry": await sign(AT_JWT, without("exp")),
      "an expiry that is no number": await sign(AT_JWT, { ...good, exp: `${now + 600}` }),
      "not yet valid": await sign(AT_JWT, { ...good, nbf: now + 600 }),
      "a typ for any token": await sign({ ...AT_JWT, typ: "JWT" }, good),
      "the typ of an identity token": await sign({ ...AT_JWT, typ: "id+jwt" }, good),
      "no typ": await sign({ alg: "HS256" }, good),
      "alg none": unsigned({ ...AT_JWT, alg: "none" }, good),
      "alg None": unsigned({ ...AT_JWT, alg: "None" }, good),
      "a longer HMAC": await sign({ ...AT_JWT, alg: "HS512" }, good, secret),
      "an RSA signature": await sign({ ...AT_JWT, alg: "RS256" }, good, rsa.privateKey),
      "an ECDSA signature": await sign({ ...AT_JWT, alg: "ES256" }, good, ec.privateKey),
      "an unknown critical parameter": await sign({ ...AT_JWT, crit: ["urn:x"], "urn:x": 1 }, good),
      "claims that are no JSON": await sign(AT_JWT, "no JSON, but signed as it should be"),
      "claims that are a list": await sign(AT_JWT, [good]),
      "details that are no list": await sign(AT_JWT, { ...good, authorization_details: details[0] }),
    };
    const topic = unique();
    const ways: Record<string, (token: string) => Promise<Answer>> = {
      "to publish": (token) => hub.publish({ topic }, { token }),
      "to subscribe": (token) => hub.get({ match: topic }, { token }),
      "at the subscription API": (token) => hub.path(`${HUB_PATH}/subscriptions`, { token }),
    };
    const reasons = new Set<unknown>();
    for (const [way, send] of Object.entries(ways)) {
      let first: unknown;
      for (const [what, token] of Object.entries(defects)) {
        const answer = await send(token);
        assertRefused(answer, "invalid_token", `${what}, ${way}`);
        const seen = {
          status: answer.status,
          challenge: answer.headers.get("WWW-Authenticate"),
          type: answer.headers.get("Content-Type"),
          body: answer.text.replaceAll(REQUEST_ID, ""),
        };
        first ??= seen;
        assert.deepEqual(seen, first, `${what}, ${way}, looks like every other defect`);
        reasons.add(await reasonOf(hub, answer, `${what}, ${way}`));
      }
    }
    assert.ok(reasons.size > 5, "the log tells the defects apart");
    const log = JSON.stringify(hub.streamer.entries);
    for (const [what, token] of Object.entries(defects)) {
      const [, claims = ""] = token.split(".");
      assert.ok(!log.includes(claims), `the log holds nothing of the token: ${what}`);
    }
    assert.ok(!log.includes(KEY), "the log does not hold the key");
  });

  requirement(63, async (hubs) => {
    const [keyA, keyB] = ["secret of A, which is long enough", "secret of B, which is long enough"];
    const issuers = [
      { issuer: "https://a.example", keys: [{ secret: keyA }] },
      { issuer: "https://b.example", keys: [{ secret: keyB }] },
    ];
    await using hub = await hubWithIssuers(await hubs.open(), issuers);
    const token = (iss: string, key: string) =>
      hub.token({ publish: ["*"], subscribe: ["*"], claims: { iss }, key });
    await assertPublishes(hub, await token("https://a.example", keyA), "A with the key of A");
    await assertPublishes(hub, await token("https://b.example", keyB), "B with the key of B");
    await assertInvalid(hub, await token("https://a.example", keyB), "A with the key of B");
    await assertInvalid(hub, await token("https://b.example", keyA), "B with the key of A");
    await assertInvalid(hub, await token("https://c.example", keyA), "an unknown one with the key of A");
    await assertInvalid(hub, await token(ISSUER, KEY), "the issuer of the other tests");
  });

  requirement(64, async (hubs) => {
    const hub = await hubs.open();
    const claims = goodClaims(hub.url, [detail("publish", ["*"])]);
    const asked: string[] = [];
    const { privateKey, publicKey } = await generateKeyPair("ES256", { extractable: true });
    const jwk = { ...await exportJWK(publicKey), kid: "theirs", alg: "ES256", use: "sig" };
    await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (asking) => {
      asked.push(asking.url);
      return Response.json({ keys: [jwk] });
    });
    const jku = `http://127.0.0.1:${server.addr.port}/keys.json`;
    const embedded: Record<string, Record<string, unknown>> = {
      "jwk": { jwk },
      "jku": { jku, kid: "theirs" },
      "x5u": { x5u: jku },
      "x5c": { x5c: [btoa("no certificate")] },
    };
    for (const [what, parameters] of Object.entries(embedded)) {
      const theirs = await sign({ alg: "ES256", typ: "at+jwt", ...parameters }, claims, privateKey);
      await assertInvalid(hub, theirs, `signed with the key in ${what}`);
      await assertPublishes(hub, await sign({ ...AT_JWT, ...parameters }, claims), `ours, beside ${what}`);
    }
    const secret = { kty: "oct", k: base64url.encode("a secret that the token brings itself") };
    const symmetric = await sign(
      { ...AT_JWT, jwk: secret },
      claims,
      bytesOf("a secret that the token brings itself"),
    );
    await assertInvalid(hub, symmetric, "signed with the secret in jwk");
    assert.deepEqual(asked, [], "the hub asks no address that a token names");
  });

  requirement(65, async (hubs) => {
    const { privateKey, publicKey } = await generateKeyPair("RS256", { extractable: true });
    const pem = await exportSPKI(publicKey);
    const hub = await hubs.open({ JWT_KEY: pem, JWT_ALG: "RS256" });
    const claims = goodClaims(hub.url, [detail("publish", ["*"])]);
    const good = await sign({ ...AT_JWT, alg: "RS256" }, claims, privateKey);
    await assertPublishes(hub, good, "signed with the private key");
    const { n = "" } = await exportJWK(publicKey);
    const der = Uint8Array.from(atob(pem.replaceAll(/-----.*-----|\s/g, "")), (char) => char.charCodeAt(0));
    const secrets: Record<string, Uint8Array> = {
      "the PEM": bytesOf(pem),
      "the PEM without a line end": bytesOf(pem.trim()),
      "the PEM with a line end": bytesOf(`${pem.trim()}\n`),
      "the DER": der,
      "the modulus": bytesOf(n),
    };
    for (const [what, secret] of Object.entries(secrets)) {
      for (const alg of ["HS256", "HS384", "HS512"]) {
        await assertInvalid(hub, await sign({ ...AT_JWT, alg }, claims, secret), `${what} with ${alg}`);
      }
    }
  });

  requirement(66, async (hubs) => {
    const hub = await hubs.open();
    for (const typ of ["at+jwt", "AT+JWT", "application/at+jwt", "Application/AT+JWT"]) {
      await assertPublishes(hub, await hub.token({ publish: ["*"], header: { typ } }), typ);
    }
  });

  requirement(67, async (hubs) => {
    const hub = await hubs.open();
    const audiences = {
      "a string": hub.url,
      "a list of one": [hub.url],
      "a list of several": ["https://other.example", hub.url],
    };
    for (const [what, aud] of Object.entries(audiences)) {
      await assertPublishes(hub, await hub.token({ publish: ["*"], claims: { aud } }), what);
    }
  });

  requirement(68, async (hubs) => {
    const hub = await hubs.open();
    const now = Date.now() / 1000;
    const fractional = await hub.token({ publish: ["*"], claims: { exp: Math.floor(now) + 600.25 } });
    await assertPublishes(hub, fractional, "exp with a fraction");
    const all = { iat: now - 0.5, nbf: now - 0.5, exp: now + 600.5 };
    await assertPublishes(hub, await hub.token({ publish: ["*"], claims: all }), "all dates with fractions");
  });
}

/** The reason that the log gives for a refused request, in the one line that bears its id. */
async function reasonOf(hub: Hub, answer: Answer, what: string): Promise<unknown> {
  const requestId = answer.headers.get("X-Request-Id");
  assert.ok(requestId, `${what}: the response bears the id of the request`);
  const lines = await eventually(`the log line about ${what}`, () => {
    const found = hub.streamer.entries.filter((entry) => entry.requestId === requestId);
    return found.length > 0 ? found : undefined;
  });
  assert.equal(lines.length, 1, `${what}: one line in the log`);
  const { reason } = lines[0]!;
  assert.ok(typeof reason === "string" && reason !== "", `${what}: the line gives the reason`);
  return reason;
}

function registerDetails({ requirement }: Suite): void {
  const entry = (overrides: Record<string, unknown>) => ({
    type: DETAIL_TYPE,
    actions: ["publish", "subscribe"],
    topics: [{ match: "*" }],
    ...overrides,
  });

  requirement(80, async (hubs) => {
    const hub = await hubs.open();
    const some = await hub.token({ details: [entry({ actions: ["delete", "publish", "Subscribe"] })] });
    await assertPublishes(hub, some, "known beside unknown actions");
    const none = await hub.token({ details: [entry({ actions: ["delete", "PUBLISH"] })] });
    const answer = await hub.publish({ topic: unique() }, { token: none });
    assertRefused(answer, "insufficient_scope", "unknown actions only");

    const defects: Record<string, Record<string, unknown>> = {
      "an action that is a number": { actions: ["publish", 1] },
      "an action that is null": { actions: ["publish", null] },
      "an action that is a list": { actions: [["publish"]] },
      "actions that are text": { actions: "publish" },
      "empty actions": { actions: [] },
      "no actions": { actions: undefined },
      "empty topics": { topics: [] },
      "no topics": { topics: undefined },
      "topics that are text": { topics: "*" },
      "topics that are one object": { topics: { match: "*" } },
      "a topic that is text": { topics: ["https://example.test/x"] },
      "a topic that is text beside a good one": { topics: [{ match: "*" }, "x"] },
      "a topic that is null": { topics: [null] },
      "no match": { topics: [{ match_type: "exact" }] },
      "a match that is a number": { topics: [{ match: 1 }] },
      "an empty match": { topics: [{ match: "" }] },
      "an unknown match_type": { topics: [{ match: "x", match_type: "regexp" }] },
      "a match_type in capitals": { topics: [{ match: "x", match_type: "Exact" }] },
      "the type of the 0.x generation": { topics: [{ match: "{x}", match_type: "template" }] },
      "an unknown match_type for everything": { topics: [{ match: "*", match_type: "bogus" }] },
      "a match_type that is a number": { topics: [{ match: "x", match_type: 1 }] },
      "a pattern that is none": { topics: [{ match: "{open", match_type: "urlpattern" }] },
      "a pattern with an open group": { topics: [{ match: "/x/(", match_type: "urlpattern" }] },
      "a match with NUL": { topics: [{ match: "a\0b" }] },
      "a match with a line end": { topics: [{ match: "a\nb" }] },
      "a match with an invisible character": { topics: [{ match: "a\u200Bb" }] },
      "a pattern with a bidi control": { topics: [{ match: "/a\u202Eb", match_type: "urlpattern" }] },
      "a match above the length limit": { topics: [{ match: "x".repeat(4097) }] },
      "a payload that is no object": { payload: "text" },
      "a payload that is a list": { payload: [1] },
    };
    for (const [what, overrides] of Object.entries(defects)) {
      await assertInvalid(hub, await hub.token({ details: [entry(overrides)] }), what);
    }
  });

  requirement(81, async (hubs) => {
    const hub = await hubs.open();
    const good = entry({});
    const bad = entry({ actions: ["subscribe"], topics: [] });
    await assertPublishes(hub, await hub.token({ details: [good, good] }), "two good ones");
    for (const details of [[good, bad], [bad, good], [good, bad, good]]) {
      await assertInvalid(hub, await hub.token({ details }), "a bad one among good ones");
    }
  });

  requirement(82, async (hubs) => {
    const hub = await hubs.open();
    const foreign = [
      { type: "tenant", topics: "acme", actions: { read: true } },
      { type: "payment_initiation" },
      { type: `${DETAIL_TYPE}/`, actions: [] },
      { type: DETAIL_TYPE.toUpperCase(), actions: 1, topics: [null] },
      { type: "mercure", actions: ["publish"], topics: [{ match: "*" }] },
    ];
    const beside = await hub.token({ details: [...foreign, ...[entry({})]] });
    await assertPublishes(hub, beside, "beside a good one");
    const alone = await hub.token({ details: foreign });
    const answer = await hub.publish({ topic: unique() }, { token: alone });
    assertRefused(answer, "insufficient_scope", "foreign ones alone grant nothing");
    await using stream = await hub.subscribe({ match: unique() }, { token: alone });
    assert.equal(stream.response.status, 200, "and they do not make the token invalid");
  });

  requirement(83, async (hubs) => {
    const hub = await hubs.open();
    const topics = (count: number) => Array.from({ length: count }, (_, index) => ({ match: `t${index}` }));
    const everything = { match: "*" };
    const entries = (count: number) => Array.from({ length: count }, () => entry({ topics: [everything] }));
    await assertPublishes(hub, await hub.token({ details: entries(100) }), "100 details");
    await assertInvalid(hub, await hub.token({ details: entries(101) }), "101 details");
    const many = [entry({ topics: [everything, ...topics(99)] })];
    await assertPublishes(hub, await hub.token({ details: many }), "100 topics in one");
    const more = [entry({ topics: [everything, ...topics(100)] })];
    await assertInvalid(hub, await hub.token({ details: more }), "101 topics in one");
    const spread = [entry({ topics: [everything, ...topics(50)] }), entry({ topics: topics(50) })];
    await assertInvalid(hub, await hub.token({ details: spread }), "101 topics in two");
  });
}

function registerDecisions({ requirement }: Suite): void {
  requirement(74, async (hubs) => {
    const hub = await hubs.open();
    const [granted, other] = [unique("granted"), unique("other")];
    const token = await hub.token({ publish: [granted] });
    await using stream = await hub.subscribe([["match", granted], ["match", other]]);
    for (const topic of [[granted, other], [other, granted], [other]]) {
      assertRefused(await hub.publish({ topic }, { token }), "insufficient_scope", `${topic}`);
    }
    assert.deepEqual(await stream.drain(granted), [], "nothing was dispatched");
    assert.equal((await hub.publish({ topic: granted }, { token })).status, 200);
    const both = await hub.token({ details: [detail("publish", [granted]), detail("publish", [other])] });
    const answer = await hub.publish({ topic: [granted, other] }, { token: both });
    assert.equal(answer.status, 200, "a grant for each topic, in two details");
  });

  requirement(75, async (hubs) => {
    const hub = await hubs.open();
    for (const match_type of [undefined, "exact", "urlpattern"]) {
      const token = await hub.token({ publish: [{ match: "*", ...(match_type && { match_type }) }] });
      for (const topic of [unique(), "urn:a:b", "a b", "/relative", "http://[bad"]) {
        const { status, text } = await hub.publish({ topic: [topic, unique()] }, { token });
        assert.equal(status, 200, `${topic} with the type ${match_type}: ${text}`);
      }
    }
    const literal = await hub.token({ publish: ["https://example.test/*"] });
    const answer = await hub.publish({ topic: unique() }, { token: literal });
    assertRefused(answer, "insufficient_scope", "an exact match that only ends with the wildcard");
  });

  requirement(76, async (hubs) => {
    const hub = await hubs.open();
    const topic = unique();
    const subscribeOnly = await hub.token({ subscribe: ["*"] });
    const publishOnly = await hub.token({ publish: ["*"] });
    const answer = await hub.publish({ topic }, { token: subscribeOnly });
    assertRefused(answer, "insufficient_scope", "subscribe only");
    await using blind = await hub.subscribe({ match: topic }, { token: publishOnly });
    await using seeing = await hub.subscribe({ match: topic }, { token: subscribeOnly });
    const id = await hub.publishOk({ topic, private: "on" }, { token: publishOnly });
    await seeing.next(1);
    assert.equal(seeing.events[0]?.id, id);
    assert.deepEqual(await blind.drain(topic), [], "publish only");
  });

  requirement(77, async (hubs) => {
    const hub = await hubs.open();
    const topic = unique();
    await using stream = await hub.subscribe({ match: topic });
    await using wire = await hub.wire({ match: topic });
    const id = await hub.publishOk({ topic, private: "on", data: "secret" });
    assert.deepEqual(await stream.drain(topic), []);
    assert.equal(stream.ended, false, "the stream stays open");
    const text = await wire.until("the marker", (text) => text.includes("marker"));
    assert.ok(!text.includes(id) && !text.includes("secret"), "not a byte of it is on the wire");
  });

  requirement(78, async (hubs) => {
    const hub = await hubs.open();
    const [canonical, alternate, third] = [unique("canonical"), unique("alternate"), unique("third")];
    const cases = [
      { match: canonical, subscribe: alternate, delivered: true },
      { match: alternate, subscribe: canonical, delivered: true },
      { match: alternate, subscribe: alternate, delivered: true },
      { match: canonical, subscribe: third, delivered: false },
      { match: third, subscribe: canonical, delivered: false },
    ];
    for (const { match, subscribe, delivered } of cases) {
      const token = await hub.token({ subscribe: [subscribe] });
      await using stream = await hub.subscribe({ match }, { token });
      const id = await hub.publishOk({ topic: [canonical, alternate], private: "on" });
      const ids = (await stream.drain(match)).map((event) => event.id);
      assert.deepEqual(ids, delivered ? [id] : [], `match ${match}, grant ${subscribe}`);
    }
  });

  requirement(79, async (hubs) => {
    const hub = await hubs.open();
    const base = unique("broad");
    const token = await hub.token({
      subscribe: [`${base}/mine`, { match: `${base}/rooms/:id`, match_type: "urlpattern" }],
    });
    await using broad = await hub.subscribe({ match: "*" }, { token });
    await using pattern = await hub.subscribe({ match_urlpattern: `${base}/*` }, { token });
    const published = new Set<string | undefined>();
    for (const name of ["mine", "yours", "rooms/1", "rooms/1/2"]) {
      const topic = `${base}/${name}`;
      published.add(await hub.publishOk({ topic, data: `public ${name}` }));
      published.add(await hub.publishOk({ topic, data: `private ${name}`, private: "" }));
    }
    const wanted = [
      "public mine",
      "private mine",
      "public yours",
      "public rooms/1",
      "private rooms/1",
      "public rooms/1/2",
    ];
    const seen = (events: readonly Event[]) =>
      events.filter(({ id }) => published.has(id)).map(({ data }) => data);
    assert.deepEqual(seen(await broad.drain(`${base}/end`)), wanted, "match=*");
    assert.deepEqual(seen(await pattern.drain(`${base}/end`)), wanted, "a broad pattern");
  });
}

function registerLifetime({ requirement }: Suite): void {
  requirement(85, async (hubs) => {
    const check = async (HEARTBEAT: string) => {
      const hub = await hubs.open({ SUBSCRIPTIONS: "on", HEARTBEAT });
      const topic = unique();
      const exp = Date.now() / 1000 + 2;
      const token = await hub.token({ subscribe: [topic], claims: { exp } });
      await using stream = await hub.subscribe({ match: topic }, { token });
      // What was sent at `exp` or later must not come, however late it is that the end is seen here.
      await eventually("the end of the stream", async () => {
        await hub.publishOk({ topic, data: `${Date.now()}` });
        await hub.publishOk({ topic, data: `${Date.now()}`, private: "on" });
        return stream.ended && Date.now() > exp * 1000;
      });
      assert.ok(stream.events.length > 0, "until then the stream is one");
      for (const { data } of stream.events) {
        assert.ok(Number(data) < exp * 1000, `with HEARTBEAT=${HEARTBEAT}, ${data} came after ${exp}`);
      }
      const answer = await hub.get({ match: topic }, { token });
      assertRefused(answer, "invalid_token", "coming back with the same token");
    };
    await Promise.all(["0", "500ms"].map(check));
  });

  requirement(86, async (hubs) => {
    const hub = await hubs.open({ SUBSCRIPTIONS: "on", MAX_STREAM_LIFE: "1s" });
    const topic = unique();
    const opened = performance.now();
    const ends = Array.from({ length: 8 }, () => endOf(hub.urlOf({ match: topic })));
    for (const end of await Promise.all(ends)) {
      const life = end - opened;
      assert.ok(life >= 800, `a life of ${life} ms is shorter than 80 % of the longest`);
    }

    const ids: string[] = [];
    const seen: string[] = [];
    let streams = 0;
    let lastEventId = "earliest";
    const publishing = (async () => {
      while (streams < 3) ids.push(await hub.publishOk({ topic }));
    })();
    while (streams < 3 || seen.length < ids.length) {
      await using stream = await hub.subscribe({ match: topic, last_event_id: lastEventId });
      const enough = () => streams >= 3 && seen.length + stream.events.length >= ids.length;
      await eventually("the end of a stream", () => stream.ended || enough());
      streams++;
      seen.push(...stream.events.map(({ id = "" }) => id));
      lastEventId = seen.at(-1) ?? lastEventId;
      if (streams === 3) await publishing;
    }
    assert.deepEqual(seen, ids, "three streams in a row have everything, once and in order");
  });

  requirement(87, async (hubs) => {
    const hub = await hubs.open();
    const topic = unique();
    const token = await hub.token({ subscribe: [topic], claims: { exp: Math.floor(Date.now() / 1000) + 4 } });
    await using stream = await hub.subscribe({ match: topic }, { token });
    const id = await hub.publishOk({ topic, private: "on" });
    await stream.next(1);
    assert.equal(stream.events[0]?.id, id);
  });
}

/** Reads a stream until the hub ends it, and resolves with the time; where it is cut, that is an error. */
async function endOf(url: string): Promise<number> {
  const response = await fetch(url);
  await within("the end of a stream", response.text());
  return performance.now();
}

function registerReferences(suite: Suite): void {
  const reference = suite.reference.bind(suite, "Authorization");

  reference("without ANONYMOUS everybody needs a token to subscribe", async (hubs) => {
    const hub = await hubs.open(STRICT);
    const topic = unique();
    assertRefused(await hub.get({ match: topic }), "none", "no token");
    const headers = { Cookie: `${STRICT.COOKIE_NAME}=invalid` };
    assertRefused(await hub.get({ match: topic }, { headers }), "invalid_token", "no token but a cookie");
    await using stream = await hub.subscribe({ match: topic }, {
      token: await hub.token({ subscribe: [topic] }),
    });
    await hub.publishOk({ topic, private: "on", data: "private" });
    assert.deepEqual((await stream.drain(topic)).map(({ data }) => data), ["private"]);
  });

  reference("a cookie reads what is private, and no Origin is asked for that", async (hubs) => {
    const hub = await hubs.open();
    const topic = unique();
    const headers = { Cookie: `a=b; ${COOKIE_NAME}=${await hub.token({ subscribe: [topic] })}` };
    await using stream = await hub.subscribe({ match: topic }, { headers });
    await hub.publishOk({ topic, private: "on", data: "private" });
    assert.deepEqual((await stream.drain(topic)).map(({ data }) => data), ["private"]);
  });

  reference("the cookie has the name that is set, and no other", async (hubs) => {
    const hub = await hubs.open(STRICT);
    const token = await almighty(hub);
    const send = (name: string) =>
      hub.publish({ topic: unique() }, {
        token: null,
        headers: { Cookie: `${name}=${token}`, Origin: COOKIE_ORIGIN },
      });
    assert.equal((await send(STRICT.COOKIE_NAME)).status, 200);
    assertRefused(await send(COOKIE_NAME), "none", "the usual name");
    assertRefused(await send(STRICT.COOKIE_NAME.toUpperCase()), "none", "the name in capitals");
  });

  reference("the keys for publishing and for subscribing are apart, for each issuer", async (hubs) => {
    const [publisher, subscriber] = ["secret of the publishers, long", "secret of the subscribers, lng"]
      .map((secret) => secret.padEnd(32, "."));
    const issuers = [
      {
        issuer: "https://both.example",
        publisher: { secret: publisher },
        subscriber: { secret: subscriber },
      },
      { issuer: "https://reader.example", subscriber: { secret: subscriber } },
    ];
    await using hub = await hubWithIssuers(await hubs.open(), issuers);
    const topic = unique();
    const token = (iss: string, key = "") =>
      hub.token({ publish: ["*"], subscribe: ["*"], claims: { iss }, key });
    const both = await token("https://both.example", publisher);
    assert.equal((await hub.publish({ topic }, { token: both })).status, 200);
    assertRefused(
      await hub.get({ match: topic }, { token: both }),
      "invalid_token",
      "a publisher's, to read",
    );
    for (const iss of ["https://both.example", "https://reader.example"]) {
      const reader = await token(iss, subscriber);
      assertRefused(await hub.publish({ topic }, { token: reader }), "invalid_token", `${iss}, to publish`);
      await using stream = await hub.subscribe({ match: topic }, { token: reader });
      assert.equal(stream.response.status, 200, iss);
    }
  });

  reference("where no issuer can publish, POST is not allowed", async (hubs) => {
    const hub = await hubs.open({ ...NO_ISSUER, SUBSCRIPTIONS: "on" });
    const answer = await hub.publish({ topic: unique() });
    assert.equal(answer.status, 405);
    assert.doesNotMatch(answer.headers.get("Allow") ?? "", /POST/);
    assert.equal((await hub.publish({ topic: unique() }, { token: null })).status, 405);
  });

  reference("a public key for an HMAC algorithm does not start", async () => {
    const { publicKey } = await generateKeyPair("RS256", { extractable: true });
    const JWT_KEY = await exportSPKI(publicKey);
    for (const JWT_ALG of ["HS256", "HS512"]) {
      await using service = startService("streamer", { PORT: "0", JWT_ISSUER: ISSUER, JWT_KEY, JWT_ALG });
      const { code } = await within("its end", service.exit);
      assert.equal(code, 2, JWT_ALG);
      assert.ok(service.entries.some(({ level }) => level === "error"), "it says why");
      assert.ok(!JSON.stringify(service.entries).includes("BEGIN PUBLIC KEY"), "and does not show the key");
    }
  });

  reference("what is no algorithm, key or issuer does not start", async () => {
    const wrong: Record<string, Record<string, string>> = {
      "an unknown algorithm": { JWT_ISSUER: ISSUER, JWT_KEY: KEY, JWT_ALG: "HS257" },
      "the algorithm none": { JWT_ISSUER: ISSUER, JWT_KEY: KEY, JWT_ALG: "none" },
      "a secret for RSA": { JWT_ISSUER: ISSUER, JWT_KEY: KEY, JWT_ALG: "RS256" },
      "a PEM that is none": {
        JWT_ISSUER: ISSUER,
        JWT_KEY: "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
      },
      "a key without an issuer": { JWT_KEY: KEY },
      "a hub URL that is relative": { HUB_URL: "hub" },
      "a hub URL with a fragment": { HUB_URL: "https://hub.example/x#y" },
      "an origin with a path": { PUBLISH_ORIGINS: "https://app.example/path" },
      "an origin without a scheme": { PUBLISH_ORIGINS: "app" },
    };
    await using forwarder = await startForwarder();
    for (const [what, env] of Object.entries(wrong)) {
      await using service = startService("streamer", { PORT: "0", ...forwarder.ports, ...env });
      const { code } = await within(`the end with ${what}`, service.exit);
      assert.equal(code, 2, what);
      assert.ok(!JSON.stringify(service.entries).includes(KEY), `${what}: the key is not shown`);
    }
  });

  reference("a key of each kind verifies, and only with its own algorithm", async (hubs) => {
    const pairs = await Promise.all(
      ["RS256", "PS256", "ES256", "ES384", "ES512", "EdDSA"].map(async (alg) => {
        const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
        return { alg, privateKey, pem: await exportSPKI(publicKey) };
      }),
    );
    const issuers = pairs.map(({ alg, pem }) => ({ issuer: `https://${alg}.example`, keys: [{ pem, alg }] }));
    await using hub = await hubWithIssuers(await hubs.open(), issuers);
    for (const { alg, privateKey } of pairs) {
      const claims = { ...goodClaims(hub.url, [detail("publish", ["*"])]), iss: `https://${alg}.example` };
      const token = await sign({ alg, typ: "at+jwt" }, claims, privateKey);
      await assertPublishes(hub, token, alg);
      await assertInvalid(hub, withBrokenSignature(token), `${alg}, broken`);
    }
    const [rsa] = pairs;
    for (const alg of ["RS512", "PS256"]) {
      const { privateKey } = rsa!;
      const key = await crypto.subtle.importKey(
        "pkcs8",
        await crypto.subtle.exportKey("pkcs8", privateKey),
        { name: alg === "PS256" ? "RSA-PSS" : "RSASSA-PKCS1-v1_5", hash: `SHA-${alg.slice(2)}` },
        false,
        ["sign"],
      );
      const claims = { ...goodClaims(hub.url, [detail("publish", ["*"])]), iss: "https://RS256.example" };
      await assertInvalid(hub, await sign({ alg, typ: "at+jwt" }, claims, key), `${alg} for RS256`);
    }
  });

  reference("a PEM key may stand on one line", async (hubs) => {
    const { privateKey, publicKey } = await generateKeyPair("EdDSA");
    const JWT_KEY = (await exportSPKI(publicKey)).replaceAll("\n", "\\n");
    const hub = await hubs.open({ JWT_KEY });
    const token = await mint(hub.url, { publish: ["*"], header: { alg: "EdDSA" }, key: privateKey });
    await assertPublishes(hub, token, "without JWT_ALG");
  });

  reference("a token without authorization_details is valid and grants nothing", async (hubs) => {
    const hub = await hubs.open();
    const topic = unique();
    for (const details of [undefined, []]) {
      const token = await hub.token({ details });
      const answer = await hub.publish({ topic }, { token });
      assertRefused(answer, "insufficient_scope", JSON.stringify(details) ?? "none");
      await using stream = await hub.subscribe({ match: topic }, { token });
      await hub.publishOk({ topic, private: "on" });
      assert.deepEqual(await stream.drain(topic), []);
    }
  });

  reference("several grants are one: any of them lets an update through", async (hubs) => {
    const hub = await hubs.open();
    const topics = [unique("a"), unique("b"), unique("c")];
    const [a = "", b = "", c = ""] = topics;
    const token = await hub.token({ details: [detail("subscribe", [a]), detail("subscribe", [b])] });
    await using stream = await hub.subscribe({ match: topics }, { token });
    const ids = [];
    for (const topic of topics) ids.push(await hub.publishOk({ topic, private: "on" }));
    assert.deepEqual((await stream.drain(c)).map(({ id }) => id), ids.slice(0, 2));
  });

  reference("the audience is the hub as the request names it, or the pinned one alone", async (hubs) => {
    const HUB_URL = "https://localhost/.well-known/mercure";
    const hub = await hubs.open({ HUB_URL });
    await assertPublishes(hub, await mint(HUB_URL, { publish: ["*"] }), "the pinned one");
    await assertInvalid(hub, await hub.token({ publish: ["*"] }), "the one that the request names");
    const answer = await hub.publish({ topic: unique() }, { token: null });
    assert.equal(
      challengeOf(answer).resource_metadata,
      "https://localhost/.well-known/oauth-protected-resource/.well-known/mercure",
    );
  });
}
