/** What a service that takes updates by the Mercure protocol has to be told, and what becomes of it. */
import { cookieName, count, duration, hubUrl, originList, origins, type SettingsOf, size } from "../env.ts";
import type { Log } from "../log.ts";
import { MAX_TOPICS } from "../update.ts";
import { Access } from "./access.ts";
import { Authorization } from "./authorization.ts";
import { DEFAULT_HUB_PATH, HubUrl } from "./hub_url.ts";
import { DEVELOPMENT_ISSUER, ISSUER_SETTINGS, readIssuers } from "./issuers.ts";

export const HUB_SETTINGS = {
  hubUrl: hubUrl("HUB_URL", DEFAULT_HUB_PATH),
  ...ISSUER_SETTINGS,
  cookieName: cookieName("COOKIE_NAME", "__Secure-mercure_access_token"),
  publishOrigins: originList("PUBLISH_ORIGINS"),
  corsOrigins: origins("CORS_ORIGINS", "*"),
  maxBody: size("MAX_BODY", "1MiB"),
  maxTopics: count("MAX_TOPICS", "1000", { most: MAX_TOPICS }),
  maxDetails: count("MAX_DETAILS", "100"),
  maxMatcherLength: count("MAX_MATCHER_LENGTH", "4096", { most: 4096 }),
  publishTimeout: duration("PUBLISH_TIMEOUT", "2s"),
};

export type HubConfig = SettingsOf<typeof HUB_SETTINGS>;

export interface HubAccess {
  readonly access: Access;
  readonly hubUrl: HubUrl;
  /** Whether the only issuer is the throw-away one of `deno task start`. */
  readonly isDevelopment: boolean;
}

/**
 * Reads the keys and makes what judges requests by them; what is weak about them goes to the log.
 *
 * @throws {StartError} when the issuers contradict each other or cannot be read.
 */
export async function openAccess(
  config: HubConfig,
  { log }: { log: Log },
): Promise<HubAccess> {
  const hubUrl = new HubUrl(config.hubUrl);
  const { cookieName, publishOrigins, maxDetails, maxMatcherLength } = config;
  const issuers = await readIssuers(config);
  const authorization = await Authorization.open(issuers, {
    maxDetails,
    maxMatcherLength,
    ...(hubUrl.isPinned && { hubUrl: config.hubUrl }),
  });
  for (const warning of authorization.warnings) log.warn(warning);
  return {
    hubUrl,
    access: new Access({ authorization, hubUrl, cookieName, publishOrigins, log }),
    isDevelopment: issuers.some(({ issuer }) => issuer === DEVELOPMENT_ISSUER),
  };
}
