/** The bare loop in C (`loop.c`): what the system alone takes for a fan-out. */
import { fileURLToPath } from "node:url";
import { freePorts } from "../../lib/testing/ports.ts";
import { startChild, temporaryFolder } from "../child.ts";
import { dataLengthFor, NotInstalledError, OUR_ID_LINE, type Server } from "./server.ts";

/** @throws {NotInstalledError} when there is no C compiler. */
export async function startBareLoop(): Promise<Server> {
  await using owned = new AsyncDisposableStack();
  const folder = owned.use(await temporaryFolder());
  const program = `${folder.path}/loop`;
  await compile(program);
  const [port = 0, control = 0] = freePorts(2);
  const child = owned.use(startChild(program, { args: [`${port}`, `${control}`] }));
  await child.line();
  const all = owned.move();
  return {
    name: "C loop",
    port,
    streamPath: () => "/",
    target: { kind: "frames", port: control },
    dataLength: dataLengthFor(OUR_ID_LINE),
    pids: [child.pid],
    others: {},
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

async function compile(program: string): Promise<void> {
  const source = fileURLToPath(new URL("loop.c", import.meta.url));
  const { success, stderr } = await new Deno.Command("cc", { args: ["-O2", "-o", program, source] }).output()
    .catch((error) => {
      if (error instanceof Deno.errors.NotFound) throw new NotInstalledError("there is no C compiler, cc");
      throw error;
    });
  if (!success) throw new NotInstalledError(`cc failed: ${new TextDecoder().decode(stderr)}`);
}
