import assert from "node:assert/strict";
import { createLog } from "../lib/log.ts";
import { createLogger } from "./app.ts";

const log = createLog({ service: "test", level: "error" });
const OPTIONS = { config: { eventsUrl: 'https://events.test:8443/events?a=1&b="' }, log };

Deno.test("GET /logger/ serves the page, told where the stream is and allowed to read it", async () => {
  const app = await createLogger(OPTIONS);
  const response = await app.request("/logger/");
  assert.equal(response.status, 200);
  const page = await response.text();
  assert.ok(
    page.includes('<meta name="events-url" content="https://events.test:8443/events?a=1&amp;b=&quot;"'),
  );
  assert.ok(page.includes("connect-src 'self' https://events.test:8443"));
  const policy = response.headers.get("Content-Security-Policy") ?? "";
  assert.ok(policy.includes("connect-src 'self' https://events.test:8443;"));
  assert.ok(policy.includes("require-trusted-types-for 'script'"));
});

Deno.test("a path as EVENTS_URL stays on the page's own origin", async () => {
  const app = await createLogger({ config: { eventsUrl: "/stream" }, log });
  const response = await app.request("/logger/");
  assert.match(response.headers.get("Content-Security-Policy") ?? "", /connect-src 'self';/);
  assert.ok((await response.text()).includes('content="/stream"'));
});

Deno.test("GET / and /logger lead to the page", async () => {
  const app = await createLogger(OPTIONS);
  for (const path of ["/", "/logger"]) {
    const response = await app.request(path);
    assert.equal(response.status, 302, path);
    assert.equal(response.headers.get("Location"), "/logger/");
  }
});

Deno.test("every file that the page and its modules name is served", async () => {
  const app = await createLogger(OPTIONS);
  const seen = new Set<string>();
  const follow = async (file: string, text: string) => {
    const names = [...text.matchAll(/(?:src|href)="([\w.-]+\.(?:css|js|svg))"|from "\.\/([\w.-]+)"/g)]
      .map(([, attribute, module]) => attribute ?? module ?? "");
    for (const name of names) {
      if (seen.has(name)) continue;
      seen.add(name);
      const response = await app.request(`/logger/${name}`);
      assert.equal(response.status, 200, `${name}, named by ${file}`);
      await follow(name, await response.text());
    }
  };
  await follow("index.html", await (await app.request("/logger/")).text());
  assert.ok(seen.has("logger.js"));
  assert.ok(seen.size > 3);
});

Deno.test("nothing but the page's own files is served", async () => {
  const app = await createLogger(OPTIONS);
  for (
    const path of ["/logger/../tracking/tracking.js", "/logger/%2e%2e/tracking/tracking.js", "/deno.json"]
  ) {
    assert.equal((await app.request(path)).status, 404, path);
  }
});
