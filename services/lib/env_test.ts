import assert from "node:assert/strict";
import {
  address,
  choice,
  cookieName,
  host,
  hubUrl,
  logLevel,
  networks,
  onOff,
  optionalChoice,
  optionalPath,
  optionalPort,
  optionalSecureUrl,
  optionalText,
  originList,
  origins,
  pageUrl,
  part,
  port,
  readSettings,
  secretText,
  type Setting,
  SettingsError,
  siteList,
  urlPath,
} from "./env.ts";
import { LOG_LEVELS } from "./log.ts";

/** An environment of these variables. */
function environment(variables: Readonly<Record<string, string>>): { get(name: string): string | undefined } {
  return new Map(Object.entries(variables));
}

/** What the setting makes of the text. */
function read<T>(setting: Setting<T>, text: string): T {
  return readSettings({ setting }, environment({ [setting.name]: text })).setting;
}

/** What the reader says of a text that it must refuse. */
function problemsOf(setting: Setting<unknown>, text: string): readonly string[] {
  try {
    const value = read(setting, text);
    assert.fail(`Took ${JSON.stringify(text)} as ${JSON.stringify(value)}`);
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    return error.problems;
  }
}

interface Reader {
  readonly setting: Setting<unknown>;
  /** What the setting makes of a missing variable. */
  readonly missing: unknown;
  readonly good: readonly (readonly [text: string, value: unknown])[];
  readonly bad: readonly string[];
  /** Part of what is wanted. */
  readonly wanted: RegExp;
}

