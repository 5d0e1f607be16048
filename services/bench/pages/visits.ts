/** Updates as visits to a busy site make them, about 250 bytes of data each, at a rate that does not drift. */
import type { Channel } from "../../lib/channel.ts";
import { newUpdateId, type Update } from "../../lib/update.ts";

/** Kinds, each as often as it stands here. */
const KINDS = ["pageview", "pageview", "pageview", "engagement", "engagement", "click", "outbound", "error"];
const SITES = ["shop", "blog", "docs"];
const PAGES = ["/", "/pricing", "/cart", "/checkout", "/docs/start", "/blog/2026/a-long-title-of-a-post"];
const SESSIONS = 500;
/** Milliseconds between two looks at what is due. */
const TURN_MS = 5;

/** Publishes so many updates per second for so long; resolves with their number once all are stored. */
export async function publishVisits(channel: Channel, rate: number, seconds: number): Promise<number> {
  const start = performance.now();
  const total = rate * seconds;
  const pending: Promise<unknown>[] = [];
  while (pending.length < total) {
    const due = Math.min(total, Math.floor((performance.now() - start) / 1000 * rate));
    while (pending.length < due) pending.push(channel.publish(visit(pending.length)));
    await new Promise((resolve) => setTimeout(resolve, TURN_MS));
  }
  await Promise.all(pending);
  return total;
}

function visit(number: number): Update {
  const kind = pick(KINDS, number);
  const site = pick(SITES, number);
  const now = Date.now();
  const data = {
    kind,
    site,
    sid: `019a${(number % SESSIONS).toString(16).padStart(8, "0")}`,
    n: Math.floor(number / SESSIONS),
    time: now,
    clocks: { client: now, sent: now, received: now },
    url: `https://${site}.test${pick(PAGES, number)}`,
    props: { title: `Page ${number % 97}` },
  };
  return {
    id: newUpdateId(),
    topics: [`/tracking/${site}/${kind}`],
    type: "track",
    data: JSON.stringify(data),
    private: false,
  };
}

function pick(values: readonly string[], number: number): string {
  return values[number % values.length]!;
}
