/** The four services together, as `deno task start` runs them, on free ports. */
import {
  type ForwarderPorts,
  type ForwarderProcess,
  type HttpProcess,
  ready,
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

/** Starts them and waits until they can do their work. Disposing it kills whatever is still running. */
export async function startSystem(): Promise<System> {
  await using starting = new AsyncDisposableStack();
  const forwarder = starting.use(await startForwarder());
  const { ports } = forwarder;
  const streamer = starting.use(await startHttpService("streamer", ports));
  const logger = starting.use(await startHttpService("logger", { EVENTS_URL: `${streamer.url}events` }));
  const broadcaster = starting.use(
    await startHttpService("broadcaster", { ...ports, LOGGER_URL: `${logger.url}logger/` }),
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
