/** What the probes of every service answer. */
import * as v from "valibot";

/** `GET /healthz`. */
export const HEALTH = v.object({ status: v.literal("ok") });

/** `GET /readyz`. */
export const READINESS = v.object({ status: v.literal("ready") });
