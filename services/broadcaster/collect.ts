/** Takes the batches of tracking events that pages send, and publishes each event once. */
import type { Context, MiddlewareHandler } from "hono";
import { cors } from "hono/cors";
import { isbot } from "isbot";
import * as v from "valibot";
import type { Channel } from "../lib/channel.ts";
import { type App, ProblemError, readBody } from "../lib/http.ts";
import { publishOptionsFor } from "../lib/idempotency.ts";
import type { Log } from "../lib/log.ts";
import type { Config } from "./config.ts";
import { Limit } from "./limits.ts";
import { trackedUpdate } from "./track.ts";
import { type Answer, BATCH, type Batch, TRACKED_INPUT, type TrackedInput } from "./tracking_schemas.ts";

/** Bytes of a batch. The tracker sends 48 KB at most; this is the quota of browsers for requests that outlive a page. */
const MAX_BATCH_BYTES = 64 * 1024;

type CollectConfig = Pick<
  Config,
  | "eventsPath"
  | "trackSites"
  | "trackOff"
  | "trackSample"
  | "maxEventsPerSite"
>;

interface CollectOptions {
  readonly config: CollectConfig;
  readonly channel: Channel;
  /** Middleware that bounds what one client may ask. */
  readonly limitClient: MiddlewareHandler;
  readonly log: Log;
}

/** Answers `POST` at the path of events: 2xx once all that is to be stored is stored. */
export function serveCollect(app: App, { config, channel, limitClient, log }: CollectOptions): void {
  const perSite = new Limit(config.maxEventsPerSite, "events of one site", log);
  app.use(
    config.eventsPath,
    cors({
      origin: "*",
      allowMethods: ["POST"],
      exposeHeaders: ["Retry-After"],
      maxAge: 86_400,
    }),
  );
  app.post(
    config.eventsPath,
    limitClient,
    async (c) => {
      const received = Date.now();
      const batch = readBatch(await readBody(c, MAX_BATCH_BYTES));
      if (!includes(config.trackSites, batch.site)) {
        throw new ProblemError(403, "TRACK_SITES does not list this site");
      }
      const isOff = includes(config.trackOff, batch.site);
      if (isOff || isUnwanted(c, batch)) return answer(c, { now: received, ...(isOff && { off: true }) });
      const { events, rejected } = judge(batch.e);
      await perSite.take(batch.site, events.length);
      await Promise.all(
        events.map((event, index) =>
          channel.publish(
            trackedUpdate(event, { batch, received, isFirst: index === 0 }),
            publishOptionsFor(event.id, "POST e", () => [batch.site]),
          )
        ),
      );
      return answer(c, {
        now: received,
        ...(config.trackSample < 1 && { rate: config.trackSample }),
        ...(rejected.length > 0 && { rejected }),
      });
    },
  );
}

/** Says nothing but 204 where there is nothing to say beyond the time. */
function answer(c: Context, answer: Answer): Response {
  return Object.keys(answer).length > 1 ? c.json(answer) : c.body(null, 204);
}

function includes(sites: "*" | readonly string[], site: string): boolean {
  return sites === "*" || sites.includes(site);
}

/** Whatever its type says it is: `sendBeacon` can say text only without asking first. */
function readBatch(body: Uint8Array): Batch {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    throw new ProblemError(400, "The body is not JSON");
  }
  const result = v.safeParse(BATCH, value, { abortEarly: true });
  if (result.success) return result.output;
  throw new ProblemError(422, `The body is no batch of events: ${reasonOf(result.issues[0])}`);
}

/** Programs that read pages, and people who do not want to be counted, unless the site decided otherwise. */
function isUnwanted(c: Context, { bots, privacy }: Batch): boolean {
  const isOptedOut = c.req.header("Sec-GPC") === "1" || c.req.header("DNT") === "1";
  return isOptedOut && privacy !== "ignore" || bots !== "allow" && isbot(c.req.header("User-Agent"));
}

/** The events that can be stored, and why the others cannot. */
function judge(values: readonly unknown[]): {
  events: TrackedInput[];
  rejected: { index: number; reason: string }[];
} {
  const events: TrackedInput[] = [];
  const rejected: { index: number; reason: string }[] = [];
  for (const [index, value] of values.entries()) {
    const result = v.safeParse(TRACKED_INPUT, value, { abortEarly: true });
    if (result.success) events.push(result.output);
    else rejected.push({ index, reason: reasonOf(result.issues[0]) });
  }
  return { events, rejected };
}

function reasonOf(issue: v.BaseIssue<unknown>): string {
  return `${v.getDotPath(issue) ?? "it"} ${issue.message}`;
}
