import assert from "node:assert/strict";
import * as fc from "fast-check";
import { InvalidMatcherError, type Matcher, parseMatcher, parseTopicSelector, Topic } from "./matcher.ts";
import { trickyText } from "./testing/fixtures.ts";

const OPTIONS = { base: "https://hub.test/.well-known/mercure", maxLength: 4096 };

const parsers: Readonly<Record<string, (pattern: string) => Matcher>> = {
  exact: (pattern) => parseMatcher("exact", pattern, OPTIONS),
  urlpattern: (pattern) => parseMatcher("urlpattern", pattern, OPTIONS),
  template: (pattern) => parseTopicSelector(pattern, OPTIONS),
};

/** What parsing says of a matcher that it must refuse. */
function refusal(parse: () => unknown): string {
  try {
    parse();
  } catch (error) {
    assert.ok(error instanceof InvalidMatcherError, `${error}`);
    return error.message;
  }
  assert.fail("Took it");
}

for (const [type, parse] of Object.entries(parsers)) {
  Deno.test(`A matcher of type ${type} that is "*" matches every topic`, () => {
    const matcher = parse("*");
    assert.equal(matcher.matchesAll, true);
    assert.equal(matcher.exact, undefined);
    assert.equal(matcher.type, type);
    fc.assert(fc.property(trickyText, (topic) => matcher.matches(new Topic(topic))));
    assert.ok(matcher.matches(new Topic("http://[bad")));
  });

  Deno.test(`A matcher of type ${type} keeps its pattern, and its key tells it from others`, () => {
    assert.equal(parse("/a").pattern, "/a");
    assert.equal(parse("/a").matchesAll, false);
    assert.equal(parse("/a").key, parse("/a").key);
    const keys = Object.values(parsers).flatMap((other) =>
      ["/a", "/b", "*", "/a*"].map((text) => other(text).key)
    );
    assert.equal(new Set(keys).size, keys.length);
  });

  Deno.test(`A matcher of type ${type} must not be empty, too long or hold what no topic holds`, () => {
    assert.match(refusal(() => parse("")), /must not be empty/);
    assert.match(refusal(() => parse(`/${"a".repeat(4096)}`)), /at most 4096 bytes/);
    assert.match(refusal(() => parse(`/a${"é".repeat(2048)}`)), /at most 4096 bytes/);
    assert.match(refusal(() => parse("/\uD83D")), /half a surrogate pair/);
    for (const character of ["\n", "\0", "\x7F", "\x85", "\u00AD", "\u200B", "\u202E", "\uFEFF"]) {
      assert.match(refusal(() => parse(`/a${character}`)), /control or invisible/);
    }
    parse(`/${"a".repeat(4095)}`);
    parse(`/${"é".repeat(2047)}`);
    parse("/א/🐇");
  });
}

Deno.test("parseMatcher() refuses types that it does not know, whatever the pattern", () => {
  for (const type of ["", "Exact", "URLPattern", "template", "regexp", "__proto__", "exact "]) {
    for (const pattern of ["*", "/a", ""]) {
      assert.match(refusal(() => parseMatcher(type, pattern, OPTIONS)), /must be "exact" or "urlpattern"/);
    }
  }
});

Deno.test("An exact matcher matches its topic only, unit by unit", () => {
  for (const topic of ["/a", "a b", "é", "https://a.test/books/{id}", "/books/:id", "foo*", "**"]) {
    const matcher = parseMatcher("exact", topic, OPTIONS);
    assert.equal(matcher.exact, topic);
    assert.equal(matcher.matches(new Topic(topic)), true);
  }
  const others: readonly [pattern: string, topic: string][] = [
    ["/a", "https://hub.test/a"],
    ["https://a.test/", "https://A.test/"],
    ["é", "e\u0301"],
    ["/books/:id", "/books/1"],
    ["/a/{id}", "/a/1"],
    ["foo*", "foobar"],
  ];
  for (const [pattern, topic] of others) {
    assert.equal(parseMatcher("exact", pattern, OPTIONS).matches(new Topic(topic)), false);
  }
});

