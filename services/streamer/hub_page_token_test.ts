import assert from "node:assert/strict";
import * as fc from "fast-check";
import { SignJWT } from "jose";
import { DETAIL_TYPE, readToken, tidyToken } from "../../static/hub/token.js";

const HUB_URL = "https://rt.test/.well-known/mercure";
const NOW = 1_790_000_000_000;
const CIRCUMSTANCES = { hubUrl: HUB_URL, now: NOW };

type Json = Readonly<Record<string, unknown>>;

const HEADER = { alg: "HS256", typ: "at+jwt" };
const DETAIL = { type: DETAIL_TYPE, actions: ["publish", "subscribe"], topics: [{ match: "*" }] };
const CLAIMS = { iss: "urn:test", aud: HUB_URL, exp: NOW / 1000 + 900, authorization_details: [DETAIL] };

function encode(value: unknown): string {
  return new TextEncoder().encode(JSON.stringify(value)).toBase64({
    alphabet: "base64url",
    omitPadding: true,
  });
}

function read(claims: Json, header: Json = HEADER, signature = "c2ln"): ReturnType<typeof readToken> {
  return readToken(`${encode(header)}.${encode(claims)}.${signature}`, CIRCUMSTANCES);
}

/** What it finds, as one text: each mistake with its level. */
function mistakesOf(claims: Json, header?: Json, signature?: string): string {
  return read(claims, header, signature).mistakes.map(({ level, text }) => `${level}: ${text}`).join("\n");
}

Deno.test("readToken() reads a token of another's making, and finds nothing wrong with it", async () => {
  const topics = [{ match: "https://shop.test/é/*", match_type: "urlpattern" }, { match: "x" }];
  const token = await new SignJWT({
    authorization_details: [
      { type: "https://other.test/", actions: 7 },
      { type: DETAIL_TYPE, actions: ["subscribe"], topics, payload: { name: "Ada" } },
      { type: DETAIL_TYPE, actions: ["publish"], topics: [{ match: "y" }] },
    ],
  }).setProtectedHeader(HEADER).setIssuer("urn:test").setAudience(["urn:other", HUB_URL])
    .setExpirationTime(NOW / 1000 + 0.5).sign(new Uint8Array(32));
  const reading = readToken(token, CIRCUMSTANCES);
  assert.deepEqual(reading.mistakes, []);
  assert.deepEqual(reading.publish, [{ match: "y", type: "exact" }]);
  assert.deepEqual(reading.subscribe, [
    { match: "https://shop.test/é/*", type: "urlpattern" },
    { match: "x", type: "exact" },
  ]);
  assert.equal(reading.expiresAt, NOW + 500);
  assert.equal(reading.isLegacy, false);
  assert.equal(reading.claims.iss, "urn:test");
});

/** What is changed about a good token, and what is then found. */
const MISTAKES: Readonly<
  Record<string, readonly [found: RegExp, claims: Json, header?: Json, signature?: string]>
