/** What it costs to encode an update, which is done once however many subscribers there are. */
import { concatFrames, encodeFrame } from "./sse.ts";
import { numberedUpdate } from "./testing/fixtures.ts";

const update = numberedUpdate(1, {
  data: JSON.stringify({ message: "someone picked a red pill", level: "info" }),
});
const frames = Array.from({ length: 100 }, () => encodeFrame(update));

Deno.bench("encodeFrame(), one update", () => {
  encodeFrame(update);
});

Deno.bench("concatFrames(), 100 frames", () => {
  concatFrames(frames);
});
