import assert from "node:assert/strict";
import * as fc from "fast-check";
import { kindLook } from "../../static/logger/kind_look.js";

const read = (name: string) => Deno.readTextFile(new URL(`../../static/logger/${name}`, import.meta.url));

Deno.test("every kind has a glyph that the page has, and a hue that the design has", async () => {
  const [page, design] = await Promise.all([read("index.html"), read("design.css")]);
  const known = ["pageview", "engagement", "click", "outbound", "download", "form", "error", "login"];
  const kind = fc.oneof(fc.constantFrom(...known, "", "__proto__", "constructor", "toString"), fc.string());
  fc.assert(fc.property(kind, (kind) => {
    const { hue, glyph } = kindLook(kind);
    assert.ok(page.includes(`<symbol id="${glyph.slice(1)}"`), `${glyph} of ${kind}`);
    assert.ok(design.includes(`--kind-${hue}:`), `${hue} of ${kind}`);
    assert.deepEqual(kindLook(kind), { hue, glyph });
    // The colour of errors means nothing else.
    assert.equal(hue === "8", kind === "error");
  }));
});
