import assert from "node:assert/strict";
import * as fc from "fast-check";
import { LinearRegExp } from "./linear_regexp.ts";
import { MAX_GROUP_SIZE, translateGroup, UnsupportedGroupError } from "./url_pattern_group.ts";

/** Whether the translated group matches a text; undefined when the group is refused. */
function verdict(body: string, text: string): boolean | undefined {
  try {
    return new LinearRegExp(translateGroup(body).source).test(text);
  } catch (error) {
    assert.ok(error instanceof UnsupportedGroupError, `${body}: ${error}`);
    return undefined;
  }
}

const SNIPPETS = [
  ..."ab1-_.^$|[]{},?*+\\/ &!~:=",
  ..."ab1",
  ...[
    "(?:",
    ")",
    "[^",
    "[a",
    "]",
    "{2}",
    "{0}",
    "{1,}",
    "{0,2}",
    "*?",
    "\\d",
    "\\D",
    "\\w",
    "\\W",
    "\\s",
    "\\S",
  ],
  ...[
    "\\b",
    "\\B",
    "\\-",
    "\\.",
    "\\/",
    "\\x61",
    "\\u0062",
    "\\u{31}",
    "\\u00e9",
    "\\n",
    "\\0",
    "a-z",
    "&&",
    "--",
  ],
  ...["(?=", "(?!", "(?<=", "(?<n>", "\\1", "\\k<n>", "\\p{L}", "\\q{a}", "(?i:", "\\cA", "\\u{110000}"],
  ...["[a-b]", "[^a]", "(?:a|b)", "[\\w\\-]+", "\\d+", "."],
];

Deno.test("translateGroup() takes only what flag v takes, and means the same", () => {
  const seen = { refused: 0, true: 0, false: 0 };
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(...SNIPPETS), { minLength: 1, maxLength: 7 }).map((parts) => parts.join("")),
      fc.array(fc.string({ unit: fc.constantFrom(..."ab1-_.^ /&"), maxLength: 5 }), {
        minLength: 8,
        maxLength: 8,
      }),
      (body, texts) => {
        for (const text of texts) {
          const ours = verdict(body, text);
          seen[ours === undefined ? "refused" : ours ? "true" : "false"]++;
          if (ours === undefined) continue;
          const theirs = new RegExp(`^(?:${body})$`, "v").test(text);
          assert.equal(ours, theirs, `(${body}) against ${JSON.stringify(text)}`);
        }
      },
    ),
    { numRuns: 4000 },
  );
  for (const [verdict, times] of Object.entries(seen)) assert.ok(times > 50, `${verdict}: ${times} times`);
});

Deno.test("translateGroup() agrees with flag v about each class and each ASCII character", () => {
  const bodies = [
    "\\d",
    "\\D",
    "\\w",
    "\\W",
    "\\s",
    "\\S",
    ".",
    "[]",
    "[^]",
    "[^\\d]",
    "[a-f\\d_]",
    "[^a-f]",
    "[\\^\\-\\]\\&\\!]",
    "[&]",
    "[\\u0000-\\u{10FFFF}]",
    "[^\\u00e9]",
    "\\u00e9",
    "[~-\\u00ff]",
    "\\x7f",
    "[\\b]",
  ];
  for (const body of bodies) {
    const theirs = new RegExp(`^(?:${body})$`, "v");
    for (let code = 0x20; code < 0x7F; code++) {
      const character = String.fromCharCode(code);
      assert.equal(verdict(body, character), theirs.test(character), `${body} against ${character}`);
    }
  }
});

const REFUSED = {
  "lookahead": "(?=a)",
  "lookbehind": "(?<!a)b",
  "a back-reference": "\\1",
  "a named group": "(?<n>a)",
  "flags": "(?i:a)",
  "a Unicode property": "\\p{L}",
  "a string in a class": "[\\q{ab}]",
  "a difference of classes": "[a--b]",
  "an intersection": "[\\w&&\\d]",
  "a nested class": "[[a]b]",
  "a doubled mark": "[a!!]",
  "half a surrogate pair": "\\uD83D",
  "a bare hyphen in a class": "[a-]",
  "a range that goes down": "[b-a]",
  "a range of a class": "[\\w-z]",
  "an identity escape": "\\_",
  "a lone bracket": "a]",
  "an open class": "[a",
  "an open group": "(?:a",
  "a quantifier without an atom": "+",
  "two quantifiers": "a**",
  "a quantified assertion": "\\b+",
  "bounds that go down": "a{2,1}",
  "a huge repetition": "a{99999999999}",
  "a huge least number": "a{300,}",
  "nested repetitions": "(?:(?:a{100}){100}){100}",
  "nested repetitions of nothing": "(?:(?:(?:){100}){100}){100}",
  "a long expression": "a".repeat(MAX_GROUP_SIZE + 1),
  "many alternatives": "|".repeat(MAX_GROUP_SIZE + 1),
  "deep nesting": `${"(?:".repeat(51)}a${")".repeat(51)}`,
};

for (const [what, body] of Object.entries(REFUSED)) {
  Deno.test(`translateGroup() refuses ${what}`, () => {
    assert.throws(() => translateGroup(body), UnsupportedGroupError);
  });
}

Deno.test("translateGroup() takes an expression up to its bounds", () => {
  assert.equal(translateGroup(`a{${MAX_GROUP_SIZE}}`).size, MAX_GROUP_SIZE);
  const uuid = "[\\da-f]{8}(?:-[\\da-f]{4}){3}-[\\da-f]{12}";
  assert.equal(verdict(uuid, "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"), true);
  assert.equal(verdict(`${"(?:".repeat(50)}a${")".repeat(50)}`, "a"), true);
});
