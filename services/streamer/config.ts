/** The settings of the streamer. */
import { CHANNEL_SETTINGS } from "../lib/channels/open.ts";
import { COMMON_SETTINGS, origins, port, type SettingsOf, size } from "../lib/env.ts";

export const SETTINGS = {
  ...COMMON_SETTINGS,
  port: port("PORT", 8001),
  ...CHANNEL_SETTINGS,
  recentBytes: size("RECENT_BYTES", "64MiB"),
  corsOrigins: origins("CORS_ORIGINS", "*"),
};

export type Config = SettingsOf<typeof SETTINGS>;
