import assert from "node:assert/strict";

import { testChannel } from "../testing/channel_contract.ts";
import { eventually, within } from "../testing/deadline.ts";
import { numberedUpdate } from "../testing/fixtures.ts";
import { type ForwarderPorts, startForwarder } from "../testing/processes.ts";
import { ZeromqChannel } from "./zeromq.ts";

function connect(ports: ForwarderPorts): ZeromqChannel {
  return new ZeromqChannel({
    host: "127.0.0.1",
    xpubPort: Number(ports.XPUB_PORT),
    routerPort: Number(ports.ROUTER_PORT),
  });
}

testChannel({
  name: "ZeromqChannel",
  open: async () => {
    let forwarder = await startForwarder();
    const { ports } = forwarder;
    const channels: ZeromqChannel[] = [];
    const open = () => {
      const channel = connect(ports);
      channels.push(channel);
      return channel;
    };
    return {
      channel: open(),
      keep: 10_000,
      open,
      async restart() {
        await forwarder[Symbol.asyncDispose]();
        forwarder = await startForwarder(ports);
      },
      async [Symbol.asyncDispose]() {
        await Promise.all(channels.map((channel) => channel[Symbol.asyncDispose]()));
        await forwarder[Symbol.asyncDispose]();
      },
    };
  },
});
