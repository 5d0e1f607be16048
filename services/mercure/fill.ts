/** A long history, made faster than by one request for each update. */
import { Publisher } from "zeromq";
import { eventually } from "../lib/testing/deadline.ts";
import { type Hub, unique } from "./harness.ts";

/** Updates that are handed to the socket before others get a turn. */
const BATCH = 1000;

/** What `fill` published: the ids in order. */
export type Filled = readonly string[];

/** Publishes updates on a topic at the forwarder's XSUB, and resolves when the hub has dispatched the last one. */
export async function fill(hub: Hub, topic: string, count: number): Promise<Filled> {
  const probe = unique("probe");
  const ids = Array.from({ length: count }, (_, index) => `${topic}#${index}`);
  await using stream = await hub.subscribe([["match", probe]]);
  const publisher = new Publisher({ linger: 0, sendHighWaterMark: 0 });
  try {
    publisher.connect(`tcp://127.0.0.1:${hub.forwarder.ports.XSUB_PORT}`);
    // What it sends before the connection is there is lost.
    await eventually("the first probe", async () => {
      await publisher.send(JSON.stringify({ topic: probe, data: "first" }));
      return stream.events.length > 0;
    });
    for (const [index, id] of ids.entries()) {
      await publisher.send(JSON.stringify({ topic, id, data: `${index}` }));
      if (index % BATCH === BATCH - 1) await new Promise((resolve) => setTimeout(resolve));
    }
    await publisher.send(JSON.stringify({ topic: probe, data: "last" }));
    await stream.until("the last probe", () => stream.events.at(-1)?.data === "last");
  } finally {
    publisher.close();
  }
  return ids;
}
