/** The settings of the logger. */
import { address, logLevel, pageUrl, port, type SettingsOf } from "../lib/env.ts";

export const SETTINGS = {
  ip: address("IP", "127.0.0.1"),
  port: port("PORT", 8002),
  eventsUrl: pageUrl("EVENTS_URL", "http://127.0.0.1:8001/events"),
  logLevel: logLevel("LOG_LEVEL", "info"),
};

export type Config = SettingsOf<typeof SETTINGS>;
