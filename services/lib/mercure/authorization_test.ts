import assert from "node:assert/strict";
import { createHmac, generateKeyPairSync } from "node:crypto";
import { CompactSign, exportJWK, exportSPKI, generateKeyPair, type JWK } from "jose";
import { within } from "../testing/deadline.ts";
import { Topic } from "../matcher.ts";
import { Authorization, type AuthorizationOptions, InvalidTokenError, type Role } from "./authorization.ts";
import { DETAIL_TYPE } from "./authorization_details.ts";
import type { Issuer, KeySource } from "./issuers.ts";
import type { Jwk } from "./keys.ts";

const HUB = "https://hub.test/.well-known/mercure";
const SHOP = "https://shop.test";
const SECRET = "a secret of the shop that is long enough for everything, which means sixty-four bytes";
const LIMITS: AuthorizationOptions = { maxDetails: 100, maxMatcherLength: 4096, hubUrl: HUB };

type Json = Record<string, unknown>;
const bytes = (text: string) => new TextEncoder().encode(text);
const seconds = () => Date.now() / 1000;

function secretKey(secret = SECRET, algorithm: "HS256" | "HS384" | "HS512" = "HS256"): KeySource {
  return { kind: "secret", secret: bytes(secret), algorithm };
}

function issuerWith(keys: readonly KeySource[], overrides: Partial<Issuer> = {}): Issuer {
  return { issuer: SHOP, publisherKeys: keys, subscriberKeys: keys, legacy: false, ...overrides };
}

function open(
  issuers: readonly Issuer[],
  options: Partial<AuthorizationOptions> = {},
): Promise<Authorization> {
  return Authorization.open(issuers, { ...LIMITS, ...options });
}

const PUBLISH_ALL = [{ type: DETAIL_TYPE, actions: ["publish"], topics: [{ match: "*" }] }];

function claimsWith(overrides: Json = {}): Json {
  const claims: Json = {
    iss: SHOP,
    aud: HUB,
    exp: Math.floor(seconds()) + 600,
    authorization_details: PUBLISH_ALL,
    ...overrides,
  };
  return Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== undefined));
}

/** A token with these claims, however wrong they are. */
function sign(
  claims: Json,
  { key = bytes(SECRET), ...header }: Json & { key?: CryptoKey | Uint8Array } = {},
): Promise<string> {
  const protectedHeader = { alg: "HS256", typ: "at+jwt", ...header };
  const defined = Object.fromEntries(
    Object.entries(protectedHeader).filter(([, value]) => value !== undefined),
  );
  return new CompactSign(bytes(JSON.stringify(claims)))
    .setProtectedHeader(defined as { alg: string })
    .sign(key, { crit: { "x-own": true } });
}

/** One that is put together by hand, for headers with which no library signs. */
function forge(header: Json, claims: Json, signatureOf: (text: string) => Uint8Array): string {
  const part = (value: Uint8Array) => value.toBase64({ alphabet: "base64url", omitPadding: true });
  const text = [header, claims].map((value) => part(bytes(JSON.stringify(value)))).join(".");
  return `${text}.${part(signatureOf(text))}`;
}

/** Why a token is refused. */
async function reasonOf(
  authorization: Authorization,
  token: string,
  role: Role = "publish",
): Promise<string> {
  try {
    await authorization.authorize(token, { role, hubUrl: HUB });
  } catch (error) {
    assert.ok(error instanceof InvalidTokenError, String(error));
    const { accepted, checks } = await authorization.explain(token, { role, hubUrl: HUB });
    assert.equal(accepted, false);
    assert.equal(checks.find(({ ok }) => !ok)?.detail, error.message, "explain() and authorize() disagree");
    const parts = token.split(".").filter((part) => part.length > 10);
    assert.ok(![SECRET, ...parts].some((part) => error.message.includes(part)), error.message);
    assert.ok(error.message.length < 1000 && !/[\p{Cc}\p{Cf}]/u.test(error.message), error.message);
    return error.message;
  }
  assert.fail("The token was accepted");
}

function accept(authorization: Authorization, token: string, role: Role = "publish") {
  return authorization.authorize(token, { role, hubUrl: HUB });
}

