/** How the hub is protected. Source: RFC 9728, section 2; draft-dunglas-mercure-08, "Protected resource metadata". */
import * as v from "valibot";

export const METADATA = v.object({
  resource: v.pipe(v.string(), v.description("The URL of the hub, which is the audience of tokens")),
  authorization_servers: v.optional(v.pipe(
    v.array(v.string()),
    v.description("The issuers that publish their keys"),
  )),
  authorization_details_types_supported: v.array(v.string()),
  bearer_methods_supported: v.array(v.literal("header")),
  mercure_cookie: v.pipe(v.string(), v.description("The name of the cookie that may hold the token")),
  mercure_matcher_types_supported: v.array(v.string()),
  mercure_subscriptions: v.optional(v.pipe(
    v.literal(true),
    v.description("Active subscriptions can be asked for"),
  )),
});

export type Metadata = v.InferOutput<typeof METADATA>;
