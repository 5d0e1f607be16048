/** The machine on which it runs, and whether it lets us. */
import { cpus, totalmem } from "node:os";
import type { Scenario } from "./options.ts";

/** Descriptors that each process may need, streams included. */
const FILES: Partial<Record<Scenario, number>> = {
  a: 1100,
  gzip: 1100,
  b: 10_200,
  c: 10_200,
  d: 1100,
  e: 10_200,
  f: 10_200,
  g: 5200,
};

/** One line about it. */
export async function showMachine(): Promise<string> {
  const processors = cpus();
  // Fewer, where somebody has bound us to some of them.
  const usable = await output("nproc");
  return `${usable} of ${processors.length} cores, ${processors[0]?.model.trim()}, ` +
    `${Math.round(totalmem() / 2 ** 30)} GiB, Deno ${Deno.version.deno}, ${
      new Date().toISOString().slice(0, 10)
    }`;
}

/** @throws {SystemError} when this machine cannot run these scenarios. */
export async function checkSystem(scenarios: readonly Scenario[]): Promise<void> {
  const limit = await output("sh", "-c", "ulimit -n");
  const needed = Math.max(0, ...scenarios.map((name) => FILES[name] ?? 0));
  if (limit !== "unlimited" && Number(limit) < needed) {
    throw new SystemError(
      `A process may open ${limit} files here, but ${needed} are needed: raise it with "ulimit -n ${needed}", ` +
        `or measure less with --only`,
    );
  }
}

/** What the system would have to allow first. */
export class SystemError extends Error {
  override readonly name = "SystemError";
}

async function output(command: string, ...args: string[]): Promise<string> {
  const { stdout } = await new Deno.Command(command, { args }).output();
  return new TextDecoder().decode(stdout).trim();
}