Deno.test("a token with everything right is accepted, with what it grants and until when", async () => {
  const authorization = await open([issuerWith([secretKey()])]);
  const claims = claimsWith({
    authorization_details: [
      ...PUBLISH_ALL,
      { type: DETAIL_TYPE, actions: ["subscribe"], topics: [{ match: "/a" }], payload: { desk: 3 } },
    ],
  });
  const grants = await accept(authorization, await sign(claims));
  assert.ok(grants.publish.every((matcher) => matcher.matches(new Topic("https://any.test/"))));
  assert.deepEqual(grants.subscribe.map(({ payload }) => payload), [{ desk: 3 }]);
  assert.equal(grants.expiresAt, Number(claims.exp) * 1000);
  assert.equal(grants.legacy, false);
  assert.match(grants.tokenId, /^[A-Za-z0-9_-]{43}$/);
});

Deno.test("each defect of a token is refused with a reason of its own", async (t) => {
  const authorization = await open([
    issuerWith([secretKey()]),
    issuerWith([secretKey("another secret of another issuer, just as long")], {
      issuer: "https://other.test",
    }),
  ]);
  const now = Math.floor(seconds());
  const cases: Record<string, [claims: Json, header: Json & { key?: Uint8Array }, wanted: RegExp]> = {
    "a bad signature": [{}, { key: bytes("x".repeat(40)) }, /^its signature does not fit the key of issuer/],
    "another issuer's key": [{ iss: "https://other.test" }, {}, /^its signature does not fit .*other/],
    "an unknown issuer": [
      { iss: "https://evil.test" },
      {},
      /"https:\/\/evil\.test" is not configured \(known: /,
    ],
    "no issuer": [{ iss: undefined }, {}, /^it has no iss/],
    "an issuer that is a list": [{ iss: [SHOP] }, {}, /is not configured/],
    "another audience": [
      { aud: "https://else.test/" },
      {},
      /^its aud is "https:\/\/else.test\/", and this hub is "https:\/\/hub\.test/,
    ],
    "an audience that only begins alike": [{ aud: `${HUB}/` }, {}, /^its aud is/],
    "an empty audience": [{ aud: [] }, {}, /^its aud is \[\]/],
    "no audience": [{ aud: undefined }, {}, /^it has no aud/],
    "an end in the past": [{ exp: now - 12 }, {}, /^it expired 1[23] s ago$/],
    "an end long ago": [{ exp: now - 86_400 * 30 }, {}, /^it expired 3[01] days ago$/],
    "no end": [{ exp: undefined }, {}, /^it has no exp$/],
    "an end as text": [{ exp: `${now + 60}` }, {}, /^its exp is ".*", but must be seconds/],
    "a start in the future": [{ nbf: now + 60 }, {}, /^it is not valid before (59|60) s have passed$/],
    "a start as text": [{ nbf: "now" }, {}, /^its nbf is "now"/],
    "typ JWT": [{}, { typ: "JWT" }, /^its typ is "JWT", but must be at\+jwt$/],
    "no typ": [{}, { typ: undefined }, /^it has no typ/],
    "a typ around the right one": [{}, { typ: "xat+jwt" }, /^its typ is/],
    "another algorithm for the secret": [
      {},
      { alg: "HS512" },
      /no key for publishing with alg "HS512", but HS256$/,
    ],
    "an extension that it demands": [{}, { "x-own": 1, crit: ["x-own"] }, /^its crit \["x-own"\]/],
    "details that are none": [{ authorization_details: {} }, {}, /^authorization_details is no list/],
    "a claim that hurts terminals": [{ iss: "\x1b[2J\u202e" + "x".repeat(9999) }, {}, /is not configured/],
  };
  for (const [name, [claims, header, wanted]] of Object.entries(cases)) {
    await t.step(name, async () => {
      assert.match(await reasonOf(authorization, await sign(claimsWith(claims), header)), wanted);
    });
  }
  // The other direction: none of the refusals above was for another reason.
  await accept(authorization, await sign(claimsWith()));
});

Deno.test("text that is no JWT is refused, whatever it is", async () => {
  const authorization = await open([issuerWith([secretKey()])]);
  const token = await sign(claimsWith());
  const [header = "", claims = "", signature = ""] = token.split(".");
  const broken = [
    "",
    ".",
    "..",
    "x".repeat(60),
    `${header}.${claims}`,
    `${header}.${claims}.`,
    `${token}.x`,
    `${header}.${claims}.${signature}.${signature}.${signature}`,
    `${btoa("[]")}.${claims}.${signature}`,
    `${header}.${btoa('"text"')}.${signature}`,
    `${header}.${btoa("{")}.${signature}`,
    `${header}.é.${signature}`,
    `${header}.${claims}.é`,
    `${header}.${claims}.${signature.slice(4)}`,
  ];
  for (const text of broken) await reasonOf(authorization, text);
});

Deno.test("algorithms that no key is for are refused: none, and those that are not allowed", async () => {
  const { publicKey, privateKey } = await generateKeyPair("RS256", { extractable: true });
  const pem = await exportSPKI(publicKey);
  const authorization = await open([issuerWith([{ kind: "pem", pem }])]);
  for (const alg of ["none", "None", "NONE"]) {
    const token = forge({ alg, typ: "at+jwt" }, claimsWith(), () => new Uint8Array());
    assert.match(await reasonOf(authorization, token), /^its alg "none" is not allowed$/i);
  }
  assert.match(
    await reasonOf(authorization, forge({ typ: "at+jwt" }, claimsWith(), () => new Uint8Array(9))),
    /^it has no alg$/,
  );
  for (const alg of [["RS256"], "rs256", "RSA1_5", "ES256K", "__proto__", null]) {
    const token = forge({ alg, typ: "at+jwt" }, claimsWith(), () => new Uint8Array(256));
    assert.match(await reasonOf(authorization, token), /is not allowed/);
  }
  await accept(authorization, await sign(claimsWith(), { alg: "RS256", key: privateKey }));
});

Deno.test("a public key does not serve as the secret of HMAC", async () => {
  const { publicKey } = await generateKeyPair("RS256", { extractable: true });
  const pem = await exportSPKI(publicKey);
  const jwk = await exportJWK(publicKey);
  const sources: KeySource[] = [{ kind: "pem", pem }, { kind: "jwks", jwks: { keys: [{ ...jwk }] } }];
  for (const source of sources) {
    const authorization = await open([issuerWith([source])]);
    for (const secret of [pem, pem.trim(), JSON.stringify(jwk), jwk.n ?? ""]) {
      const token = forge(
        { alg: "HS256", typ: "at+jwt" },
        claimsWith(),
        (text) => new Uint8Array(createHmac("sha256", secret).update(text).digest()),
      );
      assert.match(await reasonOf(authorization, token), /no key for publishing with alg "HS256"/);
    }
  }
});

Deno.test("keys that a token brings along have no effect", async () => {
  const authorization = await open([issuerWith([secretKey()])]);
  const own = await generateKeyPair("ES256", { extractable: true });
  const jwk = await exportJWK(own.publicKey);
  let requests = 0;
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, () => {
    requests++;
    return Response.json({ keys: [jwk] });
  });
  const url = `http://127.0.0.1:${server.addr.port}/keys`;
  for (
    const header of [{ jwk }, { jku: url }, { x5u: url }, { x5c: ["AAAA"] }, { jwk, jku: url, kid: "a" }]
  ) {
    const forged = await sign(claimsWith(), { alg: "ES256", key: own.privateKey, ...header });
    await reasonOf(authorization, forged);
    await accept(authorization, await sign(claimsWith(), header));
  }
  assert.equal(requests, 0);
});

