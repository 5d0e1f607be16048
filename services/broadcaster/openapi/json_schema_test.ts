import assert from "node:assert/strict";
import * as v from "valibot";
import { SchemaParts } from "./json_schema.ts";

const POINT = v.object({
  x: v.optional(v.pipe(v.number(), v.transform(Math.round), v.description("To the right"))),
  name: v.pipe(
    v.string(),
    v.check((text) => text !== "x"),
    v.trim(),
    v.maxLength(5),
    v.description("A label"),
  ),
});

Deno.test("SchemaParts refers to what has a name, and writes the rest", () => {
  const parts = new SchemaParts({ Point: POINT });
  assert.deepEqual(parts.of(POINT), { $ref: "#/components/schemas/Point" });
  assert.deepEqual(parts.of(v.array(POINT)), {
    type: "array",
    items: { $ref: "#/components/schemas/Point" },
  });
  assert.deepEqual(parts.of(v.pipe(v.number(), v.minValue(1))), { type: "number", minimum: 1 });
});

Deno.test("SchemaParts says of a value what may be sent, with what is said behind its transformation", () => {
  assert.deepEqual(new SchemaParts({ Point: POINT }).components, {
    Point: {
      type: "object",
      properties: {
        x: { type: "number", description: "To the right" },
        name: { type: "string", maxLength: 5, description: "A label" },
      },
      required: ["name"],
    },
  });
  const part = new SchemaParts({}).of(v.pipe(v.string(), v.transform(Number), v.description("A number")));
  assert.deepEqual(part, { type: "string", description: "A number" });
});

Deno.test("SchemaParts fails rather than leave out what it cannot say", () => {
  assert.throws(() => new SchemaParts({}).of(v.pipe(v.string(), v.regex(/x/i))), /flags/);
  assert.throws(() => new SchemaParts({}).of(v.date()), /date/);
});
