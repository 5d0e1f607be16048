import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { join } from "node:path";
import { readSettings } from "../env.ts";
import { EXIT_BAD_SETTINGS, StartError } from "../start.ts";
import { type Issuer, ISSUER_SETTINGS, readIssuers } from "./issuers.ts";

const SECRET = "hush-hush, a secret of thirty-two bytes or more";

function pemPair(type: "rsa" | "ec" | "ed25519" | "x25519", options: object = {}) {
  const pair = generateKeyPairSync(type as "rsa", { modulusLength: 2048, ...options });
  return {
    pem: String(pair.publicKey.export({ type: "spki", format: "pem" })),
    privatePem: String(pair.privateKey.export({ type: "pkcs8", format: "pem" })),
    jwk: { ...pair.publicKey.export({ format: "jwk" }) },
    privateJwk: { ...pair.privateKey.export({ format: "jwk" }) },
  };
}
const RSA = pemPair("rsa");
const P256 = pemPair("ec", { namedCurve: "P-256" });

function issuersOf(variables: Readonly<Record<string, string>>): Promise<Issuer[]> {
  return readIssuers(readSettings(ISSUER_SETTINGS, new Map(Object.entries(variables))));
}

/** What an operator is told of settings that cannot be used. */
async function problemOf(variables: Readonly<Record<string, string>>): Promise<string> {
  try {
    await issuersOf(variables);
  } catch (error) {
    assert.ok(error instanceof StartError, String(error));
    assert.equal(error.exitCode, EXIT_BAD_SETTINGS);
    const secrets = [
      "hush-hush",
      ...P256.privatePem.split("\n").slice(1, 2),
      ...RSA.pem.split("\n").slice(1, 2),
    ];
    assert.ok(!secrets.some((secret) => error.message.includes(secret)), error.message);
    return error.message;
  }
  assert.fail("The settings were taken");
}

Deno.test("no settings make no issuer, and the development key counts only then", async () => {
  assert.deepEqual(await issuersOf({}), []);
  const [development, ...others] = await issuersOf({ DEVELOPMENT_KEY: SECRET });
  assert.deepEqual(others, []);
  assert.equal(development?.issuer, "urn:development");
  const [own, ...rest] = await issuersOf({ DEVELOPMENT_KEY: "x", JWT_ISSUER: "shop", JWT_KEY: SECRET });
  assert.deepEqual([own?.issuer, rest], ["shop", []]);
  const [legacy] = await issuersOf({ DEVELOPMENT_KEY: SECRET, JWT_LEGACY: "1" });
  assert.deepEqual([legacy?.issuer, legacy?.legacy], ["urn:development", true]);
});

Deno.test("a secret makes an issuer for both roles, for the algorithm that is set", async () => {
  const [issuer] = await issuersOf({ JWT_ISSUER: "shop", JWT_KEY: SECRET });
  const key = { kind: "secret", secret: new TextEncoder().encode(SECRET), algorithm: "HS256" };
  assert.deepEqual(issuer, { issuer: "shop", publisherKeys: [key], subscriberKeys: [key], legacy: false });
  const [strong] = await issuersOf({ JWT_ISSUER: "shop", JWT_KEY: "a\\nb", JWT_ALG: "HS512" });
  // Only in PEM keys \n stands for a line feed.
  const secret = new TextEncoder().encode("a\\nb");
  assert.deepEqual(strong?.publisherKeys, [{ kind: "secret", secret, algorithm: "HS512" }]);
});

Deno.test("PEM keys may be on one line, and may be of every kind that signs", async () => {
  const pairs = [
    RSA,
    P256,
    pemPair("ec", { namedCurve: "P-384" }),
    pemPair("ec", { namedCurve: "P-521" }),
    pemPair("ed25519"),
  ];
  for (const { pem } of pairs) {
    for (const text of [pem, pem.replaceAll("\n", "\\n")]) {
      const [issuer] = await issuersOf({ JWT_ISSUER: "shop", JWT_KEY: text });
      assert.deepEqual(issuer?.publisherKeys, [{ kind: "pem", pem }]);
    }
  }
  const [pinned] = await issuersOf({ JWT_ISSUER: "shop", JWT_KEY: RSA.pem, JWT_ALG: "PS256" });
  assert.deepEqual(pinned?.publisherKeys, [{ kind: "pem", pem: RSA.pem, algorithm: "PS256" }]);
});

