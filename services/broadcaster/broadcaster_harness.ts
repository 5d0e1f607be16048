/** For tests: a broadcaster without a socket, over a channel in memory; and clocks that stand still. */
import { MemoryChannel } from "../lib/channels/memory.ts";
import { readSettings } from "../lib/env.ts";
import type { App } from "../lib/http.ts";
import { createLog } from "../lib/log.ts";
import { openAccess } from "../lib/mercure/settings.ts";
import type { Update } from "../lib/update.ts";
import { createBroadcaster } from "./app.ts";
import { SETTINGS } from "./config.ts";

export interface Fixture {
  readonly app: App;
  readonly channel: MemoryChannel;
  /** Of its log: warnings and errors. */
  readonly lines: readonly string[];
  /** What was published so far, the oldest first. */
  published(): Promise<Update[]>;
}

export async function broadcaster(env: Readonly<Record<string, string>> = {}): Promise<Fixture> {
  const channel = new MemoryChannel();
  const config = readSettings(SETTINGS, { get: (name) => env[name] });
  const lines: string[] = [];
  const log = createLog({ service: "test", level: "warn", write: (line) => lines.push(line) });
  const app = await createBroadcaster({ config, channel, log, ...await openAccess(config, { log }) });
  return {
    app,
    channel,
    lines,
    published: async () => (await channel.history("earliest", { limit: 10_000 })).map(({ update }) => update),
  };
}

/** Both clocks stand still until they are disposed of; moving one, in ms since 1970, moves the other. */
export function stopClocks(now: number = Date.now()): Disposable & { now: number } {
  const originals = [Date.now, performance.now] as const;
  const start = performance.now() - now;
  const clock = {
    now,
    [Symbol.dispose]() {
      [Date.now, performance.now] = originals;
    },
  };
  Date.now = () => clock.now;
  performance.now = () => start + clock.now;
  return clock;
}
