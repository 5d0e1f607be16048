/**
 * The load: many streams in one process, one thread and one loop without promises, so that it takes little from what it
 * measures. It is told what to do by one argument (`LoadOptions` as JSON) and by lines on its input, `begin` and
 * `mark`, and answers with a line of JSON each; when its input ends, it ends.
 */
import { Load } from "./load/clients.ts";
import type { LoadOptions } from "./load/protocol.ts";

if (import.meta.main) {
  const encoder = new TextEncoder();
  const options: LoadOptions = JSON.parse(Deno.args[0] ?? "{}");
  new Load(options, (report) => Deno.stdout.writeSync(encoder.encode(`${JSON.stringify(report)}\n`))).run();
  Deno.exit(0);
}
