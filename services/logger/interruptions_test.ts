import assert from "node:assert/strict";
import { mock } from "node:test";
import { noteEntry } from "../../static/logger/entry.js";
import { Interruptions } from "../../static/logger/interruptions.js";
import type { Log } from "../../static/logger/logger.js";
import { Ring } from "../../static/logger/ring.js";

/** The rows that a page makes of these states, each with the seconds that it lasts; a number is an update. */
function rowsOf(...story: (readonly [string, number] | "an update")[]): string[] {
  return rowsOfPage({ isLive: true }, ...story);
}

/** Likewise, where the connection may have been away from the beginning. */
function rowsOfPage(
  { isLive }: { isLive: boolean },
  ...story: (readonly [string, number] | "an update")[]
): string[] {
  mock.timers.enable({ apis: ["Date"], now: 1_000_000 });
  try {
    const ring = new Ring();
    const note = (row: "notice", text: string) => ring.push(noteEntry(row, text, 0));
    const interruptions = new Interruptions({ ring, note, isLive } as unknown as Log);
    for (const step of story) {
      if (step === "an update") ring.push({ ...noteEntry("mark", "", 0), row: "update" });
      else {
        interruptions.show({ name: step[0] as "live" });
        mock.timers.tick(step[1] * 1_000);
      }
    }
    return [...ring].map(({ row, message }) => row === "update" ? "an update" : message);
  } finally {
    mock.timers.reset();
  }
}

Deno.test("an interruption is a row when it is over, also while what was missed still comes", () => {
  assert.deepEqual(rowsOf(["reconnecting", 3], ["offline", 4], ["catching-up", 5], ["live", 1]), [
    "Connected again after 7 s",
  ]);
});

Deno.test("another tab that takes over is no interruption, nor is a connection that catches up", () => {
  assert.deepEqual(rowsOf(["reconnecting", 0.2], ["live", 9], ["catching-up", 9], ["live", 9]), []);
});

Deno.test("one row stands for all interruptions between two updates", () => {
  const again = [["reconnecting", 2], ["live", 500]] as const;
  assert.deepEqual(rowsOf(...again, ...again, "an update", ...again, ...again), [
    "Connected again after 2 s",
    "an update",
    "Connected again after 2 s",
  ]);
});

Deno.test("a connection that has not been there yet is none that was interrupted", () => {
  const late = (...story: Parameters<typeof rowsOf>) => rowsOfPage({ isLive: false }, ...story);
  const start = [["connecting", 2], ["reconnecting", 3], ["live", 9]] as const;
  assert.deepEqual(late(...start), []);
  assert.deepEqual(late(...start, ["reconnecting", 3], ["live", 9]), ["Connected again after 3 s"]);
});
