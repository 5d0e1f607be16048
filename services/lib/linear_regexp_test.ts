import assert from "node:assert/strict";
import { LinearRegExp, quote } from "./linear_regexp.ts";

Deno.test("LinearRegExp has to match the whole text", () => {
  const expression = new LinearRegExp("a|bc");
  for (const text of ["a", "bc"]) assert.equal(expression.test(text), true, text);
  for (const text of ["", "b", "ab", "xa", "bcx"]) assert.equal(expression.test(text), false, text);
});

Deno.test("LinearRegExp is right when its states outgrow what it may keep", () => {
  // 2 ** 19 states: whether each of the last letters was an "a".
  const expression = new LinearRegExp("(?:a|b)*a(?:a|b){18}");
  let random = 1;
  for (let round = 0; round < 20; round++) {
    const text = Array.from({ length: 3000 }, () => {
      random = (random * 48271) % 2147483647;
      return random % 2 === 0 ? "a" : "b";
    }).join("");
    assert.equal(expression.test(text), text.at(-19) === "a");
  }
});

Deno.test("quote() makes every mark literal", () => {
  const marks = Array.from({ length: 95 }, (_, index) => String.fromCharCode(32 + index)).join("") + "é🐇";
  assert.equal(new LinearRegExp(quote(marks)).test(marks), true);
});
