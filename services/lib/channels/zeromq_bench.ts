/** What an acknowledged publish costs over real sockets, with a forwarder in a process of its own. */
import { numberedUpdate } from "../testing/fixtures.ts";
import { startForwarder } from "../testing/processes.ts";
import { ZeromqChannel } from "./zeromq.ts";

const update = numberedUpdate(1);

for (const inFlight of [1, 16, 256]) {
  // Few at a time are slow ones: each waits for its turn of polling on the way there and on the way back.
  const publishes = 16 * inFlight + 240;
  Deno.bench({
    name: `${publishes} acknowledged publishes, ${inFlight} in flight`,
    group: "publish",
    n: 5,
    warmup: 1,
    async fn(bench) {
      await using forwarder = await startForwarder();
      await using channel = new ZeromqChannel({
        host: "127.0.0.1",
        xpubPort: Number(forwarder.ports.XPUB_PORT),
        routerPort: Number(forwarder.ports.ROUTER_PORT),
      });
      await channel.publish(update);
      let left = publishes;
      const publish = async () => {
        while (left-- > 0) await channel.publish(update);
      };
      bench.start();
      await Promise.all(Array.from({ length: inFlight }, publish));
      bench.end();
    },
  });
}
