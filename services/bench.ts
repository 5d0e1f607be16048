/**
 * The second half of `deno task bench`: what whole processes do with a log on a real disk. Prints one table, with
 * the targets beside what was measured. The load comes from this process, so it takes part in what it measures.
 *
 * `--runs=N` (5), `--folder=PATH`: where the logs are, which must not be in memory (default: `data`).
 */
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { benchLongLog, benchResume } from "./bench/history.ts";
import { benchDirect, benchHttp } from "./bench/publish.ts";
import { type Figure, formatTable } from "./bench/table.ts";

async function main(): Promise<void> {
  const { values } = parseArgs({
    args: Deno.args,
    options: {
      runs: { type: "string", default: "5" },
      folder: { type: "string", default: fileURLToPath(new URL("../data", import.meta.url)) },
    },
  });
  const figures: Figure[] = [];
  for (const bench of [benchDirect, benchHttp, benchResume, benchLongLog]) {
    print(`${bench.name} ...`);
    figures.push(...await inFolder(values.folder, (folder) => bench(folder, Number(values.runs))));
  }
  print(formatTable(figures));
}

function print(text: string): void {
  // deno-lint-ignore no-console -- a command for a terminal
  console.log(text);
}

/** Runs with an empty folder, which is gone afterwards, also when somebody ends us. */
async function inFolder<T>(parent: string, bench: (folder: string) => Promise<T>): Promise<T> {
  await Deno.mkdir(parent, { recursive: true });
  const folder = await Deno.makeTempDir({ dir: parent, prefix: "bench-" });
  const end = () => {
    Deno.removeSync(folder, { recursive: true });
    Deno.exit(130);
  };
  Deno.addSignalListener("SIGINT", end);
  Deno.addSignalListener("SIGTERM", end);
  try {
    return await bench(folder);
  } finally {
    Deno.removeSignalListener("SIGINT", end);
    Deno.removeSignalListener("SIGTERM", end);
    await Deno.remove(folder, { recursive: true });
  }
}

if (import.meta.main) await main();
