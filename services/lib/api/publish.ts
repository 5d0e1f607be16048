/** What publishers send to the hub. Source: draft-dunglas-mercure-08, "Publication". */
import * as v from "valibot";
import { MAX_ID_LENGTH, MAX_TOPICS } from "../update.ts";

/** Longest topic or type that a publisher may use, in UTF-16 code units. */
export const MAX_PUBLISHED_NAME_LENGTH = 4096;
/** Longest `Idempotency-Key`, in characters. */
export const MAX_KEY_LENGTH = 255;

/** Source: draft-ietf-httpapi-idempotency-key-header-07, section 2. */
export const IDEMPOTENCY_KEY = v.pipe(
  v.string(),
  v.regex(/^[\x21-\x7E]+$/),
  v.maxLength(MAX_KEY_LENGTH),
  v.description("A request that is sent again with its key is published once"),
);

const name = v.pipe(v.string(), v.maxLength(MAX_PUBLISHED_NAME_LENGTH));

/** The fields of the form, as they are documented: each defect has an answer of its own, which a schema cannot say. */
export const PUBLISH_FORM = v.pipe(
  v.object({
    topic: v.pipe(
      v.array(v.pipe(name, v.nonEmpty())),
      v.minLength(1),
      v.maxLength(MAX_TOPICS),
      v.description("Its topics: the first is canonical, the others are alternates"),
    ),
    data: v.optional(v.pipe(v.string(), v.description("Any text; most often JSON"))),
    private: v.optional(v.pipe(
      v.string(),
      v.description("That it is there makes the update private, whatever it says"),
    )),
    id: v.optional(v.pipe(
      v.string(),
      v.maxLength(MAX_ID_LENGTH),
      v.description("Its id, an IRI; `urn:uuid:` and a UUIDv7 unless it says otherwise"),
    )),
    type: v.optional(v.pipe(name, v.description("Its SSE event name; `mercure` is the hub's own"))),
    retry: v.optional(v.pipe(
      v.string(),
      v.regex(/^[0-9]*$/),
      v.description("Milliseconds that a client waits before it reconnects"),
    )),
  }),
  v.examples([{ topic: ["https://shop.test/orders/9"], data: "paid" }]),
);
