/**
 * What gzip costs: to deflate a chunk, once for all streams, and to add it to one of them.
 * `deno bench services/streamer/gzip_bench.ts`
 */
import { concatFrames, encodeFrames } from "../lib/sse.ts";
import { numberedUpdate } from "../lib/testing/fixtures.ts";
import { newUpdateId } from "../lib/update.ts";
import { acceptsGzip, deflate, GzipStream } from "./gzip.ts";

/** Updates of about 140 bytes each, with ids of which a third does not shrink. */
function chunkOf(count: number): Uint8Array {
  return concatFrames(encodeFrames(Array.from({ length: count }, (_, number) =>
    numberedUpdate(number, {
      id: newUpdateId(),
      data: JSON.stringify({ message: "someone picked a red pill", level: "info", number: 100_000 + number }),
    }))));
}

for (const count of [1, 10, 25, 100]) {
  const plain = chunkOf(count);
  const { bytes } = deflate(plain);
  Deno.bench({
    name: `deflate(), ${count} updates: ${plain.length} to ${bytes.length} bytes`,
    group: "deflate",
    baseline: count === 1,
    fn: () => {
      deflate(plain);
    },
  });
}

{
  const plain = crypto.getRandomValues(new Uint8Array(1400));
  Deno.bench({
    name: `deflate(), ${plain.length} bytes that do not shrink`,
    group: "deflate",
    fn: () => {
      deflate(plain);
    },
  });
}

{
  const piece = deflate(chunkOf(10));
  const streams = Array.from({ length: 1000 }, () => new GzipStream());
  Deno.bench("GzipStream.add() of one chunk in 1,000 streams", () => {
    for (const stream of streams) stream.add(piece);
  });
  Deno.bench("GzipStream.end()", () => {
    streams[0]!.end();
  });
}

Deno.bench("acceptsGzip()", () => {
  acceptsGzip("gzip, deflate, br, zstd");
});
