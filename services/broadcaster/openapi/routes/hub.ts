/** What broadcaster and streamer have in common of the hub: publishing. */
import * as v from "valibot";
import { IDEMPOTENCY_KEY, PUBLISH_FORM } from "../../../lib/api/publish.ts";
import { FORM_TYPE } from "../../../lib/mercure/form.ts";
import { type Operation, preflight } from "../operation.ts";

export const PUBLISH: Operation = {
  id: "publish",
  summary: "Publishes an update",
  description:
    "The token has to grant publishing to each of the topics. One in a cookie is taken from pages of PUBLISH_ORIGINS " +
    "only. There is no such method where no issuer has keys for publishing.",
  headers: { "Idempotency-Key": v.optional(IDEMPOTENCY_KEY) },
  body: { [FORM_TYPE]: PUBLISH_FORM },
  answers: {
    200: {
      description: "It is stored, and this is its id",
      content: { "text/plain": v.string() },
    },
  },
  problems: {
    400: "A field, the key or the way in which the token came is wrong",
    401: "There is no token, or it is not accepted",
    403: "The token does not grant all of the topics",
    408: "The body does not come",
    413: "The body or one of its fields is too large",
    415: "The body is no form",
    503: "Nobody acknowledged the update in time: send it again with the same key",
  },
  token: "needed",
};

export const HUB_PREFLIGHT: Operation = preflight("hubPreflight");
