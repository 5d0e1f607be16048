/**
 * What it costs to find those who may get an update: it must not depend on how many others there are.
 * `deno bench services/streamer/groups_bench.ts`
 */
import { type Matcher, parseMatcher } from "../lib/matcher.ts";
import { type Group, Groups } from "./groups.ts";
import { View } from "./view.ts";

const OPTIONS = { base: "https://hub.test/.well-known/mercure", maxLength: 4096 };
const EVERYTHING = parseMatcher("exact", "*", OPTIONS);

const exact = (number: number) => parseMatcher("exact", `https://shop.test/orders/${number}`, OPTIONS);
const pattern = (number: number) => parseMatcher("urlpattern", `https://shop.test/:kind/${number}`, OPTIONS);
const anyOrder = () => parseMatcher("urlpattern", "https://shop.test/orders/:id", OPTIONS);

function groupsOf(size: number, matcher: (number: number) => Matcher, grant?: typeof matcher): Groups {
  const groups = new Groups();
  for (let number = 0; number < size; number++) {
    groups.join(new View([matcher(number)], grant === undefined ? [] : [grant(number)]));
  }
  return groups;
}

let count = 0;
/** An update of the next of so many topics, as a new string: that is how updates bring them. */
const nextUpdate = (topics: number, { isPrivate = false } = {}) => ({
  topics: [["https://shop.test/orders", count++ % topics].join("/")],
  private: isPrivate,
});

/** Visits them as the hub does. */
function visit(groups: Iterable<Group>): number {
  let visited = 0;
  for (const { live } of groups) visited += live.size + 1;
  return visited;
}

for (const size of [1, 100, 10_000]) {
  const groups = groupsOf(size, exact);
  Deno.bench({
    name: `${size} subscribers on as many exact topics`,
    group: "exact",
    baseline: size === 1,
    fn: () => {
      visit(groups.seeing(nextUpdate(size)));
    },
  });
}

{
  const groups = groupsOf(10_000, anyOrder);
  Deno.bench("10,000 subscribers on one pattern, 1,000 topics", { group: "pattern", baseline: true }, () => {
    visit(groups.seeing(nextUpdate(1000)));
  });
}

{
  const groups = groupsOf(1000, pattern);
  Deno.bench("1,000 subscribers on as many patterns, 1,000 topics", { group: "pattern" }, () => {
    visit(groups.seeing(nextUpdate(1000)));
  });
}

{
  const groups = groupsOf(1000, pattern);
  // Made before, since a pattern takes 100 µs to parse.
  const views = Array.from({ length: 2000 }, (_, number) => new View([pattern(1000 + number)], []));
  let group = groups.join(views[0]!);
  Deno.bench(
    "the same, and with every 10th update one leaves and a new pattern joins",
    { group: "pattern" },
    () => {
      visit(groups.seeing(nextUpdate(1000)));
      if (count % 10 > 0) return;
      groups.leave(group);
      group = groups.join(views[count / 10 % views.length]!);
    },
  );
}

{
  const groups = groupsOf(1000, pattern);
  Deno.bench("1,000 patterns, each topic a new one", { group: "pattern" }, () => {
    visit(groups.seeing(nextUpdate(Infinity)));
  });
}

const grants = { "exact grant": exact, "pattern as grant": pattern };
for (const [what, grant] of Object.entries(grants)) {
  const all = groupsOf(10_000, () => EVERYTHING, grant);
  Deno.bench(`10,000 subscribers on *, each with its own ${what}`, { group: "private" }, () => {
    visit(all.seeing(nextUpdate(1000, { isPrivate: true })));
  });
  const own = groupsOf(10_000, exact, grant);
  Deno.bench(
    `10,000 subscribers on their own topics, each with its own ${what}`,
    { group: "private" },
    () => {
      visit(own.seeing(nextUpdate(1000, { isPrivate: true })));
    },
  );
}
