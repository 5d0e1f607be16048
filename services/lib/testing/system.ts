/** The four services together, as `deno task start` runs them, on free ports. */
import {
  type ForwarderPorts,
  type ForwarderProcess,
  type HttpProcess,
  ready,
  type ServiceName,
  startForwarder,
  startHttpService,
} from "./processes.ts";

export interface System extends AsyncDisposable {
  readonly ports: ForwarderPorts;
  readonly broadcaster: HttpProcess;
  readonly logger: HttpProcess;
  /** May be replaced by a test that restarts it. */
  forwarder: ForwarderProcess;
  /** Likewise. */
  streamer: HttpProcess;
}

/**
 * Starts them and waits until they can do their work. Disposing it kills whatever is still running.
 *
 * @param settings - of single services, beyond what they need to find each other
 */
export async function startSystem(
  settings: Partial<Record<ServiceName, Readonly<Record<string, string>>>> = {},
): Promise<System> {
  await using starting = new AsyncDisposableStack();
  const forwarder = starting.use(await startForwarder({ env: settings.forwarder ?? {} }));
  const { ports } = forwarder;
  const streamer = starting.use(await startHttpService("streamer", { ...ports, ...settings.streamer }));
  const logger = starting.use(
    await startHttpService("logger", { EVENTS_URL: `${streamer.url}events`, ...settings.logger }),
  );
  const broadcaster = starting.use(
    await startHttpService("broadcaster", {
      ...ports,
      LOGGER_URL: `${logger.url}logger/`,
      ...settings.broadcaster,
    }),
  );
  await Promise.all([ready(broadcaster.url), ready(streamer.url)]);
  const started = starting.move();
  const system: System = {
    ports,
    broadcaster,
    logger,
    forwarder,
    streamer,
    async [Symbol.asyncDispose]() {
      started.use(system.forwarder);
      started.use(system.streamer);
      await started.disposeAsync();
    },
  };
  return system;
}
