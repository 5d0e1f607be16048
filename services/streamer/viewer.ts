/** Who asks for updates, and which ones: what streams and the history read out of a request alike. */
import type { Context } from "hono";
import { ProblemError } from "../lib/http.ts";
import type { Matcher } from "../lib/matcher.ts";
import type { Access } from "../lib/mercure/access.ts";
import type { Grants } from "../lib/mercure/authorization.ts";
import type { FormField } from "../lib/mercure/form.ts";
import type { Config } from "./config.ts";
import { readFields, readMatchers } from "./subscribe_request.ts";
import { View } from "./view.ts";

export interface Viewer {
  /** Undefined without a token. */
  readonly grants: Grants | undefined;
  /** All parameters. */
  readonly fields: readonly FormField[];
  readonly matchers: readonly Matcher[];
  readonly view: View;
}

export interface ViewerOptions {
  readonly config: Config;
  readonly access: Access;
}

/**
 * @param defaults what is matched where the request has no matchers of its own
 * @throws {ProblemError} when it may not, or does not say what.
 */
export async function readViewer(
  c: Context,
  { config, access }: ViewerOptions,
  defaults: readonly Matcher[],
): Promise<Viewer> {
  const grants = await access.grantsFor(c, "subscribe");
  if (grants === undefined && !config.anonymous) {
    throw access.refuse(c, "missing", "no token was presented, and ANONYMOUS is off");
  }
  const fields = await readFields(c, config);
  const given = readMatchers(fields, {
    base: access.hubUrlFor(c),
    maxLength: config.maxMatcherLength,
    maxMatchers: config.maxMatchers,
    legacy: access.authorization.legacy,
  });
  const matchers = given.length > 0 ? given : defaults;
  if (matchers.length === 0) {
    throw new ProblemError(400, "A subscription needs a matcher, such as ?match=… or ?match_urlpattern=…");
  }
  const granted = grants?.subscribe.flatMap((grant) => grant.matchers) ?? [];
  return { grants, fields, matchers, view: new View(matchers, granted) };
}
