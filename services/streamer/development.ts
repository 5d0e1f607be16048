/** Tells whoever runs `deno task start` how to publish: with a token of the throw-away issuer of this run. */
import { announce } from "../lib/log.ts";
import { DETAIL_TYPE } from "../lib/mercure/authorization_details.ts";
import { DEVELOPMENT_ISSUER } from "../lib/mercure/issuers.ts";
import { importSecret } from "../lib/mercure/keys.ts";
import { signToken } from "../lib/mercure/signing.ts";

export interface DevelopmentOptions {
  /** The secret of the throw-away issuer. */
  readonly secret: string;
  /** Where the hub can be reached from this machine. */
  readonly hubUrl: string;
}

/** Seconds: longer than anybody develops in one go, and the issuer ends with the services anyway. */
const TOKEN_LIFE_S = 12 * 3600;

export async function announceDevelopment({ secret, hubUrl }: DevelopmentOptions): Promise<void> {
  const token = await mint(secret, hubUrl);
  announce(`The issuer of tokens is new in each run. To publish:`);
  announce(`TOKEN=${token}`);
  announce(`curl -H "Authorization: Bearer $TOKEN" -d topic=/hello -d data=world ${hubUrl}`);
}

/** A token that allows everything at this hub, by either name of this machine. */
async function mint(secret: string, hubUrl: string): Promise<string> {
  const url = new URL(hubUrl);
  const audience = ["127.0.0.1", "localhost"].map((name) => {
    url.hostname = name;
    return url.href;
  });
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    iss: DEVELOPMENT_ISSUER,
    aud: [...new Set([hubUrl, ...audience])],
    sub: "development",
    iat: now,
    exp: now + TOKEN_LIFE_S,
    authorization_details: [
      { type: DETAIL_TYPE, actions: ["publish", "subscribe"], topics: [{ match: "*" }] },
    ],
  };
  const key = await importSecret(new TextEncoder().encode(secret), "HS256");
  return await signToken(claims, { key, algorithm: "HS256" });
}
