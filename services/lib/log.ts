/**
 * The log of a process: records, one JSON object per line on standard error, for whatever collects them.
 *
 * Never log an update's data, a token or a key: the log is read by more people than the data is meant for.
 */
export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Facts about a record; they become members of the JSON object. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** One function per level. The message is a sentence for an operator. */
export type Log = Readonly<Record<LogLevel, (message: string, fields?: LogFields) => void>>;

export interface LogOptions {
  readonly service: string;
  /** The lowest level that is written. */
  readonly level: LogLevel;
  /** Takes one line, with its line feed. Default: standard error. */
  readonly write?: (line: string) => void;
}

const encoder = new TextEncoder();

export function createLog({ service, level, write = writeToStderr }: LogOptions): Log {
  const lowest = LOG_LEVELS.indexOf(level);
  const writerOf = (level: LogLevel) => (message: string, fields: LogFields = {}) => {
    if (LOG_LEVELS.indexOf(level) < lowest) return;
    const own = { time: new Date().toISOString(), level, service, message };
    // Twice: first for the order in which people read them, and last so that no field takes their place.
    write(`${JSON.stringify({ ...own, ...fields, ...own })}\n`);
  };
  return {
    debug: writerOf("debug"),
    info: writerOf("info"),
    warn: writerOf("warn"),
    error: writerOf("error"),
  };
}

/** Tells the person at the terminal something that is no record, such as where to point a browser. */
export function announce(line: string): void {
  writeAll(Deno.stdout, `${line}\n`);
}

function writeToStderr(line: string): void {
  writeAll(Deno.stderr, line);
}

/** Written at once and whole: what a process says as it dies is what its operator needs most. */
function writeAll(stream: { writeSync(bytes: Uint8Array): number }, text: string): void {
  let rest = encoder.encode(text);
  while (rest.length > 0) rest = rest.subarray(stream.writeSync(rest));
}

/** Where whatever was thrown comes from. */
export function stackOf(error: unknown): string | undefined {
  return error instanceof Error ? error.stack : undefined;
}

/** The message of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