Deno.test("all allowed algorithms are verified, with keys as PEM and in sets", async (t) => {
  const algorithms = [
    "EdDSA",
    "ES256",
    "ES384",
    "ES512",
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
  ];
  for (const alg of algorithms) {
    await t.step(alg, async () => {
      const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
      const jwks = { keys: [{ ...await exportJWK(publicKey) }] };
      const pem = await exportSPKI(publicKey);
      const token = await sign(claimsWith(), { alg, key: privateKey });
      for (const source of [{ kind: "pem", pem }, { kind: "jwks", jwks }] as const) {
        await accept(await open([issuerWith([source])]), token);
      }
      const other = await generateKeyPair(alg, { extractable: true });
      const stranger = await open([issuerWith([{ kind: "pem", pem: await exportSPKI(other.publicKey) }])]);
      assert.match(await reasonOf(stranger, token), /^its signature does not fit/);
    });
  }
  for (const alg of ["HS256", "HS384", "HS512"] as const) {
    await accept(
      await open([issuerWith([secretKey(SECRET, alg)])]),
      await sign(claimsWith(), { alg }),
    );
  }
});

Deno.test("a PEM key with an algorithm takes no other", async () => {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "der" },
  });
  const keyFor = (alg: string) =>
    crypto.subtle.importKey(
      "pkcs8",
      new Uint8Array(privateKey),
      { name: alg.startsWith("PS") ? "RSA-PSS" : "RSASSA-PKCS1-v1_5", hash: `SHA-${alg.slice(2)}` },
      false,
      ["sign"],
    );
  const authorization = await open([issuerWith([{ kind: "pem", pem: publicKey, algorithm: "PS256" }])]);
  await accept(authorization, await sign(claimsWith(), { alg: "PS256", key: await keyFor("PS256") }));
  const other = await sign(claimsWith(), { alg: "RS256", key: await keyFor("RS256") });
  assert.match(await reasonOf(authorization, other), /with alg "RS256", but PS256$/);
});

