import assert from "node:assert/strict";
import * as fc from "fast-check";
import { mock } from "node:test";
import { createLog, LOG_LEVELS, type LogLevel, messageOf } from "./log.ts";
import { trickyText } from "./testing/fixtures.ts";

/** A log of this level, and the lines that it writes. */
function logInto(level: LogLevel): { log: ReturnType<typeof createLog>; lines: string[] } {
  const lines: string[] = [];
  return { log: createLog({ service: "tested", level, write: (line) => lines.push(line) }), lines };
}

Deno.test("createLog() writes one JSON object with time, level, service, message and fields", () => {
  const { log, lines } = logInto("debug");
  const before = Date.now();
  log.warn("It rains", { drops: 5, where: "here", heavy: false, wind: undefined });
  assert.equal(lines.length, 1);
  const { time, ...rest } = JSON.parse(lines[0]!);
  assert.deepEqual(rest, {
    level: "warn",
    service: "tested",
    message: "It rains",
    drops: 5,
    where: "here",
    heavy: false,
  });
  assert.equal(new Date(time).toISOString(), time);
  assert.ok(Date.parse(time) >= before && Date.parse(time) <= Date.now());
});

for (const [index, level] of LOG_LEVELS.entries()) {
  Deno.test(`createLog() of level ${level} writes this level and what is above it`, () => {
    const { log, lines } = logInto(level);
    for (const each of LOG_LEVELS) log[each](each);
    assert.deepEqual(lines.map((line) => JSON.parse(line).level), LOG_LEVELS.slice(index));
  });
}

Deno.test("createLog() keeps an entry on one line whatever is in it", () => {
  fc.assert(fc.property(trickyText, trickyText, (message, field) => {
    const { log, lines } = logInto("info");
    log.info(message, { field });
    assert.equal(lines.length, 1);
    assert.match(lines[0]!, /^[^\r\n]+\n$/);
    const entry = JSON.parse(lines[0]!);
    assert.deepEqual([entry.message, entry.field], [message, field]);
  }));
});

Deno.test("createLog() lets no field change what the entry is", () => {
  const { log, lines } = logInto("info");
  log.error("Broken", { level: "debug", service: "other", time: "never", message: "All is well" });
  const { level, service, time, message } = JSON.parse(lines[0]!);
  assert.deepEqual([level, service, message], ["error", "tested", "Broken"]);
  assert.notEqual(time, "never");
});

Deno.test("createLog() writes a line whole, however little the stream takes at a time", () => {
  let written = "";
  const stream = mock.method(Deno.stderr, "writeSync", (bytes: Uint8Array) => {
    const taken = bytes.subarray(0, 7);
    written += new TextDecoder().decode(taken);
    return taken.length;
  });
  try {
    createLog({ service: "tested", level: "info" }).info("a long message");
  } finally {
    stream.mock.restore();
  }
  assert.equal(JSON.parse(written).message, "a long message");
});

Deno.test("createLog() writes to standard error, and announce() to standard output", async () => {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "eval",
      `import { announce, createLog } from ${JSON.stringify(import.meta.resolve("./log.ts"))};
       createLog({ service: "tested", level: "info" }).info("x".repeat(1_000_000));
       announce("y".repeat(1_000_000));
       Deno.exit(0);`,
    ],
  }).output();
  assert.equal(code, 0);
  // Both are more than a pipe holds, and whole although the process ended at once.
  assert.equal(JSON.parse(new TextDecoder().decode(stderr)).message.length, 1_000_000);
  assert.equal(new TextDecoder().decode(stdout), `${"y".repeat(1_000_000)}\n`);
});

Deno.test("messageOf() returns the message of an error and the text of anything else", () => {
  assert.equal(messageOf(new RangeError("too far")), "too far");
  for (const [thrown, text] of [["just text", "just text"], [undefined, "undefined"], [5, "5"]]) {
    assert.equal(messageOf(thrown), text);
  }
});
