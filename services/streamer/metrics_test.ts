import assert from "node:assert/strict";
import { eventually } from "../lib/testing/deadline.ts";
import { numberedUpdate } from "../lib/testing/fixtures.ts";
import { openSse } from "../lib/testing/sse_reader.ts";
import { startStreamer } from "./streamer_harness.ts";

async function readMetrics(url: string): Promise<ReadonlyMap<string, number>> {
  const response = await fetch(`${url}metrics`);
  assert.match(response.headers.get("Content-Type") ?? "", /^text\/plain; version=0\.0\.4/);
  const lines = (await response.text()).trimEnd().split("\n").filter((line) => !line.startsWith("#"));
  return new Map(lines.map((line) => {
    const [, name, value] = /^(\S+) (\d+)$/.exec(line) ?? [];
    return [name ?? line, Number(value)];
  }));
}

Deno.test("GET /metrics counts streams, updates and why streams ended", async () => {
  await using streamer = await startStreamer({ env: { METRICS: "on" } });
  await using reader = await openSse(`${streamer.url}events`);
  const leaver = await openSse(`${streamer.url}events`);
  await eventually("both are live", () => streamer.hub.live === 2);
  await streamer.channel.publish(numberedUpdate(1));
  await reader.until("the update", () => reader.events.length === 1);
  await leaver[Symbol.asyncDispose]();
  await eventually("one has left", () => streamer.hub.size === 1);

  const metrics = await readMetrics(streamer.url);
  assert.equal(metrics.get("streamer_streams"), 1);
  assert.equal(metrics.get("streamer_streams_live"), 1);
  assert.equal(metrics.get("streamer_updates_total"), 1);
  assert.equal(metrics.get("streamer_frames_total"), 2);
  assert.equal(metrics.get("streamer_streams_fell_behind_total"), 0);
  assert.equal(metrics.get('streamer_streams_ended_total{reason="left"}'), 1);
  assert.equal(metrics.get('streamer_streams_ended_total{reason="stalled"}'), 0);
});

Deno.test("without METRICS=on there is nothing at /metrics", async () => {
  await using streamer = await startStreamer();
  const response = await fetch(`${streamer.url}metrics`);
  assert.equal(response.status, 404);
  await response.body?.cancel();
});
