/** `deno task bench`: what the services can do, measured from outside and beside their peers. `--help` says how. */
import { watchInterrupts } from "./bench/child.ts";
import { HELP, type Options, readOptions, type Scenario, UsageError } from "./bench/options.ts";
import { checkSystem, showMachine, SystemError } from "./bench/machine.ts";
import { writePlots } from "./bench/plot.ts";
import { showResults, writeJson } from "./bench/report.ts";
import { Results } from "./bench/results.ts";
import { burst } from "./bench/scenarios/burst.ts";
import { compressed } from "./bench/scenarios/compressed.ts";
import { fanOut, manySubscribers } from "./bench/scenarios/fan_out.ts";
import { history } from "./bench/scenarios/history.ts";
import { idleStreams } from "./bench/scenarios/idle_streams.ts";
import { manyTopics } from "./bench/scenarios/many_topics.ts";
import { parts } from "./bench/scenarios/parts.ts";
import { publish } from "./bench/scenarios/publish.ts";
import { publishPath } from "./bench/scenarios/publish_path.ts";
import { resumeStorm } from "./bench/scenarios/resume_storm.ts";
import { slowReaders } from "./bench/scenarios/slow_readers.ts";
import { messageOf, stackOf } from "./lib/log.ts";

type Run = (options: Options, results: Results) => Promise<void>;

const RUNS: Readonly<Record<Scenario, Run>> = {
  a: fanOut,
  gzip: compressed,
  b: manySubscribers,
  c: manyTopics,
  d: slowReaders,
  e: idleStreams,
  f: burst,
  g: resumeStorm,
  h: publishPath,
  publish,
  history,
  parts,
};

async function main(): Promise<number> {
  const options = readOptions(Deno.args);
  if (options === undefined) {
    print(HELP);
    return 0;
  }
  watchInterrupts();
  const machine = await showMachine();
  print(machine);
  await checkSystem(options.only);
  const results = new Results();
  let hasFailed = false;
  for (const name of options.only) {
    print(`${name} ...`);
    try {
      await RUNS[name](options, results);
    } catch (error) {
      // What the others found has taken long, and is as good as before.
      hasFailed = true;
      print(stackOf(error) ?? messageOf(error));
      results.note(`(${name}) failed: ${messageOf(error)}`);
    }
  }
  print(`\n${showResults(results)}`);
  if (options.json !== undefined) await writeJson(options.json, { machine, options, results });
  if (options.svg !== undefined) await writePlots(options.svg, results.points);
  return hasFailed ? 1 : 0;
}

function print(text: string): void {
  // deno-lint-ignore no-console -- a command for a terminal
  console.log(text);
}

if (import.meta.main) {
  try {
    Deno.exit(await main());
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof SystemError)) throw error;
    print(`${error.message}. More with --help`);
    Deno.exit(2);
  }
}
