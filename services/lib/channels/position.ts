/** A place in a history, as the forwarder numbers it, and its text form. */
import type { Cursor } from "../channel.ts";

export interface Position {
  /** Names the history; numbers of two epochs cannot be compared. */
  readonly epoch: string;
  /** Whole, from 1 and without holes; 0 is the place before the first. */
  readonly number: number;
}

/** Something with its place. */
export interface Positioned<T> {
  readonly position: Position;
  readonly item: T;
}

const EPOCH_LENGTH = 16;
const CURSOR = /^[0-9a-f]{16}-(?:0|[1-9][0-9]{0,15})$/;

/** `<epoch>-<number>`, as `zeromq_wire.ts` specifies it. */
export function formatCursor({ epoch, number }: Position): Cursor {
  return `${epoch}-${number}` as Cursor;
}

/** The position that a cursor stands for, or undefined when it is none of this form. */
export function parseCursor(cursor: string): Position | undefined {
  if (!CURSOR.test(cursor)) return undefined;
  const number = Number(cursor.slice(EPOCH_LENGTH + 1));
  return Number.isSafeInteger(number) ? { epoch: cursor.slice(0, EPOCH_LENGTH), number } : undefined;
}
