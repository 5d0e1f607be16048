/// <reference lib="dom" />
/** Discovery: what the hub says about itself, and the protocol's official suite in a real browser. */
import assert from "node:assert/strict";
import { exportJWK, generateKeyPair } from "jose";
import { launchBrowser, openPage } from "../lib/testing/browser.ts";
import { within } from "../lib/testing/deadline.ts";
import { DETAIL_TYPE, type Hub, HUB_PATH, KEY, mint, request, type Suite, unique } from "./harness.ts";
import { assertRefused, bytesOf, NO_ISSUER } from "./tokens.ts";

const METADATA = `/.well-known/oauth-protected-resource${HUB_PATH}`;

/** The members that are there whatever the settings. */
const MEMBERS = {
  authorization_details_types_supported: [DETAIL_TYPE],
  bearer_methods_supported: ["header"],
};

export function register(suite: Suite): void {
  suite.requirement(111, async (hubs, t) => {
    await t.step("an issuer with a key of its own", async () => {
      const hub = await hubs.open();
      const answer = await hub.path(METADATA);
      assert.match(answer.headers.get("Content-Type") ?? "", /^application\/json(?:;|$)/);
      const { mercure_matcher_types_supported: types, ...metadata } = JSON.parse(answer.text);
      assert.deepEqual(metadata, {
        resource: hub.url,
        ...MEMBERS,
        mercure_cookie: "__Secure-mercure_access_token",
      });
      if (types !== undefined) assert.deepEqual([...types].toSorted(), ["exact", "urlpattern"]);
      const asked = await hub.path(METADATA, { headers: { Origin: "https://other.example" } });
      assert.equal(
        asked.headers.get("Access-Control-Allow-Origin"),
        "*",
        "pages of other origins may read it",
      );
    });
    await t.step("another hub URL, another cookie and subscriptions", async () => {
      const HUB_URL = "https://rt.example/live/hub";
      const hub = await hubs.open({ HUB_URL, COOKIE_NAME: "token", SUBSCRIPTIONS: "on" });
      const path = "/.well-known/oauth-protected-resource/live/hub";
      const metadata = JSON.parse((await hub.path(path)).text);
      assert.equal(metadata.resource, HUB_URL);
      assert.equal(metadata.mercure_cookie, "token");
      assert.equal(metadata.mercure_subscriptions, true);
      assert.equal((await hub.path(METADATA)).status, 404, "the usual path leads nowhere");
      assert.equal((await hub.path(`${HUB_PATH}?match=x`)).status, 404, "nor does that of the hub");
      const answer = await request(new URL("/live/hub", hub.url), { method: "POST" });
      assertRefused(answer, "none", "the hub is at the other path");
      assertRefused(await hub.path("/live/hub/subscriptions"), "none", "and its subscriptions below");
      assert.equal((await hub.path(`${HUB_PATH}/subscriptions`)).status, 404, "not below the usual one");
    });
    await t.step("an authorization server", async () => {
      await using authority = await startAuthority();
      const settings = { ...NO_ISSUER, JWT_ISSUER: "https://id.example", JWKS_URL: authority.url };
      const hub = await hubs.open(settings);
      const metadata = JSON.parse((await hub.path(METADATA)).text);
      assert.deepEqual(metadata.authorization_servers, ["https://id.example"]);
    });
  });

  suite.requirement(117, async (hubs, t) => {
    const HUB_URL = "https://localhost/.well-known/mercure";
    const hub = await hubs.open({ HUB_URL });
    const browser = await launchBrowser();
    try {
      // The page at `/`, wherever that leads on the same origin.
      await using opened = await openPage(browser, hub.streamer.url);
      assert.equal(new URL(opened.page.url()).origin, hub.origin);
      const details = [
        { type: DETAIL_TYPE, actions: ["publish"], topics: [{ match: "*" }] },
        { type: DETAIL_TYPE, actions: ["subscribe"], topics: [{ match: "*" }] },
      ];
      const token = await mint(HUB_URL, { details, claims: { exp: 4_102_444_800 } });
      for (const { name, ...conformance } of CONFORMANCE) {
        await t.step(name, async () => {
          const topics = [conformance.topic];
          const id = `id-${JSON.stringify(topics)}`;
          const data = `data for\n\n        ${name}`;
          const fence = unique("fence");
          const trial = { ...conformance, topics, id, data, fence, token };
          const outcome = await within(name, opened.page.evaluate(tryInPage, trial));
          assert.deepEqual(outcome.received, conformance.received ? [{ id, data }] : []);
          assert.equal(outcome.status, 200);
          assert.match(outcome.contentType ?? "", /^text\/plain(?:$|;)/);
          assert.equal(outcome.body, id);
        });
      }
    } finally {
      await browser.close();
    }
  });

  registerReferences(suite);
}

interface Conformance {
  readonly name: string;
  readonly topic: string;
  /** With `/:name` in it a URL pattern, otherwise exact. */
  readonly selectors: readonly string[];
  readonly isPrivate?: boolean;
  readonly received: boolean;
}

/** The cases of the official suite; like there, the private ones use topics that the public ones have used. */
const CONFORMANCE = conformanceCases();

