/** What a page may report, and the update that it becomes. */
import { newUpdateId, type Update } from "../lib/update.ts";

/** What watchers are told of one type of tracking event. */
interface Tracking {
  /** The SSE event name. */
  readonly event: string;
  readonly message: string;
  readonly level: "debug" | "info";
  /** Whether watchers should be alerted. */
  readonly notify?: true;
}

/** The catalogue, by the type that a page reports. A Map, so that no inherited name is a type. */
const CATALOGUE: ReadonlyMap<string, Tracking> = new Map<string, Tracking>([
  ["log:open", { event: "login", message: "someone logged in", level: "debug" }],
  ["pill:blue", { event: "user:btn", message: "someone picked a blue pill", level: "info" }],
  ["pill:red", { event: "user:btn", message: "someone picked a red pill", level: "info", notify: true }],
]);

/** The update that reports a tracking event of this type, or undefined for a type that is not in the catalogue. */
export function trackingUpdate(type: string): Update | undefined {
  const tracking = CATALOGUE.get(type);
  if (tracking === undefined) return undefined;
  const { event, ...data } = tracking;
  return {
    id: newUpdateId(),
    topics: [`/tracking/${type}`],
    type: event,
    data: JSON.stringify(data),
    private: false,
  };
}
