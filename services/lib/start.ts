/**
 * From the start of a process to its end, the same for every service: refuse an unsuitable runtime, read the
 * settings, run until a signal, and leave with an exit code that says how it went. The process itself is handed
 * in by `main.ts`, the only file that may touch it.
 */
import { type Environment, readSettings, type Setting, SettingsError, type SettingsOf } from "./env.ts";
import { createLog, type Log, type LogLevel, messageOf, stackOf } from "./log.ts";

/** The first Deno on which the ØMQ addon neither fails to load nor stalls. */
export const MINIMUM_DENO = "2.9.0";

/** Hosts end a service with SIGTERM, restart it with SIGHUP, and a terminal sends SIGINT. */
const END_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Milliseconds after a signal in which a service has to end; then it is ended. */
const GRACE_MS = 4500;

/**
 * Milliseconds in which one wish to end may come several times: a terminal sends its signal to every process, and
 * `deno task` and other launchers pass on what they got.
 */
const ECHO_MS = 1000;

export const EXIT_FAILURE = 1;
export const EXIT_BAD_SETTINGS = 2;

type Settings = Readonly<Record<string, Setting<unknown>>> & { readonly logLevel: Setting<LogLevel> };

/** What a running service is handed besides its settings. */
export interface RunContext {
  readonly log: Log;
  /** Aborts when the service has to end. */
  readonly signal: AbortSignal;
}

export interface Service<S extends Settings> {
  readonly name: string;
  readonly settings: S;
  /** Milliseconds that it has to end; one that waits for others needs more than they do. Default: 4500. */
  readonly graceMs?: number;
  /** Resolves when the signal has aborted and all is closed; rejects with what made it impossible to go on. */
  run(config: SettingsOf<S>, context: RunContext): Promise<void>;
}

/** What a service needs of its process; `Deno` is one. */
export interface Process {
  readonly env: Environment;
  readonly version: { readonly deno: string };
  addSignalListener(signal: (typeof END_SIGNALS)[number], handler: () => void): void;
  exit(code: number): never;
}

/** A reason not to start that an operator can mend. Its message is all that they are shown. */
export class StartError extends Error {
  override readonly name = "StartError";
  /** What the process leaves with: {@link EXIT_BAD_SETTINGS} where a setting names what cannot be used. */
  readonly exitCode: number;

  constructor(
    message: string,
    { exitCode = EXIT_FAILURE, ...options }: ErrorOptions & { exitCode?: number } = {},
  ) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

/** Runs the service and ends the process. */
export async function start<S extends Settings>(service: Service<S>, process: Process): Promise<never> {
  return process.exit(await runToExitCode(service, process));
}

async function runToExitCode<S extends Settings>(service: Service<S>, process: Process): Promise<number> {
  const startLog = createLog({ service: service.name, level: "info" });
  if (isOlder(process.version.deno, MINIMUM_DENO)) {
    startLog.error(`Deno ${MINIMUM_DENO} or newer is needed, and this is ${process.version.deno}`);
    return EXIT_FAILURE;
  }
  let config: SettingsOf<S>;
  try {
    config = readSettings(service.settings, process.env);
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    for (const problem of error.problems) startLog.error(problem);
    return EXIT_BAD_SETTINGS;
  }
  const log = createLog({ service: service.name, level: config.logLevel as LogLevel });
  try {
    await service.run(config, { log, signal: endSignal(process, log, service.graceMs) });
    return 0;
  } catch (error) {
    if (error instanceof StartError) {
      log.error(error.message);
      return error.exitCode;
    }
    // Where an unexpected failure comes from is what its finder needs.
    log.error(messageOf(error), { stack: stackOf(error) });
    return EXIT_FAILURE;
  }
}

/** A signal that aborts when the process is told to end. It then has to end in time, or is ended. */
function endSignal(process: Process, log: Log, graceMs = GRACE_MS): AbortSignal {
  const ended = new AbortController();
  let isRepeatable = false;
  for (const name of END_SIGNALS) {
    process.addSignalListener(name, () => {
      // Asked again: whoever sent the signal does not want to wait.
      if (isRepeatable) process.exit(EXIT_FAILURE);
      if (ended.signal.aborted) return;
      log.info("Ending", { signal: name });
      ended.abort();
      // Only now: what ends at once may take its time, and an echo waits meanwhile.
      setTimeout(() => isRepeatable = true, ECHO_MS);
      setTimeout(() => {
        log.error(`Not ended within ${graceMs} ms`);
        process.exit(EXIT_FAILURE);
      }, graceMs);
    });
  }
  return ended.signal;
}

function isOlder(version: string, minimum: string): boolean {
  const [major = 0, minor = 0, patch = 0] = version.split(/[.+-]/).map(Number);
  const [wantedMajor = 0, wantedMinor = 0, wantedPatch = 0] = minimum.split(".").map(Number);
  return (major - wantedMajor || minor - wantedMinor || patch - wantedPatch) < 0;
}