Deno.test("typ, aud and exp are accepted in every form that the standards allow", async (t) => {
  const authorization = await open([issuerWith([secretKey()], { audience: ["urn:hub"] })]);
  for (const typ of ["at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt"]) {
    await t.step(
      `typ ${typ}`,
      async () => void await accept(authorization, await sign(claimsWith(), { typ })),
    );
  }
  for (const aud of [HUB, [HUB], ["https://else.test", HUB], "urn:hub", ["urn:hub"]]) {
    await t.step(`aud ${aud}`, async () => void await accept(authorization, await sign(claimsWith({ aud }))));
  }
  await t.step("exp with a fraction", async () => {
    const exp = Math.floor(seconds()) + 60.25;
    const { expiresAt } = await accept(authorization, await sign(claimsWith({ exp })));
    assert.equal(expiresAt, exp * 1000);
    assert.match(await reasonOf(authorization, await sign(claimsWith({ exp: seconds() - 0.25 }))), /expired/);
  });
  await t.step("exp in a second", async () => {
    await accept(authorization, await sign(claimsWith({ exp: seconds() + 1 })));
  });
  await t.step("exp too large for a number", async () => {
    const key = bytes(SECRET);
    const text = JSON.stringify(claimsWith({ exp: 0 })).replace('"exp":0', '"exp":1e999');
    const token = await new CompactSign(bytes(text)).setProtectedHeader({ alg: "HS256", typ: "at+jwt" }).sign(
      key,
    );
    assert.match(await reasonOf(authorization, token), /^its exp is/);
  });
  await t.step("nbf that has passed", async () => {
    await accept(authorization, await sign(claimsWith({ nbf: seconds() - 0.5 })));
  });
});

Deno.test("the audience is the hub that was asked", async () => {
  const authorization = await open([issuerWith([secretKey()])]);
  const token = await sign(claimsWith());
  const options = { role: "publish", hubUrl: "https://other.test/.well-known/mercure" } as const;
  await assert.rejects(authorization.authorize(token, options), InvalidTokenError);
});

Deno.test("publishers and subscribers may have different keys, and each has its own role only", async () => {
  const [a, b] = ["publishers' secret, long enough for it", "subscribers' secret, long enough for it"];
  const authorization = await open([
    issuerWith([], { publisherKeys: [secretKey(a)], subscriberKeys: [secretKey(b)] }),
  ]);
  const [publisher, subscriber] = [
    await sign(claimsWith(), { key: bytes(a) }),
    await sign(claimsWith(), { key: bytes(b) }),
  ];
  await accept(authorization, publisher, "publish");
  await accept(authorization, subscriber, "subscribe");
  await reasonOf(authorization, publisher, "subscribe");
  await reasonOf(authorization, subscriber, "publish");
  assert.equal(authorization.canPublish(), true);
  const readers = await open([issuerWith([], { subscriberKeys: [secretKey(b)] })]);
  assert.equal(readers.canPublish(), false);
  assert.match(await reasonOf(readers, publisher), /has no key for publishing$/);
});

Deno.test("while keys are rotated, old and new ones are accepted; kid picks among the trusted", async () => {
  const pairs = await Promise.all(["old", "new", "stranger"].map(async (kid) => {
    const pair = await generateKeyPair("ES256", { extractable: true });
    return { ...pair, jwk: { ...await exportJWK(pair.publicKey), kid } as Jwk };
  }));
  const [older, newer, stranger] = pairs as [typeof pairs[0], typeof pairs[0], typeof pairs[0]];
  const authorization = await open([
    issuerWith([
      { kind: "jwks", jwks: { keys: [older.jwk, newer.jwk] } },
      secretKey(),
      secretKey("x".repeat(32)),
    ]),
  ]);
  const es256 = (key: CryptoKey, kid?: string) => sign(claimsWith(), { alg: "ES256", key, kid });
  for (const { privateKey, jwk } of [older, newer]) {
    await accept(authorization, await es256(privateKey));
    await accept(authorization, await es256(privateKey, String(jwk.kid)));
  }
  assert.match(await reasonOf(authorization, await es256(older.privateKey, "new")), /signature/);
  assert.match(await reasonOf(authorization, await es256(stranger.privateKey, "old")), /signature/);
  assert.match(
    await reasonOf(authorization, await es256(older.privateKey, "stranger")),
    /and kid "stranger", but /,
  );
  // A secret has no name, so the name says nothing about it.
  await accept(authorization, await sign(claimsWith(), { kid: "whatever" }));
  await accept(authorization, await sign(claimsWith(), { key: bytes("x".repeat(32)) }));
});

