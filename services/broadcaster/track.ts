/** What a page may report, and the update that it becomes. */
import { newUpdateId, type Update } from "../lib/update.ts";
import { correctedTime } from "./clock.ts";
import {
  type Batch,
  type ReportedData,
  type ReportedType,
  type ReportType,
  TRACKED_TYPE,
  type TrackedData,
  type TrackedInput,
} from "./tracking_schemas.ts";

/** The site of the demo page, whose events have words of their own. */
const DEMO_SITE = "demo";

/** What watchers are told of one type of report. */
interface CatalogueEntry {
  /** The type of the update, which is its SSE event name. */
  readonly type: ReportedType;
  readonly data: ReportedData;
}

/** The catalogue, by the type that a page reports. A Map, so that no inherited name is a type. */
const CATALOGUE: ReadonlyMap<string, CatalogueEntry> = new Map(Object.entries<CatalogueEntry>(
  {
    "log:open": { type: "login", data: { message: "someone logged in", level: "debug" } },
    "pill:blue": { type: "user:btn", data: { message: "someone picked a blue pill", level: "info" } },
    "pill:red": {
      type: "user:btn",
      data: { message: "someone picked a red pill", level: "info", notify: true },
    },
  } satisfies Record<ReportType, CatalogueEntry>,
));

/** The update that a report of this type becomes, or undefined for a type that is not in the catalogue. */
export function reportedUpdate(type: string): Update | undefined {
  const entry = CATALOGUE.get(type);
  if (entry === undefined) return undefined;
  return {
    id: newUpdateId(),
    topics: [`/tracking/${type}`],
    type: entry.type,
    data: JSON.stringify(entry.data),
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
export function trackedUpdate(event: TrackedInput, { batch, received, isFirst }: Arrival): Update {
  const clocks = { client: event.t, sent: batch.sent, received };
  const demo = batch.site === DEMO_SITE ? CATALOGUE.get(event.k) : undefined;
  const data: TrackedData = {
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
    type: demo?.type ?? TRACKED_TYPE,
    data: JSON.stringify(data),
    private: false,
  };
}

/** A name as one segment of a path. Source: RFC 3986, section 3.3. */
function segment(name: string): string {
  return encodeURIComponent(name).replaceAll("%3A", ":").replaceAll("%40", "@");
}