function conformanceCases(): readonly Conformance[] {
  const raw = crypto.randomUUID();
  const uri = `https://example.net/foo/${crypto.randomUUID()}`;
  const other = `https://example.net/foo/${crypto.randomUUID()}`;
  const pattern = "https://example.net/foo/:random";
  return [
    { name: "raw string", topic: raw, selectors: [raw], received: true },
    { name: "multiple topic selectors", topic: `${raw}2`, selectors: ["foo", `${raw}2`], received: true },
    { name: "URI", topic: uri, selectors: [uri], received: true },
    { name: "URL pattern", topic: other, selectors: [pattern], received: true },
    { name: "nonmatching raw string", topic: "will-not-match", selectors: ["another-name"], received: false },
    {
      name: "nonmatching URI",
      topic: "https://example.net/foo/will-not-match",
      selectors: ["https://example.net/foo/another-name"],
      received: false,
    },
    {
      name: "nonmatching URL pattern",
      topic: "https://example.net/foo/will-not-match",
      selectors: ["https://example.net/bar/:var"],
      received: false,
    },
    { name: "private raw string", topic: raw, selectors: [raw], isPrivate: true, received: false },
    { name: "private URI", topic: uri, selectors: [uri], isPrivate: true, received: false },
    { name: "private URL pattern", topic: other, selectors: [pattern], isPrivate: true, received: false },
  ];
}

interface Trial extends Omit<Conformance, "name"> {
  readonly topics: readonly string[];
  readonly id: string;
  readonly data: string;
  /** A topic that is published on afterwards, so that what has not come by then does not come. */
  readonly fence: string;
  readonly token: string;
}

interface Outcome {
  /** What came before the fence. */
  readonly received: readonly { readonly id: string; readonly data: string }[];
  readonly status: number;
  readonly contentType: string | null;
  readonly body: string;
}

/** Runs in the page: subscribes, publishes, and tells what came. */
async function tryInPage({ topics, selectors, id, data, isPrivate, fence, token }: Trial): Promise<Outcome> {
  const url = new URL("/.well-known/mercure", location.origin);
  for (const selector of selectors) {
    url.searchParams.append(/\/:[A-Za-z_]/.test(selector) ? "match_urlpattern" : "match", selector);
  }
  url.searchParams.append("match", fence);
  const source = new EventSource(url);
  const received: { id: string; data: string }[] = [];
  const fenced = new Promise<void>((resolve) => {
    source.onmessage = (event) => {
      if (event.data === "fence") resolve();
      else received.push({ id: event.lastEventId, data: event.data });
    };
  });
  const publish = (fields: [string, string][]) =>
    fetch("/.well-known/mercure", {
      method: "POST",
      headers: { Authorization: `Bearer ${token}` },
      body: new URLSearchParams(fields),
    });
  try {
    await new Promise((resolve) => source.onopen = resolve);
    const response = await publish([
      ...topics.map((topic): [string, string] => ["topic", topic]),
      ["id", id],
      ["data", data],
      ...(isPrivate ? [["private", "on"] as [string, string]] : []),
    ]);
    const body = await response.text();
    await publish([["topic", fence], ["data", "fence"]]);
    await fenced;
    return { received, status: response.status, contentType: response.headers.get("Content-Type"), body };
  } finally {
    source.close();
  }
}

/** An authorization server, of which only its keys matter. */
interface Authority extends AsyncDisposable {
  readonly url: string;
  readonly key: CryptoKey;
}

async function startAuthority(): Promise<Authority> {
  const { privateKey, publicKey } = await generateKeyPair("ES256");
  const jwk = { ...await exportJWK(publicKey), kid: "k1", alg: "ES256", use: "sig" };
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () => Response.json({ keys: [jwk] }),
  );
  return {
    url: `http://127.0.0.1:${server.addr.port}/jwks.json`,
    key: privateKey,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

function registerReferences(suite: Suite): void {
  const reference = suite.reference.bind(suite, "Discovery and legacy");

  reference("keys from an address verify the tokens of their issuer", async (hubs) => {
    await using authority = await startAuthority();
    const iss = "https://id.example";
    const hub = await hubs.open({ ...NO_ISSUER, JWT_ISSUER: iss, JWKS_URL: authority.url });
    const token = (header: Record<string, unknown>, key: CryptoKey | string = authority.key) =>
      mint(hub.url, { publish: ["*"], claims: { iss }, header: { alg: "ES256", ...header }, key });
    const send = async (token: string) => await hub.publish({ topic: unique() }, { token });
    assert.equal((await send(await token({ kid: "k1" }))).status, 200, "with the name of its key");
    assert.equal((await send(await token({}))).status, 200, "without one");
    const { privateKey } = await generateKeyPair("ES256");
    assertRefused(await send(await token({ kid: "k1" }, privateKey)), "invalid_token", "another key");
    assertRefused(await send(await token({ kid: "k2" }, privateKey)), "invalid_token", "an unknown name");
    assertRefused(await send(await token({ alg: "HS256", kid: "k1" }, KEY)), "invalid_token", "a secret");
  });

  reference("the document names the origin that was asked, unless it is pinned", async (hubs) => {
    const hub = await hubs.open();
    for (const host of ["a.example", "b.example:8443"]) {
      const metadata = await askAs(hub, host);
      assert.equal(metadata.resource, `http://${host}${HUB_PATH}`);
    }
    const pinned = await hubs.open({ HUB_URL: "https://localhost/.well-known/mercure" });
    assert.equal((await askAs(pinned, "a.example")).resource, "https://localhost/.well-known/mercure");
  });

  reference("without an issuer there is no document", async (hubs) => {
    const hub = await hubs.open({ ...NO_ISSUER, SUBSCRIPTIONS: "on" });
    assert.equal((await hub.path(METADATA)).status, 404);
  });
}

/** Asks for the document under another host name, which `fetch` would not send. */
async function askAs(hub: Hub, host: string): Promise<Readonly<Record<string, unknown>>> {
  const { hostname, port } = new URL(hub.url);
  using connection = await Deno.connect({ hostname, port: Number(port) });
  await connection.write(bytesOf(`GET ${METADATA} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`));
  const text = await within("the document", new Response(connection.readable).text());
  return JSON.parse(text.slice(text.indexOf("\r\n\r\n")));
}
