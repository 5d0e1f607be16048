/** Requests that no honest client sends, as bytes: well-formed ones with hostile content, and malformed ones. */
import * as fc from "fast-check";
import { base64url } from "jose";
import { trickyText } from "../lib/testing/fixtures.ts";
import { DETAIL_TYPE, HUB_PATH, ISSUER } from "./harness.ts";
import { bytesOf, sign, unsigned, withBrokenSignature } from "./tokens.ts";

/** A request as it goes over the wire. */
export interface Attack {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Whether it is HTTP, so that there has to be an answer. */
  readonly isHttp: boolean;
}

/** URL patterns that are wrong, huge, or slow to match where a matcher goes back over what it has read. */
export const HOSTILE_PATTERNS: readonly string[] = [
  "*a*a*a*a*a*ab",
  "https://a.test/*a*a*a*a*a*ab",
  "*".repeat(4000),
  "*a".repeat(2000),
  "((?:a+)+b)",
  "/((?:a+)+b)",
  "/(.*)(.*)(.*)(.*)(.*)x",
  "/((a|aa|aaa)+)+b",
  "/((((((((((a?)?)?)?)?)?)?)?)?)?)aaaaaaaaaa",
  "/(a{1000})",
  "/((a{100}){100}{100})",
  "/(?:(?:(?:a{50}){50}){50}){50}",
  "/" + "(a*)".repeat(500) + "b",
  "/" + "(".repeat(2000),
  "/" + "(".repeat(1000) + "a" + ")".repeat(1000),
  "/" + "{".repeat(1000) + "}".repeat(1000),
  "{a}?".repeat(1000),
  "{a*}*{a*}*{a*}*{a*}*b",
  "/:a".repeat(1300),
  "/:a*/:b*/:c*/:d*/x",
  "/:a(.*):a(.*)",
  "/([\\p{L}--[a-z]])",
  "/([[]])",
  "/(?=a)",
  "/(?<!a)b",
  "/(\\1)",
  "/(\\",
  "/([a-",
  "/(?<a>b)",
  "/\\",
  "{open",
  "/x/(",
  "}",
  ":",
  "?:",
  "://",
  "*://*/*?*#*",
  "*:*@*:*/",
  "https://[::1",
  "https://[*]:*/",
  "https://a:99999/",
  "https://%/",
  "https://\u{1F407}.test/:\u65E5\u672C",
  "data:*",
  "javascript:(.*)",
  "//",
  "\\\\",
  "%",
  "%ZZ",
  "%00",
  "{+a}{#b*}{/c:3}{?d,e}",
  `${"{x}".repeat(1000)}y`,
  "{a,b,c,d,e,f,g,h}{a,b,c,d,e,f,g,h}{a,b,c,d,e,f,g,h}!",
];

/** Topics that make the patterns above work, or that are hard to read themselves. */
export const HOSTILE_TOPICS: readonly string[] = [
  "a".repeat(4000),
  `/${"a".repeat(4000)}`,
  `https://a.test/${"a".repeat(4000)}`,
  `/${"a/".repeat(2000)}`,
  `https://${"a.".repeat(2000)}test/`,
  `${"../".repeat(1300)}x`,
  "http://[bad",
  "https://a.test\\.well-known\\mercure\\x",
  `${HUB_PATH}/subscriptions/exact/x/y`,
  "/%2Ewell-known/%6Dercure",
  "urn:a:b",
  "",
  "#",
  "?",
  "*",
  "__proto__",
  "constructor",
];

const NAMES = [
  ["match", "match_exact", "match_urlpattern", "topic", "data", "private", "id", "type", "retry"],
  ["last_event_id", "lastEventID", "Last-Event-ID", "signals", "authorization", "access_token"],
  ["limit", "before", "until", "after"],
].flat();

const WRONG_NAMES = ["Match", "match_regexp", "__proto__", "constructor", ""];

/** Those that mean something here, and some that do not. */
const METHODS = ["GET", "POST", "QUERY", "HEAD", "OPTIONS"];
const WRONG_METHODS = ["PUT", "DELETE", "PATCH", "TRACE", "SUBSCRIBE", "get", "!#$%&'*+-.^_`|~"];

