import assert from "node:assert/strict";
import * as fc from "fast-check";
import { readSignal } from "../../static/logger/signal.js";

Deno.test("readSignal() reads the type, the reason and the time of the server", () => {
  const read = (data: string) => readSignal({ id: "", type: "mercure", data });
  assert.deepEqual(read('{"type":"hello","now":1}'), { type: "hello", reason: "", now: 1 });
  assert.deepEqual(read('{"type":"heartbeat","now":"1"}'), { type: "heartbeat", reason: "" });
  assert.deepEqual(read('{"type":"gap","reason":"older than what is kept"}'), {
    type: "gap",
    reason: "older than what is kept",
  });
});

Deno.test("readSignal() takes an event with an id or of another type for an update", () => {
  const data = '{"type":"gap"}';
  assert.equal(readSignal({ id: "urn:x:1", type: "mercure", data }), undefined);
  assert.equal(readSignal({ id: "", type: "message", data }), undefined);
  assert.equal(readSignal({ id: "", type: "Mercure", data }), undefined);
});

Deno.test("readSignal() reads texts whatever the data is", () => {
  const data = fc.oneof(
    fc.string(),
    fc.json(),
    fc.record({ type: fc.jsonValue(), reason: fc.jsonValue() }).map((body) => JSON.stringify(body)),
  );
  fc.assert(fc.property(data, (data) => {
    const signal = readSignal({ id: "", type: "mercure", data });
    assert.deepEqual([typeof signal?.type, typeof signal?.reason], ["string", "string"]);
  }));
});
