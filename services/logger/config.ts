/** The settings of the logger. */
import { COMMON_SETTINGS, pageUrl, port, type SettingsOf } from "../lib/env.ts";

export const SETTINGS = {
  ...COMMON_SETTINGS,
  port: port("PORT", 8002),
  eventsUrl: pageUrl("EVENTS_URL", "http://127.0.0.1:8001/events"),
};

export type Config = SettingsOf<typeof SETTINGS>;