const READERS: Readonly<Record<string, Reader>> = {
  address: {
    setting: address("IP", "127.0.0.1"),
    missing: "127.0.0.1",
    good: [
      ["[::]", "::"],
      ["::", "::"],
      ["[::1]", "::1"],
      ["fe80::1", "fe80::1"],
      ["::ffff:192.0.2.1", "::ffff:c000:201"],
      ["0:0:0:0:0:0:0:0", "::"],
      ["0.0.0.0", "0.0.0.0"],
      ["127.0.0.1", "127.0.0.1"],
      ["255.255.255.255", "255.255.255.255"],
    ],
    bad: [
      "1.2.3",
      "1.2.3.4.5",
      "256.0.0.1",
      "1.2.3.4:80",
      "localhost",
      "*",
      "[::1",
      "::1]",
      "[::1]:80",
      ":::",
      "1::2::3",
      // Deno can listen on no zone: an address that is bound must mean one on every machine.
      "::1%eth0",
      "fe80::1%25eth0",
      " 127.0.0.1",
      "127.0.0.1\n",
    ],
    wanted: /^an IPv4 or IPv6 address/,
  },
  host: {
    setting: host("ZMQ_HOST", "localhost"),
    missing: "localhost",
    good: [
      ["localhost", "localhost"],
      ["forwarder_1.example.org", "forwarder_1.example.org"],
      ["example.org.", "example.org."],
      ["a", "a"],
      ["127.0.0.1", "127.0.0.1"],
      ["[::1]", "::1"],
      ["::1", "::1"],
    ],
    bad: [
      "example.org:8300",
      "127.0.0.1:8300",
      "[::1]:8300",
      "tcp://example.org",
      "example.org/",
      "user@example.org",
      "-a",
      "a-",
      ".",
      "a b",
      " a",
      "a\n",
      "*",
      "münchen.de",
    ],
    wanted: /^a host name, an IPv4 address or an IPv6 address, without a port$/,
  },
  port: {
    setting: port("PORT", 8000),
    missing: 8000,
    good: [["0", 0], ["1", 1], ["80", 80], ["65535", 65_535], ["00080", 80]],
    bad: [
      "65536",
      "99999",
      "100000",
      "-1",
      "+80",
      "80a",
      "0x50",
      "8e1",
      "80.0",
      " 80",
      "80\n",
      " ",
      "NaN",
      "٨٠",
    ],
    wanted: /^a port, 0 to 65535$/,
  },
  optionalPort: {
    setting: optionalPort("METRICS_PORT"),
    missing: undefined,
    good: [["0", 0], ["65535", 65_535]],
    bad: ["65536", "none", "-1"],
    wanted: /^a port, 0 to 65535$/,
  },
  pageUrl: {
    setting: pageUrl("EVENTS_URL", "/events"),
    missing: "/events",
    good: [
      ["/", "/"],
      ["/events", "/events"],
      ["/events?a=b#c", "/events?a=b#c"],
      ["http://example.org", "http://example.org"],
      ["https://example.org:8443/events", "https://example.org:8443/events"],
      ["HTTPS://[::1]/", "HTTPS://[::1]/"],
    ],
    bad: [
      "//evil.example",
      "///evil.example",
      "javascript:alert(1)",
      "data:text/html,x",
      "ftp://example.org",
      "events",
      "./events",
      "?a",
      "#a",
      "https://",
      "https:example.org",
      "http://exa mple.org",
      "http://example.org:99999",
      "\thttp://example.org",
      " /events",
    ],
    wanted: /^an http or https URL, or a path that begins with \/$/,
  },
  origins: {
    setting: origins("CORS_ORIGINS", "*"),
    missing: "*",
    good: [
      ["*", "*"],
      ["https://example.org", ["https://example.org"]],
      [" https://example.org , http://localhost:8002,", ["https://example.org", "http://localhost:8002"]],
      ["http://[::1]:8002", ["http://[::1]:8002"]],
      ["https://example.org:80", ["https://example.org:80"]],
    ],
    bad: [
      ",",
      " ",
      "null",
      "example.org",
      "https://example.org/",
      "https://example.org/page",
      "https://example.org:443",
      "http://example.org:80",
      "https://Example.org",
      "https://user@example.org",
      "ftp://example.org",
      "*,https://example.org",
      "https://example.org https://example.com",
    ],
    wanted: /^\* or a list of origins/,
  },
  logLevel: {
    setting: logLevel("LOG_LEVEL", "info"),
    missing: "info",
    good: LOG_LEVELS.map((level) => [level, level]),
    bad: ["INFO", "trace", " info", "info,warn", "constructor"],
    wanted: /^debug or info or warn or error$/,
  },
  choice: {
    setting: choice("CHANNEL", ["memory", "zeromq"], "zeromq"),
    missing: "zeromq",
    good: [["memory", "memory"], ["zeromq", "zeromq"]],
    bad: ["Memory", "nats", "memory ", "0"],
    wanted: /^memory or zeromq$/,
  },
  hubUrl: {
    setting: hubUrl("HUB_URL", "/.well-known/mercure"),
    missing: "/.well-known/mercure",
    good: [
      ["/push", "/push"],
      ["https://a.test/.well-known/mercure", "https://a.test/.well-known/mercure"],
      ["http://127.0.0.1:8001/push/live", "http://127.0.0.1:8001/push/live"],
    ],
    bad: [
      "/",
      "/push/",
      "push",
      "//a.test/push",
      "https://a.test",
      "https://a.test/",
      "https://a.test:443/push",
      "https://u:p@a.test/push",
      "https://a.test/push?x",
      "/push#x",
      "/a/../push",
      "ftp://a.test/push",
      "/:x",
      "/x/*",
      "/%61b",
      "/x//y",
      "/events",
      "/hub/x",
      "/healthz",
      "/history",
      "/metrics",
      "/openapi.json",
    ],
    wanted: /a URL without query, or a path/,
  },
  originList: {
    setting: originList("PUBLISH_ORIGINS"),
    missing: [],
    good: [["https://a.test", ["https://a.test"]], ["http://a.test:8080 , https://b.test", [
      "http://a.test:8080",
      "https://b.test",
    ]]],
    bad: ["*", "https://a.test/", "a.test", "https://*.a.test", "https://a.test:443"],
    wanted: /a list of origins/,
  },
  cookieName: {
    setting: cookieName("COOKIE_NAME", "__Secure-x"),
    missing: "__Secure-x",
    good: [["mercureAuthorization", "mercureAuthorization"]],
    bad: ["a b", "a=b", "a;b", "é"],
    wanted: /the name of a cookie/,
  },
  urlPath: {
    setting: urlPath("EVENTS_PATH", "/e"),
    missing: "/e",
    good: [["/js/t.js", "/js/t.js"], ["/~a_b/-", "/~a_b/-"], ["/event.js", "/event.js"]],
    bad: [
      "/",
      "e",
      "/e/",
      "//a.test/e",
      "https://a.test/e",
      "/a/../e",
      "/..",
      "/./e",
      "/:site",
      "/*",
      "/a?b",
      "/e#f",
      "/%65",
      "/é",
      "/e\n",
      "/events",
      "/event/e",
      "/healthz",
      "/hub/e",
      "/openapi.json",
    ],
    wanted: /^a path of letters, digits, dots and dashes, such as .*, and none of the service's own$/,
  },
  siteList: {
    setting: siteList("TRACK_OFF", "none"),
    missing: [],
    good: [["*", "*"], ["none", []], [" shop , shop.test,", ["shop", "shop.test"]], ["Größe 1", ["Größe 1"]]],
    bad: [",", " ", "*,shop", "a\nb", "a\u202Eb", ".", "shop,.."],
    wanted: /^\*, none, or names of sites separated by commas$/,
  },
  part: {
    setting: part("TRACK_SAMPLE", "1"),
    missing: 1,
    good: [["0", 0], ["0.1", 0.1], ["1", 1], ["1.0", 1], ["0.000000001", 1e-9]],
    bad: ["1.1", "-0", "2", ".5", "0.", "1e-1", "10%", "NaN", " 1"],
    wanted: /^a number from 0 to 1, such as 0.1$/,
  },
  onOff: {
    setting: onOff("ANONYMOUS", "on"),
    missing: true,
    good: [["on", true], ["off", false]],
    bad: ["1", "true", "ON"],
    wanted: /on or off/,
  },
  optionalText: {
    setting: optionalText("JWT_ISSUER"),
    missing: undefined,
    good: [["https://example.org", "https://example.org"], [" a b ", " a b "]],
    bad: ["a\nb", "\u0000", "a\u009b"],
    wanted: /^text without line breaks and other controls$/,
  },
  optionalChoice: {
    setting: optionalChoice("JWT_ALG", ["HS256", "RS256"]),
    missing: undefined,
    good: [["RS256", "RS256"]],
    bad: ["none", "hs256", "HS256 "],
    wanted: /^HS256 or RS256$/,
  },
  optionalPath: {
    setting: optionalPath("ISSUERS_FILE"),
    missing: undefined,
    good: [["./issuers.json", "./issuers.json"]],
    bad: ["a\0b"],
    wanted: /^the path of a file$/,
  },
  optionalSecureUrl: {
    setting: optionalSecureUrl("JWKS_URL"),
    missing: undefined,
    good: [
      ["https://id.example/keys?a=b", "https://id.example/keys?a=b"],
      ["http://127.0.0.1:8080/", "http://127.0.0.1:8080/"],
      ["http://127.1.2.3/", "http://127.1.2.3/"],
      ["http://[::1]/", "http://[::1]/"],
      ["http://localhost/", "http://localhost/"],
    ],
    bad: [
      "id.example",
      "/keys",
      "http://id.example/keys",
      "http://127.0.0.1.id.example/",
      "http://localhost.id.example/",
      "http://10.0.0.1/",
      "ftp://127.0.0.1/",
      "file:///keys",
      "https://user@id.example/",
      "https://:password@id.example/",
      "https://id.example/\n",
    ],
    wanted: /^an https URL without user and password, or http for this machine$/,
  },
};

