/**
 * Tells clients how the hub is protected, and what it can do.
 * Source: RFC 9728, section 2; draft-dunglas-mercure-08, "Protected resource metadata".
 */
import type { Metadata } from "../lib/api/metadata.ts";
import type { App } from "../lib/http.ts";
import type { Access } from "../lib/mercure/access.ts";
import { DETAIL_TYPE } from "../lib/mercure/authorization_details.ts";
import type { HubUrl } from "../lib/mercure/hub_url.ts";
import type { Config } from "./config.ts";

export interface MetadataOptions {
  readonly config: Pick<Config, "cookieName">;
  /** Whether active subscriptions can be asked for. */
  readonly hasSubscriptions: boolean;
  readonly access: Access;
  readonly hubUrl: HubUrl;
}

export function serveMetadata(app: App, { config, hasSubscriptions, access, hubUrl }: MetadataOptions): void {
  const { authorization } = access;
  app.get(hubUrl.metadataPath, (c) =>
    c.json<Metadata>({
      resource: access.hubUrlFor(c),
      ...(authorization.authorizationServers.length > 0 && {
        authorization_servers: [...authorization.authorizationServers],
      }),
      authorization_details_types_supported: [DETAIL_TYPE],
      bearer_methods_supported: ["header"],
      mercure_cookie: config.cookieName,
      mercure_matcher_types_supported: ["exact", "urlpattern"],
      ...(hasSubscriptions && { mercure_subscriptions: true }),
    }));
}
