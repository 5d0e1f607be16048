/** The HTTP side of the forwarder: its probes. Everything else is on its ØMQ sockets. */
import { type App, createApp } from "../lib/http.ts";
import type { Log } from "../lib/log.ts";

export interface ForwarderAppOptions {
  readonly log: Log;
}

export function createForwarder({ log }: ForwarderAppOptions): App {
  return createApp({ log });
}