> = {
  "a plain JWT": [/^error: Its `typ` is `"JWT"`/, CLAIMS, { ...HEADER, typ: "JWT" }],
  "no typ": [/^error: Its `typ` is missing/, CLAIMS, { alg: "HS256" }],
  "an unsigned token": [/^error: Its `alg` is `none`/, CLAIMS, { ...HEADER, alg: "NONE" }, ""],
  "no alg": [/^error: Its header has no `alg`/, CLAIMS, { typ: "at+jwt" }],
  "a lost signature": [/^error: Its third part, the signature, is empty/, CLAIMS, HEADER, ""],
  "another audience": [
    /^warning: Its `aud` is `\["https:\/\/rt\.test\/"\]`, and does not contain `https:\/\/rt\.test\/\.well-known\/mercure`/,
    { ...CLAIMS, aud: ["https://rt.test/"] },
  ],
  "no audience": [/^error: It has no `aud`/, { ...CLAIMS, aud: undefined }],
  "no issuer": [/^error: It has no `iss`/, { ...CLAIMS, iss: undefined }],
  "an expired token": [/^error: It has expired/, { ...CLAIMS, exp: NOW / 1000 }],
  "no expiry": [/^error: It has no `exp`/, { ...CLAIMS, exp: undefined }],
  "an expiry as text": [/^error: Its `exp` is `"soon"`/, { ...CLAIMS, exp: "soon" }],
  "an expiry in milliseconds": [/^warning: Its `exp` looks like milliseconds/, { ...CLAIMS, exp: NOW + 1 }],
  "a token for later": [/^error: It is not valid yet/, { ...CLAIMS, nbf: NOW / 1000 + 1 }],
  "no rights": [/^warning: It grants nothing/, { ...CLAIMS, authorization_details: undefined }],
  "details that are no array": [
    /^error: Its `authorization_details` is `\{/,
    { ...CLAIMS, authorization_details: DETAIL },
  ],
  "a type that nearly is the one": [
    /^warning: `authorization_details\[0\]\.type` is `"https:\/\/mercure\.rocks\/"`, and so is ignored.*\nwarning: It grants nothing/,
    { ...CLAIMS, authorization_details: [{ ...DETAIL, type: "https://mercure.rocks/" }] },
  ],
  "a claim of 0.x beside the details": [/^warning: Its `mercure` claim grants nothing/, {
    ...CLAIMS,
    mercure: {},
  }],
};

for (const [what, [found, claims, header, signature]] of Object.entries(MISTAKES)) {
  Deno.test(`readToken() finds ${what}`, () => assert.match(mistakesOf(claims, header, signature), found));
}

/** What is changed about a good entry of `authorization_details`, and what is then found. */
const DEFECTS: Readonly<Record<string, readonly [found: RegExp, detail: Json]>> = {
  "no actions": [/^error: `authorization_details\[0\]\.actions` is `\[\]`/, { ...DETAIL, actions: [] }],
  "an action that is no string": [/^error: .*has `7`, which is no string/, {
    ...DETAIL,
    actions: ["publish", 7],
  }],
  "an unknown action": [/^warning: .*has `"read"`, which grants nothing/, {
    ...DETAIL,
    actions: ["publish", "read"],
  }],
  "no topics": [/^error: .*\.topics` is missing/, { ...DETAIL, topics: undefined }],
  "a bare string as topic": [
    /^error: `authorization_details\[0\]\.topics\[1\]` is the bare string `"x"`, and must be `\{"match": "x"\}`/,
    { ...DETAIL, topics: [{ match: "y" }, "x"] },
  ],
  "a topic without match": [/^error: .*topics\[0\]` is `\{\}`/, { ...DETAIL, topics: [{}] }],
  "an empty match": [/^error: .*whose `match` is a string/, { ...DETAIL, topics: [{ match: "" }] }],
  "an unknown match_type, also of `*`": [
    /^error: .*topics\[0\]\.match_type` is `"regexp"`/,
    { ...DETAIL, topics: [{ match: "*", match_type: "regexp" }] },
  ],
  "an invisible character": [/^error: .*invisible character/, { ...DETAIL, topics: [{ match: "a\u200Bb" }] }],
  "a payload that is no object": [/^error: .*payload` is `"x"`/, { ...DETAIL, payload: "x" }],
};

for (const [what, [found, detail]] of Object.entries(DEFECTS)) {
  Deno.test(`readToken() finds in an entry ${what}`, () =>
    assert.match(mistakesOf({ ...CLAIMS, authorization_details: [detail] }), found));
}

Deno.test("readToken() takes a token of Mercure 0.x for what it is", () => {
  const mercure = {
    publish: ["*"],
    subscribe: ["https://shop.test/{id}", { match: "/x", match_type: "urlpattern" }],
  };
  const reading = read({ mercure }, { alg: "HS256", typ: "JWT" });
  assert.equal(reading.isLegacy, true);
  assert.deepEqual(reading.publish, [{ match: "*", type: "exact" }]);
  assert.deepEqual(reading.subscribe, [
    { match: "https://shop.test/{id}", type: "template" },
    { match: "/x", type: "urlpattern" },
  ]);
  assert.deepEqual(reading.mistakes.map(({ level }) => level), ["warning"]);
  assert.match(reading.mistakes[0]?.text ?? "", /JWT_LEGACY=1/);
  assert.match(mistakesOf({ mercure, exp: 1 }), /error: It has expired/);
});

Deno.test("readToken() says what is no token at all", () => {
  const textOf = (token: string) =>
    readToken(token, CIRCUMSTANCES).mistakes.map(({ text }) => text).join(" ");
  assert.match(textOf("x"), /three parts.*has 1/);
  assert.match(textOf("a.b.c.d.e"), /encrypted/);
  assert.match(textOf("!.!.!"), /first part.*second part/);
  assert.match(textOf(`${encode(HEADER)}.${encode([])}.x`), /second part/);
});

Deno.test("readToken() never throws, whatever the claims are", () => {
  const claims = fc.dictionary(
    fc.constantFrom("iss", "aud", "exp", "nbf", "mercure", "authorization_details", "https://mercure.rocks/"),
    fc.jsonValue(),
  );
  const detail = fc.dictionary(fc.constantFrom("type", "actions", "topics", "payload"), fc.jsonValue())
    .map((fields) => ({ ...CLAIMS, authorization_details: [{ ...DETAIL, ...fields }] }));
  fc.assert(fc.property(fc.oneof(claims, detail), (claims) => {
    for (const { text } of read(claims).mistakes) assert.ok(text.length < 1_000, text);
  }));
  fc.assert(fc.property(fc.string(), (token) => assert.ok(readToken(token, CIRCUMSTANCES))));
});

Deno.test("tidyToken() takes off what gets copied together with a token", () => {
  for (const text of ["a.b.c", " a.b.c\n", "Bearer a.b.c", "authorization: bearer a.b.c", "a.b\r\n.c"]) {
    assert.equal(tidyToken(text), "a.b.c");
  }
});
