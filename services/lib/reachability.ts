/** Tells the operator when the channel is lost and when it is back; probes only tell who asks. */
import type { Channel } from "./channel.ts";
import type { Log } from "./log.ts";
import { pause } from "./shutdown.ts";

export interface ReachabilityOptions {
  readonly log: Log;
  readonly signal: AbortSignal;
  /** Milliseconds between two looks. The first one comes after as many, when the channel had time to connect. */
  readonly intervalMs?: number;
}

/** Writes each change to the log until the signal aborts. */
export async function logReachability(
  channel: Channel,
  { log, signal, intervalMs = 1000 }: ReachabilityOptions,
): Promise<void> {
  let last: string | undefined;
  while (true) {
    await pause(intervalMs, signal);
    if (signal.aborted) return;
    const status = channel.status();
    const now = status.reachable ? "" : status.reason;
    if (now === last) continue;
    last = now;
    if (status.reachable) log.info("The channel can be reached");
    else log.warn("The channel cannot be reached", { reason: status.reason });
  }
}
