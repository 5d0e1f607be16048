import assert from "node:assert/strict";
import * as fc from "fast-check";
import { type Entry, toEntry } from "../../static/logger/entry.js";
import { parseQuery, withoutTerm, withTerm } from "../../static/logger/query.js";

const NOW = new Date(2026, 0, 2, 12).getTime();

/** What a query is made of, before it is written down; a text is one way to write it. */
interface Term {
  readonly text: string;
  /** Terms of one field are alternatives, unless they are turned round. */
  readonly field?: string;
  readonly isExcluded: boolean;
  readonly holds: (entry: Entry) => boolean;
}

const entryOf = (body: Readonly<Record<string, unknown>>, type = "track"): Entry =>
  toEntry({ id: "urn:t:1", type, data: JSON.stringify(body) }, { arrived: NOW, isLive: true });
/** Where words are looked for. */
const searched = ({ kind, message, data }: Entry) => `${kind} ${message} ${data}`.toLowerCase();

const names = fc.constantFrom(
  "click",
  "Add to cart",
  'a "quoted" one',
  "back\\slash",
  "k:click",
  "-x",
  "/x/",
);
const words = fc.constantFrom("click", "two", "Two", "site", "x-y", "ä", "10:30");
const time = fc.integer({ min: NOW - 3_600_000, max: NOW + 3_600_000 });

const entries: fc.Arbitrary<Entry> = fc.record({
  kind: names,
  site: fc.constantFrom("shop", "blog", ""),
  sid: fc.constantFrom("s1", "s2"),
  level: fc.constantFrom("info", "error"),
  message: fc.array(words, { maxLength: 4 }).map((parts) => parts.join(" ")),
  notify: fc.boolean(),
  time,
}).map((body) => entryOf(body));

const quoted = (value: string) => `"${value.replace(/["\\]/g, "\\$&")}"`;

function term(arbitrary: fc.Arbitrary<Omit<Term, "isExcluded">>): fc.Arbitrary<Term> {
  return fc.tuple(arbitrary, fc.boolean()).map(([term, isExcluded]) => ({
    ...term,
    isExcluded,
    text: isExcluded ? `-${term.text}` : term.text,
  }));
}

const fieldTerm = (name: string, values: fc.Arbitrary<string>, of: (entry: Entry) => string) =>
  term(
    fc.tuple(values, fc.boolean()).map(([value, isQuoted]) => ({
      text: `${name}:${isQuoted || /[\s"\\]/.test(value) ? quoted(value) : value}`,
      field: name,
      holds: (entry: Entry) => of(entry) === value,
    })),
  );

const clock = (ms: number) => {
  const date = new Date(ms);
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map((part) => `${part}`.padStart(2, "0"));
};
const startOf = (ms: number) => Math.floor(ms / 1000) * 1000;

const terms: fc.Arbitrary<Term> = fc.oneof(
  fieldTerm("k", names, ({ kind }) => kind),
  fieldTerm("site", fc.constantFrom("shop", "blog"), ({ site }) => site),
  fieldTerm("sid", fc.constantFrom("s1", "s2"), ({ sid }) => sid),
  fieldTerm("level", fc.constantFrom("info", "error"), ({ level }) => level),
  fieldTerm("type", fc.constantFrom("track", "other"), ({ type }) => type),
  fieldTerm("id", fc.constantFrom("urn:t:1", "urn:t:2"), ({ id }) => id),
  term(fc.constant({ text: "is:alert", holds: ({ notify }: Entry) => notify })),
  term(words.map((word) => ({
    text: word,
    holds: (entry: Entry) => searched(entry).includes(word.toLowerCase()),
  }))),
  term(
    fc.array(words, { minLength: 1, maxLength: 2 }).map((two) => ({
      text: quoted(two.join(" ")),
      holds: (entry: Entry) => searched(entry).includes(two.join(" ").toLowerCase()),
    })),
  ),
  term(
    fc.tuple(words, words).map(([one, other]) => ({
      text: `/${one}.*${other}/`,
      // Without a regular expression: one of them, and the other behind it.
      holds: (entry: Entry) => {
        const text = searched(entry);
        const at = text.indexOf(one.toLowerCase());
        return at !== -1 && text.indexOf(other.toLowerCase(), at + one.length) !== -1;
      },
    })),
  ),
  term(
    time.map((at) => ({ text: `ts>${clock(at).join(":")}`, holds: ({ time }: Entry) => time > startOf(at) })),
  ),
  term(time.map((at) => ({
    text: `ts<${new Date(at).toISOString()}`,
    holds: ({ time }: Entry) => time < at,
  }))),
);

