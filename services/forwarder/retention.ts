/** How long updates are kept, and the steps in which the log forgets the rest without holding up publishers. */
import { type Log, messageOf } from "../lib/log.ts";
import { pause } from "../lib/shutdown.ts";
import { LogUnavailableError, type UpdateLog } from "./update_log.ts";

/** What is kept at most. 0 stands for no bound. */
export interface Bounds {
  readonly updates: number;
  readonly ageMs: number;
  /** Bytes of the file that are in use, indexes and all. */
  readonly bytes: number;
}

export const NO_BOUNDS: Bounds = { updates: 0, ageMs: 0, bytes: 0 };

/** Updates that one step takes out: some milliseconds of work, in which nothing else happens. */
const STEP_UPDATES = 2000;
/** Milliseconds between steps while there is more to do, and when there was nothing. */
const BUSY_PAUSE_MS = 20;
const IDLE_PAUSE_MS = 1000;

/** Makes the log forget what its bounds no longer keep, until the signal aborts. */
export async function retain(
  updates: Pick<UpdateLog, "forget">,
  { log, signal }: { log: Log; signal: AbortSignal },
): Promise<void> {
  while (!signal.aborted) {
    let more = false;
    try {
      more = updates.forget(STEP_UPDATES);
    } catch (error) {
      if (!(error instanceof LogUnavailableError)) throw error;
      log.warn("Cannot forget old updates", { reason: messageOf(error) });
    }
    await pause(more ? BUSY_PAUSE_MS : IDLE_PAUSE_MS, signal);
  }
}