const CONTENT_TYPES = [
  ["application/x-www-form-urlencoded", "application/x-www-form-urlencoded; charset=latin1"],
  ["application/json", "multipart/form-data; boundary=x", "text/plain", "/", ";", ""],
].flat();

const ROUTES = [
  [`${HUB_PATH}/`, `${HUB_PATH}/subscriptions`, "/.well-known/%6Dercure"],
  [`${HUB_PATH}/subscriptions/`, `${HUB_PATH}/subscriptions/exact/a/b/c/d`],
  [`/.well-known/oauth-protected-resource${HUB_PATH}`, "/.well-known/oauth-protected-resource/x"],
  [
    "/events",
    "/events/",
    "/events/history",
    "/history",
    "/history/",
    "/event/pill:red",
    "/",
    "/hub",
    "/hub/",
    "/hub/../../deno.json",
    "/healthz",
    "/readyz",
  ],
  ["//", "//x/y", "/%", "/%00", "/%FF", "/hub/%2e%2e%2f", "http://other.test/.well-known/mercure", "*"],
].flat();

const HOSTS = [
  "localhost",
  "other.test",
  "[::1]:1",
  "[",
  "a:b:c",
  "a b",
  "@",
  "a/../b?c#d",
  "\xFF",
  "%",
  "",
  "x".repeat(1000),
];

/** Places in the history that nobody has given out: nearly right, made up, or of another kind. */
const PLACES: readonly string[] = [
  "#",
  "##",
  "#AAAA",
  `#${"A".repeat(208)}`,
  `#${"A".repeat(1023)}`,
  "#0123456789abcdef-1",
  "0123456789abcdef-1",
  "#earliest",
  "earliest",
  '{"cursor":"earliest"}',
  "urn:uuid:00000000-0000-7000-8000-000000000000",
];

const EMPTY = new Uint8Array(0);

/** Any text, with the worst more often than chance would have it. */
const anyText: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(...HOSTILE_PATTERNS),
  fc.constantFrom(...HOSTILE_TOPICS),
  trickyText,
  fc.webUrl({ withFragments: true, withQueryParameters: true }),
  fc.stringMatching(/^[/:*(){}?+\\a-c.[\]|]{0,40}$/),
);

