import assert from "node:assert/strict";
import * as fc from "fast-check";
import { Body } from "./body.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);

/** What a body passes on when it comes in parts of these sizes, over and over. */
function read(
  wire: Uint8Array<ArrayBuffer>,
  chunked: boolean,
  sizes: readonly number[],
): { text: string; bytes: number } {
  let text = "";
  const body = new Body(chunked, (chunk) => text += new TextDecoder("latin1").decode(chunk));
  for (let start = 0, index = 0; start < wire.length; index++) {
    const end = Math.min(wire.length, start + sizes[index % sizes.length]!);
    body.feed(wire, start, end);
    start = end;
  }
  return { text, bytes: body.bytes };
}

const cuts = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 20 });

Deno.test("Body takes the framing off, however the reads cut it", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "0", "\r", "\n", ";"), minLength: 1, maxLength: 40 });
  fc.assert(fc.property(fc.array(text), cuts, (chunks, sizes) => {
    const wire = chunks.map((chunk) => `${chunk.length.toString(16).toUpperCase()}\r\n${chunk}\r\n`).join("");
    const whole = chunks.join("");
    assert.deepEqual(read(bytesOf(wire), true, sizes), { text: whole, bytes: whole.length });
  }));
});

Deno.test("Body passes extensions of a chunk over", () => {
  assert.equal(read(bytesOf("5;a=b;c\r\nhello\r\n1\r\n!\r\n"), true, [3]).text, "hello!");
});

Deno.test("Body without framing is what comes", () => {
  assert.equal(read(bytesOf("5\r\nhello\r\n"), false, [2]).text, "5\r\nhello\r\n");
});
