import { testChannel } from "../testing/channel_contract.ts";
import { MemoryChannel } from "./memory.ts";

const KEEP = 7000;

testChannel({
  name: "MemoryChannel",
  open: () => {
    const channel = new MemoryChannel({ keep: KEEP });
    return Promise.resolve({
      channel,
      keep: KEEP,
      open: () => channel,
      restart: () => Promise.reject(new Error("There is nothing to restart")),
      [Symbol.asyncDispose]: () => channel[Symbol.asyncDispose](),
    });
  },
  gaps: { restart: "it ends with its process", reopen: "there is one of it, and no second handle" },
});
