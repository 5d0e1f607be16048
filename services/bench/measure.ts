/** What the system says about a process. Deno lets no one read below /proc, so its tools are asked. */

/** Clock ticks per second in which Linux counts processor time: the resolution is 10 ms. */
const TICKS_PER_SECOND = 100;

async function run(command: string, ...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args }).output();
  if (!success) throw new Error(`${command} ${args.join(" ")} failed: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout).trim();
}

/** The process ids of the children of a process. */
export async function childrenOf(pid: number): Promise<number[]> {
  return (await run("pgrep", "-P", `${pid}`)).split("\n").map(Number);
}

/** Seconds of processor time that a process has used, of all its threads, in steps of 10 ms. */
export async function cpuSeconds(pid: number): Promise<number> {
  const stat = await run("cat", `/proc/${pid}/stat`);
  // The second field is a name in parentheses, which may hold spaces; utime and stime are the 14th and 15th.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** Bytes of memory that a process holds, as `ps` counts them, in steps of 1 KiB. */
export async function residentBytes(pid: number): Promise<number> {
  return 1024 * Number(await run("ps", "-o", "rss=", "-p", `${pid}`));
}

/** The most of them that it has held so far. */
export async function peakBytes(pid: number): Promise<number> {
  const status = await run("cat", `/proc/${pid}/status`);
  return 1024 * Number(/^VmHWM:\s*([0-9]+) kB$/m.exec(status)?.[1]);
}

/** Milliseconds that an action takes. */
export async function millisecondsOf(action: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await action();
  return performance.now() - start;
}
