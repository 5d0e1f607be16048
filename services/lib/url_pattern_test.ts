import assert from "node:assert/strict";
import * as fc from "fast-check";
import {
  componentsOf,
  InvalidPatternError,
  MAX_GROUPS,
  MAX_VARIABLE_PARTS,
  UrlPattern,
} from "./url_pattern.ts";

const BASE = "https://hub.test/.well-known/mercure";

/** Whether a pattern matches a topic, as the hub asks it. */
function matches(pattern: string, topic: string, base = BASE): boolean {
  const components = componentsOf(topic, base);
  return components !== undefined && new UrlPattern(pattern, base).test(components);
}

/** What the constructor says of a pattern that it must refuse. */
function refusal(pattern: string): string {
  try {
    new UrlPattern(pattern, BASE);
  } catch (error) {
    assert.ok(error instanceof InvalidPatternError, `${error}`);
    return error.message;
  }
  assert.fail(`Took ${pattern}`);
}

const SUBSCRIPTIONS = "/.well-known/mercure/subscriptions";
const EXPECTED: readonly [pattern: string, topic: string, match: boolean][] = [
  ["https://a.test/books/:id", "https://a.test/books/1", true],
  ["https://a.test/books/:id", "https://a.test/books/1?x=y", true],
  ["https://a.test/books/:id", "https://a.test/books/1#f", true],
  ["https://a.test/books/:id", "https://A.TEST/books/1", true],
  ["https://a.test/books/:id", "https://a.test/BOOKS/1", false],
  ["https://a.test/books/:id", "https://a.test/books/1/", false],
  ["/books/:id", "/books/1", true],
  ["/books/:id", "https://hub.test/books/1", true],
  ["/books/:id", "https://other.test/books/1", false],
  ["books/:id", "books/1", true],
  ["books/:id", "/.well-known/books/1", true],
  ["books/:id", "/books/1", false],
  ["foo", "foo", true],
  ["foo", "/.well-known/foo", true],
  ["foo", "/foo", false],
  ["https://*.a.test/x", "https://b.a.test/x", true],
  ["https://*.a.test/x", "https://a.test/x", false],
  [`${SUBSCRIPTIONS}/*`, `${SUBSCRIPTIONS}/exact/x/y`, true],
  [`${SUBSCRIPTIONS}/*`, SUBSCRIPTIONS, false],
  [`${SUBSCRIPTIONS}{/*}?`, SUBSCRIPTIONS, true],
  [`${SUBSCRIPTIONS}{/*}?`, `${SUBSCRIPTIONS}/exact/x/y`, true],
  [`${SUBSCRIPTIONS}{/*}?`, `${SUBSCRIPTIONS}x`, false],
  // A topic that is no URL matches nothing.
  ["/*", "http://[bad", false],
  ["https://*:*/*", "http://[bad", false],
  // There is no port, whatever Deno's URL says.
  ["a:/*{/}", "a:/.//", true],
  // Segments, wildcards and where they end.
  ["/a/:b/c/:d", "/a/1/c/2", true],
  ["/a/:b/c/:d", "/a//c/2", false],
  ["/a/:b/c/:d", "/a/1/c/", false],
  ["/a/:b.json", "/a/1.json", true],
  ["/a/:b.json", "/a/.json", false],
  ["/a/:b.json", "/a/1/2.json", false],
  ["/a/:b-:c", "/a/1-2-3", true],
  ["/a/*/z", "/a/b/c/z", true],
  ["/a/*/z", "/a/z", false],
  ["/a/*ab", "/a/ab", true],
  ["/aa*a", "/aa", false],
  ["/*a*b", "/xaxb", true],
  ["/*a*b", "/xbxa", false],
  ["http{s}?://a.test/x", "http://a.test/x", true],
  ["http{s}?://a.test/x", "https://a.test/x", true],
  ["http{s}?://a.test/x", "ftp://a.test/x", false],
  ["/a{/:b}*", "/a", true],
  ["/a{/:b}*", "/a/1/2", true],
  ["/a{/:b}+", "/a", false],
  ["/a{/:b}+", "/a/1/2/", false],
  ["/x?q=:v", "/x?q=1", true],
  ["/x?q=:v", "/x", false],
  ["/x#:h", "/x#1", true],
  // Custom groups.
  ["/a/(\\d+)", "/a/12", true],
  ["/a/(\\d+)", "/a/1x", false],
  ["/a/:b(\\d+|new)?", "/a", true],
  ["/a/:b(\\d+|new)?", "/a/new", true],
  ["/a/(.*)", "/a/b/c", true],
  ["(https?)://a.test/:b", "http://a.test/x", true],
  ["(https?)://a.test/:b", "http://a.test/x/y", false],
  ["(foo|bar)://a/(b)", "bar://a/b", true],
];