for (const [name, { setting, missing, good, bad, wanted }] of Object.entries(READERS)) {
  Deno.test(`${name}() takes its default for a missing or empty variable`, () => {
    assert.deepEqual(readSettings({ setting }, environment({})).setting, missing);
    assert.deepEqual(read(setting, ""), missing);
  });

  for (const [text, value] of good) {
    Deno.test(`${name}() reads ${JSON.stringify(text)}`, () => {
      assert.deepEqual(read(setting, text), value);
    });
  }

  for (const text of bad) {
    Deno.test(`${name}() refuses ${JSON.stringify(text)} and says what it wants`, () => {
      const start = `${setting.name} is ${JSON.stringify(text)}, but must be `;
      const [problem = "", ...others] = problemsOf(setting, text);
      assert.deepEqual(others, []);
      assert.equal(problem.slice(0, start.length), start);
      assert.match(problem.slice(start.length), wanted);
    });
  }
}

Deno.test("the readers say what a missing variable means", () => {
  assert.deepEqual(
    Object.values(READERS).map(({ setting }) => setting.default),
    [
      "127.0.0.1",
      "localhost",
      "8000",
      "none",
      "/events",
      "*",
      "info",
      "zeromq",
      "/.well-known/mercure",
      "none",
      "__Secure-x",
      "/e",
      "none",
      "1",
      "on",
      "none",
      "none",
      "none",
      "none",
    ],
  );
});

