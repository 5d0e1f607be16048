import assert from "node:assert/strict";
import * as fc from "fast-check";
import { parseMatcher, parseTopicSelector } from "../lib/matcher.ts";
import { type Group, Groups } from "./groups.ts";
import { View } from "./view.ts";

const OPTIONS = { base: "https://hub.test/.well-known/mercure", maxLength: 4096 };

const aMatcher = fc.oneof(
  fc.constantFrom("*", "/a/1", "/a/2", "b", "https://hub.test/a/1").map((topic) =>
    parseMatcher("exact", topic, OPTIONS)
  ),
  fc.nat(15).map((number) => parseMatcher("exact", `/n/${number}`, OPTIONS)),
  fc.constantFrom("/a/:id", "/:x/1", "*", "/n/1*", "/:x/:y").map((pattern) =>
    parseMatcher("urlpattern", pattern, OPTIONS)
  ),
  fc.constantFrom("/a/{id}", "/n/{id}", "{x}").map((pattern) => parseTopicSelector(pattern, OPTIONS)),
);
const aView = fc.tuple(
  fc.array(aMatcher, { minLength: 1, maxLength: 3 }),
  fc.array(aMatcher, { maxLength: 3 }),
).map(([matchers, grants]) => new View(matchers, grants));
const anUpdate = fc.record({
  topics: fc.array(
    fc.oneof(fc.constantFrom("/a/1", "/a/2", "/a/3", "b", "c"), fc.nat(15).map((number) => `/n/${number}`)),
    { minLength: 1, maxLength: 12 },
  ),
  private: fc.boolean(),
});
const aStep = fc.oneof(
  fc.record({ kind: fc.constant("join" as const), view: aView }),
  fc.record({ kind: fc.constant("leave" as const), index: fc.nat() }),
  fc.record({ kind: fc.constant("update" as const), update: anUpdate }),
);

const keysOf = (views: Iterable<{ readonly view: View }>) =>
  [...views].map(({ view }) => view.key).toSorted();
const distinct = (groups: readonly Group[]) => [...new Set(groups)];

Deno.test("Groups find those that asking each one would find, whoever has come and gone, with any memory", () => {
  fc.assert(fc.property(
    fc.constantFrom(0, 1000, 1_000_000),
    fc.array(aStep, { maxLength: 100 }),
    (cacheBytes, steps) => {
      const groups = new Groups({ cacheBytes });
      const joined: Group[] = [];
      for (const step of steps) {
        if (step.kind === "join") {
          joined.push(groups.join(step.view));
        } else if (step.kind === "leave") {
          const [group] = joined.splice(step.index % (joined.length || 1), 1);
          if (group !== undefined) groups.leave(group);
        } else {
          const { update } = step;
          const seeing = distinct(joined).filter(({ view }) => view.sees(update));
          assert.deepEqual(keysOf(groups.seeing(update)), keysOf(seeing));
        }
      }
    },
  ));
});

Deno.test("Groups find who may read a private update, be those few of many or many of few", () => {
  const all = parseMatcher("exact", "*", OPTIONS);
  const groups = new Groups();
  const views = Array.from({ length: 100 }, (_, number) =>
    new View([all], [
      parseMatcher("exact", `/users/${number}`, OPTIONS),
      parseMatcher("urlpattern", `/users/${number % 10}/*`, OPTIONS),
    ]));
  for (const view of views) groups.join(view);
  for (const topics of [["/users/5"], ["/users/5/inbox"], ["/users/5", "/users/6/inbox"], ["/none"]]) {
    const update = { topics, private: true };
    const wanted = views.filter((view) => view.sees(update)).map((view) => ({ view }));
    assert.deepEqual(keysOf(groups.seeing(update)), keysOf(wanted));
  }
});

Deno.test("Groups share a group between equal views, in whatever order their matchers are", () => {
  const [one, two] = ["/a", "/b"].map((topic) => parseMatcher("exact", topic, OPTIONS));
  const groups = new Groups();
  const group = groups.join(new View([one!, two!], []));
  const other = groups.join(new View([one!, two!], [one!]));
  assert.equal(groups.join(new View([two!, one!], [])), group);
  assert.notEqual(other, group);
  groups.leave(group);
  assert.deepEqual([...groups.seeing({ topics: ["/a"], private: false })], [group, other]);
  groups.leave(group);
  assert.deepEqual([...groups.seeing({ topics: ["/a"], private: false })], [other]);
});

Deno.test("Groups find nobody for an update without topics, not even who sees everything", () => {
  const groups = new Groups();
  const all = parseMatcher("exact", "*", OPTIONS);
  groups.join(new View([all], [all]));
  for (const isPrivate of [false, true]) {
    assert.deepEqual([...groups.seeing({ topics: [], private: isPrivate })], []);
  }
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
