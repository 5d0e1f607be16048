/** What it costs to encode an update, which is done once however many subscribers there are. */
import { concatFrames, encodeFrames } from "./sse.ts";
import { numberedUpdate } from "./testing/fixtures.ts";

const updates = Array.from({ length: 100 }, (_, number) =>
  numberedUpdate(number, {
    data: JSON.stringify({ message: "someone picked a red pill", level: "info", number }),
  }));
const beyondAscii = updates.map((update) => ({ ...update, data: `${update.data}…` }));
const ofManyLines = updates.map((update) => ({ ...update, data: `${update.data}\n${update.data}` }));

for (const count of [10, 100]) {
  Deno.bench(`encodeFrames(), ${count} updates`, { group: `${count} updates` }, () => {
    encodeFrames(updates.slice(0, count));
  });
  Deno.bench(`encodeFrames() for each of ${count}`, { group: `${count} updates`, baseline: true }, () => {
    for (const update of updates.slice(0, count)) encodeFrames([update]);
  });
}

Deno.bench("encodeFrames(), 100 updates beyond ASCII", () => {
  encodeFrames(beyondAscii);
});

Deno.bench("encodeFrames(), 100 updates of two lines", () => {
  encodeFrames(ofManyLines);
});

const apart = updates.flatMap((update) => encodeFrames([update]));
const inARow = encodeFrames(updates);

Deno.bench("concatFrames(), 100 frames", { group: "concat", baseline: true }, () => {
  concatFrames(apart);
});

Deno.bench("concatFrames(), 100 frames in a row", { group: "concat" }, () => {
  concatFrames(inARow);
});

Deno.bench("concatFrames(), every other one of 100", { group: "concat" }, () => {
  concatFrames(inARow.filter((_, index) => index % 2 === 0));
});