Deno.test("keys in a set that serve something else are left out", async () => {
  const { publicKey, privateKey } = await generateKeyPair("ES256", { extractable: true });
  const jwk: JWK = await exportJWK(publicKey);
  const encrypting = await exportJWK((await generateKeyPair("ES256", { extractable: true })).publicKey);
  const jwks = {
    keys: [{ ...encrypting, use: "enc" }, { kty: "EC", crv: "secp256k1", x: "AA", y: "AA" }, {
      ...jwk,
      use: "sig",
    }],
  };
  const authorization = await open([issuerWith([{ kind: "jwks", jwks }])]);
  await accept(authorization, await sign(claimsWith(), { alg: "ES256", key: privateKey }));
});

/** A server of keys, whose answer and number of requests a test can see to. */
function serveKeys(answer: () => Response) {
  const state = { answer, requests: 0, url: "" };
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, () => {
    state.requests++;
    return state.answer();
  });
  state.url = `http://127.0.0.1:${server.addr.port}/keys?secret=1`;
  return Object.assign(state, { [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() });
}

Deno.test("keys are fetched from the issuer's URL once, and not from where it redirects to", async () => {
  const { publicKey, privateKey } = await generateKeyPair("RS256", { extractable: true });
  const jwk = { ...await exportJWK(publicKey), kid: "1", alg: "RS256", use: "sig" };
  await using keys = serveKeys(() => Response.json({ keys: [jwk] }));
  const source: KeySource = { kind: "jwks-url", url: keys.url };
  const authorization = await open([issuerWith([source])]);
  assert.deepEqual(authorization.authorizationServers, [SHOP]);
  assert.equal(keys.requests, 0);
  const token = await sign(claimsWith(), { alg: "RS256", kid: "1", key: privateKey });
  await within("a burst", Promise.all(Array.from({ length: 20 }, () => accept(authorization, token))));
  await accept(authorization, token, "subscribe");
  assert.equal(keys.requests, 1);
  await accept(authorization, await sign(claimsWith(), { alg: "RS256", key: privateKey }));
  const forged = await sign(claimsWith(), { alg: "RS256", kid: "2", key: privateKey });
  assert.match(
    await reasonOf(authorization, forged),
    /no key .* and kid "2", but the keys of http:.*\/keys$/,
  );
  assert.match(await reasonOf(authorization, await sign(claimsWith())), /with alg "HS256"/);
  assert.equal(keys.requests, 1, "unknown names must not make it fetch at will");

  await using redirect = serveKeys(() => Response.redirect(keys.url));
  const astray = await open([issuerWith([{ kind: "jwks-url", url: redirect.url }])]);
  assert.match(await reasonOf(astray, token), /cannot be had: the answer was 302$/);
});

Deno.test("several keys at a URL without names are all tried", async () => {
  const pairs = await Promise.all([1, 2].map(() => generateKeyPair("EdDSA", { extractable: true })));
  const set = await Promise.all(pairs.map(({ publicKey }) => exportJWK(publicKey)));
  await using keys = serveKeys(() => Response.json({ keys: set }));
  const authorization = await open([issuerWith([{ kind: "jwks-url", url: keys.url }])]);
  for (const { privateKey } of pairs) {
    await accept(authorization, await sign(claimsWith(), { alg: "EdDSA", key: privateKey }));
  }
});

