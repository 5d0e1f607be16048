/**
 * `deno task chaos`: kills, freezes and restarts the real services under load, and then looks whether anything
 * that was acknowledged is missing, doubled or out of order. Exit code 1 when it is.
 */
import { parseArgs } from "node:util";
import { type ChaosOptions, type ChaosResult, runChaos } from "./chaos/run.ts";

const FLAGS = { seed: undefined, seconds: 60, rate: 1000, subscribers: 50 } as const;

function readOptions(args: string[]): Omit<ChaosOptions, "signal"> {
  const { values } = parseArgs({
    args,
    options: {
      seed: { type: "string" },
      seconds: { type: "string" },
      rate: { type: "string" },
      subscribers: { type: "string" },
    },
  });
  const read = (name: keyof typeof FLAGS) => {
    const value = Number(values[name] ?? FLAGS[name] ?? Math.floor(Math.random() * 2 ** 32));
    if (Number.isInteger(value) && value >= (name === "seed" ? 0 : 1) && value < 2 ** 32) return value;
    throw new RangeError(`--${name} is "${values[name]}", but must be a whole number above 0`);
  };
  return {
    seed: read("seed"),
    seconds: read("seconds"),
    rate: read("rate"),
    subscribers: read("subscribers"),
  };
}

function print(line: string): void {
  // deno-lint-ignore no-console -- a command for a terminal
  console.log(line);
}

function show({ problems, summary, timeline }: ChaosResult, repeat: string): void {
  if (problems.length > 0) {
    for (const line of [...timeline, "", ...problems, "", `FAILED, repeat it with: ${repeat}`]) print(line);
  }
  print(`${problems.length === 0 ? "ok" : `${problems.length} problems`}: ${summary}`);
}

async function main(): Promise<number> {
  const options = readOptions(Deno.args);
  const { seed, seconds, rate, subscribers } = options;
  const repeat =
    `deno task chaos --seed=${seed} --seconds=${seconds} --rate=${rate} --subscribers=${subscribers}`;
  print(`seed ${seed}; repeat with: ${repeat}`);
  const ended = new AbortController();
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    Deno.addSignalListener(name, () => ended.abort());
  }
  try {
    const result = await runChaos({ ...options, signal: ended.signal });
    show(result, repeat);
    return result.problems.length === 0 ? 0 : 1;
  } catch (error) {
    if (!ended.signal.aborted) throw error;
    print("Ended before its time; all is cleaned up");
    return 130;
  }
}

if (import.meta.main) Deno.exit(await main());
