import assert from "node:assert/strict";
import { parseMatcher } from "../lib/matcher.ts";
import { View } from "./view.ts";

const OPTIONS = { base: "https://hub.test/.well-known/mercure", maxLength: 4096 };

function viewOf(matchers: readonly string[], grants: readonly string[] = []): View {
  const parse = (pattern: string) => parseMatcher("exact", pattern, OPTIONS);
  return new View(matchers.map(parse), grants.map(parse));
}

function updateOf(isPrivate: boolean, ...names: string[]) {
  return { topics: names, private: isPrivate };
}

Deno.test("a view shows what is routed to it, by whichever of its topics", () => {
  const view = viewOf(["/a"]);
  assert.equal(view.sees(updateOf(false, "/a")), true);
  assert.equal(view.sees(updateOf(false, "/b", "/a")), true);
  assert.equal(view.sees(updateOf(false, "/b")), false);
});

Deno.test("a view shows a private update only with a grant, which may be for another of its topics", () => {
  assert.equal(viewOf(["*"]).sees(updateOf(true, "/a")), false);
  assert.equal(viewOf(["*"], ["/a"]).sees(updateOf(true, "/a")), true);
  assert.equal(viewOf(["/a"], ["/users/1"]).sees(updateOf(true, "/a", "/users/1")), true);
  assert.equal(viewOf(["/a"], ["/b"]).sees(updateOf(true, "/a")), false);
  assert.equal(viewOf(["/a"], ["*"]).sees(updateOf(true, "/b")), false, "a grant does not widen the route");
});
