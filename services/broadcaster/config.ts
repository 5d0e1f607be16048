/** The settings of the broadcaster. */
import { CHANNEL_SETTINGS } from "../lib/channels/open.ts";
import {
  COMMON_SETTINGS,
  count,
  networks,
  pageUrl,
  part,
  port,
  type SettingsOf,
  siteList,
  urlPath,
} from "../lib/env.ts";
import { HUB_SETTINGS } from "../lib/mercure/settings.ts";

export const SETTINGS = {
  ...COMMON_SETTINGS,
  port: port("PORT", 8000),
  ...CHANNEL_SETTINGS,
  ...HUB_SETTINGS,
  trackerPath: urlPath("TRACKER_PATH", "/tracker.js"),
  eventsPath: urlPath("EVENTS_PATH", "/e"),
  trackSites: siteList("TRACK_SITES", "*"),
  trackOff: siteList("TRACK_OFF", "none"),
  trackSample: part("TRACK_SAMPLE", "1"),
  maxBatchesPerClient: count("MAX_BATCHES_PER_CLIENT", "1200"),
  maxEventsPerSite: count("MAX_EVENTS_PER_SITE", "600000"),
  trustedProxies: networks("TRUSTED_PROXIES"),
  loggerUrl: pageUrl("LOGGER_URL", "http://127.0.0.1:8002/logger/"),
};

export type Config = SettingsOf<typeof SETTINGS>;
