import assert from "node:assert/strict";
import * as fc from "fast-check";
import { v7 } from "uuid";
import { toUpdate } from "../../static/logger/update.js";

const RECEIVED_AT = 1_700_000_000_000;

function updateOf(event: Partial<Parameters<typeof toUpdate>[0]>): ReturnType<typeof toUpdate> {
  return toUpdate({ id: "", type: "message", data: "", ...event }, RECEIVED_AT);
}

Deno.test("toUpdate() reads what a publisher says in JSON", () => {
  const data = '{"message":"someone logged in","level":"debug","notify":true,"more":1}';
  assert.deepEqual(updateOf({ id: "urn:x:1", type: "login", data }), {
    id: "urn:x:1",
    type: "login",
    message: "someone logged in",
    level: "debug",
    notify: true,
    time: RECEIVED_AT,
  });
});

Deno.test("toUpdate() shows data that is no JSON object, or has no message, as it is", () => {
  for (
    const data of ["", "hello", "{", "null", "[]", "7", '"text"', "{}", '{"message":7}', '{"message":null}']
  ) {
    const { message, level, notify } = updateOf({ data });
    assert.deepEqual({ message, level, notify }, { message: data, level: "other", notify: false }, data);
  }
});

Deno.test("toUpdate() alerts nobody unless `notify` is true itself", () => {
  const values = ["true", "1", "{}", "[]", '"true"', "null"];
  assert.deepEqual(
    values.map((value) => updateOf({ data: `{"notify":${value}}` }).notify),
    [true, false, false, false, false, false],
  );
});

Deno.test("toUpdate() reads the time of an update from a UUIDv7, with and without its prefix", () => {
  fc.assert(fc.property(fc.nat({ max: 2 ** 48 - 1 }), fc.boolean(), (time, upperCase) => {
    const uuid = upperCase ? v7({ msecs: time }).toUpperCase() : v7({ msecs: time });
    assert.equal(updateOf({ id: uuid }).time, time);
    assert.equal(updateOf({ id: `urn:uuid:${uuid}` }).time, time);
  }));
});

Deno.test("toUpdate() takes the time of arrival when the id tells none", () => {
  const uuid = v7({ msecs: 1 });
  const version4 = "9b2f6d34-6d1c-4c1a-9a55-2f0a8d7f1c11";
  for (const id of ["", "1", "urn:x:1", version4, `${uuid}0`, `x${uuid}`, `urn:${uuid}`]) {
    assert.equal(updateOf({ id }).time, RECEIVED_AT, id);
  }
});

Deno.test("toUpdate() makes an update with a text and a valid time of any event", () => {
  const data = fc.oneof(
    fc.string(),
    fc.json(),
    fc.dictionary(fc.constantFrom("message", "level", "notify"), fc.jsonValue()).map((body) =>
      JSON.stringify(body)
    ),
  );
  fc.assert(fc.property(fc.string(), fc.string(), data, (id, type, data) => {
    const update = updateOf({ id, type, data });
    assert.deepEqual([update.id, update.type], [id, type]);
    assert.equal(typeof update.message, "string");
    assert.ok(update.level !== "" && typeof update.level === "string");
    assert.equal(typeof update.notify, "boolean");
    assert.ok(!Number.isNaN(new Date(update.time).getTime()));
  }));
});
