import assert from "node:assert/strict";
import * as fc from "fast-check";
import { Router } from "zeromq";
import { numberedUpdate } from "../testing/fixtures.ts";
import { within } from "../testing/deadline.ts";
import { drain, SOCKET_OPTIONS } from "./zeromq_receive.ts";
import { Line, ZeromqRequests } from "./zeromq_requests.ts";
import { decodePublished, decodeRequest, encodePublished, encodeReply } from "./zeromq_wire.ts";

Deno.test("Line holds what waits for its turn while answers come", () => {
  const line = new Line();
  const [first, second, third] = [line.join(), line.join(), line.join()];
  assert.equal(line.holds(first, 0), false, "Nothing was ever answered");
  line.answer(first, 1000);
  assert.equal(line.holds(second, 1249), true);
  assert.equal(line.holds(third, 1249), true);
  line.answer(second, 1249);
  assert.equal(line.holds(third, 1400), true);
});

Deno.test("Line lets go of what was overtaken, and of all when no answers come", () => {
  const line = new Line();
  const [first, second, third] = [line.join(), line.join(), line.join()];
  line.answer(second, 1000);
  assert.equal(line.holds(first, 1000), false);
  assert.equal(line.holds(third, 1000), true);
  assert.equal(line.holds(third, 1250), false);
});

Deno.test("Line lets go of every request that is lost, once one behind it is answered", () => {
  fc.assert(fc.property(fc.array(fc.boolean(), { minLength: 1 }), (answered) => {
    const line = new Line();
    const places = answered.map(() => line.join());
    places.forEach((place, index) => answered[index] && line.answer(place, index));
    const last = answered.lastIndexOf(true);
    const held = places.map((place) => line.holds(place, places.length));
    assert.deepEqual(held, places.map((_, index) => last !== -1 && index > last));
  }));
});

Deno.test("ZeromqRequests repeats a request that was lost, though others are answered all the time", async () => {
  const router = new Router({ ...SOCKET_OPTIONS, linger: 0, sendTimeout: 0 });
  await router.bind("tcp://127.0.0.1:*");
  const requests = new ZeromqRequests(router.lastEndpoint!);
  const options = { timeout: 20_000 };
  const probe = () => requests.request({ verb: "probe", nonce: "n" }, (payload) => payload, options);
  const position = { epoch: "00000000000000aa", number: 1 };
  const ended = new AbortController();
  let publishes = 0;
  const answering = (async () => {
    while (!ended.signal.aborted) {
      for (const [peer, ...frames] of await drain(router, 100)) {
        const { envelope, request } = decodeRequest(frames);
        const isLost = request?.verb === "publish" && ++publishes === 1;
        if (!isLost) await router.send([peer!, ...envelope, ...encodeReply(encodePublished(position))]);
      }
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  })();
  await probe();

  const request = { verb: "publish", requestKey: "key", update: numberedUpdate(1) } as const;
  const published = requests.request(request, decodePublished, options);
  let isPublished = false;
  published.finally(() => isPublished = true);
  const probing = (async () => {
    while (!isPublished) await probe();
  })();
  assert.deepEqual(await within("the answer", published), { position });
  assert.equal(publishes, 2);

  await probing;
  ended.abort();
  await answering;
  await requests.close();
  router.close();
});
