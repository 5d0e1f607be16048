/** What `GET /history` is asked, and what it answers. */
import * as v from "valibot";
import { MAX_ID_LENGTH } from "../update.ts";

/** Most updates of one answer. */
export const MAX_LIMIT = 1000;
const DEFAULT_LIMIT = 100;

const WANTED_LIMIT = `must be a whole number from 1 to ${MAX_LIMIT}`;

const limit = v.pipe(
  v.string(),
  v.regex(/^[0-9]{1,4}$/, WANTED_LIMIT),
  v.transform(Number),
  v.minValue(1, WANTED_LIMIT),
  v.maxValue(MAX_LIMIT, WANTED_LIMIT),
);

const place = (description: string) =>
  v.optional(v.pipe(
    v.string(),
    v.nonEmpty("must not be empty; a # in it has to be written as %23"),
    v.maxLength(MAX_ID_LENGTH, `must have at most ${MAX_ID_LENGTH} characters`),
    v.description(description),
  ));

/** The parameters, beside the matchers. At most one of the places may be given. */
export const HISTORY_QUERY = v.object({
  limit: v.optional(
    v.pipe(limit, v.description(`How many updates at most; ${DEFAULT_LIMIT} unless it says otherwise`)),
    `${DEFAULT_LIMIT}`,
  ),
  before: place("The newest before this id, or before what an answer calls `older`"),
  until: place("The newest up to this id, and that one"),
  after: place(
    "The oldest after this id, or after what an answer calls `newer`; `earliest` for the very oldest",
  ),
});

/** An update as the history shows it. */
export const HISTORY_UPDATE = v.object({
  id: v.string(),
  type: v.optional(v.string()),
  topics: v.array(v.string()),
  data: v.string(),
  private: v.optional(v.literal(true)),
});

export const HISTORY_ANSWER = v.object({
  updates: v.pipe(
    v.array(HISTORY_UPDATE),
    v.description("The oldest first; there may be few or none, though there is more before or after them"),
  ),
  older: v.pipe(
    v.nullable(v.string()),
    v.description("What to give as `before` for what comes before these; null when nothing does"),
  ),
  newer: v.pipe(
    v.nullable(v.string()),
    v.description("What to give as `after` for what comes after these; null when nothing does yet"),
  ),
});

export type HistoryAnswer = v.InferOutput<typeof HISTORY_ANSWER>;
export type HistoryUpdate = v.InferOutput<typeof HISTORY_UPDATE>;
