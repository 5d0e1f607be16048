import assert from "node:assert/strict";
import * as fc from "fast-check";
import * as v from "valibot";
import { FORBIDDEN_CHARACTERS, trickyText } from "../lib/testing/fixtures.ts";
import { BATCH, MAX_EVENTS, TRACKED_INPUT, type TrackedInput } from "./tracking_schemas.ts";

const ID = "01a20a53-e715-7167-bac9-5c3790a3b78d";
const GOOD = { id: ID, n: 3, t: 1_764_000_000_950, k: "click" };
const ENVELOPE = { v: 1, site: "shop", sent: 1_764_000_001_000, e: [GOOD] };

function eventOf(overrides: Record<string, unknown>): TrackedInput {
  return v.parse(TRACKED_INPUT, { ...GOOD, ...overrides });
}

/** What is wrong with it. */
function problemOf(schema: typeof TRACKED_INPUT | typeof BATCH, value: unknown): string {
  const { issues } = v.safeParse(schema, value, { abortEarly: true });
  return issues === undefined
    ? ""
    : `${v.getDotPath(issues[0] as v.BaseIssue<unknown>) ?? "it"} ${issues[0].message}`;
}

Deno.test("an event keeps what it says, and nothing that an event does not have", () => {
  const full = {
    ...GOOD,
    u: "https://a.test/p",
    r: "https://b.test/",
    p: { title: "é 🐇", deep: { list: [1, null] } },
  };
  assert.deepEqual(v.parse(TRACKED_INPUT, { ...full, x: 1, site: "other" }), full);
  assert.deepEqual(v.parse(TRACKED_INPUT, { ...GOOD, n: undefined }), { ...GOOD, n: 0 });
});

Deno.test("a kind is made a name: what cannot be seen is left out, line ends are spaces, and it has an end", () => {
  const kinds: [string, string][] = [
    ["  Add\n   to\tcart ", "Add to cart"],
    ["kun\xADden\u200Bkonto", "kundenkonto"],
    ["a\u0000\u001b[31mb", "a[31mb"],
    ["\u202Etxt", "txt"],
    ["a\ud83d", "a\ufffd"],
    ["x".repeat(300), "x".repeat(200)],
    [`${"x".repeat(199)}🐇`, `${"x".repeat(199)}\ufffd`],
    [`${"x".repeat(199)} y`, "x".repeat(199)],
    ["__proto__", "__proto__"],
    ["...", "..."],
    ["日本", "日本"],
  ];
  for (const [text, kind] of kinds) assert.equal(eventOf({ k: text }).k, kind, JSON.stringify(text));
});

Deno.test("a name that a URL parser would drop from a path is refused, also when it only becomes one", () => {
  for (const k of [".", "..", " .. ", ".\u200B.", "..\n"]) {
    assert.equal(problemOf(TRACKED_INPUT, { ...GOOD, k }), "k must not be . or ..");
  }
  for (const site of [".", "..", " .."]) {
    assert.equal(problemOf(BATCH, { ...ENVELOPE, site }), "site must not be . or ..");
  }
});

Deno.test("what makes an event none is said without repeating it", () => {
  const cases: [unknown, string][] = [
    [null, "it must be an object"],
    ["x", "it must be an object"],
    [[], "id is missing"],
    [{ id: ID, t: 0 }, "k is missing"],
    [{ ...GOOD, id: undefined }, "id must be a UUID"],
    [{ ...GOOD, id: 7 }, "id must be a UUID"],
    [{ ...GOOD, id: `${ID}0` }, "id must be a UUID"],
    [{ ...GOOD, id: `${ID}\n` }, "id must be a UUID"],
    [{ ...GOOD, id: "00000000-0000-0000-0000-000000000000" }, "id must be a UUID"],
    [{ ...GOOD, n: -1 }, "n must be a whole number from 0"],
    [{ ...GOOD, n: 0.5 }, "n must be a whole number from 0"],
    [{ ...GOOD, n: 2 ** 53 }, "n must be a whole number from 0"],
    [{ ...GOOD, n: "1" }, "n must be a whole number from 0"],
    [{ ...GOOD, t: "now" }, "t must be milliseconds since 1970"],
    [{ ...GOOD, t: null }, "t must be milliseconds since 1970"],
    [{ ...GOOD, k: "" }, "k must not be empty"],
    [{ ...GOOD, k: " \u200B\n" }, "k must not be empty"],
    [{ ...GOOD, k: { secret: 1 } }, "k must be a string"],
    [{ ...GOOD, u: 1 }, "u must be a string"],
    [{ ...GOOD, r: {} }, "r must be a string"],
    [{ ...GOOD, p: "secret" }, "p must be an object"],
    [{ ...GOOD, p: null }, "p must be an object"],
  ];
  for (const [value, problem] of cases) {
    assert.equal(problemOf(TRACKED_INPUT, value), problem);
  }
});

Deno.test("what makes a batch none is said likewise", () => {
  const cases: [unknown, string][] = [
    [null, "it must be an object"],
    [[ENVELOPE], "v is missing"],
    [{ ...ENVELOPE, v: undefined }, "v must be 1"],
    [{ v: 1, site: "shop", sent: 1 }, "e is missing"],
    [{ ...ENVELOPE, v: 2 }, "v must be 1"],
    [{ ...ENVELOPE, v: "1" }, "v must be 1"],
    [{ ...ENVELOPE, site: 1 }, "site must be a string"],
    [{ ...ENVELOPE, site: "" }, "site must not be empty"],
    [{ ...ENVELOPE, site: "x".repeat(201) }, "site must have at most 200 characters"],
    [{ ...ENVELOPE, site: "a\ud83d" }, "site must not hold half a surrogate pair"],
    [{ ...ENVELOPE, sent: "x" }, "sent must be milliseconds since 1970"],
    [{ ...ENVELOPE, e: {} }, "e must be a list"],
    [{ ...ENVELOPE, e: [] }, "e must have an event"],
    [{ ...ENVELOPE, e: Array(MAX_EVENTS + 1).fill(GOOD) }, `e must have at most ${MAX_EVENTS} events`],
  ];
  for (const [value, problem] of cases) assert.equal(problemOf(BATCH, value), problem);
  for (const character of FORBIDDEN_CHARACTERS) {
    const problem = problemOf(BATCH, { ...ENVELOPE, site: `a${character}b` });
    assert.equal(problem, "site must not hold control or invisible format characters");
  }
});

