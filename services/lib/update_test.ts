import assert from "node:assert/strict";
import * as fc from "fast-check";
import { anyUpdate } from "./testing/fixtures.ts";
import {
  InvalidUpdateError,
  MAX_ID_LENGTH,
  MAX_NAME_LENGTH,
  MAX_TOPICS,
  newUpdateId,
  parseUpdate,
} from "./update.ts";

const MINIMAL = { id: "urn:x:1", topics: ["/a"], data: "hello" };
const FULL = { ...MINIMAL, topics: ["/a", "/b"], type: "greeting", private: true, retry: 0 };

/** What parseUpdate() says of a value that it must refuse. */
function refusal(value: unknown): string {
  try {
    parseUpdate(value);
  } catch (error) {
    assert.ok(error instanceof InvalidUpdateError, `${error}`);
    return error.message;
  }
  assert.fail(`Took ${JSON.stringify(value)}`);
}

Deno.test("parseUpdate() returns an update as it is", () => {
  assert.deepEqual(parseUpdate(FULL), FULL);
  fc.assert(fc.property(anyUpdate, (update) => {
    assert.deepEqual(parseUpdate(JSON.parse(JSON.stringify(update))), update);
  }));
});

Deno.test("parseUpdate() makes an update public that does not say otherwise", () => {
  assert.deepEqual(parseUpdate(MINIMAL), { ...MINIMAL, private: false });
});

Deno.test("parseUpdate() leaves no member undefined", () => {
  const update = parseUpdate({ ...MINIMAL, type: undefined, retry: undefined, private: undefined });
  assert.deepEqual(Object.keys(update).toSorted(), ["data", "id", "private", "topics"]);
});

Deno.test("parseUpdate() drops members that an update does not have", () => {
  const value = JSON.parse(`{"__proto__":{"type":"t"},"topic":"/b",${JSON.stringify(FULL).slice(1)}`);
  assert.deepEqual(parseUpdate(value), FULL);
});

Deno.test("parseUpdate() takes every field up to its bound", () => {
  const name = "x".repeat(MAX_NAME_LENGTH);
  const update = { ...FULL, id: "x".repeat(MAX_ID_LENGTH), type: name, topics: Array(MAX_TOPICS).fill(name) };
  assert.deepEqual(parseUpdate(update), update);
  assert.equal(parseUpdate({ ...FULL, retry: Number.MAX_SAFE_INTEGER }).retry, Number.MAX_SAFE_INTEGER);
  assert.equal(parseUpdate({ ...FULL, data: "" }).data, "");
});

Deno.test("parseUpdate() takes names of any script, and data with controls", () => {
  for (const name of ["earliest.", "a#b", "**", "/א/é/日/🐇", "a b", "e\u0301", "\u00A0"]) {
    const update = { ...FULL, id: name, topics: [name], type: name };
    assert.deepEqual(parseUpdate(update), update);
  }
  const data = "\0\r\n\u202E\uFEFF🐇";
  assert.equal(parseUpdate({ ...MINIMAL, data }).data, data);
});

Deno.test("parseUpdate() refuses what is no object", () => {
  for (const value of [undefined, null, 5, "text", true, []]) refusal(value);
});

const LONG = "x".repeat(MAX_NAME_LENGTH + 1);
const BAD_FIELDS: readonly [field: string, value: unknown, message: RegExp][] = [
  ["id", undefined, /id must be a string/],
  ["id", null, /id .*string/],
  ["id", 1, /id .*string/],
  ["id", "", /id must not be empty/],
  ["id", "x".repeat(MAX_ID_LENGTH + 1), /id must have at most 1024 characters/],
  ["id", "earliest", /id must not be "earliest"/],
  ["id", " a", /id must not begin or end with a space/],
  ["id", "a ", /id must not begin or end with a space/],
  ["id", "#x", /id must not .*start with "#"/],
  ["topics", undefined, /topics must be a list/],
  ["topics", "/a", /topics must be a list of one topic at least/],
  ["topics", [], /: topics\.0 /],
  ["topics", ["/a", ""], /topics\.1 must not be empty/],
  ["topics", ["/a", null], /topics\.1 .*string/],
  ["topics", [LONG], /topics\.0 must have at most 16384 characters/],
  ["topics", ["*"], /topics\.0 must not be "\*"/],
  ["topics", ["/a", "*"], /topics\.1 must not be "\*"/],
  ["topics", Array(MAX_TOPICS + 1).fill("/a"), /topics must have at most 1000 topics/],
  ["data", undefined, /data must be a string/],
  ["data", null, /data .*string/],
  ["data", { a: 1 }, /data .*string/],
  ["type", "", /type must not be empty/],
  ["type", null, /type .*string/],
  ["type", LONG, /type must have at most 16384 characters/],
  ["private", null, /private must be true or false/],
  ["private", "true", /private must be true or false/],
  ["private", 1, /private must be true or false/],
  ["retry", null, /retry must be a whole number of milliseconds/],
  ["retry", "1", /retry must be a whole number of milliseconds/],
  ["retry", -1, /retry must be a whole number of milliseconds/],
  ["retry", 1.5, /retry must be a whole number of milliseconds/],
  ["retry", NaN, /retry must be a whole number of milliseconds/],
  ["retry", Infinity, /retry must be a whole number of milliseconds/],
  ["retry", Number.MAX_SAFE_INTEGER + 1, /retry must be a whole number of milliseconds/],
];

