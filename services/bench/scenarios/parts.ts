/** The small benchmarks beside the parts that they measure; they print their own tables. */
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

export async function parts(): Promise<void> {
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: ["bench", "-P=test"],
    cwd: ROOT,
    stdin: "null",
    stdout: "inherit",
    stderr: "inherit",
  }).spawn().status;
  if (!success) throw new Error("deno bench failed");
}
