/** What the probes of every service answer. */
import * as v from "valibot";

/** `GET /healthz`. */
export const HEALTH = v.object({ status: v.literal("ok") });

export type Health = v.InferOutput<typeof HEALTH>;

/** `GET /readyz`. */
export const READINESS = v.object({ status: v.literal("ready") });

export type Readiness = v.InferOutput<typeof READINESS>;
