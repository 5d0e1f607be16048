import * as fc from "fast-check";
import assert from "node:assert/strict";
import { parseForm, parseQuery } from "./form.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);

Deno.test("parseForm() agrees with URLSearchParams on everything that is UTF-8", () => {
  const piece = fc.oneof(
    fc.constantFrom(
      "&",
      "=",
      "+",
      "%",
      "%2",
      "%zz",
      "%41",
      "%C3%A9",
      "%00",
      "é",
      "日",
      "a",
      "topic",
      " ",
      "\uFEFF",
    ),
    fc.string({ unit: "binary", maxLength: 3 }),
  );
  fc.assert(fc.property(fc.array(piece).map((pieces) => pieces.join("")), (text) => {
    // A leading question mark is not part of a form; URLSearchParams drops it.
    const wanted = [...new URLSearchParams(`?${text}`)];
    const actual = parseForm(bytesOf(text));
    if (actual.some(({ name, value }) => value === undefined || name.includes("\uFFFD"))) return;
    assert.deepEqual(actual.map(({ name, value }) => [name, value]), wanted);
  }));
});

Deno.test("parseForm() has no value for a field that is not UTF-8, and keeps the others", () => {
  assert.deepEqual(parseForm(bytesOf("a=%FF&b=1&c=%C3&d=%ED%A0%80&%FF=x")), [
    { name: "a", value: undefined },
    { name: "b", value: "1" },
    { name: "c", value: undefined },
    { name: "d", value: undefined },
    { name: "\uFFFD", value: "x" },
  ]);
  assert.deepEqual(parseForm(Uint8Array.of(0x61, 0x3d, 0xe9)), [{ name: "a", value: undefined }]);
});

Deno.test("parseForm() keeps a byte order mark, for whoever judges the characters", () => {
  assert.deepEqual(parseForm(bytesOf("a=%EF%BB%BFb")), [{ name: "a", value: "\uFEFFb" }]);
});

Deno.test("parseQuery() reads the query component only", () => {
  assert.deepEqual(parseQuery("http://a.test/x?match=a%20b&match=c#match=d"), [
    { name: "match", value: "a b" },
    { name: "match", value: "c" },
  ]);
  assert.deepEqual(parseQuery("http://a.test/x"), []);
});
