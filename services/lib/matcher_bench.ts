/**
 * What it costs to match one topic, which is done for each update and each distinct matcher. The built-in
 * `URLPattern` is the baseline; it parses the topic each time, where a {@link Topic} does it once.
 */
import { parseMatcher, parseTopicSelector, Topic } from "./matcher.ts";

const OPTIONS = { base: "https://hub.test/.well-known/mercure", maxLength: 4096 };
const TOPICS = ["https://a.test/books/1", "https://a.test/books/2/pages/3", "https://b.test/books/4"];

const PATTERNS = {
  "literal host, :id path": "https://a.test/books/:id",
  "wildcard path": "https://a.test/*",
  "wildcards in the middle": "https://a.test/*/2/*/3",
  "custom group": "https://a.test/books/(\\d+)",
};

const topics = TOPICS.map((name) => new Topic(name));
for (const topic of topics) topic.componentsFor(OPTIONS.base);

for (const [group, pattern] of Object.entries(PATTERNS)) {
  const matcher = parseMatcher("urlpattern", pattern, OPTIONS);
  const builtIn = new URLPattern(pattern, OPTIONS.base);
  const inputs = topics.map((topic) => ({ ...topic.componentsFor(OPTIONS.base) }));
  Deno.bench(`${group}, 3 topics`, { group }, () => {
    for (const topic of topics) matcher.matches(topic);
  });
  Deno.bench(`${group}, 3 topics, built-in with text`, { group, baseline: true }, () => {
    for (const name of TOPICS) builtIn.test(name, OPTIONS.base);
  });
  Deno.bench(`${group}, 3 topics, built-in with components`, { group }, () => {
    for (const input of inputs) builtIn.test(input);
  });
}

const exact = parseMatcher("exact", TOPICS[0]!, OPTIONS);
Deno.bench("exact, 3 topics", { group: "others" }, () => {
  for (const topic of topics) exact.matches(topic);
});

const template = parseTopicSelector("https://a.test/books/{id}", OPTIONS);
Deno.bench("URI template, 3 topics", { group: "others" }, () => {
  for (const topic of topics) template.matches(topic);
});

Deno.bench("new Topic() with its components, 3 topics", { group: "others" }, () => {
  for (const name of TOPICS) new Topic(name).componentsFor(OPTIONS.base);
});

Deno.bench("Topic.of() with its components, 3 topics", { group: "others" }, () => {
  for (const name of TOPICS) Topic.of(name).componentsFor(OPTIONS.base);
});

Deno.bench("parseMatcher() of a URL pattern", { group: "others" }, () => {
  parseMatcher("urlpattern", PATTERNS["literal host, :id path"], OPTIONS);
});