/** What the language says, in the plainest way. */
function expected(query: readonly Term[], entry: Entry): boolean {
  const wanted = query.filter(({ field, isExcluded }) => field !== undefined && !isExcluded);
  const rest = query.filter((term) => !wanted.includes(term));
  const fields = new Set(wanted.map(({ field }) => field));
  return rest.every(({ isExcluded, holds }) => holds(entry) !== isExcluded) &&
    [...fields].every((name) => wanted.some(({ field, holds }) => field === name && holds(entry)));
}

Deno.test("parseQuery() understands whatever can be written, as the language says", () => {
  fc.assert(
    fc.property(fc.array(terms, { maxLength: 6 }), fc.array(entries, { minLength: 1 }), (query, entries) => {
      const { matches, problem, isEmpty } = parseQuery(query.map(({ text }) => text).join(" "), NOW);
      assert.equal(problem, "");
      assert.equal(isEmpty, query.length === 0);
      for (const entry of entries) assert.equal(matches(entry), expected(query, entry));
    }),
    { numRuns: 1_000 },
  );
});

Deno.test("parseQuery() reads the filter of the page's own words", () => {
  const { matches, facets, problem } = parseQuery(
    'k:click k:"Add to cart" site:shop -k:scroll -sid:s9 /tim.\\w+/ "two words" ts>10:30 ts<13:00',
    NOW,
  );
  assert.equal(problem, "");
  assert.deepEqual(
    facets.map(({ field, value, isExcluded }) => `${isExcluded ? "-" : ""}${field}:${value}`),
    [
      "k:click",
      "k:Add to cart",
      "site:shop",
      "-k:scroll",
      "-sid:s9",
    ],
  );
  const body = { kind: "click", site: "shop", sid: "s1", message: "Timeout: two words", time: NOW };
  assert.ok(matches(entryOf(body)));
  const others = [
    { kind: "form" },
    { site: "blog" },
    { sid: "s9" },
    { message: "time two words" },
    { message: "timeout two  words" },
    { time: new Date(NOW).setHours(10, 30) },
    { time: new Date(NOW).setHours(13) },
  ];
  for (const other of others) assert.ok(!matches(entryOf({ ...body, ...other })), JSON.stringify(other));
});

Deno.test("parseQuery() takes a path for text, though it begins like a regular expression", () => {
  for (const path of ["/checkout/confirm", "/a/b/c", "/", "//", "/api/", "/api"]) {
    const { matches, problem } = parseQuery(path, NOW);
    assert.equal(problem, "", path);
    assert.ok(matches(entryOf({ kind: "pageview", site: "s", url: `https://host.test${path}` })), path);
  }
});

Deno.test("parseQuery() says what it cannot understand, and tests the rest", () => {
  const bad = [
    "/(/",
    "/a/uv",
    "is:odd",
    "ts>10",
    "ts>25:00",
    "ts<10:60",
    "ts>10:30:61",
    "ts>yesterday",
    "ts>2026-13-01",
    "ts>5",
  ];
  for (const text of bad) {
    const { matches, problem } = parseQuery(`k:click ${text}`, NOW);
    assert.equal(problem, `${text} cannot be understood.`);
    assert.ok(matches(entryOf({ kind: "click", site: "s" })), text);
    assert.ok(!matches(entryOf({ kind: "form", site: "s" })), text);
  }
});