Deno.test("A URL pattern resolves itself and the topic against the hub URL", () => {
  const matcher = parseMatcher("urlpattern", "/books/:id", OPTIONS);
  assert.equal(matcher.exact, undefined);
  assert.equal(matcher.matches(new Topic("/books/1")), true);
  assert.equal(matcher.matches(new Topic("https://hub.test/books/1")), true);
  assert.equal(matcher.matches(new Topic("https://other.test/books/1")), false);
  assert.equal(matcher.matches(new Topic("http://[bad")), false);
  const other = parseMatcher("urlpattern", "/books/:id", { ...OPTIONS, base: "https://other.test/hub" });
  assert.notEqual(other.key, matcher.key);
  const topic = new Topic("/books/1");
  for (const _ of [1, 2]) assert.deepEqual([matcher.matches(topic), other.matches(topic)], [true, true]);
  const absolute = new Topic("https://other.test/books/1");
  for (const _ of [1, 2]) {
    assert.deepEqual([matcher.matches(absolute), other.matches(absolute)], [false, true]);
  }
});

Deno.test("A URL pattern that is plain text is not exact: several topics match it", () => {
  const matcher = parseMatcher("urlpattern", "https://a.test/x", OPTIONS);
  assert.equal(matcher.exact, undefined);
  for (const topic of ["https://a.test/x", "https://A.TEST/x", "https://a.test/x#f", "https://a.test/./x"]) {
    assert.equal(matcher.matches(new Topic(topic)), true, topic);
  }
});

Deno.test("A topic selector is a topic, or a URI template and the topic that is written like it", () => {
  const topic = parseTopicSelector("https://a.test/books/1", OPTIONS);
  assert.equal(topic.exact, "https://a.test/books/1");
  assert.equal(topic.matches(new Topic("https://a.test/books/1")), true);
  assert.equal(topic.matches(new Topic("https://a.test/books/2")), false);
  const template = parseTopicSelector("https://a.test/books/{id}", OPTIONS);
  assert.equal(template.exact, undefined);
  assert.equal(template.matches(new Topic("https://a.test/books/2")), true);
  assert.equal(template.matches(new Topic("https://a.test/books/{id}")), true);
  assert.equal(template.matches(new Topic("https://a.test/books/2/3")), false);
});

Deno.test("A bad pattern is refused in words for a client", () => {
  assert.match(refusal(() => parseMatcher("urlpattern", "{open", OPTIONS)), /URL pattern: it is not valid/);
  assert.match(refusal(() => parseMatcher("urlpattern", "/x/(", OPTIONS)), /URL pattern: it is not valid/);
  assert.match(refusal(() => parseMatcher("urlpattern", "/((?=a))", OPTIONS)), /group in its pathname/);
  assert.equal(parseTopicSelector("{open", OPTIONS).exact, "{open");
  const many = "{a}".repeat(100);
  assert.match(refusal(() => parseTopicSelector(many, OPTIONS)), /URI template: it has too many variables/);
});

Deno.test("Topic parses itself once for each base", () => {
  const topic = new Topic("/a?b#c");
  const components = topic.componentsFor(OPTIONS.base);
  assert.deepEqual(components, {
    protocol: "https",
    username: "",
    password: "",
    hostname: "hub.test",
    port: "",
    pathname: "/a",
    search: "b",
    hash: "c",
  });
  assert.equal(topic.componentsFor(OPTIONS.base), components);
  assert.equal(topic.componentsFor("http://other.test:81/")?.port, "81");
  assert.equal(new Topic("http://[bad").componentsFor(OPTIONS.base), undefined);
});

Deno.test("Topic.of() is one topic for one name, so that it is parsed once", () => {
  const topic = Topic.of("/a?b");
  assert.equal(topic.name, "/a?b");
  assert.equal(Topic.of(["/a", "b"].join("?")), topic);
  assert.notEqual(Topic.of("/a"), topic);
});

Deno.test("Topic.of() forgets topics that nobody has asked for lately", () => {
  const topic = Topic.of("/forgotten");
  for (let number = 0; number < 1000; number++) Topic.of(`/${number}/${"x".repeat(16_000)}`);
  assert.notEqual(Topic.of("/forgotten"), topic);
});
