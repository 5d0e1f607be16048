/**
 * What it costs to find those who may get an update: it must not depend on how many others there are.
 * `deno bench services/streamer/groups_bench.ts`
 */
import { parseMatcher, Topic } from "../lib/matcher.ts";
import { Groups } from "./groups.ts";
import { View } from "./view.ts";

const OPTIONS = { base: "https://hub.test/.well-known/mercure", maxLength: 4096 };

function groupsOf(count: number, type: "exact" | "urlpattern", pattern: (number: number) => string): Groups {
  const groups = new Groups();
  for (let number = 0; number < count; number++) {
    groups.join(new View([parseMatcher(type, pattern(number), OPTIONS)], []));
  }
  return groups;
}

let count = 0;
const nextTopic = (topics: number) => [new Topic(`https://shop.test/orders/${count++ % topics}`)];

for (const size of [1, 100, 10_000]) {
  const groups = groupsOf(size, "exact", (number) => `https://shop.test/orders/${number}`);
  Deno.bench({
    name: `${size} subscribers on as many exact topics`,
    group: "exact",
    baseline: size === 1,
    fn: () => {
      groups.routedTo(nextTopic(size));
    },
  });
}

{
  const groups = groupsOf(10_000, "urlpattern", () => "https://shop.test/orders/:id");
  Deno.bench({
    name: "10,000 subscribers on one pattern",
    group: "pattern",
    baseline: true,
    fn: () => {
      groups.routedTo(nextTopic(1000));
    },
  });
}

{
  const groups = groupsOf(1000, "urlpattern", (number) => `https://shop.test/:kind/${number}`);
  Deno.bench({
    name: "1,000 subscribers on as many patterns",
    group: "pattern",
    fn: () => {
      groups.routedTo(nextTopic(1000));
    },
  });
}
