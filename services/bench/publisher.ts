/**
 * Publishes at a steady rate. It is told what by one argument (`PublisherOptions` as JSON); prints `ready`, begins at
 * the first line of its input, answers `mark`, and ends at `stop`, with a last answer.
 */
import { createInterface } from "node:readline";
import process from "node:process";
import { Publisher } from "./publisher/pace.ts";
import type { PublisherOptions } from "./publisher/protocol.ts";
import { open } from "./publisher/targets.ts";

async function main(): Promise<void> {
  const print = (value: unknown) =>
    Deno.stdout.writeSync(new TextEncoder().encode(`${JSON.stringify(value)}\n`));
  const options: PublisherOptions = JSON.parse(Deno.args[0] ?? "{}");
  const publisher = new Publisher(options, await open(options.target));
  print("ready");
  for await (const command of createInterface({ input: process.stdin })) {
    if (command === "go") {
      publisher.run().then(() => options.count > 0 ? print(publisher.published()) : undefined);
    } else if (command === "mark") {
      print(publisher.published());
    } else {
      await publisher.stop();
      print(publisher.published());
      break;
    }
  }
  Deno.exit(0);
}

if (import.meta.main) await main();