/** Bytes, percent-encoded or raw where an address may have them. */
const anyEncoded: fc.Arbitrary<string> = fc.oneof(
  { weight: 6, arbitrary: anyText.map(encodeURIComponent) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 50 }).map(percentEncode) },
  { weight: 1, arbitrary: fc.stringMatching(/^[%!-"$-~]{0,40}$/) },
);

/** A form that may well be right: what is hostile about it comes further in. */
const anyGoodForm: fc.Arbitrary<string> = fc.uniqueArray(
  fc.tuple(fc.constantFrom(...NAMES), anyText),
  { selector: ([name]) => name, maxLength: 5 },
).map((fields) => fields.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join("&"));

const anyBadForm: fc.Arbitrary<string> = fc.array(
  fc.tuple(
    fc.oneof(fc.constantFrom(...NAMES), fc.constantFrom(...WRONG_NAMES), anyEncoded),
    fc.constantFrom("", "=", "=="),
    anyEncoded,
  ).map((parts) => parts.join("")),
  { maxLength: 6 },
).map((fields) => fields.join("&"));

const anyForm: fc.Arbitrary<string> = fc.oneof({ weight: 3, arbitrary: anyGoodForm }, {
  weight: 1,
  arbitrary: anyBadForm,
});

/** What may stand in the value of a header: no control characters, and one character per byte. */
const anyHeaderValue: fc.Arbitrary<string> = fc.oneof(
  fc.stringMatching(/^[ -~]{0,60}$/),
  fc.string({
    unit: fc.integer({ min: 0x80, max: 0xFF }).map((code) => String.fromCharCode(code)),
    maxLength: 40,
  }),
  anyEncoded,
);

function anyTarget(): fc.Arbitrary<string> {
  const segment = fc.oneof(fc.constantFrom("exact", "urlpattern", "template"), anyEncoded)
    .map((text) => text.replace(/[?#]/g, ""));
  const path = fc.oneof(
    { weight: 6, arbitrary: fc.constant(HUB_PATH) },
    { weight: 3, arbitrary: fc.constantFrom(...ROUTES) },
    {
      weight: 2,
      arbitrary: fc.array(segment, { maxLength: 4 })
        .map((segments) => [`${HUB_PATH}/subscriptions`, ...segments].join("/")),
    },
    { weight: 1, arbitrary: segment.map((text) => `/${text}`) },
  );
  return fc.tuple(path, fc.option(anyForm))
    .map(([path, query]) => query === null ? path : `${path}?${query}`);
}

function anyHeaders(tokens: readonly string[]): fc.Arbitrary<Header[]> {
  const token = fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...tokens) }, {
    weight: 1,
    arbitrary: anyHeaderValue,
  });
  const header = (name: string, value: fc.Arbitrary<string>) => value.map((text): Header => [name, text]);
  return fc.uniqueArray(
    fc.oneof(
      header(
        "Authorization",
        fc.tuple(fc.constantFrom("Bearer ", "Bearer ", "bearer ", "Basic ", ""), token)
          .map(([scheme, token]) => scheme + token),
      ),
      header(
        "Cookie",
        fc.tuple(fc.constantFrom("token", "mercureAuthorization", "x", ""), token)
          .map(([name, value]) => `${name}=${value}`),
      ),
      header("Accept", fc.oneof(fc.constantFrom("text/event-stream", "*/*", "q=;;,"), anyHeaderValue)),
      header("Content-Type", fc.oneof(fc.constantFrom(...CONTENT_TYPES), anyHeaderValue)),
      header("Origin", fc.oneof(fc.constantFrom("http://listed.test", "null"), anyHeaderValue)),
      header(
        "X-Forwarded-For",
        fc.oneof(fc.ipV6(), fc.constant("1.2.3.4, ::ffff:1.2.3.4,,x"), anyHeaderValue),
      ),
      header(
        "Last-Event-ID",
        fc.oneof(fc.constantFrom("earliest", "", "\xC3\xA9", "\xFF"), anyHeaderValue),
      ),
      fc.tuple(
        fc.constantFrom(
          ...["Idempotency-Key", "X-Request-Id", "Referer", "If-None-Match", "Range", "Accept-Encoding"],
          ...["Upgrade", "Access-Control-Request-Method", "Access-Control-Request-Headers", "X-Anything"],
        ),
        anyHeaderValue,
      ),
    ),
    { selector: ([name]) => name, maxLength: 5 },
  );
}

export interface AttackOptions {
  readonly tokens: readonly string[];
  /** What the `Host` header says, where it is not hostile itself. */
  readonly host: string;
}

/** A request that a server has to answer, whatever is in it. */
function anyHttp({ tokens, host }: AttackOptions): fc.Arbitrary<Uint8Array<ArrayBuffer>> {
  return fc.record({
    method: fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...METHODS) }, {
      weight: 1,
      arbitrary: fc.constantFrom(...WRONG_METHODS),
    }),
    target: anyTarget(),
    host: fc.oneof({ weight: 9, arbitrary: fc.constant(host) }, {
      weight: 1,
      arbitrary: fc.constantFrom(...HOSTS),
    }),
    headers: anyHeaders(tokens),
    isForm: fc.boolean(),
    body: fc.oneof(
      { weight: 4, arbitrary: anyForm.map(bytesOf) },
      { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }) },
      { weight: 1, arbitrary: fc.json().map(bytesOf) },
    ),
  }).map(({ method, target, host, headers, isForm, body }) =>
    encodeRequest(`${method} ${target}`, {
      headers: [["Host", host], ...headers, ...(isForm ? [FORM] : [])],
      body: ["GET", "HEAD", "OPTIONS"].includes(method) ? undefined : body,
    })
  );
}