Deno.test("parseQuery() reads a time of this day to the millisecond, a day and a moment", () => {
  const moments: Record<string, number> = {
    "9:05": new Date(2026, 0, 2, 9, 5).getTime(),
    "09:05": new Date(2026, 0, 2, 9, 5).getTime(),
    "23:59:59": new Date(2026, 0, 2, 23, 59, 59).getTime(),
    "10:30:15.25": new Date(2026, 0, 2, 10, 30, 15, 250).getTime(),
    "2026-01-01": new Date(2026, 0, 1).getTime(),
    "2026-01-01T10:30": new Date(2026, 0, 1, 10, 30).getTime(),
    "2026-01-01T10:30:00Z": Date.UTC(2026, 0, 1, 10, 30),
  };
  for (const [text, at] of Object.entries(moments)) {
    const after = parseQuery(`ts>${text}`, NOW);
    assert.deepEqual([at - 1, at, at + 1].map((time) => after.matches(entryOf({ time }))), [
      false,
      false,
      true,
    ]);
    const before = parseQuery(`ts<${text}`, NOW);
    assert.deepEqual([at - 1, at, at + 1].map((time) => before.matches(entryOf({ time }))), [
      true,
      false,
      false,
    ]);
  }
});

Deno.test("parseQuery() makes something of any text", () => {
  const text = fc.oneof(
    fc.string(),
    fc.string({ unit: fc.constantFrom('"', "\\", "/", "-", ":", " ", "k", "ts", ">", "is", "a", "(", "\n") }),
  );
  fc.assert(fc.property(text, entries, (text, entry) => {
    const { matches, problem, isEmpty, facets } = parseQuery(text, NOW);
    assert.equal(typeof matches(entry), "boolean");
    assert.ok(problem === "" || problem.endsWith(" cannot be understood."));
    if (text.trim() === "") assert.ok(isEmpty);
    for (const { field } of facets) assert.match(field, /^(k|site|sid|level|type|id)$/);
  }));
});

Deno.test("a regular expression looks at the first 2,000 characters, text at all of them", () => {
  const entry = entryOf({ kind: "a", site: "b", message: `${"x".repeat(3_000)} end` });
  assert.ok(parseQuery("end", NOW).matches(entry));
  assert.ok(!parseQuery("/end/", NOW).matches(entry));
});

const anyTerm = fc.record({
  field: fc.constantFrom("k", "site", "sid", "level", "type", "id"),
  value: fc.oneof(names, fc.string({ minLength: 1 }).filter((value) => !/[\r\n\u2028\u2029]/.test(value))),
  isExcluded: fc.boolean(),
}, { noNullPrototype: true });
const sameTerm = (a: { field: string; value: string }, b: { field: string; value: string }) =>
  a.field === b.field && a.value === b.value;

Deno.test("withTerm() adds a term and takes out its opposite, withoutTerm() takes it out, and all else stays", () => {
  const query = fc.oneof(
    fc.array(terms).map((terms) => terms.map(({ text }) => text).join("  ")),
    fc.string({ unit: fc.constantFrom('"', "\\", "/", "-", ":", " ", "k", "a", "site") }),
  );
  fc.assert(
    fc.property(query, anyTerm, entries, (query, term, entry) => {
      const before = parseQuery(query, NOW);
      const others = before.facets.filter((each) => !sameTerm(each, term));
      const added = withTerm(query, term);
      assert.deepEqual(parseQuery(added, NOW).facets, [term, ...others]);
      const without = withoutTerm(added, term);
      assert.deepEqual(parseQuery(without, NOW).facets, others);
      // Nothing but facets has gone, so that where the query had none of it, it is the same query.
      if (others.length === before.facets.length) {
        assert.equal(parseQuery(without, NOW).matches(entry), before.matches(entry));
        assert.equal(parseQuery(without, NOW).problem, before.problem);
      }
    }),
    { numRuns: 1_000 },
  );
});
