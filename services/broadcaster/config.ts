/** The settings of the broadcaster. */
import { CHANNEL_SETTINGS } from "../lib/channels/open.ts";
import { COMMON_SETTINGS, pageUrl, port, type SettingsOf } from "../lib/env.ts";
import { HUB_SETTINGS } from "../lib/mercure/settings.ts";

export const SETTINGS = {
  ...COMMON_SETTINGS,
  port: port("PORT", 8000),
  ...CHANNEL_SETTINGS,
  ...HUB_SETTINGS,
  loggerUrl: pageUrl("LOGGER_URL", "http://127.0.0.1:8002/logger/"),
};

export type Config = SettingsOf<typeof SETTINGS>;