for (const [pattern, topic, match] of EXPECTED) {
  Deno.test(`UrlPattern ${pattern} ${match ? "matches" : "does not match"} ${topic}`, () => {
    assert.equal(matches(pattern, topic), match);
    assert.equal(new URLPattern(pattern, BASE).test(topic, BASE), match, "the built-in one");
  });
}

Deno.test("UrlPattern refuses what is no URL pattern", () => {
  const bad = [
    "{open",
    "/x/(",
    "/x/()",
    "/x/(?a)",
    "/x/((a))",
    "/x/(é)",
    "/x/(a\\",
    "/:a/:a",
    "https://[x/",
    "/{{a}}",
  ];
  for (const pattern of bad) assert.match(refusal(pattern), /^Cannot take the URL pattern: it is not valid$/);
});

Deno.test("UrlPattern refuses custom groups beyond linear time, and names the component", () => {
  assert.match(refusal("/a/((?=b)b)"), /a custom group in its pathname uses lookaround/);
  assert.match(refusal("https://(\\p{L}).test/"), /in its hostname uses an escape that is not supported/);
  assert.match(refusal("/a?(a)#([a&&b])"), /in its hash uses a class inside/);
  assert.match(refusal("(https?|(?<n>x))://a.test/"), /in its protocol uses lookaround, a named group/);
  assert.match(refusal("/a/((?:(?:a{100}){100}){100})"), /in its pathname is too large/);
  assert.match(refusal("/(a{200})/(a{200})"), /makes all of them larger/);
});

Deno.test("UrlPattern refuses more parts than it can test in time", () => {
  assert.match(refusal("/" + "*a".repeat(MAX_VARIABLE_PARTS + 1)), /more than 50 variable parts/);
  assert.match(refusal("/" + "(a)".repeat(MAX_GROUPS + 1)), /more than .* 20 custom groups/);
  assert.match(refusal(`/*a*${"b".repeat(2048)}`), /its pathname is too long for the wildcards/);
  new UrlPattern("/" + "*a".repeat(MAX_VARIABLE_PARTS), BASE);
  new UrlPattern("/" + "(a)".repeat(MAX_GROUPS), BASE);
});

// A backtracking engine would not end before the sun does; the built-in one needs seconds for 100 characters.
const HOSTILE: readonly [pattern: string, topic: string][] = [
  ["*a*a*a*a*a*ab", "a".repeat(100_000)],
  ["/" + "*a".repeat(49) + "b", `/${"a".repeat(10_000)}`],
  ["/((?:a+)+b)", `/${"a".repeat(100_000)}`],
  ["/((?:a|a)*b)", `/${"a".repeat(100_000)}`],
  ["/((?:a*)*b)", `/${"a".repeat(100_000)}`],
  ["/((?:a|b)*a(?:a|b){60})", `/${"ab".repeat(5_000)}c`],
  ["/:a-:b-:c-:d-:e-:f-:g!", `/${"-".repeat(100_000)}`],
  ["/{:a}*{:b}*{:c}*!", `/${"a".repeat(100_000)}`],
  ["/{a*}*{b*}*c", `/${"ab".repeat(50_000)}`],
  ["https://*a*a*a*a*a*ab/", `https://${"a".repeat(60)}.${"a".repeat(60)}/`],
  ["/?*a*a*a*a*a*a*a*ab", `/?${"a".repeat(100_000)}`],
];