Deno.test("keys at a URL, and 0.x tokens without a name", async () => {
  const url = "https://id.test/keys";
  const [issuer] = await issuersOf({ JWT_ISSUER: "https://id.test", JWKS_URL: url });
  assert.deepEqual(issuer?.subscriberKeys, [{ kind: "jwks-url", url }]);
  const [legacy] = await issuersOf({ JWT_LEGACY: "1", JWT_KEY: SECRET });
  assert.deepEqual([legacy?.issuer, legacy?.legacy], [undefined, true]);
});

const CONTRADICTIONS: Record<string, [variables: Record<string, string>, wanted: RegExp]> = {
  "a key without an issuer": [{ JWT_KEY: SECRET }, /^JWT_KEY is set, but JWT_ISSUER is not/],
  "a URL of keys without an issuer": [
    { JWKS_URL: "https://a.test/" },
    /^JWKS_URL is set, but JWT_ISSUER is not/,
  ],
  "an issuer without a key": [{ JWT_ISSUER: "shop" }, /^JWT_ISSUER is set, but neither JWT_KEY nor JWKS_URL/],
  "legacy without a key": [{ JWT_LEGACY: "1" }, /^JWT_LEGACY is 1, but neither/],
  "an algorithm without a key": [{ JWT_ALG: "HS256" }, /^JWT_ALG is set, but not the JWT_KEY/],
  "two kinds of keys": [
    { JWT_ISSUER: "shop", JWT_KEY: SECRET, JWKS_URL: "https://a.test/" },
    /^JWT_KEY and JWKS_URL are both set/,
  ],
  "a file and more": [
    { ISSUERS_FILE: "x", JWT_ISSUER: "shop", JWT_KEY: SECRET, JWT_LEGACY: "1" },
    /^ISSUERS_FILE is set, and so is JWT_ISSUER, JWT_KEY, JWT_LEGACY/,
  ],
  "a PEM key as a secret": [
    { JWT_ISSUER: "shop", JWT_KEY: RSA.pem, JWT_ALG: "HS256" },
    /^JWT_ALG is HS256, but JWT_KEY is a PEM key/,
  ],
  "a secret as a PEM key": [
    { JWT_ISSUER: "shop", JWT_KEY: SECRET, JWT_ALG: "RS256" },
    /^JWT_ALG is RS256, but JWT_KEY is no PEM key/,
  ],
  "an algorithm for another key": [
    { JWT_ISSUER: "shop", JWT_KEY: P256.pem, JWT_ALG: "RS256" },
    /^JWT_ALG is RS256, but JWT_KEY must be a key for RS256; this one is for ES256$/,
  ],
  "a private key": [
    { JWT_ISSUER: "shop", JWT_KEY: P256.privatePem },
    /^JWT_KEY is set, but must be a public key; this is a private one/,
  ],
  "a private key beside a public one": [
    { JWT_ISSUER: "shop", JWT_KEY: P256.pem + P256.privatePem },
    /this is a private one/,
  ],
  "a broken PEM key": [
    { JWT_ISSUER: "shop", JWT_KEY: RSA.pem.replace(/\n.*\n/, "\nhush-hush\n") },
    /^JWT_KEY is set, but must be a PEM public key or certificate/,
  ],
  "a short RSA key": [
    { JWT_ISSUER: "shop", JWT_KEY: pemPair("rsa", { modulusLength: 1024 }).pem },
    /must be an RSA key of 2048 bits at least$/,
  ],
  "a curve that nobody knows here": [
    { JWT_ISSUER: "shop", JWT_KEY: pemPair("ec", { namedCurve: "secp256k1" }).pem },
    /must be an RSA, P-256/,
  ],
  "a key that does not sign": [
    { JWT_ISSUER: "shop", JWT_KEY: pemPair("x25519").pem },
    /^JWT_KEY is set, but must be/,
  ],
};

for (const [name, [variables, wanted]] of Object.entries(CONTRADICTIONS)) {
  Deno.test(`settings are refused for ${name}`, async () => {
    assert.match(await problemOf(variables), wanted);
  });
}