Deno.test("when keys cannot be fetched, the reason says so, and the server is not asked at every request", async () => {
  const { publicKey, privateKey } = await generateKeyPair("ES256", { extractable: true });
  const jwk = await exportJWK(publicKey);
  const token = await sign(claimsWith(), { alg: "ES256", key: privateKey });
  for (
    const [answer, wanted] of [
      [() => new Response("no", { status: 503 }), /cannot be had: the answer was 503$/],
      [() => new Response("<html>"), /the answer is no set of keys$/],
      [() => Response.json({ keys: 1 }), /the answer is no set of keys$/],
    ] as const
  ) {
    await using keys = serveKeys(answer);
    const authorization = await open([issuerWith([{ kind: "jwks-url", url: keys.url }])]);
    const reason = await reasonOf(authorization, token);
    assert.match(reason, wanted);
    assert.ok(!reason.includes("secret="), reason);
    keys.answer = () => Response.json({ keys: [jwk] });
    await reasonOf(authorization, token);
    assert.equal(keys.requests, 1);
  }
  const closed = serveKeys(() => new Response());
  await closed[Symbol.asyncDispose]();
  const authorization = await open([issuerWith([{ kind: "jwks-url", url: closed.url }, secretKey()])]);
  assert.match(await reasonOf(authorization, token), /^the keys of http:\/\/127.*\/keys cannot be had: /);
  // Other keys of the same issuer are not held up by it.
  await accept(authorization, await sign(claimsWith()));
});

/** A clock that can be put forward. */
function movableClock(): { forward(ms: number): void } & Disposable {
  const { now } = Date;
  let offset = 0;
  Date.now = () => now.call(Date) + offset;
  return {
    forward: (ms) => void (offset += ms),
    [Symbol.dispose]: () => void (Date.now = now),
  };
}

Deno.test("fetched keys are fetched anew when a token names a new one, and outlive an hour of outage", async () => {
  using clock = movableClock();
  const [older, newer] = await Promise.all(["old", "new"].map(async (kid) => {
    const { publicKey, privateKey } = await generateKeyPair("ES256", { extractable: true });
    const token = await sign(claimsWith({ exp: seconds() + 90_000 }), { alg: "ES256", kid, key: privateKey });
    return { token, jwk: { ...await exportJWK(publicKey), kid } };
  }));
  assert.ok(older && newer);
  let published = [older.jwk];
  const answer = () => Response.json({ keys: published });
  await using keys = serveKeys(answer);
  const authorization = await open([issuerWith([{ kind: "jwks-url", url: keys.url }])]);
  await accept(authorization, older.token);
  await reasonOf(authorization, newer.token);
  published = [older.jwk, newer.jwk];
  clock.forward(31_000);
  await accept(authorization, newer.token);
  assert.equal(keys.requests, 2);
  keys.answer = () => new Response("gone", { status: 500 });
  clock.forward(50 * 60_000);
  await accept(authorization, newer.token);
  assert.equal(keys.requests, 3);
  clock.forward(21 * 60_000);
  assert.match(await reasonOf(authorization, newer.token), /cannot be had: the answer was 500$/);
  keys.answer = answer;
  clock.forward(6000);
  await accept(authorization, newer.token);
});

Deno.test("an id stands for what was signed: other signatures of it are the same token", async () => {
  const { publicKey, privateKey } = await generateKeyPair("PS256", { extractable: true });
  const authorization = await open([issuerWith([{ kind: "pem", pem: await exportSPKI(publicKey) }])]);
  const claims = claimsWith();
  const token = () => sign(claims, { alg: "PS256", key: privateKey });
  const [first, second] = [await token(), await token()];
  assert.notEqual(first, second);
  const [id, sameId] = [await accept(authorization, first), await accept(authorization, second)];
  assert.equal(id.tokenId, sameId.tokenId);
  const other = await accept(
    authorization,
    await sign({ ...claims, jti: "2" }, { alg: "PS256", key: privateKey }),
  );
  assert.notEqual(other.tokenId, id.tokenId);
});

Deno.test("without issuers no token is accepted", async () => {
  const authorization = await open([]);
  assert.equal(authorization.configured, false);
  assert.equal(authorization.canPublish(), false);
  assert.deepEqual(authorization.warnings, []);
  assert.match(await reasonOf(authorization, await sign(claimsWith())), /\(no issuer is\)$/);
});

const LEGACY_CLAIM = { publish: ["*"], subscribe: ["/users/{id}"], payload: { user: 7 } };

