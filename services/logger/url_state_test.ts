import assert from "node:assert/strict";
import * as fc from "fast-check";
import { readUrl, writeUrl } from "../../static/logger/url_state.js";

const text = fc.string({ unit: "grapheme" });
const time = fc.date({ noInvalidDate: true, min: new Date(0), max: new Date("9999-12-31") }).map((date) =>
  date.getTime()
);
const state = fc.record({
  query: text,
  highlight: text,
  range: fc.record({ from: time, to: time }, { requiredKeys: [], noNullPrototype: true }),
  selected: text,
  permalink: text,
}, { noNullPrototype: true });
/** Parameters that are not of the view: matchers, and what others have put there. */
const others = fc.array(fc.tuple(fc.constantFrom("match", "match_urlpattern", "utm", "Q"), text), {
  maxLength: 4,
});

Deno.test("what is written into an address is read back, and what else is in it stays", () => {
  fc.assert(fc.property(state, state, others, (before, state, others) => {
    const url = new URL("https://host.test/logger/#id=urn:t:1");
    for (const [name, value] of others) url.searchParams.append(name, value);
    const written = new URL(writeUrl(writeUrl(url, before), state).href);
    assert.deepEqual(readUrl(written), state);
    for (const name of ["match", "match_urlpattern", "utm", "Q"]) {
      assert.deepEqual(
        written.searchParams.getAll(name),
        others.filter((other) => other[0] === name).map(([, value]) => value),
      );
    }
  }));
});

Deno.test("a permalink is read from the part behind the #, whatever the id is", () => {
  fc.assert(fc.property(text, (id) => {
    const url = new URL("https://host.test/logger/");
    url.hash = `${new URLSearchParams({ id })}`;
    assert.equal(readUrl(new URL(url.href)).permalink, id);
  }));
});

Deno.test("readUrl() passes over times that are none", () => {
  const url = new URL("https://host.test/logger/?from=yesterday&to=");
  assert.deepEqual(readUrl(url), { query: "", highlight: "", range: {}, selected: "", permalink: "" });
});
