/** The settings of the broadcaster. */
import { CHANNEL_SETTINGS } from "../lib/channels/open.ts";
import { COMMON_SETTINGS, duration, origins, pageUrl, port, type SettingsOf } from "../lib/env.ts";

export const SETTINGS = {
  ...COMMON_SETTINGS,
  port: port("PORT", 8000),
  ...CHANNEL_SETTINGS,
  loggerUrl: pageUrl("LOGGER_URL", "http://127.0.0.1:8002/logger/"),
  publishTimeout: duration("PUBLISH_TIMEOUT", "2s"),
  corsOrigins: origins("CORS_ORIGINS", "*"),
};

export type Config = SettingsOf<typeof SETTINGS>;
