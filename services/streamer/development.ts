/** Tells whoever runs `deno task start` how to publish: with a token of the throw-away issuer of this run. */
import { SignJWT } from "jose";
import { announce } from "../lib/log.ts";
import { DETAIL_TYPE } from "../lib/mercure/authorization_details.ts";
import { DEVELOPMENT_ISSUER } from "../lib/mercure/issuers.ts";

export interface DevelopmentOptions {
  /** The secret of the throw-away issuer. */
  readonly secret: string;
  /** Where the hub can be reached from this machine. */
  readonly hubUrl: string;
}

/** Longer than anybody develops in one go; the issuer ends with the services anyway. */
const TOKEN_LIFE = "12h";

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
  return await new SignJWT({
    authorization_details: [
      { type: DETAIL_TYPE, actions: ["publish", "subscribe"], topics: [{ match: "*" }] },
    ],
  })
    .setProtectedHeader({ alg: "HS256", typ: "at+jwt" })
    .setIssuer(DEVELOPMENT_ISSUER)
    .setAudience([...new Set([hubUrl, ...audience])])
    .setSubject("development")
    .setIssuedAt()
    .setExpirationTime(TOKEN_LIFE)
    .sign(new TextEncoder().encode(secret));
}
