/** Ours and all peers that are installed, each started when its turn comes. */
import type { Results } from "../results.ts";
import { startBareLoop } from "./bare_loop.ts";
import { startMercure } from "./mercure.ts";
import { startNchan } from "./nchan.ts";
import { startOurs } from "./ours.ts";
import { NotInstalledError, type Server } from "./server.ts";

const STARTS = {
  "ours": startOurs,
  "Nchan": startNchan,
  "Mercure": startMercure,
  "the C loop": startBareLoop,
};

/** Starts them; those that are missing are noted. Whoever takes one disposes it. */
export async function* startEach(results: Results): AsyncGenerator<Server> {
  for (const [name, start] of Object.entries(STARTS)) {
    try {
      yield await start();
    } catch (error) {
      if (!(error instanceof NotInstalledError)) throw error;
      results.note(`Without ${name}: ${error.message}`);
    }
  }
}