/** A request that gets past the door where its token and its texts allow it. */
function anyDeepHttp({ tokens, host }: AttackOptions): fc.Arbitrary<Uint8Array<ArrayBuffer>> {
  const topic = anyText.map((text) => `topic=${encodeURIComponent(text)}&`);
  const match = fc.tuple(fc.constantFrom("match", "match_urlpattern", "topic"), anyText)
    .map(([name, text]) => `${name}=${encodeURIComponent(text)}`);
  const place = fc.tuple(
    fc.constantFrom("before", "until", "after"),
    fc.oneof(fc.constantFrom(...PLACES), anyText),
    fc.constantFrom("&limit=1", "&limit=1000", "&limit=1e9", ""),
  ).map(([name, text, limit]) => `${name}=${encodeURIComponent(text)}${limit}`);
  const request = fc.oneof(
    fc.record({
      line: fc.constant(`POST ${HUB_PATH}`),
      body: fc.tuple(topic, anyGoodForm).map((parts) => parts.join("")),
    }),
    fc.record({ line: fc.constant(`QUERY ${HUB_PATH}?last_event_id=earliest`), body: match }),
    fc.record({ line: match.map((text) => `GET ${HUB_PATH}?${text}`), body: fc.constant(undefined) }),
    fc.record({ line: place.map((text) => `GET /history?${text}`), body: fc.constant(undefined) }),
    fc.record({ line: match.map((text) => `QUERY /events/history?${text}`), body: place }),
    fc.record({ line: match.map((text) => `GET /history?limit=1000&${text}`), body: fc.constant(undefined) }),
    fc.record({
      line: fc.array(anyText.map(encodeURIComponent), { maxLength: 2 })
        .map((parts) => `GET ${[`${HUB_PATH}/subscriptions/exact`, ...parts].join("/")}`),
      body: fc.constant(undefined),
    }),
  );
  return fc.tuple(request, fc.constantFrom(...tokens)).map(([{ line, body }, token]) =>
    encodeRequest(line, {
      headers: [["Host", host], ["Authorization", `Bearer ${token}`], FORM],
      body: body === undefined ? undefined : bytesOf(body),
    })
  );
}

type Header = readonly [name: string, value: string];

interface Content {
  readonly headers: readonly Header[];
  readonly body: Uint8Array | undefined;
}

const FORM: Header = ["Content-Type", "application/x-www-form-urlencoded"];

function encodeRequest(line: string, { headers, body = EMPTY }: Content): Uint8Array<ArrayBuffer> {
  const all = [...headers, ["Content-Length", `${body.length}`]];
  const lines = [`${line} HTTP/1.1`, ...all.map(([name, value]) => `${name}: ${value}`)];
  return concat(latin1(`${lines.join("\r\n")}\r\n\r\n`), body);
}

/** What is done to the bytes of a request so that it is none any more, or another one. */
const anyDamage: fc.Arbitrary<(bytes: Uint8Array) => Uint8Array<ArrayBuffer>> = fc.oneof(
  fc.double({ min: 0, max: 1, noNaN: true }).map((part) => (bytes: Uint8Array) =>
    bytes.slice(0, bytes.length * part)
  ),
  fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.uint8Array({ minLength: 1, maxLength: 20 }))
    .map(([part, inserted]) => (bytes: Uint8Array) =>
      concat(bytes.subarray(0, bytes.length * part), inserted, bytes.subarray(bytes.length * part))
    ),
  fc.constantFrom(
    ["\r\n", "\n"],
    ["\r\n", "\r"],
    ["HTTP/1.1", "HTTP/9.9"],
    ["HTTP/1.1", "HTTP/1.0"],
    ["Host:", "Host :"],
    ["Host:", " Host:"],
    ["Host: ", `Host: ${"x".repeat(100_000)}`],
    ["Host:", "X:"],
    ["Content-Length: ", "Content-Length: -"],
    ["Content-Length: ", "Content-Length: 9"],
    ["Content-Length: ", "Content-Length: 99999999999999999999"],
    ["Content-Length: ", "Transfer-Encoding: chunked\r\nContent-Length: "],
    ["Content-Length: ", "Transfer-Encoding: gzip, chunked\r\nX: "],
    ["Content-Length: ", "Expect: 100-continue\r\nContent-Length: 1"],
    [" ", "  "],
    [" /", ` /${"x".repeat(100_000)}`],
    ["GET", "CONNECT"],
    ["GET", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
  ).map(([from = "", to = ""]) => (bytes: Uint8Array) =>
    latin1(Array.from(bytes, (byte) => String.fromCharCode(byte)).join("").replaceAll(from, to))
  ),
);