for (const [field, value, message] of BAD_FIELDS) {
  const shown = typeof value === "number" ? `${value}` : `${JSON.stringify(value)}`.slice(0, 20);
  Deno.test(`parseUpdate() refuses ${shown} as ${field}`, () => {
    assert.match(refusal({ ...FULL, [field]: value }), message);
  });
}

const FORBIDDEN_CHARACTERS = {
  "U+0000, first of C0": "\0",
  "a line feed": "\n",
  "a carriage return": "\r",
  "U+001F, last of C0": "\x1F",
  "DEL": "\x7F",
  "U+0080, first of C1": "\x80",
  "U+0085, next line": "\x85",
  "U+009F, last of C1": "\x9F",
  "a soft hyphen": "\u00AD",
  "a zero-width space": "\u200B",
  "a right-to-left override": "\u202E",
  "a byte order mark": "\uFEFF",
  "a tag character beyond the BMP": "\u{E0041}",
};

for (const [what, character] of Object.entries(FORBIDDEN_CHARACTERS)) {
  Deno.test(`parseUpdate() refuses ${what} in every name`, () => {
    for (const name of [character, `a${character}`, `${character}b`, `a${character}b`]) {
      assert.match(refusal({ ...FULL, id: name }), /id must not hold control or invisible/);
      assert.match(refusal({ ...FULL, type: name }), /type must not hold control or invisible/);
      assert.match(
        refusal({ ...FULL, topics: ["/a", name] }),
        /topics\.1 must not hold control or invisible/,
      );
    }
  });
}

Deno.test("parseUpdate() refuses half a surrogate pair everywhere", () => {
  for (const text of ["\uD83D", "a\uDC07", "\uDC07\uD83D"]) {
    assert.match(refusal({ ...FULL, id: text }), /id must not hold half a surrogate pair/);
    assert.match(refusal({ ...FULL, topics: [text] }), /topics\.0 must not hold half a surrogate pair/);
    assert.match(refusal({ ...FULL, type: text }), /type must not hold half a surrogate pair/);
    assert.match(refusal({ ...FULL, data: text }), /data must not hold half a surrogate pair/);
  }
});

Deno.test("parseUpdate() does not repeat the data of an update that it refuses", () => {
  const data = "secret-4711";
  for (const [field, value] of BAD_FIELDS) {
    assert.doesNotMatch(refusal({ ...FULL, data, [field]: value }), /secret/);
  }
  assert.doesNotMatch(refusal({ ...FULL, data: `${data}\uD83D` }), /secret/);
  assert.doesNotMatch(refusal({ ...FULL, data: { secret: data } }), /secret/);
});

Deno.test("parseUpdate() does not repeat data of the wrong type", () => {
  assert.doesNotMatch(refusal({ ...FULL, data: 4711 }), /4711/);
  assert.doesNotMatch(refusal({ ...FULL, topics: "secret" }), /secret/);
  assert.doesNotMatch(refusal({ ...FULL, private: "secret" }), /secret/);
  assert.doesNotMatch(refusal("secret"), /secret/);
});

Deno.test("newUpdateId() returns UUIDv7 URNs that updates may bear", () => {
  const id = newUpdateId();
  assert.match(id, /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.equal(parseUpdate({ ...MINIMAL, id }).id, id);
});

Deno.test("newUpdateId() returns unique ids that sort by time", () => {
  const before = Date.now();
  const ids = Array.from({ length: 5000 }, newUpdateId);
  assert.equal(new Set(ids).size, ids.length);
  assert.deepEqual(ids.toSorted(), ids);
  const milliseconds = Number.parseInt(ids[0]!.replace("urn:uuid:", "").replace("-", "").slice(0, 12), 16);
  assert.ok(milliseconds >= before && milliseconds <= Date.now());
});
