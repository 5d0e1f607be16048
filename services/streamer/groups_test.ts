import assert from "node:assert/strict";
import * as fc from "fast-check";
import { type Matcher, parseMatcher, Topic } from "../lib/matcher.ts";
import { Groups } from "./groups.ts";
import { View } from "./view.ts";

const OPTIONS = { base: "https://hub.test/.well-known/mercure", maxLength: 4096 };

const aMatcher = fc.oneof(
  fc.constantFrom("*", "/a/1", "/a/2", "b", "https://hub.test/a/1").map((topic) =>
    parseMatcher("exact", topic, OPTIONS)
  ),
  fc.constantFrom("/a/:id", "/:x/1", "*").map((pattern) => parseMatcher("urlpattern", pattern, OPTIONS)),
);
const aView = fc.array(aMatcher, { minLength: 1, maxLength: 3 }).map((matchers) => new View(matchers, []));
const someTopics = fc.array(fc.constantFrom("/a/1", "/a/2", "/a/3", "b", "c"), {
  minLength: 1,
  maxLength: 3,
});

Deno.test("Groups.routedTo() finds the groups that asking each one would find, whoever has left meanwhile", () => {
  fc.assert(fc.property(
    fc.array(fc.record({ view: aView, leaves: fc.boolean() }), { maxLength: 12 }),
    someTopics,
    (members, names) => {
      const groups = new Groups();
      const joined = members.map(({ view, leaves }) => ({ view, leaves, group: groups.join(view) }));
      for (const { group, leaves } of joined) if (leaves) groups.leave(group);
      const topics = names.map((name) => new Topic(name));
      const wanted = joined.filter(({ leaves, view }) => !leaves && view.sees({ topics, private: false }));
      const found = [...groups.routedTo(topics)].map(({ view }) => view.key);
      assert.deepEqual(found.toSorted(), [...new Set(wanted.map(({ view }) => view.key))].toSorted());
    },
  ));
});

Deno.test("Groups share a group between equal views, in whatever order their matchers are", () => {
  const [one, two] = ["/a", "/b"].map((topic) => parseMatcher("exact", topic, OPTIONS));
  const groups = new Groups();
  const group = groups.join(new View([one!, two!], []));
  assert.equal(groups.join(new View([two!, one!], [])), group);
  assert.notEqual(groups.join(new View([one!, two!], [one!])), group);
  groups.leave(group);
  assert.equal(groups.routedTo([new Topic("/a")]).size, 2);
  groups.leave(group);
  assert.equal(groups.routedTo([new Topic("/a")]).size, 1);
});

Deno.test("Groups.routedTo() finds nobody for an update without topics, not even who sees everything", () => {
  const groups = new Groups();
  groups.join(new View([parseMatcher("exact", "*", OPTIONS)], []));
  assert.equal(groups.routedTo([]).size, 0);
});

Deno.test("Groups.routedTo() asks no exact matcher, and each distinct pattern once", () => {
  let asked = 0;
  const counting = (matcher: Matcher): Matcher => ({
    ...matcher,
    matches: (topic) => {
      asked++;
      return matcher.matches(topic);
    },
  });
  const groups = new Groups();
  for (let number = 0; number < 10_000; number++) {
    groups.join(new View([counting(parseMatcher("exact", `/orders/${number}`, OPTIONS))], []));
  }
  assert.equal(groups.routedTo([new Topic("/orders/5")]).size, 1);
  assert.equal(asked, 0);
  for (let number = 0; number < 100; number++) {
    const pattern = counting(parseMatcher("urlpattern", "/orders/:id", OPTIONS));
    groups.join(new View([pattern, parseMatcher("exact", `/rooms/${number}`, OPTIONS)], []));
  }
  assert.equal(groups.routedTo([new Topic("/orders/5")]).size, 101);
  assert.equal(asked, 1);
});

Deno.test("Groups count their distinct patterns, and the expressions in them, while somebody has them", () => {
  const groups = new Groups();
  const viewOf = (pattern: string) => new View([parseMatcher("urlpattern", pattern, OPTIONS)], []);
  const simple = groups.join(viewOf("/orders/:id"));
  groups.join(viewOf("/orders/:id"));
  const complex = groups.join(viewOf("/*/x/*/(a|b)"));
  assert.equal(groups.patterns, 2);
  assert.ok(groups.size > 0);
  groups.leave(complex);
  groups.leave(simple);
  assert.deepEqual([groups.patterns, groups.size], [1, 0]);
  groups.leave(simple);
  assert.deepEqual([groups.patterns, groups.size], [0, 0]);
});