for (const [pattern, topic] of HOSTILE) {
  Deno.test(`UrlPattern ${pattern.slice(0, 40)} ends for a long topic`, () => {
    assert.equal(matches(pattern, topic), false);
  });
}

Deno.test("UrlPattern can be made of any long text", () => {
  const fragments = [
    ..."{}()[]:*+?\\/#@.%é",
    ...[
      "\\p{L}",
      "(?:",
      "(a)",
      "(\\w{99})",
      "{a}?",
      ":a",
      "../",
      "//",
      "%zz",
      "[^a]",
      "{2}",
      "https://",
      "xn--é",
    ],
  ];
  for (const fragment of fragments) {
    for (const start of ["", "/", "/(", "https://", "https://a/?", "("]) {
      const pattern = (start + fragment.repeat(4096)).slice(0, 4096);
      try {
        new UrlPattern(pattern, BASE);
      } catch (error) {
        assert.ok(error instanceof InvalidPatternError, `${error}`);
        assert.ok(error.message.length < 200);
      }
    }
  }
});

/** A piece of a pattern, and a text that it is likely to match. */
type Piece = readonly [pattern: string, text: string];

const letters = fc.string({ unit: fc.constantFrom(..."ab1"), minLength: 1, maxLength: 2 });
const anyLetters = fc.string({ unit: fc.constantFrom(..."ab1/.-"), maxLength: 3 });
const groupBody: fc.Arbitrary<Piece> = fc.oneof(
  letters.map((text): Piece => ["\\w+", text]),
  letters.map((text): Piece => [`${text}|b`, text]),
  fc.constantFrom<Piece>(["\\d{1,2}", "1"], ["[ab]*", "ab"], ["[^a\\/]", "b"], ["(?:a|b1)+", "ab1"], [
    ".*",
    "a/b",
  ]),
  fc.constantFrom<Piece>(["a?", ""], [".+", "a.b"], ["a\\b", "a"], ["^a", "a"], ["[^\\/]+?", "a1"], [
    "\\S\\D?",
    "1a",
  ]),
);
const modifier = fc.constantFrom("", "", "", "?", "+", "*");
/** Names get their number later, for each may be there once. */
const variable: fc.Arbitrary<Piece> = fc.oneof(
  letters.map((text): Piece => [":n", text]),
  anyLetters.map((text): Piece => ["*", text]),
  groupBody.map(([body, text]): Piece => [`(${body})`, text]),
  groupBody.map(([body, text]): Piece => [`:n(${body})`, text]),
);
const modified = (piece: fc.Arbitrary<Piece>): fc.Arbitrary<Piece> =>
  fc.tuple(piece, modifier, fc.nat(2)).map(([[pattern, text], mark, times]): Piece => [
    pattern + mark,
    mark === "" ? text : text.repeat(mark === "?" ? times % 2 : times),
  ]);
const group: fc.Arbitrary<Piece> = fc.tuple(
  fc.constantFrom("", "", "/", "a", ".", "-"),
  fc.option(variable, { nil: ["", ""] as Piece }),
  fc.constantFrom("", "", "/", "b", "."),
).map((
  [prefix, [pattern, text], suffix],
): Piece => [`{${prefix}${pattern}${suffix}}`, prefix + text + suffix]);
const literal: fc.Arbitrary<Piece> = fc.constantFrom<Piece>(
  ["/", "/"],
  ["/", "/"],
  ["a", "a"],
  ["b1", "b1"],
  [".", "."],
  ["-", "-"],
  ["\\*", "*"],
  ["\\.", "."],
  ["é", "é"],
  ["%2F", "%2F"],
);
const pieces = (maxLength: number): fc.Arbitrary<Piece> =>
  fc.array(fc.oneof(literal, modified(variable), modified(group)), { maxLength })
    .map((list): Piece => [list.map(([pattern]) => pattern).join(""), list.map(([, text]) => text).join("")]);

