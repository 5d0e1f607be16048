/** What is measured: ours, and the peers beside which it is measured. */
import type { Target } from "../publisher/protocol.ts";

export interface Server extends AsyncDisposable {
  readonly name: string;
  readonly port: number;
  /** Target of the request for a stream of the topic. */
  streamPath(topic: string): string;
  /** Where updates go in. */
  readonly target: Target;
  /** Characters of an update's data with which its event takes about 140 bytes on the wire. */
  readonly dataLength: number;
  /** Process ids of those whose work the fan-out is. */
  readonly pids: readonly number[];
  /** Other processes that an update passes, by name. */
  readonly others: Readonly<Record<string, number>>;
}

/** A peer that cannot be measured, and why. */
export class NotInstalledError extends Error {
  override readonly name = "NotInstalledError";
}

/** Bytes of one event on the wire. */
const EVENT_BYTES = 140;
/** `data: ` and the two line ends. */
const DATA_LINE = 8;

/** Length of the data with which an event is as long as all others, beside an id line of so many bytes. */
export function dataLengthFor(idLine: string): number {
  return EVENT_BYTES - DATA_LINE - idLine.length;
}

/** The id line of an update of ours. */
export const OUR_ID_LINE = `id: urn:uuid:${crypto.randomUUID()}\n`;