/** A folder with these files; texts as they are, everything else as JSON. */
async function folderWith(files: Readonly<Record<string, unknown>>) {
  const folder = await Deno.makeTempDir();
  for (const [name, content] of Object.entries(files)) {
    await Deno.mkdir(join(folder, name, ".."), { recursive: true });
    await Deno.writeTextFile(
      join(folder, name),
      typeof content === "string" ? content : JSON.stringify(content),
    );
  }
  return {
    file: join(folder, "issuers.json"),
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

Deno.test("a file describes several issuers, with keys of every kind, for both roles or one", async () => {
  await using folder = await folderWith({
    "issuers.json": {
      issuers: [
        {
          issuer: "shop",
          audience: ["urn:hub"],
          keys: [{ secret: SECRET }, { secret: SECRET, alg: "HS384" }],
        },
        {
          issuer: "two",
          publisher: { pem_file: "keys/a.pem", alg: "RS256" },
          subscriber: [{ pem: P256.pem }],
        },
        { issuer: "set", publisher: [{ jwks: { keys: [RSA.jwk] } }, { jwks_file: "keys/set.json" }] },
        { issuer: "old", keys: [{ jwks_url: "http://127.0.0.1:1/keys" }], legacy: true },
      ],
    },
    "keys/a.pem": RSA.pem,
    "keys/set.json": { keys: [{ ...P256.jwk, kid: "1" }] },
  });
  const [shop, two, set, old] = await issuersOf({ ISSUERS_FILE: folder.file, DEVELOPMENT_KEY: "x" });
  assert.deepEqual(shop?.audience, ["urn:hub"]);
  assert.deepEqual(shop?.publisherKeys.map((key) => "algorithm" in key && key.algorithm), ["HS256", "HS384"]);
  assert.deepEqual(shop?.subscriberKeys, shop?.publisherKeys);
  assert.deepEqual(two?.publisherKeys, [{ kind: "pem", pem: RSA.pem, algorithm: "RS256" }]);
  assert.deepEqual(two?.subscriberKeys, [{ kind: "pem", pem: P256.pem }]);
  assert.deepEqual(set?.publisherKeys, [
    { kind: "jwks", jwks: { keys: [RSA.jwk] } },
    { kind: "jwks", jwks: { keys: [{ ...P256.jwk, kid: "1" }] } },
  ]);
  assert.deepEqual(set?.subscriberKeys, []);
  assert.deepEqual([old?.legacy, shop?.legacy], [true, false]);
});

const KEY = { secret: SECRET };
const FILES: Record<string, [content: unknown, ...wanted: string[]]> = {
  "nothing": ["", "is no JSON"],
  "a mistake in JSON": [`{"issuers": [{"secret": "hush-hush" "a"`, "is no JSON: line 1 column 37"],
  "a text": ['"text"', "its content must be an object"],
  "no issuers": [{}, "issuers is missing"],
  "an empty list of issuers": [{ issuers: [] }, "issuers must not be empty"],
  "issuers that are none": [
    { issuers: ["a", 1] },
    "issuers[0] must be an object",
    "issuers[1] must be an object",
  ],
  "a member that is not known": [
    { issuers: [{ issuer: "a", keys: [KEY], legasy: true }], version: 1 },
    "issuers[0].legasy is not known here",
    "version is not known here",
  ],
  "an issuer without a name": [{ issuers: [{ keys: [KEY] }] }, "issuers[0].issuer is missing"],
  "an issuer without keys": [
    { issuers: [{ issuer: "a" }] },
    "issuers[0] must have keys, publisher or subscriber",
  ],
  "the same issuer twice": [
    { issuers: [{ issuer: "a", keys: [KEY] }, { issuer: "b", keys: [KEY] }, { issuer: "a", keys: [KEY] }] },
    "issuers[2].issuer is there twice",
  ],
  "wrong types": [
    { issuers: [{ issuer: 1, audience: "x", keys: KEY, legacy: "yes" }] },
    "issuers[0].issuer must be a text",
    "issuers[0].audience must be a list",
    "issuers[0].keys must be a list",
    "issuers[0].legacy must be true or false",
  ],
  "a key with an algorithm that is not known": [
    { issuers: [{ issuer: "a", keys: [KEY] }, { issuer: "b", publisher: { secret: SECRET, alg: "none" } }] },
    "issuers[1].publisher.alg must be one of HS256",
  ],
  "a key of no kind, and one of two": [
    { issuers: [{ issuer: "a", publisher: {}, subscriber: [{ secret: SECRET, pem: RSA.pem }] }] },
    "issuers[0].publisher must have one of secret, pem",
    "issuers[0].subscriber[0] must have one of",
  ],
  "a set of keys with alg": [
    { issuers: [{ issuer: "a", keys: [{ jwks: { keys: [RSA.jwk] }, alg: "RS256" }] }] },
    "issuers[0].keys[0] must have no alg",
  ],
  "algorithms that do not fit": [
    {
      issuers: [{
        issuer: "a",
        publisher: { pem: RSA.pem, alg: "HS256" },
        subscriber: [{ secret: SECRET, alg: "RS256" }, { pem: P256.pem, alg: "ES384" }],
      }],
    },
    "issuers[0].publisher.alg is HS256, but the key is a PEM key",
    "issuers[0].subscriber[0].alg is RS256, but the key is no PEM key",
    "issuers[0].subscriber[1].alg is ES384, but the key must be a key for ES384; this one is for ES256",
  ],
  "PEM keys that are none": [
    {
      issuers: [{ issuer: "a", keys: [{ pem: "hush-hush" }, { pem: P256.privatePem }, { secret: RSA.pem }] }],
    },
    "issuers[0].keys[0].pem must be a PEM public key",
    "issuers[0].keys[1].pem must be a public key; this is a private one",
    "issuers[0].keys[2].secret must be a secret; a PEM key belongs into pem",
  ],
  "sets with keys that nobody may have here": [
    {
      issuers: [{
        issuer: "a",
        keys: [
          { jwks: { keys: [RSA.jwk, P256.privateJwk] } },
          { jwks: { keys: [{ kty: "oct", k: "hush-hush" }] } },
          { jwks: { keys: [{ ...RSA.jwk, use: "enc" }] } },
          { jwks: { keys: [{ ...P256.jwk, x: "AA" }] } },
        ],
      }],
    },
    "issuers[0].keys[0].jwks must be a set of public keys, whose keys[1] must be a public key; this is a private one",
    "issuers[0].keys[1].jwks must be a set of public keys, whose keys[0] must be a public key; this is a secret",
    "issuers[0].keys[2].jwks must be a set with a public key for signatures",
    "issuers[0].keys[3].jwks must be a set of public keys, whose keys[0] must be a valid public key",
  ],
  "URLs that others could answer for": [
    {
      issuers: [{
        issuer: "a",
        keys: ["http://id.test/", "ftp://127.0.0.1/", "x", "https://user:hush-hush@id.test/"].map((url) => ({
          jwks_url: url,
        })),
      }],
    },
    ...[0, 1, 2, 3].map((index) => `issuers[0].keys[${index}].jwks_url must be an https URL`),
  ],
  "files that are missing or none": [
    { issuers: [{ issuer: "a", keys: [{ pem_file: "nowhere.pem" }, { jwks_file: "issuers.json" }] }] },
    "issuers[0].keys[0].pem_file cannot be read: ",
    "issuers[0].keys[1].jwks_file must be a JSON file with a set of keys",
  ],
};

for (const [name, [content, ...wanted]] of Object.entries(FILES)) {
  Deno.test(`a file is refused for ${name}`, async () => {
    await using folder = await folderWith({ "issuers.json": content });
    const problem = await problemOf({ ISSUERS_FILE: folder.file });
    assert.ok(problem.startsWith(`ISSUERS_FILE ${folder.file}`), problem);
    for (const part of wanted) assert.ok(problem.includes(part), problem);
    assert.equal(
      problem.split("; issuers").length + problem.split("; version").length - 1,
      wanted.length,
      problem,
    );
  });
}

Deno.test("a file that is not there is named", async () => {
  assert.match(
    await problemOf({ ISSUERS_FILE: "/nowhere/issuers.json" }),
    /^Cannot read ISSUERS_FILE \/nowhere/,
  );
});
