/** The tool for tokens, run as its task runs it: in a process with its own permissions. */
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { within } from "../lib/testing/deadline.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const SECRET = "a secret for the tests of the tool that makes tokens";
const ISSUER = { JWT_ISSUER: "https://shop.test", JWT_KEY: SECRET };
const HUB = "http://127.0.0.1:8001/.well-known/mercure";
const TYPE = "https://mercure.rocks/authorization-detail";

interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  /** A folder that it may read, in place of what its permissions say. */
  readonly folder?: string;
}

/** Runs the tool to its end. */
async function run(args: readonly string[], { env = {}, stdin = "", folder }: RunOptions = {}) {
  const inherited = Object.fromEntries(
    ["PATH", "HOME", "DENO_DIR"].flatMap((name) => {
      const value = Deno.env.get(name);
      return value === undefined ? [] : [[name, value]];
    }),
  );
  const flags = folder === undefined ? [] : [`--allow-read=./node_modules,${folder}`];
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-q", "-P=token", ...flags, "services/streamer/token.ts", ...args],
    cwd: ROOT,
    clearEnv: true,
    env: { ...inherited, NO_COLOR: "1", ...env },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  // It may end without having read it.
  await writer.write(new TextEncoder().encode(stdin)).catch(() => {});
  await writer.close().catch(() => {});
  const { code, stdout, stderr } = await within(`the end of ${args.join(" ")}`, child.output());
  const [out, error] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  assert.ok(!`${out}${error}`.includes(SECRET) && !/ {4}at /.test(error ?? ""), `${out}${error}`);
  return { code, out: out ?? "", error: error ?? "" };
}

function decode(token: string): { header: Record<string, unknown>; claims: Record<string, unknown> } {
  const [header, claims] = token.split(".").slice(0, 2).map((part) =>
    JSON.parse(new TextDecoder().decode(Uint8Array.fromBase64(part, { alphabet: "base64url" })))
  );
  return { header, claims };
}

/** Makes a token, which is all that comes out. */
async function mint(args: readonly string[], options: RunOptions = { env: ISSUER }) {
  const { code, out, error } = await run(args, options);
  assert.equal(code, 0, error);
  assert.match(out, /^[\w-]+\.[\w-]+\.[\w-]+\n$/);
  return { token: out.trim(), error, ...decode(out) };
}

Deno.test("a token says who may do what, until when, and nothing else is printed", async () => {
  const args = [
    "--publish",
    "*",
    "--subscribe",
    "/a",
    "--urlpattern",
    "--subscribe",
    "/b/:id",
    "--publish",
    "/c/*",
  ];
  const { header, claims, error } = await mint([
    ...args,
    "--exact",
    "--subscribe",
    "/d",
    "--payload",
    '{"desk":3}',
  ]);
  assert.equal(error, "");
  assert.deepEqual(header, { alg: "HS256", typ: "at+jwt" });
  const { iat, exp, jti, ...rest } = claims;
  assert.equal(Number(exp) - Number(iat), 3600);
  assert.match(String(jti), /^[0-9a-f-]{36}$/);
  assert.deepEqual(rest, {
    iss: "https://shop.test",
    sub: "https://shop.test",
    aud: HUB,
    client_id: "deno-task-token",
    authorization_details: [
      {
        type: TYPE,
        actions: ["publish"],
        topics: [{ match: "*" }, { match: "/c/*", match_type: "urlpattern" }],
      },
      {
        type: TYPE,
        actions: ["subscribe"],
        topics: [{ match: "/a" }, { match: "/b/:id", match_type: "urlpattern" }, { match: "/d" }],
        payload: { desk: 3 },
      },
    ],
  });
});

Deno.test("the audience is the hub of the settings, unless it is said", async () => {
  const audienceOf = async (args: readonly string[], env: Record<string, string>) =>
    (await mint(["--publish", "*", ...args], { env: { ...ISSUER, ...env } })).claims.aud;
  assert.equal(await audienceOf([], { HUB_URL: "https://hub.test/rt" }), "https://hub.test/rt");
  assert.equal(await audienceOf([], { HUB_URL: "/rt" }), "http://127.0.0.1:8001/rt");
  assert.equal(await audienceOf(["--audience", "urn:a"], { HUB_URL: "/rt" }), "urn:a");
});

