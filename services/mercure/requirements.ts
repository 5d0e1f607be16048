/**
 * What the protocol and its clients demand of a hub: draft-dunglas-mercure-08 and the practice around it. The
 * number of a requirement is its place in this list.
 */

export const SECTIONS = [
  "Subscribe",
  "SSE",
  "Publish",
  "Authorization",
  "Reconnection",
  "Active subscriptions",
  "Discovery and legacy",
] as const;

export type Section = (typeof SECTIONS)[number];

/** `M`: must. `S`: should. `m`: may. `C`: not in the draft, but clients or the reference hub have it. `L`: legacy 0.x. */
export type Level = "M" | "S" | "m" | "C" | "L";

export interface Requirement {
  readonly number: number;
  readonly section: Section;
  readonly level: Level;
  /** What must hold, in a few words. */
  readonly text: string;
}

/** In each section, in the order of their numbers. */
const TEXTS: Readonly<Record<Section, readonly (readonly [level: Level, text: string])[]>> = {
  "Subscribe": [
    ["M", "match=X opens an event stream that gets what is published on X"],
    ["M", "match_exact=X does the same"],
    ["M", "match_urlpattern=P gets every topic that P matches, and no other"],
    ["M", "matchers of both kinds on one request add up, and each update comes once"],
    ["M", "an exact matcher compares byte for byte"],
    ["M", "* matches everything public, under either parameter"],
    ["M", "a* under match is literal"],
    ["M", "relative patterns and topics meet each other, and absolute topics of the hub's origin"],
    ["M", "a pattern distinguishes case in the path, but not in the host"],
    ["M", "a topic that is no URL matches no pattern, but itself"],
    ["M", "other names that begin with match, in any case → 400, whatever else is there"],
    ["M", "that rule looks at decoded names"],
    ["M", "matcher with control or format characters → 400"],
    ["M", "matcher with invalid UTF-8 → 400"],
    ["M", "invalid URL pattern → 400, without a word about the inside"],
    ["M", "too many matchers, or one that is too long → 400"],
    ["C", "no matcher → 400"],
    ["C", "parameters of other names are ignored"],
    ["M", "a pathological pattern costs bounded time"],
    ["S", "too many streams → 429"],
    ["C", "QUERY takes matchers from its body and the URL"],
    ["M", "cursor of a QUERY: URL before body, header before both"],
    ["C", "QUERY body too large → 413, of another type → 415, of none → 400"],
    ["C", "HEAD is answered at once and opens nothing"],
    ["C", "headers and a first comment come before any update"],
    ["S", "comments keep a silent stream alive"],
    ["C", "caches must not store a stream, and proxies not hold it back"],
    ["M", "CORS with credentials: listed origins only"],
    ["M", "CORS for everybody: no credentials"],
    ["C", "preflight allows, and responses expose, what browsers need"],
  ],
  "SSE": [
    ["M", "every event has an id"],
    ["M", "data is split at LF, CR and CRLF, and joined again with LF"],
    ["M", "data cannot forge fields"],
    ["M", "an update without data is dispatched"],
    ["M", "type becomes event; without it there is no such line"],
    ["M", "retry becomes retry"],
    ["C", "spaces at the start and line ends at the end of data are kept"],
    ["C", "1 MiB of data, and 10 000 lines, pass intact"],
    ["C", "data and ids beyond ASCII pass intact"],
  ],
  "Publish": [
    ["M", "success is 200, text/plain; charset=utf-8, and the id alone"],
    ["M", "no topic → 400"],
    ["M", "subscribers of any of the topics get the update, once per stream"],
    ["M", "a generated id is an IRI or a fragment, and no other has it"],
    ["C", "an id that is given is echoed and sent"],
    ["M", "forbidden ids → 400"],
    ["M", "type mercure → 400, and likewise line ends in a type"],
    ["M", "retry that is not only digits → 400"],
    ["C", "empty id, type and retry count as missing"],
    ["M", "private is in the name alone, whatever its value"],
    ["M", "unknown fields are ignored"],
    ["M", "topic * → 400, canonical or alternate"],
    ["M", "topics in the hub's own namespace → 400, and only those"],
    ["M", "that holds for alternates, and without a grant too: 400, not 403"],
    ["M", "topic with control or format characters or invalid UTF-8 → 400"],
    ["M", "data with invalid UTF-8 → 400"],
    ["M", "body too large, or too many topics → 413"],
    ["C", "body of another type → 400 or 415"],
    ["C", "storage fails → 5xx, and nothing is delivered"],
    ["C", "success is said once the update is durable"],
  ],
  "Authorization": [
    ["M", "publishing without a token → 401, challenged without an error code"],
    ["S", "the challenge leads to the metadata"],
    ["M", "every token that is not valid → 401 invalid_token, all alike"],
    ["M", "a key of one issuer does not vouch for another"],
    ["M", "keys inside a token's header have no effect"],
    ["M", "a public RSA key is no HMAC secret"],
    ["M", "typ in any case, with or without application/"],
    ["M", "aud as text and as a list"],
    ["C", "fractional exp"],
    ["M", "the scheme in any case"],
    ["M", "the header goes before the cookie, even when only the cookie is good"],
    ["M", "malformed Authorization → 400 invalid_request"],
    ["M", "no tokens from access_token in the URL"],
    ["M", "publishing with a cookie needs an origin that is listed"],
    ["M", "no grant for one of the topics → 403 insufficient_scope, nothing is dispatched"],
    ["M", "a grant of * covers every topic"],
    ["M", "grants to subscribe and to publish are apart"],
    ["M", "private updates do not reach anonymous subscribers, whose streams stay open"],
    ["M", "grant and matcher may hit different topics of one update"],
    ["M", "a broad matcher does not widen a narrow grant"],
    ["M", "unknown actions are ignored; any other defect in a detail → 401 invalid_token"],
    ["M", "one bad detail spoils the token"],
    ["M", "details of other types are ignored"],
    ["M", "too many details → 401"],
    ["M", "an invalid token is not downgraded to anonymous"],
    ["M", "a stream ends no later than its token, and delivers nothing after it"],
    ["S", "a stream ends after its longest life, and resuming loses nothing"],
    ["C", "a token that ends soon still opens a stream until then"],
  ],
  "Reconnection": [
    ["M", "Last-Event-ID replays exactly what followed, in order, then live"],
    ["M", "last_event_id does the same; the header goes first"],
    ["M", "earliest replays all that is kept and matches"],
    ["M", "Mercure-Last-Event-ID tells where the replay begins"],
    ["M", "the replay is filtered by today's token, and no other id leaks"],
    ["M", "of equal ids, the first counts"],
    ["C", "publishing during a replay makes no gap and no duplicate"],
    ["C", "replay works right after a restart"],
    ["C", "50 000 events are replayed on one connection"],
    ["C", "resuming near the end of a long history works"],
    ["C", "ids beyond ASCII make the round trip"],
    ["C", "a slow reader delays nobody and can resume"],
  ],
  "Active subscriptions": [
    ["M", "coming and going are private updates of type mercure, one per matcher"],
    ["M", "their topic is their id, encoded once"],
    ["M", "streams have subscriber ids of their own, matchers of one stream share it"],
    ["M", "clients cannot choose that id"],
    ["M", "API: 401 without token, 403 without grant, 200 with; the query string does not matter"],
    ["M", "API: application/json, and a Link with the cursor"],
    ["M", "API: 404 for an unknown subscriber; collections by type and matcher"],
    ["M", "the payload comes from the first detail that matches"],
    ["C", "snapshot and cursor together miss nothing"],
    ["C", "a registration that fails publishes nothing"],
    ["C", "a client that is lost is noticed within a heartbeat"],
  ],
  "Discovery and legacy": [
    ["S", "the metadata document"],
    ["L", "what 0.x has works only when switched on"],
    ["L", "lastEventID, and Last-Event-ID in the response"],
    ["L", "the grants of a mercure claim"],
    ["L", "subscription documents and paths of 0.x"],
    ["L", "switched off: topic= → 400, and a mercure claim grants nothing"],
    ["C", "the cases of the official suite"],
  ],
};

/** All of them, from 1 on without a gap. */
export const REQUIREMENTS: readonly Requirement[] = SECTIONS.flatMap((section) =>
  TEXTS[section].map(([level, text]) => ({ section, level, text }))
).map((requirement, index) => ({ number: index + 1, ...requirement }));