Deno.test("nonsense beside the events counts as nothing said, and costs no event", () => {
  const plain = v.parse(BATCH, ENVELOPE);
  const cases = {
    sid: ["x", null],
    try: [-1],
    drop: [1e300],
    rate: [10, null],
    privacy: ["no"],
    bots: [true],
  };
  for (const [name, values] of Object.entries(cases)) {
    for (const value of values) {
      const batch = v.parse(BATCH, { ...ENVELOPE, [name]: value });
      assert.deepEqual(JSON.parse(JSON.stringify(batch)), JSON.parse(JSON.stringify(plain)), name);
    }
  }
});

Deno.test("addresses, times and properties that are too much are cut, and the event stays", () => {
  const { u, r } = eventOf({ u: `https://a.test/${"é".repeat(5000)}`, r: `${"x".repeat(2047)}🐇` });
  assert.equal(u?.length, 2048);
  assert.equal(r, `${"x".repeat(2047)}\ufffd`);
  assert.equal(eventOf({ u: "a\udc00" }).u, "a\ufffd");
  const times: [string, number][] = [["-1", 0], ["1e999", 8.64e15], ["-1e999", 0], ["1.6", 2], [
    "1e17",
    8.64e15,
  ]];
  for (const [text, t] of times) assert.equal(eventOf({ t: JSON.parse(text) }).t, t, text);
  assert.deepEqual(eventOf({ p: { text: "x".repeat(16 * 1024) } }).p, { _truncated: 16 * 1024 + 11 });
  const just = { text: "x".repeat(16 * 1024 - 11) };
  assert.deepEqual(eventOf({ p: just }).p, just);
  assert.deepEqual(eventOf({ p: { text: "cut \ud83d", "\udc00": [{ a: "\ud83d" }] } }).p, {
    text: "cut \ufffd",
    "\ufffd": [{ a: "\ufffd" }],
  });
});

Deno.test("properties are as deep as they may be, and nothing in them harms who merges them", () => {
  const nested = (levels: number): unknown => levels === 0 ? "end" : { in: nested(levels - 1) };
  assert.deepEqual(eventOf({ p: nested(8) }).p, nested(8));
  const cut = JSON.stringify(eventOf({ p: nested(9) }).p);
  assert.equal(cut, `${'{"in":'.repeat(8)}"…"${"}".repeat(8)}`);
  // As deep as a body can be: whoever walks through it by recursion runs out of stack.
  const deep = JSON.parse(`{"a":${"[".repeat(30_000)}${"]".repeat(30_000)}}`);
  assert.equal(JSON.stringify(eventOf({ p: deep }).p), `{"a":${"[".repeat(7)}"…"${"]".repeat(7)}}`);
  const hostile = JSON.parse('{"__proto__":{"isAdmin":true},"a":{"__proto__":{"isAdmin":true},"b":1}}');
  assert.equal(JSON.stringify(eventOf({ p: hostile }).p), '{"a":{"b":1}}');
});

/** What may come out of `JSON.parse`. */
const anyJson: fc.Arbitrary<unknown> = fc.oneof(
  fc.jsonValue({ noUnicodeString: false } as fc.JsonSharedConstraints),
  trickyText,
  fc.double(),
  fc.maxSafeInteger(),
);

/** Events that are nearly right. */
const anyEvent: fc.Arbitrary<unknown> = fc.oneof(
  anyJson,
  fc.record({
    id: fc.oneof({ weight: 9, arbitrary: fc.uuid() }, anyJson),
    n: fc.oneof({ weight: 9, arbitrary: fc.nat() }, anyJson),
    t: fc.oneof({ weight: 9, arbitrary: fc.double() }, anyJson),
    k: fc.oneof({ weight: 9, arbitrary: trickyText }, anyJson),
    u: fc.oneof(trickyText, anyJson),
    r: fc.oneof(trickyText, anyJson),
    p: fc.oneof(fc.dictionary(trickyText, anyJson), anyJson),
  }, { requiredKeys: [] }),
);

Deno.test("whatever comes in, it is refused or is a sound event, and judging that again changes nothing", () => {
  let sound = 0;
  fc.assert(
    fc.property(anyEvent, (value) => {
      const { success, output } = v.safeParse(TRACKED_INPUT, value, { abortEarly: true });
      if (!success) return;
      sound++;
      assert.ok(!/[\p{Cc}\p{Cf}]/u.test(output.k) && output.k === output.k.trim() && output.k.length <= 200);
      assert.ok(!Number.isNaN(new Date(output.t).getTime()) && Number.isInteger(output.t));
      const json = JSON.stringify(output);
      assert.ok(!/\\ud[89a-f]/i.test(json), "half a surrogate pair");
      const again = JSON.parse(json);
      assert.deepEqual(JSON.parse(JSON.stringify(v.parse(TRACKED_INPUT, again))), again);
    }),
    { numRuns: 2000 },
  );
  assert.ok(sound > 100, `only ${sound} were sound`);
});
