/** What every request is answered with that is not granted. Source: RFC 9457. */
import * as v from "valibot";

export const PROBLEM_TYPE = "application/problem+json";

export const PROBLEM = v.object({
  title: v.pipe(v.string(), v.description("The name of the status")),
  status: v.pipe(v.number(), v.integer(), v.description("The status of the response")),
  detail: v.pipe(v.string(), v.description("What is wrong, for people")),
});

export type Problem = v.InferOutput<typeof PROBLEM>;
