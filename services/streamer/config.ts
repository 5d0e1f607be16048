/** The settings of the streamer. */
import { CHANNEL_SETTINGS } from "../lib/channels/open.ts";
import { address, logLevel, origins, port, type SettingsOf } from "../lib/env.ts";

export const SETTINGS = {
  ip: address("IP", "127.0.0.1"),
  port: port("PORT", 8001),
  ...CHANNEL_SETTINGS,
  corsOrigins: origins("CORS_ORIGINS", "*"),
  logLevel: logLevel("LOG_LEVEL", "info"),
};

export type Config = SettingsOf<typeof SETTINGS>;