Deno.test("an issuer that is set to legacy has its 0.x tokens checked as 0.x did", async (t) => {
  const authorization = await open([issuerWith([secretKey()], { legacy: true })]);
  assert.equal(authorization.legacy, true);
  const legacy = (claims: Json, header: Json & { key?: Uint8Array } = {}) =>
    sign(claims, { typ: "JWT", ...header });
  const cases: Record<string, [claims: Json, header?: Json]> = {
    "as Symfony sends it": [{ mercure: LEGACY_CLAIM, exp: seconds() + 60.25 }],
    "without an end": [{ mercure: LEGACY_CLAIM }],
    "of another iss": [{ mercure: LEGACY_CLAIM, iss: "https://else.test" }],
    "without typ": [{ mercure: LEGACY_CLAIM }, { typ: undefined }],
    "for another aud": [{ mercure: LEGACY_CLAIM, aud: "https://else.test" }],
    "with the long claim": [{ "https://mercure.rocks/": LEGACY_CLAIM, mercure: { publish: [] } }],
  };
  for (const [name, [claims, header]] of Object.entries(cases)) {
    await t.step(name, async () => {
      const grants = await accept(authorization, await legacy(claims, header));
      assert.equal(grants.legacy, true);
      assert.deepEqual(grants.publish.map(({ pattern }) => pattern), ["*"]);
      assert.deepEqual(grants.payload, { user: 7 });
      assert.ok(grants.subscribe[0]?.matchers[0]?.matches(new Topic("/users/7")));
    });
  }
  const refused: Record<string, [claims: Json, header: Json & { key?: Uint8Array }, wanted: RegExp]> = {
    "a bad signature": [{ mercure: LEGACY_CLAIM }, { key: bytes("x".repeat(40)) }, /signature/],
    "another algorithm": [{ mercure: LEGACY_CLAIM }, { alg: "HS384" }, /with alg "HS384"/],
    "an end in the past": [{ mercure: LEGACY_CLAIM, exp: seconds() - 1 }, {}, /expired/],
    "a start in the future": [{ mercure: LEGACY_CLAIM, nbf: seconds() + 9 }, {}, /not valid before/],
    "a claim that is none": [{ mercure: "*" }, {}, /mercure claim is no object/],
    "a broken list": [{ mercure: { publish: "*" } }, {}, /mercure\.publish is no list/],
    "neither claim": [{}, {}, /its typ is "JWT"/],
  };
  for (const [name, [claims, header, wanted]] of Object.entries(refused)) {
    await t.step(name, async () => {
      assert.match(await reasonOf(authorization, await legacy(claims, header)), wanted);
    });
  }
  await t.step("tokens of 1.0 are still accepted, and checked as such", async () => {
    assert.equal((await accept(authorization, await sign(claimsWith()))).legacy, false);
    await reasonOf(authorization, await sign(claimsWith({ aud: "x" })));
  });
});

Deno.test("a token with the claims of both generations is of 1.0, and never read as both", async () => {
  const authorization = await open([issuerWith([secretKey()], { legacy: true })]);
  for (const details of [[], null, PUBLISH_ALL]) {
    const claims = claimsWith({ authorization_details: details, mercure: LEGACY_CLAIM });
    await reasonOf(authorization, await sign(claims, { typ: "JWT" }));
    await reasonOf(authorization, await sign({ ...claims, exp: undefined }));
  }
  const none = claimsWith({ authorization_details: [], mercure: LEGACY_CLAIM });
  const grants = await accept(authorization, await sign(none));
  assert.deepEqual([grants.publish, grants.subscribe, grants.legacy], [[], [], false]);
});

Deno.test("the mercure claim grants nothing where the issuer is not set to legacy", async () => {
  const authorization = await open([issuerWith([secretKey()])]);
  assert.equal(authorization.legacy, false);
  const claims = claimsWith({ authorization_details: undefined, mercure: LEGACY_CLAIM });
  assert.match(await reasonOf(authorization, await sign(claims, { typ: "JWT" })), /looks like a 0\.x token/);
  const grants = await accept(authorization, await sign(claims));
  assert.deepEqual([grants.publish, grants.subscribe, grants.legacy], [[], [], false]);
});

