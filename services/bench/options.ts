/** The command line of the benchmark. */
import { parseArgs } from "node:util";
import { fileURLToPath } from "node:url";

/** What can be measured, and what each is; in the order in which they run. */
const SCENARIOS = {
  a: "1,000 subscribers of one topic, 10 to 10,000 updates/s, beside the peers",
  gzip: "the same at 1,000 updates/s, compressed",
  b: "10,000 subscribers of one topic, 10 updates/s, beside the peers",
  c: "10,000 subscribers of as many topics, 1,000 updates/s",
  d: "1,000 subscribers, 50 of which stop reading",
  e: "memory of idle streams, beside the peers",
  f: "10,000 connections at once, beside the peers",
  g: "5,000 clients come back at once, each 200 updates behind",
  h: "the whole way from HTTP over the log to the streams",
  publish: "how many publishes are acknowledged, with a log on the disk",
  history: "resume from a long log, and start with one",
  parts: "the small benchmarks of single parts (deno bench)",
} as const;

export type Scenario = keyof typeof SCENARIOS;

export interface Options {
  readonly only: readonly Scenario[];
  readonly runs: number;
  /** Seconds that each run measures, and those before, in which it gets warm. */
  readonly seconds: number;
  readonly warmUpSeconds: number;
  /** Where logs are that must be on a real disk. */
  readonly folder: string;
  readonly json: string | undefined;
  readonly svg: string | undefined;
}

export const HELP =
  `deno task bench [--only=a,d] [--quick] [--runs=5] [--seconds=5] [--json=FILE] [--svg=FOLDER] [--folder=PATH]

Starts the services as they are, each a process of its own, lets another process read and a third one
publish, and prints what was measured: first the ratios with their targets, then all figures, medians with the
least and the most of all runs. Beside them are measured, where they are installed: Nchan (Debian: nginx and
libnginx-mod-nchan), a Mercure hub (MERCURE_BIN names its program), and the bare loop in C (needs cc).

Needs Linux, and 10,200 open files (ulimit -n) for 10,000 streams. As root, the readers run before all else,
as if they were on machines of their own.

  --only=NAMES     only these scenarios, with commas between them
${
    Object.entries(SCENARIOS).map(([name, what]) => `                     ${name.padEnd(8)} ${what}`).join(
      "\n",
    )
  }
  --quick          two runs of two seconds: a look, not a measurement
  --runs=N         how often everything is measured (5)
  --seconds=N      how long each run measures (5)
  --json=FILE      writes all figures there too
  --svg=FOLDER     draws fan-out.svg and latency.svg there, of scenario a
  --folder=PATH    where the logs are whose disk counts; must not be in memory (data)
  --help           this text`;

/** What is wrong with the command line. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/**
 * Reads the arguments; undefined when they ask for help, which is then in `HELP`.
 *
 * @throws {UsageError} when they cannot be understood.
 */
export function readOptions(args: readonly string[]): Options | undefined {
  const values = parse(args);
  if (values.help) return undefined;
  const names = values.only?.split(",") ?? Object.keys(SCENARIOS);
  const unknown = names.find((name) => !Object.hasOwn(SCENARIOS, name));
  if (unknown !== undefined) {
    throw new UsageError(`--only has "${unknown}", but there are ${Object.keys(SCENARIOS).join(", ")}`);
  }
  if (values.svg !== undefined && !names.includes("a")) {
    throw new UsageError("--svg draws scenario a, which --only leaves out");
  }
  return {
    only: (Object.keys(SCENARIOS) as Scenario[]).filter((name) => names.includes(name)),
    runs: wholeNumber("runs", values.runs ?? (values.quick ? "2" : "5")),
    seconds: wholeNumber("seconds", values.seconds ?? (values.quick ? "2" : "5")),
    warmUpSeconds: values.quick ? 1 : 2,
    folder: values.folder,
    json: values.json,
    svg: values.svg,
  };
}

function parse(args: readonly string[]) {
  return understand(() =>
    parseArgs({
      args: [...args],
      options: {
        only: { type: "string" },
        quick: { type: "boolean", default: false },
        runs: { type: "string" },
        seconds: { type: "string" },
        json: { type: "string" },
        svg: { type: "string" },
        folder: { type: "string", default: fileURLToPath(new URL("../../data", import.meta.url)) },
        help: { type: "boolean", short: "h", default: false },
      },
    }).values
  );
}

/** What a parser of arguments found, or a {@link UsageError}. */
export function understand<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    // What it says is made for the user, such as: Unknown option '--rusn'.
    if (error instanceof TypeError) throw new UsageError(error.message);
    throw error;
  }
}

export function wholeNumber(name: string, text: string): number {
  if (/^[1-9][0-9]{0,3}$/.test(text)) return Number(text);
  throw new UsageError(`--${name} is "${text}", but must be a whole number from 1 to 9999`);
}
