/**
 * Takes updates by POST, as publishers of the Mercure protocol send them.
 * Source: draft-dunglas-mercure-08, "Publication".
 */
import type { Context } from "hono";
import { MAX_PUBLISHED_NAME_LENGTH } from "../api/publish.ts";
import type { Channel, PublishOptions } from "../channel.ts";
import { type App, ProblemError, readBody, refuseLargeBody } from "../http.ts";
import { digestOf, publishOptionsFor } from "../idempotency.ts";
import { type Matcher, Topic } from "../matcher.ts";
import {
  InvalidUpdateError,
  MAX_ID_LENGTH,
  newUpdateId,
  parseUpdate,
  SIGNAL_TYPE,
  type Update,
} from "../update.ts";
import type { Access } from "./access.ts";
import { type FormField, parseForm, requireForm } from "./form.ts";
import type { HubUrl } from "./hub_url.ts";

export interface PublishRouteOptions {
  readonly channel: Channel;
  readonly access: Access;
  readonly hubUrl: HubUrl;
  readonly limits: PublishLimits;
}

export interface PublishLimits {
  /** Bytes of the body. */
  readonly maxBody: number;
  readonly maxTopics: number;
}

/** Answers `POST` at the hub's path: 200 with the id of the update, once it is stored. */
export function servePublish(app: App, options: PublishRouteOptions): void {
  const { channel, access, hubUrl, limits } = options;
  // Nobody could ever publish: as a method that does not exist, and not as a token that is missing.
  if (!access.authorization.canPublish()) return;
  app.post(
    hubUrl.path,
    async (c) => {
      refuseLargeBody(c, limits.maxBody);
      const grants = await access.grantsFor(c, "publish");
      if (grants === undefined) throw access.refuse(c, "missing", "no token was presented");
      // Not before: a body takes memory for as long as its sender likes.
      const body = await readBody(c, limits.maxBody);
      const update = readUpdate(c, body, options);
      const refused = firstRefused(update.topics, grants.publish);
      if (refused !== undefined) {
        throw access.refuse(c, "insufficient", `the token may not publish to ${JSON.stringify(refused)}`);
      }
      // Only who sends the very same again may learn what became of it: with another publisher or another body, the
      // same key means something else.
      const scope = () => [grants.publisher, digestOf(body)];
      const published = publishOptionsFor(c.req.header("Idempotency-Key"), "POST hub", scope);
      const id = await store(channel, update, published);
      return c.body(id, 200, { "Content-Type": "text/plain; charset=utf-8" });
    },
  );
}

/** Resolves with the id of the update once it is stored. */
async function store(channel: Channel, update: Update, options: PublishOptions): Promise<string> {
  try {
    const entry = await channel.publish(update, options);
    return entry.update.id;
  } catch (error) {
    // All else was judged before; what is left is the size that it has in the channel.
    if (error instanceof InvalidUpdateError) throw new ProblemError(413, error.message);
    throw error;
  }
}

function readUpdate(
  c: Context,
  body: Uint8Array,
  { access, hubUrl, limits }: PublishRouteOptions,
): Update {
  requireForm(c.req.header("Content-Type"));
  const update = updateOf(parseForm(body), limits);
  const base = access.hubUrlFor(c);
  const reserved = update.topics.find((topic) => hubUrl.isReserved(topic, base));
  if (reserved !== undefined) {
    throw new ProblemError(400, `The topic ${JSON.stringify(reserved)} is the hub's own`);
  }
  return update;
}

/** The update that a form describes. Names that mean nothing are passed over; of a repeated one the first counts. */
function updateOf(fields: readonly FormField[], { maxTopics }: PublishLimits): Update {
  const all = (name: string) => fields.filter((field) => field.name === name).map(textOf);
  const first = (name: string) => all(name)[0];
  // Debuggers send all their fields, also those that nobody filled in.
  const filled = (name: string) => first(name) || undefined;
  const topics = all("topic");
  const id = filled("id") ?? newUpdateId();
  const type = filled("type");
  const retry = filled("retry");
  if (topics.length === 0) throw new ProblemError(400, "An update needs a topic");
  if (topics.length > maxTopics) throw new ProblemError(413, `An update has at most ${maxTopics} topics`);
  if ([...topics, type ?? ""].some((name) => name.length > MAX_PUBLISHED_NAME_LENGTH)) {
    throw new ProblemError(413, `Topics and types have at most ${MAX_PUBLISHED_NAME_LENGTH} characters`);
  }
  if (id.length > MAX_ID_LENGTH) throw new ProblemError(413, `An id has at most ${MAX_ID_LENGTH} characters`);
  if (type === SIGNAL_TYPE) throw new ProblemError(400, `The type "${SIGNAL_TYPE}" is the hub's own`);
  if (retry !== undefined && !/^[0-9]+$/.test(retry)) {
    throw new ProblemError(400, "The retry must be a whole number of milliseconds");
  }
  try {
    return parseUpdate({
      id,
      topics,
      data: first("data") ?? "",
      type,
      // Its presence alone counts, whatever it says.
      private: fields.some(({ name }) => name === "private"),
      retry: retry === undefined ? undefined : Number(retry),
    });
  } catch (error) {
    if (error instanceof InvalidUpdateError) throw new ProblemError(400, error.message);
    throw error;
  }
}

function textOf({ name, value }: FormField): string {
  if (value === undefined) throw new ProblemError(400, `The field ${name} is not UTF-8`);
  return value;
}

function firstRefused(topics: readonly string[], grants: readonly Matcher[]): string | undefined {
  return topics.find((name) => {
    const topic = new Topic(name);
    return !grants.some((grant) => grant.matches(topic));
  });
}
