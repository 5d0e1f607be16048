/**
 * What goes wrong, and when. Each target has a lane of its own, with random numbers of its own: the lanes overlap
 * as they please, so that a streamer comes back while the forwarder is away, and each repeats itself by the seed.
 *
 * The pauses in here wait for nothing. Random times are what chaos is made of.
 */
import { pause } from "../lib/shutdown.ts";
import type { Random } from "./random.ts";
import type { Reader } from "./reader.ts";
import type { Relay } from "./relay.ts";
import type { Service } from "./service.ts";

export interface FaultOptions {
  readonly services: readonly Service[];
  readonly readers: readonly Reader[];
  readonly relays: readonly Relay[];
  readonly random: Random;
  /** Ends the faults; what is frozen goes on then, and what is away comes back. */
  readonly signal: AbortSignal;
  /** Takes note of a fault when it begins. */
  readonly note: (fault: string) => void;
}

/** Milliseconds of peace between two faults of one service, and for how long it is away or stands still. */
const SERVICE_PEACE_MS = [1000, 8000] as const;
const AWAY_MS = [0, 2000] as const;
const FROZEN_MS = [100, 4000] as const;
/** Milliseconds between two cuts of connections. */
const CUT_PEACE_MS = [100, 1500] as const;
/** Readers that are cut off at one time, at most. */
const CUT_READERS = 5;

/** Brings faults until the signal aborts; then every service is up again. */
export async function bringFaults(options: FaultOptions): Promise<void> {
  const { services, random } = options;
  await Promise.all([
    ...services.map((service) => troubleService(service, random.fork(service.name), options)),
    cutReaders(random.fork("readers"), options),
    cutRelays(random.fork("relays"), options),
  ]);
}

async function troubleService(service: Service, random: Random, options: FaultOptions): Promise<void> {
  const { signal, note } = options;
  const faults = {
    kill: async () => {
      note(`${service.name}: SIGKILL`);
      await service.kill();
      await pause(random.between(...AWAY_MS), signal);
      await service.start();
    },
    restart: async () => {
      note(`${service.name}: SIGTERM`);
      await service.end();
      await service.start();
    },
    freeze: async () => {
      const ms = random.between(...FROZEN_MS);
      note(`${service.name}: SIGSTOP for ${Math.round(ms)} ms`);
      await service.freeze(ms, signal);
    },
  };
  await repeat(SERVICE_PEACE_MS, random, signal, async () => {
    await faults[random.pick(["kill", "kill", "freeze", "restart"] as const)]();
    note(`${service.name}: up`);
  });
}

async function cutReaders(random: Random, { readers, signal, note }: FaultOptions): Promise<void> {
  await repeat(CUT_PEACE_MS, random, signal, () => {
    const count = Math.ceil(random.between(0, CUT_READERS));
    for (let left = count; left > 0; left--) random.pick(readers).cut();
    note(`readers: ${count} cut`);
  });
}

async function cutRelays(random: Random, { relays, signal, note }: FaultOptions): Promise<void> {
  await repeat(CUT_PEACE_MS, random, signal, () => {
    if (random.pick(relays).cut(random)) note("relays: a connection cut");
  });
}

async function repeat(
  peaceMs: readonly [number, number],
  random: Random,
  signal: AbortSignal,
  fault: () => void | Promise<void>,
): Promise<void> {
  while (true) {
    await pause(random.between(...peaceMs), signal);
    if (signal.aborted) return;
    await fault();
  }
}