Deno.test("address() and host() refuse an IPv6 address with a URL's rest behind it", () => {
  for (const text of ["::1]:80/[", "::1]/x?[", "::1]@evil.example/"]) {
    for (const setting of [address("IP", "::"), host("HOST", "::")]) problemsOf(setting, text);
  }
});

Deno.test("host() refuses what looks like an IPv4 address and is none", () => {
  for (const text of ["256.1.1.1", "1.2.3", "1.2.3.4.5"]) problemsOf(host("HOST", "::"), text);
});

Deno.test("pageUrl() refuses every spelling of another origin without its scheme", () => {
  for (const text of ["/\\evil.example", "/\t/evil.example", "/\n/evil.example"]) {
    problemsOf(pageUrl("EVENTS_URL", "/"), text);
  }
});

Deno.test("networks() holds the addresses and networks that it lists", () => {
  const list = read(networks("TRUSTED_PROXIES"), "127.0.0.1, 10.0.0.0/8,fd00::/8");
  assert.equal(list.check("127.0.0.1"), true);
  assert.equal(list.check("127.0.0.2"), false);
  assert.equal(list.check("10.20.30.40"), true);
  assert.equal(list.check("fd00::1", "ipv6"), true);
  assert.equal(list.check("fe80::1", "ipv6"), false);
  for (const text of ["local", "10.0.0.0/33", "10.0.0.0/x", "10.0.0.0/8/8", "::1/129", "1.2.3"]) {
    const [problem] = problemsOf(networks("TRUSTED_PROXIES"), text);
    assert.match(problem ?? "", /a list of addresses and networks/);
  }
});

Deno.test("origins() refuses a wildcard inside an origin", () => {
  problemsOf(origins("CORS_ORIGINS", "*"), "https://*.example.org");
});

Deno.test("readSettings() reads every setting by its key", () => {
  const settings = { ip: address("IP", "::"), port: port("PORT", 1), other: optionalPort("OTHER_PORT") };
  assert.deepEqual(readSettings(settings, environment({ IP: "[::1]", PORT: "80" })), {
    ip: "::1",
    port: 80,
    other: undefined,
  });
});

Deno.test("readSettings() reports all problems at once, each with name, value and what was wanted", () => {
  const settings = { ip: address("IP", "::"), port: port("PORT", 1), level: logLevel("LOG_LEVEL", "info") };
  const env = environment({ IP: "local\nhost", PORT: "80", LOG_LEVEL: "loud" });
  assert.throws(() => readSettings(settings, env), (error) => {
    assert.ok(error instanceof SettingsError);
    assert.deepEqual(error.problems, [
      'IP is "local\\nhost", but must be an IPv4 or IPv6 address, such as 127.0.0.1, 0.0.0.0 or [::]',
      'LOG_LEVEL is "loud", but must be debug or info or warn or error',
    ]);
    assert.equal(error.message, error.problems.join("\n"));
    return true;
  });
});

Deno.test("readSettings() lets an error through that is no problem of a value", () => {
  const broken: Setting<never> = {
    name: "BROKEN",
    default: "",
    parse: () => {
      throw new TypeError("a bug");
    },
  };
  assert.throws(() => readSettings({ broken }, environment({})), new TypeError("a bug"));
});

Deno.test("secretText() takes any text, and its problems do not show it", () => {
  const setting = secretText("JWT_KEY");
  assert.equal(read(setting, "-----BEGIN\nPUBLIC KEY"), "-----BEGIN\nPUBLIC KEY");
  assert.equal(readSettings({ setting }, environment({})).setting, undefined);
  assert.equal(setting.secret, true);
});
