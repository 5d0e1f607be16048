/** The settings of the streamer. */
import { CHANNEL_SETTINGS } from "../lib/channels/open.ts";
import {
  choice,
  COMMON_SETTINGS,
  count,
  duration,
  networks,
  onOff,
  port,
  type SettingsOf,
  size,
} from "../lib/env.ts";
import { HUB_SETTINGS } from "../lib/mercure/settings.ts";

export const SETTINGS = {
  ...COMMON_SETTINGS,
  port: port("PORT", 8001),
  streamers: count("STREAMERS", "1", { most: 256 }),
  ...CHANNEL_SETTINGS,
  ...HUB_SETTINGS,
  anonymous: onOff("ANONYMOUS", "on"),
  subscriptions: choice("SUBSCRIPTIONS", ["on", "off", "auto"], "auto"),
  presenceInterval: duration("PRESENCE_INTERVAL", "10s"),
  maxMatchers: count("MAX_MATCHERS", "100"),
  maxStreams: count("MAX_STREAMS", "0"),
  maxStreamsPerClient: count("MAX_STREAMS_PER_CLIENT", "0"),
  maxSubscriptionsPerToken: count("MAX_SUBSCRIPTIONS_PER_TOKEN", "0"),
  trustedProxies: networks("TRUSTED_PROXIES"),
  maxStreamLife: duration("MAX_STREAM_LIFE", "10m"),
  heartbeat: duration("HEARTBEAT", "15s"),
  overload: choice("OVERLOAD", ["retry", "refuse"], "retry"),
  metrics: onOff("METRICS", "off"),
  compress: onOff("COMPRESS", "off"),
  maxBatchDelay: duration("MAX_BATCH_DELAY", "25ms"),
  subscriberBuffer: size("SUBSCRIBER_BUFFER", "1MiB"),
  subscriberTimeout: duration("SUBSCRIBER_TIMEOUT", "30s"),
  recentBytes: size("RECENT_BYTES", "64MiB"),
};

export type Config = SettingsOf<typeof SETTINGS>;
