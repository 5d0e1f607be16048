import assert from "node:assert/strict";
import * as fc from "fast-check";
import { type Entry, noteEntry, toEntry } from "../../static/logger/entry.js";
import { parseQuery } from "../../static/logger/query.js";

const NOW = Date.UTC(2026, 0, 2, 12);
const entryOf = (body: unknown, type = "track"): Entry =>
  toEntry({ id: "urn:t:1", type, data: typeof body === "string" ? body : JSON.stringify(body) }, {
    arrived: NOW,
    isLive: true,
  });
const messageOf = (
  kind: string,
  props: Record<string, unknown>,
  url: unknown = "https://host.test/p?q=1#h",
) => entryOf({ kind, site: "shop", url, props }).message;

Deno.test("toEntry() makes a row of bounded size of any event, and reads no field of another type", () => {
  const names = [
    "kind",
    "site",
    "sid",
    "n",
    "time",
    "clocks",
    "level",
    "message",
    "notify",
    "dropped",
    "props",
    "url",
  ];
  const data = fc.oneof(
    fc.string(),
    fc.json(),
    fc.dictionary(fc.constantFrom(...names), fc.jsonValue({ maxDepth: 2 })).map((body) =>
      JSON.stringify(body)
    ),
    fc.string({ minLength: 900, maxLength: 2_000 }).map((long) =>
      JSON.stringify({ kind: long, site: long, message: long })
    ),
  );
  fc.assert(fc.property(fc.string(), fc.string(), data, (id, type, data) => {
    const entry = toEntry({ id, type, data }, { arrived: NOW, isLive: false });
    const { kind, site, sid, message, level, n, time, latency, dropped, notify } = entry;
    assert.deepEqual([entry.row, entry.id, entry.type, entry.data, entry.isLive], [
      "update",
      id,
      type,
      data,
      false,
    ]);
    assert.ok([kind, site, sid].every((name) => typeof name === "string" && name.length <= 200));
    assert.ok(typeof message === "string" && message.length <= 500);
    assert.match(level, /^(debug|info|warning|error|other)$/);
    assert.ok([n, latency, dropped, time].every((number) => typeof number === "number"));
    assert.ok(latency >= -1 && dropped >= 0 && Number.isInteger(dropped));
    assert.ok(!Number.isNaN(new Date(time).getTime()));
    assert.equal(typeof notify, "boolean");
    assert.equal(entry.text, entry.text.toLowerCase());
  }));
});

/** JSON of what no browser would report: it is no primitive when asked, too deep to be written, or no number. */
const hostile = fc.oneof(
  fc.constantFrom(
    '{"toString":1,"valueOf":1}',
    '{"toJSON":{"toString":1}}',
    `${"[".repeat(10_000)}${"]".repeat(10_000)}`,
    `${'{"a":'.repeat(10_000)}1${"}".repeat(10_000)}`,
    "null",
    "1e999",
  ),
  fc.json({ maxDepth: 2 }),
);

Deno.test("toEntry() makes a line of whatever a tracking event claims to be", () => {
  const kind = fc.constantFrom(
    ...["pageview", "engagement", "click", "outbound", "download", "form", "error", "signup", "__proto__"],
  );
  const names = ["ms", "scroll", "title", "text", "href", "name", "id", "message", "__proto__"];
  const props = fc.tuple(...names.map((name) => hostile.map((value) => `"${name}":${value}`)));
  fc.assert(
    fc.property(kind, props, hostile, hostile, (kind, props, url, clocks) => {
      const claims = `"props":{${props}},"url":${url},"clocks":${clocks},"time":${url}`;
      const { message, kind: told, time, latency } = entryOf(`{"kind":"${kind}","site":"shop",${claims}}`);
      assert.equal(told, kind);
      assert.ok(typeof message === "string" && message.length <= 500);
      assert.ok(!Number.isNaN(new Date(time).getTime()) && latency >= -1);
    }),
    { numRuns: 500 },
  );
});