const origin: fc.Arbitrary<Piece> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.constantFrom<Piece>(["", ""], ["/", "/"], ["./", "./"], ["../", "../"], ["?", "?"]),
  },
  fc.constantFrom<Piece>(
    ["https://a.test/", "https://A.test/"],
    ["http{s}?://a.test/", "http://a.test/"],
    ["(https?)://a.test/", "http://a.test/"],
    ["(ht|f)tp://a.test/", "ftp://a.test/"],
    ["(a|https)://b1/", "a://b1/"],
    ["*://a.test/", "wss://a.test/"],
    [":n://a.test/", "wss://a.test/"],
    ["https://a.test:8080/", "https://a.test:8080/"],
    ["https://a.test:*/", "https://a.test:81/"],
    ["https://a@a.test/", "https://a@a.test/"],
    ["a://b/", "a://b/"],
    ["a\\:", "a:"],
    ["urn:x:", "urn:x:"],
    ["urn\\:x\\:", "urn:x:"],
    ["a:/", "a:/"],
  ),
  pieces(3).map(([pattern, text]): Piece => [`https://${pattern}.test/`, `https://${text}.test/`]),
);

const patternAndTopic: fc.Arbitrary<Piece> = fc.tuple(
  origin,
  pieces(5),
  fc.option(pieces(3).map(([pattern, text]): Piece => [`?${pattern}`, `?${text}`]), {
    nil: ["", ""] as Piece,
  }),
  fc.option(pieces(3).map(([pattern, text]): Piece => [`#${pattern}`, `#${text}`]), {
    nil: ["", ""] as Piece,
  }),
).map((parts): Piece => {
  let names = 0;
  return [
    parts.map(([pattern]) => pattern).join("").replaceAll(":n", () => `:n${names++}`),
    parts.map(([, text]) => text).join(""),
  ];
});

Deno.test("UrlPattern says what the built-in one says", () => {
  const seen = { true: 0, false: 0, refused: 0 };
  fc.assert(
    fc.property(
      patternAndTopic,
      fc.array(fc.tuple(fc.nat(30), fc.constantFrom("", "a", "b", "1", "/", ".", "-")), { maxLength: 2 }),
      fc.constantFrom(BASE, "https://a.test/a/b?c#d", "http://a.test:8080/"),
      ([pattern, topic], edits, base) => {
        let edited = topic;
        for (const [at, text] of edits) edited = edited.slice(0, at) + text + edited.slice(at + 1);
        let builtIn: URLPattern;
        try {
          builtIn = new URLPattern(pattern, base);
        } catch {
          assert.throws(() => new UrlPattern(pattern, base), InvalidPatternError);
          seen.refused++;
          return;
        }
        for (const candidate of [topic, edited]) {
          const expected = builtIn.test(candidate, base);
          assert.equal(matches(pattern, candidate, base), expected, `${pattern} against ${candidate}`);
          seen[`${expected}`]++;
        }
      },
    ),
    { numRuns: 2000 },
  );
  for (const [verdict, times] of Object.entries(seen)) assert.ok(times > 100, `${verdict}: ${times} times`);
});

Deno.test("A topic that is too long for an expression does not match it, and still matches what needs none", () => {
  const topicOf = (length: number) => componentsOf(`/${"a".repeat(length)}b`, BASE)!;
  const expression = new UrlPattern("/*a*b", BASE);
  assert.equal(expression.test(topicOf(1000)), true);
  assert.equal(expression.test(topicOf(1100)), false);
  assert.equal(new UrlPattern("/:name", BASE).test(topicOf(100_000)), true);
});
