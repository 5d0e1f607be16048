import assert from "node:assert/strict";
import { constants, deflateRawSync } from "node:zlib";
import { EventReader, Gunzip, Latencies, now } from "./samples.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);

Deno.test("Latencies tells percentiles by rank, and begins anew", () => {
  const latencies = new Latencies();
  for (let value = 200; value >= 1; value--) latencies.add(value);
  assert.deepEqual(latencies.take(), { p50: 100, p99: 198, max: 200 });
  latencies.add(7);
  assert.deepEqual(latencies.take(), { p50: 7, p99: 7, max: 7 });
  assert.deepEqual(latencies.take(), { p50: null, p99: null, max: null });
});

Deno.test("EventReader counts events with a moment, however the reads cut them", () => {
  const wire = `:\nretry: 1\n\nid: 1\ndata: {"t":${now()},"x":""}\n\n:\n\nid: 2\ndata: {"t":${
    now() - 5000
  },"x":""}\n\n`;
  for (const size of [1, 7, wire.length]) {
    const latencies = new Latencies();
    const reader = new EventReader(latencies);
    for (let start = 0; start < wire.length; start += size) {
      reader.feed(bytesOf(wire.slice(start, start + size)));
    }
    assert.equal(reader.events, 2);
    assert.ok(latencies.take().max! >= 5000);
  }
});

Deno.test("Gunzip inflates at each flush, with and without what came before", () => {
  const texts = ["first, first, first", "second after the first", "third"];
  const flush = { finishFlush: constants.Z_SYNC_FLUSH };
  const header = new Uint8Array([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
  const blocks = texts.map((text, index) =>
    deflateRawSync(text, { ...flush, ...(index === 1 && { dictionary: bytesOf(texts[0]!) }) })
  );
  const seen: string[] = [];
  const gunzip = new Gunzip((bytes) => seen.push(new TextDecoder().decode(bytes)));
  gunzip.feed(header.subarray(0, 4));
  gunzip.feed(header.subarray(4));
  for (const block of blocks) {
    gunzip.feed(block.subarray(0, 3));
    gunzip.feed(block.subarray(3));
  }
  assert.deepEqual(seen, texts);
});
