/**
 * Who asks, and what they may do: finds the token of a request, has it verified, and refuses in the words of the
 * standards. The client learns no reason, an operator finds it in the log under the id of the request.
 * Source: RFC 6750; draft-dunglas-mercure-08, "Authorization".
 */
import type { Context } from "hono";
import { getCookie } from "hono/cookie";
import { ProblemError } from "../http.ts";
import type { Log } from "../log.ts";
import { type Authorization, type Grants, InvalidTokenError, type Role } from "./authorization.ts";
import { parseQuery } from "./form.ts";
import type { HubUrl } from "./hub_url.ts";

export interface AccessOptions {
  readonly authorization: Authorization;
  readonly hubUrl: HubUrl;
  readonly cookieName: string;
  /** Origins whose pages may publish with a cookie. */
  readonly publishOrigins: readonly string[];
  readonly log: Log;
}

/** The cookie of the 0.x generation. */
const LEGACY_COOKIE = "mercureAuthorization";
/** No JWT is shorter, so whatever is, was not meant as one. */
const MIN_TOKEN_LENGTH = 41;
/** Source: RFC 6750, section 2.1; the scheme's case does not matter (RFC 9110, section 11.1). */
const BEARER = /^Bearer +([A-Za-z0-9\-._~+/]+=*)$/i;

/** What is wrong, in the words of RFC 6750, section 3.1, with the status that belongs to each. */
const CHALLENGES = {
  /** Nothing was presented; the standard wants no error code then. */
  missing: { status: 401, error: undefined, detail: "A token is needed here" },
  invalid: { status: 401, error: "invalid_token", detail: "The token was not accepted" },
  insufficient: { status: 403, error: "insufficient_scope", detail: "The token does not allow this" },
  malformed: { status: 400, error: "invalid_request", detail: "The token was not presented as it has to be" },
} as const;

export class Access {
  readonly authorization: Authorization;
  readonly #options: AccessOptions;

  constructor(options: AccessOptions) {
    this.#options = options;
    this.authorization = options.authorization;
  }

  /** The URL of the hub, as the client of this request has to see it. */
  hubUrlFor(c: Context): string {
    return this.#options.hubUrl.resolve(c.req.url);
  }

  /**
   * What the token of a request allows; undefined when there is none.
   *
   * @throws {ProblemError} when the token is not accepted, or was not presented as it has to be.
   */
  async grantsFor(c: Context, role: Role): Promise<Grants | undefined> {
    const token = this.#tokenOf(c);
    if (token === undefined) return undefined;
    try {
      return await this.authorization.authorize(token, { role, hubUrl: this.hubUrlFor(c) });
    } catch (error) {
      if (!(error instanceof InvalidTokenError)) throw error;
      throw this.refuse(c, "invalid", error.message);
    }
  }

  /** The error that refuses a request for the sake of its token; the reason is for the log. */
  refuse(c: Context, challenge: keyof typeof CHALLENGES, reason: string): ProblemError {
    const { status, error, detail } = CHALLENGES[challenge];
    this.#options.log.info(`Refused a request with ${status}`, {
      reason,
      requestId: c.get("requestId"),
      method: c.req.method,
      path: c.req.path,
    });
    const metadata = `resource_metadata="${this.#options.hubUrl.resolveMetadata(c.req.url)}"`;
    const parameters = error === undefined ? metadata : `error="${error}", ${metadata}`;
    return new ProblemError(status, detail, { "WWW-Authenticate": `Bearer ${parameters}` });
  }

  /** Where a token may stand, the first place that has one: the header, the parameter of 0.x, the cookies. */
  #tokenOf(c: Context): string | undefined {
    const header = c.req.header("Authorization");
    if (header !== undefined) return this.#tokenOfHeader(c, header);
    const { authorization, cookieName } = this.#options;
    const parameter = authorization.legacy ? legacyParameter(c.req.url) : undefined;
    if (parameter !== undefined) return parameter;
    const names = authorization.legacy ? [cookieName, LEGACY_COOKIE] : [cookieName];
    const cookie = names.map((name) => getCookie(c, name)).find((value) => value);
    if (cookie !== undefined) this.#refuseForgery(c);
    return cookie;
  }

  #tokenOfHeader(c: Context, header: string): string | undefined {
    const [, token] = BEARER.exec(header) ?? [];
    if (token !== undefined && token.length >= MIN_TOKEN_LENGTH) return token;
    // Without issuers the hub has no use for tokens, and the header may be that of a proxy in front of it.
    if (!this.authorization.configured && !/^Bearer\b/i.test(header)) return undefined;
    throw this.refuse(c, "malformed", "the Authorization header is not one Bearer token");
  }

  /**
   * Browsers add the cookie to what any page sends, so an update must come from a page of ours.
   * Source: draft-dunglas-mercure-08, "Cookie".
   */
  #refuseForgery(c: Context): void {
    if (c.req.method !== "POST") return;
    const origin = c.req.header("Origin") ?? URL.parse(c.req.header("Referer") ?? "")?.origin;
    if (origin !== undefined && this.#options.publishOrigins.includes(origin)) return;
    const reason = origin === undefined
      ? "the token is in a cookie, and neither Origin nor Referer says which page sent the request"
      : `the token is in a cookie, and PUBLISH_ORIGINS does not list ${JSON.stringify(origin)}`;
    throw this.refuse(c, "malformed", reason);
  }
}

/** The token in the URL, which the 0.x generation allowed. */
function legacyParameter(url: string): string | undefined {
  const values = parseQuery(url).filter(({ name }) => name === "authorization").map(({ value }) => value);
  const [value] = values;
  return values.length === 1 && value !== undefined && value.length >= MIN_TOKEN_LENGTH ? value : undefined;
}
