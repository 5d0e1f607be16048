/** When something happened, though the clocks of browsers are wrong. */

const MINUTE_MS = 60_000;
/** A batch is minutes old when it comes from a page that was offline, and no clock can tell that from a skew. */
const STEP_MS = 5 * MINUTE_MS;
const MAX_AGE_MS = 24 * 60 * MINUTE_MS;
const MAX_AHEAD_MS = MINUTE_MS;

/** All in milliseconds since 1970. */
export interface Clocks {
  /** When it happened, and when it was sent, by the browser's clock. */
  readonly client: number;
  readonly sent: number;
  /** When it came in, by ours. */
  readonly received: number;
}

/**
 * The time of an event by our clock, in milliseconds since 1970. Only whole steps of five minutes count as a wrong
 * clock: the time on the way would otherwise be added to events of healthy clocks, and change their order.
 */
export function correctedTime({ client, sent, received }: Clocks): number {
  const skew = Math.round((received - sent) / STEP_MS) * STEP_MS;
  return Math.min(Math.max(client + skew, received - MAX_AGE_MS), received + MAX_AHEAD_MS);
}