export function anyAttack(options: AttackOptions): fc.Arbitrary<Attack> {
  const http = anyHttp(options);
  return fc.oneof(
    { weight: 4, arbitrary: http.map((bytes) => ({ bytes, isHttp: true })) },
    { weight: 3, arbitrary: anyDeepHttp(options).map((bytes) => ({ bytes, isHttp: true })) },
    {
      weight: 2,
      arbitrary: fc.tuple(http, anyDamage).map(([bytes, damage]) => ({
        bytes: damage(bytes),
        isHttp: false,
      })),
    },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }).map((bytes) => ({ bytes, isHttp: false })) },
  );
}

/** Claims that come near to what a token has to say, signed with the right key. */
function anyClaims(audience: string): fc.Arbitrary<Record<string, unknown>> {
  const nested = fc.jsonValue({ maxDepth: 5 });
  const or = <T>(value: fc.Arbitrary<T>) =>
    fc.oneof({ weight: 4, arbitrary: value as fc.Arbitrary<unknown> }, { weight: 1, arbitrary: nested });
  const matcher = or(
    fc.record({
      match: or(anyText),
      match_type: or(fc.constantFrom("exact", "urlpattern", "x")),
      payload: nested,
    }, {
      requiredKeys: [],
    }),
  );
  const detail = or(
    fc.record({
      type: or(fc.constant(DETAIL_TYPE)),
      actions: or(fc.subarray(["publish", "subscribe"])),
      topics: or(fc.array(matcher, { maxLength: 4 })),
      payload: nested,
    }, { requiredKeys: ["type"] }),
  );
  const names = fc.array(or(anyText), { maxLength: 4 });
  return fc.record({
    iss: or(fc.constant(ISSUER)),
    aud: or(fc.constantFrom<string | string[]>(audience, [audience])),
    exp: or(fc.constantFrom(4_000_000_000, 4_000_000_000.5, 1)),
    nbf: or(fc.constant(1)),
    authorization_details: or(fc.array(detail, { maxLength: 4 })),
    mercure: or(fc.record({ publish: or(names), subscribe: or(names), payload: nested })),
  }, { requiredKeys: ["iss", "aud", "exp"] });
}

/** Tokens of all kinds: a good one, good ones spoilt, and signed nonsense. */
export async function makeTokens(
  audience: string,
  { seed, count, good }: { seed: number; count: number; good: string },
): Promise<string[]> {
  const header = fc.record({
    alg: fc.constant("HS256"),
    typ: fc.constantFrom("at+jwt", "application/AT+JWT", "JWT"),
    kid: fc.string(),
    jku: fc.webUrl(),
    jwk: fc.jsonValue(),
  }, { requiredKeys: ["alg"] });
  const claims = fc.sample(fc.tuple(header, anyClaims(audience)), { seed, numRuns: count });
  const signed = await Promise.all(claims.map(([header, claims]) => sign(header, claims)));
  const wrongTexts = await Promise.all(
    ["", "null", "[]", '"x"', "{", "[".repeat(5000), '{"exp":1e999}', '{"__proto__":{"iss":1}}'].map((text) =>
      sign({ alg: "HS256", typ: "at+jwt" }, text)
    ),
  );
  const spoilt = fc.sample(fc.tuple(fc.nat(good.length - 1), fc.nat(5)), { seed, numRuns: count })
    .map(([index, bit]) => {
      const flipped = String.fromCharCode(good.charCodeAt(index) ^ (1 << bit));
      return index % 3 === 0 ? good.slice(0, index) : good.slice(0, index) + flipped + good.slice(index + 1);
    })
    // What is no header any more would be another test.
    .map((token) => token.replace(/[^!-~]/g, "~"));
  return [
    ...Array.from({ length: count }, () => good),
    withBrokenSignature(good),
    unsigned({ alg: "none" }, { iss: ISSUER, aud: audience, exp: 4_000_000_000 }),
    `${base64url.encode("[".repeat(4000))}.e30.AAAA`,
    ".".repeat(100),
    "A".repeat(8000),
    ...signed,
    ...wrongTexts,
    ...spoilt,
  ];
}

function percentEncode(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => `%${byte.toString(16).padStart(2, "0")}`).join("");
}

function latin1(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

function concat(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    all.set(part, offset);
    offset += part.length;
  }
  return all;
}
