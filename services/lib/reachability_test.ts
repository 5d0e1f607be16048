import assert from "node:assert/strict";
import { MemoryChannel } from "./channels/memory.ts";
import { createLog } from "./log.ts";
import { logReachability } from "./reachability.ts";
import { eventually, within } from "./testing/deadline.ts";

Deno.test("logReachability() writes each change once, and ends with its signal", async () => {
  const messages: string[] = [];
  const log = createLog({
    service: "test",
    level: "info",
    write: (line) => messages.push(JSON.parse(line).message),
  });
  const ended = new AbortController();
  const channel = new MemoryChannel();
  let looks = 0;
  const status = channel.status.bind(channel);
  channel.status = () => {
    looks++;
    return status();
  };
  const watching = logReachability(channel, { log, signal: ended.signal, intervalMs: 1 });
  await eventually("several looks", () => looks >= 5);
  assert.deepEqual(messages, ["The channel can be reached"]);
  await channel[Symbol.asyncDispose]();
  const before = looks;
  await eventually("several more looks", () => looks >= before + 5);
  ended.abort();
  await within("the end", watching);
  assert.deepEqual(messages, ["The channel can be reached", "The channel cannot be reached"]);
});