/** Whether a search for these words, in quotes, finds it. */
function isFound(words: string, entry: Entry): boolean {
  return parseQuery(`"${words.replace(/["\\]/g, "\\$&")}"`, NOW).matches(entry);
}

Deno.test("the words of a row are found, however its data writes them", () => {
  const told = [
    [{ message: 'says "hi"\tto all' }, 'says "hi"', '"hi"\tto'],
    ['{"message":"caf\\u00e9 \\/cart"}', "café /cart"],
    [{ kind: "pageview", site: "shop", url: "https://a.test/p?q", props: { title: "Hats" } }, "hats · /p?q"],
    [{ kind: "engagement", site: "shop", props: { ms: 9_000 } }, "9 s on"],
  ] as const;
  for (const [body, ...searches] of told) {
    for (const words of searches) assert.ok(isFound(words, entryOf(body, "note")), words);
  }
  assert.ok(!isFound("tea", entryOf({ message: "coffee" })));
  fc.assert(fc.property(fc.string({ unit: "grapheme", minLength: 1 }), (message) => {
    for (const body of [{ message }, { kind: "pageview", site: "shop", props: { title: message } }]) {
      assert.ok(isFound(message, entryOf(body)));
    }
  }));
});

Deno.test("toEntry() tells a tracking event by its kind and site, and anything else by its type", () => {
  assert.deepEqual(
    [entryOf({ kind: "click", site: "shop" }).kind, entryOf({ kind: "click" }, "login").kind],
    ["click", "login"],
  );
  assert.deepEqual(
    ["error", "click"].map((kind) => entryOf({ kind, site: "shop" }).level),
    ["error", "info"],
  );
  assert.equal(entryOf({ kind: "click", site: "shop", level: "warning" }).level, "warning");
  assert.equal(entryOf({ level: "loud" }, "login").level, "other");
  assert.ok(entryOf({ message: "x" }, "Login").text.includes("login"), "its type can be searched");
});

Deno.test("toEntry() takes the latency from the clock of the server, never below zero", () => {
  const latencyOf = (time: number, received: unknown) =>
    entryOf({ kind: "click", site: "shop", time, clocks: { received } }).latency;
  assert.deepEqual(
    [latencyOf(NOW, NOW + 250), latencyOf(NOW, NOW - 250), latencyOf(NOW, "soon"), latencyOf(NOW, null)],
    [250, 0, -1, -1],
  );
});

Deno.test("toEntry() says what happened in one line", () => {
  const said: Record<string, string> = {
    [messageOf("pageview", { title: "A page" })]: "A page · /p?q=1#h",
    [messageOf("pageview", {})]: "/p?q=1#h",
    [messageOf("engagement", { ms: 12_345, scroll: 80 })]: "12 s on /p?q=1#h, read to 80 %",
    [messageOf("engagement", { ms: "?" })]: "0 s on /p?q=1#h",
    [messageOf("click", { text: "Buy", href: "/buy" })]: "Buy → /buy",
    [messageOf("outbound", { href: "https://other.test/" })]: "https://other.test/",
    [messageOf("download", {}, "no address")]: "no address",
    [messageOf("form", { name: "login", id: "f" })]: "login sent on /p?q=1#h",
    [messageOf("form", {})]: "A form sent on /p?q=1#h",
    [messageOf("error", { message: "x is not defined" })]: "x is not defined · /p?q=1#h",
    [messageOf("signup", { plan: "pro", seats: 3 })]: "plan: pro, seats: 3",
    [messageOf("signup", {})]: "/p?q=1#h",
  };
  for (const [found, expected] of Object.entries(said)) assert.equal(found, expected);
  assert.equal(entryOf({ kind: "click", site: "shop", message: "its own words" }).message, "its own words");
});

Deno.test("noteEntry() is a row, and nothing that could be counted or filtered as an update", () => {
  const { row, message, text, id, kind, latency, notify } = noteEntry("gap", "Updates are missing", NOW);
  assert.deepEqual([row, message, text], ["gap", "Updates are missing", "updates are missing"]);
  assert.deepEqual([id, kind, latency, notify], ["", "", -1, false]);
});
