/** What a request for the history asks for, besides its matchers. */
import * as v from "valibot";
import { HISTORY_QUERY } from "../lib/api/history.ts";
import { ProblemError } from "../lib/http.ts";
import type { FormField } from "../lib/mercure/form.ts";

/** Where a page begins or ends. */
export interface Place {
  readonly name: "before" | "until" | "after" | "latest";
  /** An id, or a sealed place behind a `#`, with which no id begins. */
  readonly value: string;
}

export interface HistoryQuery {
  /** Updates in the answer, at most. */
  readonly limit: number;
  readonly place: Place;
}

/** @throws {ProblemError} when a parameter is wrong. */
export function readHistoryQuery(fields: readonly FormField[]): HistoryQuery {
  const query = new Map<string, string>();
  for (const { name, value } of fields.filter(({ name }) => Object.hasOwn(HISTORY_QUERY.entries, name))) {
    if (value === undefined) throw new ProblemError(400, `The parameter ${name} is not UTF-8`);
    if (query.has(name)) throw new ProblemError(400, `The parameter ${name} can be given once only`);
    query.set(name, value);
  }
  const result = v.safeParse(HISTORY_QUERY, Object.fromEntries(query), { abortEarly: true });
  if (!result.success) {
    const [issue] = result.issues;
    throw new ProblemError(400, `The parameter ${v.getDotPath(issue)} ${issue.message}`);
  }
  const { limit } = result.output;
  const places = (["before", "until", "after"] as const).flatMap((name) => {
    const value = result.output[name];
    return value === undefined ? [] : [{ name, value }];
  });
  if (places.length > 1) throw new ProblemError(400, "Only one of before, until and after can be given");
  return { limit, place: places[0] ?? { name: "latest", value: "" } };
}
