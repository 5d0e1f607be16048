/** The real services, one streamer more than usual, with a log on disk and relays on some of the ways. */
import { ready, startService, startUnreadyForwarder } from "../lib/testing/processes.ts";
import { freePorts } from "../lib/testing/ports.ts";
import { Relay } from "./relay.ts";
import { Service } from "./service.ts";

export interface Fleet extends AsyncDisposable {
  readonly services: readonly Service[];
  readonly relays: readonly Relay[];
  readonly broadcaster: string;
  readonly streamers: readonly string[];
  readonly routerPort: number;
  readonly xpubPort: number;
  /** Resolves when all say that they can do their work. */
  ready(): Promise<void>;
}

/** @param folder - for the log */
export async function startFleet(folder: string, complain: (what: string) => void): Promise<Fleet> {
  const [xsub, xpub, router, xpubRelay, routerRelay, broadcaster, near, far] = freePorts(8) as Eight;
  await using starting = new AsyncDisposableStack();
  const relays = [new Relay(xpubRelay, xpub), new Relay(routerRelay, router)];
  for (const relay of relays) starting.use(relay);

  const direct = { XPUB_PORT: `${xpub}`, ROUTER_PORT: `${router}` };
  const relayed = { XPUB_PORT: `${xpubRelay}`, ROUTER_PORT: `${routerRelay}` };
  const http = (name: "broadcaster" | "streamer", port: number, env: Record<string, string>) =>
    new Service({
      name: `${name} ${port}`,
      start: () => startService(name, { PORT: `${port}`, ...env }),
      up: "Listening",
      complain,
    });
  const ports = { XSUB_PORT: `${xsub}`, ...direct };
  const services = [
    new Service({
      name: "forwarder",
      start: () => startUnreadyForwarder({ ports, folder }),
      up: "Relaying",
      complain,
    }),
    // All publishers are one client to it.
    http("broadcaster", broadcaster, { ...relayed, MAX_BATCHES_PER_CLIENT: "0" }),
    http("streamer", near, direct),
    http("streamer", far, relayed),
  ];
  for (const service of services) starting.use(service);
  await Promise.all(services.map((service) => service.start()));

  const urlOf = (port: number) => `http://127.0.0.1:${port}/`;
  const streamers = [near, far].map(urlOf);
  const running = starting.move();
  return {
    services,
    relays,
    broadcaster: urlOf(broadcaster),
    streamers,
    routerPort: router,
    xpubPort: xpub,
    ready: async () => {
      await Promise.all([urlOf(broadcaster), ...streamers].map(ready));
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

type Eight = [number, number, number, number, number, number, number, number];
