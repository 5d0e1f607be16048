import assert from "node:assert/strict";
import { type Matcher, parseMatcher } from "../lib/matcher.ts";
import { Interests } from "./interests.ts";

const OPTIONS = { base: "https://hub.test/.well-known/mercure", maxLength: 4096 };

/** A pattern that tells how often it was asked. */
function counting(pattern: string): Matcher & { asked: number } {
  const matcher = parseMatcher("urlpattern", pattern, OPTIONS);
  const counter = {
    ...matcher,
    asked: 0,
    matches: (topic: Parameters<Matcher["matches"]>[0]) => {
      counter.asked++;
      return matcher.matches(topic);
    },
  };
  return counter;
}

const found = (interests: Interests<string>, ...topics: string[]) =>
  interests.find(topics).flatMap((set) => [...set]).toSorted();

Deno.test("Interests ask a pattern once for each topic of late, whoever comes and goes", () => {
  const interests = new Interests<string>();
  const first = counting("/orders/:id");
  interests.add(first, "first");
  for (let count = 0; count < 10; count++) {
    assert.deepEqual(found(interests, "/orders/1", "/orders/2"), ["first"]);
  }
  assert.equal(first.asked, 2);
  const second = counting("/*/1");
  interests.add(second, "second");
  interests.add(parseMatcher("exact", "/orders/1", OPTIONS), "third");
  assert.equal(second.asked, 0, "not for topics that may never come again");
  assert.deepEqual(found(interests, "/orders/1"), ["first", "second", "third"]);
  assert.deepEqual([first.asked, second.asked], [2, 1]);
  interests.delete(first, "first");
  assert.deepEqual(found(interests, "/orders/1"), ["second", "third"]);
  assert.deepEqual([first.asked, second.asked], [2, 1]);
  interests.add(first, "first again");
  assert.deepEqual(found(interests, "/orders/1"), ["first again", "second", "third"]);
  assert.deepEqual([first.asked, second.asked], [3, 1]);
});

Deno.test("Interests ask one pattern for all who have it", () => {
  const interests = new Interests<string>();
  const patterns = Array.from({ length: 100 }, () => counting("/orders/:id"));
  for (const [index, pattern] of patterns.entries()) interests.add(pattern, `member ${index}`);
  assert.equal(found(interests, "/orders/1").length, 100);
  assert.equal(patterns.reduce((sum, { asked }) => sum + asked, 0), 1);
});

Deno.test("Interests remember topics within a bound, however many and however long they are", () => {
  const kinds: readonly [padding: string, most: number][] = [["", 10_000], ["é".repeat(10_000), 60]];
  for (const [padding, most] of kinds) {
    const interests = new Interests<string>(1024 * 1024);
    interests.add(counting("/x"), "member");
    for (let number = 0; number < 20_000; number++) {
      interests.find([`/${number}${padding}`]);
      assert.ok(interests.remembered <= most, `${interests.remembered}`);
    }
  }
});

Deno.test("Interests count what many patterns that match a topic take", () => {
  const interests = new Interests<string>(1024 * 1024);
  for (let number = 0; number < 100; number++) {
    interests.add(parseMatcher("urlpattern", `/:${"x".repeat(number + 1)}`, OPTIONS), `${number}`);
  }
  for (let number = 0; number < 5000; number++) {
    assert.equal(found(interests, `/${number}`).length, 100);
    assert.ok(interests.remembered < 200);
  }
});

Deno.test("Interests find nobody without a topic, and each set once", () => {
  const interests = new Interests<string>();
  interests.add(parseMatcher("exact", "*", OPTIONS), "all");
  interests.add(parseMatcher("urlpattern", "/*", OPTIONS), "pattern");
  assert.deepEqual(interests.find([]), []);
  assert.deepEqual(found(interests, "/a", "/b", "/a"), ["all", "pattern"]);
});

Deno.test("Interests forget patterns that came and went", () => {
  const interests = new Interests<string>();
  interests.add(counting("/kept/:id"), "kept");
  for (let number = 0; number < 1000; number++) {
    const matcher = counting(`/:x/${number}`);
    interests.add(matcher, "passing");
    assert.deepEqual(found(interests, `/kept/${number}`), ["kept", "passing"]);
    interests.delete(matcher, "passing");
    assert.deepEqual(found(interests, `/kept/${number}`), ["kept"]);
    assert.equal(interests.find([`/kept/${number}`]).length, 1);
  }
  assert.equal(interests.patterns, 1);
  assert.deepEqual(found(interests, "/kept/new"), ["kept"]);
});