Deno.test("what was made is accepted by inspect, as an argument and on standard input", async () => {
  const { token } = await mint(["--publish", "/a", "--ttl", "90s", "--subject", "me"]);
  for (
    const [args, stdin] of [
      [[token], ""],
      [["-"], `${token}\n`],
      [[], `Authorization: Bearer ${token}\n`],
    ] as const
  ) {
    const { code, out, error } = await run(["inspect", ...args], { env: ISSUER, stdin });
    assert.equal(code, 0, out + error);
    assert.match(out, /^Header\n {2}\{\n {4}"alg": "HS256"/);
    assert.match(out, /"sub": "me"/);
    assert.match(out, /\n {2}exp is 20\d\d-\d\d-\d\dT/);
    assert.match(out, /To publish at .*: accepted\n/);
    assert.match(out, /ok {2}exp: in \d+ s\n/);
    assert.match(out, /It allows exact "\/a"\n/);
    assert.match(out, /To subscribe at .*: accepted\n/);
    assert.match(out, /It allows no private updates, only public ones\n/);
    assert.ok(!out.includes(token.split(".")[2] ?? token), "the signature stays out");
  }
});

Deno.test("inspect says all that is wrong, and leaves with 1", async () => {
  const { token } = await mint(["--publish", "/a", "--audience", "https://else.test/"]);
  const { code, out } = await run(["inspect", token], { env: { ...ISSUER, JWT_KEY: "x".repeat(32) } });
  assert.equal(code, 1);
  assert.equal(out.match(/: refused, 401\n/g)?.length, 2);
  assert.match(out, /NOT signature: its signature does not fit the key of issuer "https:\/\/shop\.test"\n/);
  assert.match(out, /NOT aud: its aud is "https:\/\/else\.test\/", and this hub is "http:\/\/127/);
  assert.equal((await run(["inspect", "--audience", "https://else.test/", token], { env: ISSUER })).code, 0);
  const weak = await run(["inspect", token], { env: { ...ISSUER, JWT_KEY: "short" } });
  assert.match(weak.error, /^A secret of issuer .* has 5 bytes/);
  const nonsense = await run(["inspect", "no token\u001b[2J"], { env: ISSUER });
  assert.equal(nonsense.code, 1);
  assert.match(nonsense.out, /\(cannot be read\)[^]*NOT form: it is no JWT/);
  const bidi = btoa('{"a":"\\u009b2J\\u202e"}').replaceAll("=", "");
  assert.ok(!/[\u009b\u202e]/.test((await run(["inspect", `${bidi}.${bidi}.x`])).out));
});

Deno.test("a 0.x token is made and accepted for issuers that are set to legacy", async () => {
  const env = { ...ISSUER, JWT_LEGACY: "1" };
  const { token, header, claims, error } = await mint([
    "--legacy",
    "--publish",
    "*",
    "--subscribe",
    "/u/{id}",
  ], { env });
  assert.equal(error, "");
  assert.equal(header.typ, "JWT");
  assert.deepEqual(claims.mercure, { publish: ["*"], subscribe: ["/u/{id}"] });
  assert.equal(claims.aud, undefined);
  assert.equal((await run(["inspect", token], { env })).code, 0);
  const nameless = await mint(["--legacy", "--publish", "*"], { env: { JWT_KEY: SECRET, JWT_LEGACY: "1" } });
  assert.equal(nameless.claims.iss, undefined);
  const refused = await mint(["--legacy", "--publish", "*"]);
  assert.match(refused.error, /A hub with these settings refuses it to publish: .*0\.x token/);
  assert.equal((await run(["inspect", refused.token], { env: ISSUER })).code, 1);
});

Deno.test("a private key signs for an issuer whose public key the hub has", async (t) => {
  const folder = await Deno.makeTempDir();
  try {
    const kinds = [["ec", "ES256"], ["rsa", "RS256"], ["ed25519", "EdDSA"]] as const;
    for (const [kind, algorithm] of kinds) {
      await t.step(kind, async () => {
        const pair = generateKeyPairSync(
          kind as "rsa",
          { modulusLength: 2048, namedCurve: "P-256" } as object as {
            modulusLength: number;
          },
        );
        const path = join(folder, `${kind}.pem`);
        await Deno.writeTextFile(path, String(pair.privateKey.export({ type: "pkcs8", format: "pem" })));
        const publicPem = String(pair.publicKey.export({ type: "spki", format: "pem" }));
        const env = { JWT_ISSUER: "shop", JWT_KEY: publicPem };
        const { token, header, error } = await mint(["--publish", "*", "--key-file", path], { env, folder });
        assert.equal(header.alg, algorithm);
        assert.equal(error, "");
        assert.equal((await run(["inspect", token], { env })).code, 0);
        const other = await mint(["--publish", "*", "--key-file", path, "--issuer", "else"], { folder });
        assert.equal(other.claims.iss, "else");
        const without = await run(["--publish", "*"], { env });
        assert.equal(without.code, 2);
        assert.match(without.error, /Issuer "shop" has no secret here for publish: sign with --key-file/);
      });
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("of several issuers one is named, and its secret has to serve the role", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const file = join(folder, "issuers.json");
    const [a, b] = [{ secret: `${SECRET} a` }, { secret: `${SECRET} b`, alg: "HS384" }];
    await Deno.writeTextFile(
      file,
      JSON.stringify({
        issuers: [{ issuer: "one", keys: [a, b] }, { issuer: "two", publisher: a, subscriber: b }],
      }),
    );
    const options = { env: { ISSUERS_FILE: file }, folder };
    const unnamed = await run(["--publish", "*"], options);
    assert.equal(unnamed.code, 2);
    assert.match(unnamed.error, /with --issuer: "one", "two"\n/);
    assert.match(
      (await run(["--publish", "*", "--issuer", "x"], options)).error,
      /configured is "one", "two"/,
    );
    assert.equal((await mint(["--publish", "*", "--issuer", "one"], options)).header.alg, "HS256");
    const reader = await mint(["--subscribe", "*", "--issuer", "two"], options);
    assert.equal(reader.header.alg, "HS384");
    assert.equal((await run(["inspect", reader.token], options)).code, 0);
    const both = await run(["--publish", "*", "--subscribe", "*", "--issuer", "two"], options);
    assert.match(both.error, /different secrets for publishers and subscribers: make two tokens/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("key prints a new secret that is good for JWT_KEY", async () => {
  const secrets = await Promise.all([1, 2].map(async () => (await run(["key"])).out.trim()));
  for (const secret of secrets) assert.match(secret, /^[A-Za-z0-9_-]{43}$/);
  assert.notEqual(secrets[0], secrets[1]);
});

Deno.test("help is on standard output", async () => {
  for (const args of [["--help"], ["-h"], ["inspect", "--help"]]) {
    const { code, out, error } = await run(args);
    assert.deepEqual([code, error], [0, ""]);
    assert.match(out, /deno task token --publish/);
  }
});

const MISTAKES: Record<string, [args: string[], wanted: RegExp, env?: Record<string, string>]> = {
  "nothing": [[], /^Say what the token allows, with --publish or --subscribe\n`deno task token --help`/],
  "no grant": [["--ttl", "1h"], /^Say what the token allows/],
  "no issuer": [["--publish", "*"], /^No issuer is configured: set JWT_ISSUER, .* and JWT_KEY/, {}],
  "an unknown flag": [["--publish", "*", "--topic", "x"], /^Unknown option '--topic'/],
  "an unknown command": [["make"], /^Unexpected argument 'make'/],
  "a flag without its value": [["--publish"], /'--publish <value>' argument missing/],
  "a token too many": [["inspect", "a", "b"], /^inspect takes one token/],
  "something after key": [["key", "x"], /^key takes nothing/],
  "a time without a unit": [
    ["--publish", "*", "--ttl", "60"],
    /^--ttl is "60", but must be a number with ms, s/,
  ],
  "no time at all": [["--publish", "*", "--ttl", "0"], /^--ttl is "0", but must be at least 1s/],
  "a payload that is none": [
    ["--subscribe", "*", "--payload", "[1]"],
    /^--payload is "\[1\]", but must be a JSON/,
  ],
  "a payload for nobody": [["--publish", "*", "--payload", "{}"], /^--payload needs --subscribe/],
  "a broken pattern": [["--urlpattern", "--publish", "{open"], /^--publish is "\{open", but: /],
  "patterns in 0.x": [
    ["--legacy", "--urlpattern", "--publish", "/a"],
    /^A token of Mercure 0\.x knows no URL patterns/,
  ],
  "settings that are wrong": [["--publish", "*"], /^JWT_ALG is "HS1", but must be HS256 or/, {
    JWT_ALG: "HS1",
  }],
  "settings that contradict each other": [["--publish", "*"], /^JWT_KEY is set, but JWT_ISSUER/, {
    JWT_KEY: SECRET,
  }],
  "a key file that is not there": [
    ["--publish", "*", "--key-file", "/nowhere/x"],
    /^Cannot read --key-file: /,
  ],
};

for (const [name, [args, wanted, env = ISSUER]] of Object.entries(MISTAKES)) {
  Deno.test(`the tool refuses ${name} with 2, and says what was wanted`, async () => {
    const { code, out, error } = await run(args, { env });
    assert.deepEqual([code, out], [2, ""], error);
    assert.match(error, wanted);
  });
}
