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

const CURSOR = /^([0-9a-f]{16})-(0|[1-9][0-9]{0,15})$/;

/** `<epoch>-<number>`, as `zeromq_wire.ts` specifies it. */
export function formatCursor({ epoch, number }: Position): Cursor {
  return `${epoch}-${number}` as Cursor;
}

/** The position that a cursor stands for, or undefined when it is none of this form. */
export function parseCursor(cursor: string): Position | undefined {
  const [, epoch, digits] = CURSOR.exec(cursor) ?? [];
  const number = Number(digits);
  return epoch !== undefined && Number.isSafeInteger(number) ? { epoch, number } : undefined;
}
