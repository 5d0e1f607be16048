/** What a page may report, and the update that it becomes. */
import {
  type Batch,
  type Reported,
  type ReportEvent,
  type ReportType,
  TRACK_EVENT,
  type Tracked,
  type TrackedEvent,
} from "../lib/api/tracking.ts";
import { newUpdateId, type Update } from "../lib/update.ts";
import { correctedTime } from "./clock.ts";

/** The site of the demo page, whose events have words of their own. */
const DEMO_SITE = "demo";

/** What watchers are told of one type of tracking event. */
interface Tracking extends Reported {
  /** The SSE event name. */
  readonly event: ReportEvent;
}

/** The catalogue, by the type that a page reports. A Map, so that no inherited name is a type. */
const CATALOGUE: ReadonlyMap<string, Tracking> = new Map(Object.entries<Tracking>(
  {
    "log:open": { event: "login", message: "someone logged in", level: "debug" },
    "pill:blue": { event: "user:btn", message: "someone picked a blue pill", level: "info" },
    "pill:red": { event: "user:btn", message: "someone picked a red pill", level: "info", notify: true },
  } satisfies Record<ReportType, Tracking>,
));

/** What the demo's watchers are told of an event of this type; undefined for a type that is not in the catalogue. */
function demoEvent(
  type: string,
): { readonly type: string; readonly data: Reported } | undefined {
  const tracking = CATALOGUE.get(type);
  if (tracking === undefined) return undefined;
  const { event, ...data } = tracking;
  return { type: event, data };
}

/** The update that a report of this type becomes, or undefined for a type that is not in the catalogue. */
export function trackingUpdate(type: string): Update | undefined {
  const event = demoEvent(type);
  if (event === undefined) return undefined;
  return {
    id: newUpdateId(),
    topics: [`/tracking/${type}`],
    type: event.type,
    data: JSON.stringify(event.data),
    private: false,
  };
}

/** What came together with an event. */
export interface Arrival {
  readonly batch: Batch;
  /** In ms since 1970. */
  readonly received: number;
  readonly isFirst: boolean;
}

/** The update that an event of the tracker becomes. */
export function trackedUpdate(event: TrackedEvent, { batch, received, isFirst }: Arrival): Update {
  const clocks = { client: event.t, sent: batch.sent, received };
  const demo = batch.site === DEMO_SITE ? demoEvent(event.k) : undefined;
  const data: Tracked = {
    kind: event.k,
    site: batch.site,
    id: event.id,
    ...(batch.sid !== undefined && { sid: batch.sid }),
    n: event.n,
    time: correctedTime(clocks),
    clocks,
    ...(event.u !== undefined && { url: event.u }),
    ...(event.r !== undefined && { referrer: event.r }),
    ...(event.p !== undefined && { props: event.p }),
    ...(batch.try > 0 && { try: batch.try }),
    ...(batch.drop > 0 && isFirst && { dropped: batch.drop }),
    ...(batch.rate < 1 && { sample: batch.rate }),
    ...demo?.data,
  };
  return {
    id: newUpdateId(),
    topics: [`/tracking/${segment(batch.site)}/${segment(event.k)}`],
    type: demo?.type ?? TRACK_EVENT,
    data: JSON.stringify(data),
    private: false,
  };
}

/** A name as one segment of a path. Source: RFC 3986, section 3.3. */
function segment(name: string): string {
  return encodeURIComponent(name).replaceAll("%3A", ":").replaceAll("%40", "@");
}