Deno.test("legacy belongs to issuers: the others' tokens are not read so, and several must be named", async () => {
  const [old, second] = ["the old generation's secret, long enough", "the second one's secret, long enough"];
  const legacy = issuerWith([secretKey(old)], { issuer: "old", legacy: true });
  const claims = { mercure: LEGACY_CLAIM };
  const header = { typ: "JWT", key: bytes(old) };
  const mixed = await open([issuerWith([secretKey()]), legacy]);
  await accept(mixed, await sign(claims, header));
  await accept(mixed, await sign({ ...claims, iss: "old" }, header));
  assert.match(await reasonOf(mixed, await sign({ ...claims, iss: SHOP }, { typ: "JWT" })), /its typ is/);
  assert.match(await reasonOf(mixed, await sign(claims, { typ: "JWT" })), /signature/);

  const two = await open([legacy, issuerWith([secretKey(second)], { issuer: "second", legacy: true })]);
  await accept(two, await sign({ ...claims, iss: "old" }, header));
  await reasonOf(two, await sign({ ...claims, iss: "second" }, header));
  await reasonOf(two, await sign(claims, header));

  const nameless = await open([issuerWith([secretKey(old)], { issuer: undefined, legacy: true })]);
  await accept(nameless, await sign(claims, header));
  assert.match(await reasonOf(nameless, await sign(claimsWith(), { key: bytes(old) })), /is not configured/);
  const withoutIss = await sign(claimsWith({ iss: undefined }), { key: bytes(old) });
  assert.match(await reasonOf(nameless, withoutIss), /^it has no iss/);
});

Deno.test("limits on details and patterns reject the token", async () => {
  const authorization = await open([issuerWith([secretKey()])], { maxDetails: 2, maxMatcherLength: 10 });
  const detail = (...matches: string[]) => ({
    type: DETAIL_TYPE,
    actions: ["publish"],
    topics: matches.map((match) => ({ match })),
  });
  const tokenWith = (...details: unknown[]) => sign(claimsWith({ authorization_details: details }));
  await accept(authorization, await tokenWith(detail("a"), detail("b")));
  await accept(authorization, await tokenWith(detail("a", "b"), { type: "other" }, { type: "other" }));
  assert.match(await reasonOf(authorization, await tokenWith(detail("a", "b", "c"))), /more than 2 topics/);
  assert.match(await reasonOf(authorization, await tokenWith(detail("a", "b"), detail("c"))), /more than 2/);
  await reasonOf(authorization, await tokenWith(detail("12345678901")));
});

Deno.test("weak and well-known secrets are told, and hubs that are not the one that is set", async () => {
  const warningsOf = async (issuer: Issuer, hubUrl?: string) => {
    const { maxDetails, maxMatcherLength } = LIMITS;
    const options = { maxDetails, maxMatcherLength, ...(hubUrl !== undefined && { hubUrl }) };
    const { warnings } = await Authorization.open([issuer], options);
    return warnings;
  };
  assert.deepEqual(await warningsOf(issuerWith([secretKey()]), HUB), []);
  const weak = await warningsOf(issuerWith([secretKey("x".repeat(47), "HS384")]), HUB);
  assert.equal(weak.length, 1);
  assert.match(weak[0] ?? "", /has 47 bytes, and HS384 needs 48/);
  const known = await warningsOf(issuerWith([secretKey("!ChangeThisMercureHubJWTSecretKey!")]), HUB);
  assert.match(known.join(), /comes from an example/);
  assert.ok(!known.join().includes("ChangeThis"));
  const elsewhere = issuerWith([secretKey()], { audience: [HUB, "https://old.test/hub"] });
  assert.match(
    (await warningsOf(elsewhere, HUB)).join(),
    /for "https:\/\/old\.test\/hub" are accepted as well/,
  );
  assert.match((await warningsOf(issuerWith([secretKey()]))).join(), /^HUB_URL is only a path/);
});

Deno.test("explain() asks all that can be asked", async () => {
  const authorization = await open([issuerWith([secretKey()])]);
  const namesOf = async (token: string) => {
    const { checks } = await authorization.explain(token, { role: "publish", hubUrl: HUB });
    return checks.map(({ name, ok }) => ok ? name : `!${name}`);
  };
  const all = [
    "form",
    "typ",
    "alg",
    "crit",
    "iss",
    "signature",
    "aud",
    "exp",
    "nbf",
    "authorization_details",
  ];
  assert.deepEqual(await namesOf(await sign(claimsWith())), all);
  const bad = await sign(claimsWith({ aud: "x", exp: 1, nbf: 1e12 }), {
    typ: "JWT",
    key: bytes("x".repeat(32)),
  });
  assert.deepEqual(
    await namesOf(bad),
    ["form", "!typ", "alg", "crit", "iss", "!signature", "!aud", "!exp", "!nbf", "authorization_details"],
  );
  assert.deepEqual(await namesOf("nonsense"), ["!form"]);
});
