// @ts-check
/**
 * Says in words what a refusal means, and what to do about it.
 *
 * @module
 */

/** @typedef {import("../logger/types.d.ts").Refusal} Refusal */
/** @typedef {"subscribe" | "publish" | "subscriptions"} Action */

/**
 * @typedef {object} Explanation Text in which code stands between backticks.
 * @property {string} title
 * @property {string[]} advice
 */

const TOKEN_COMMAND = "deno task token --publish '*' --subscribe '*'";

/**
 * Whether the same request may succeed later. Any other refusal says that the request itself must change.
 *
 * @param {Refusal} refusal
 */
export function isPassing({ status }) {
  return status === 0 || status === 408 || status === 429 || status >= 500;
}

/**
 * @param {Refusal} refusal
 * @param {{ action: Action, hasToken: boolean, hubUrl: URL }} request
 * @returns {Explanation}
 */
export function explainRefusal(refusal, request) {
  const { status, detail } = refusal;
  const advice = adviceFor(refusal, request);
  return {
    title: titleFor(status, request),
    // The hub's own words come first, where they add to the title.
    advice: detail === "" ? advice : [`The hub says: “${detail}”`, ...advice],
  };
}

/**
 * @param {number} status
 * @param {{ action: Action, hasToken: boolean }} request
 */
function titleFor(status, { action, hasToken }) {
  switch (status) {
    case 0:
      return "The hub cannot be reached";
    case 400:
      return "400: the hub does not understand the request";
    case 401:
      return hasToken ? "401: the hub does not take this token" : "401: a token is needed";
    case 403:
      return "403: the token does not grant this";
    case 404:
      return action === "subscriptions"
        ? "404: the list is switched off"
        : "404: there is no hub at this address";
    case 405:
      return action === "publish" ? "405: nobody can publish here yet" : "405: the hub does not do this";
    case 413:
      return "413: the update is too large";
    case 429:
      return "429: too many at once";
    case 503:
      return "503: the channel behind the hub is away";
    case 200:
      return "200: the answer is no event stream";
    default:
      return `${status}: the hub ${status >= 500 ? "failed" : "refused"}`;
  }
}

/**
 * @param {Refusal} refusal
 * @param {{ action: Action, hasToken: boolean, hubUrl: URL }} request
 * @returns {string[]}
 */
function adviceFor({ status, retryAfterMs }, { action, hasToken, hubUrl }) {
  switch (status) {
    case 0:
      return [`Is it running? This page asks \`${hubUrl.href}\`.`];
    case 401:
      if (!hasToken) {
        return [
          NEEDS_TOKEN[action],
          `\`deno task start\` prints one for its throw-away issuer; for your own, make one with \`${TOKEN_COMMAND}\`. ` +
          "Paste it under Token.",
        ];
      }
      return [
        "For safety it tells clients no reason. See what this page finds under Token; the log of the streamer has " +
        "the reason in the line with the request id, and `deno task token inspect` goes through the checks.",
      ];
    case 403:
      return [NEEDS_GRANT[action].replace("{path}", `${hubUrl.pathname}/subscriptions`)];
    case 404:
      return action === "subscriptions"
        ? ["Start the streamer with `SUBSCRIPTIONS=on`; `deno task start` does so by itself."]
        : [`This page asks \`${hubUrl.href}\`.`];
    case 405:
      return action === "publish"
        ? [
          "No issuer of tokens is configured, so no token can be right.",
          "To try it: `deno task start` makes a throw-away issuer, and prints a token of it.",
          "To stay: set `JWT_ISSUER` and `JWT_KEY`, or `ISSUERS_FILE`; then `" + TOKEN_COMMAND +
          "` makes one.",
        ]
        : [];
    case 429:
      return retryAfterMs > 0
        ? [`It asks to wait ${Math.ceil(retryAfterMs / 1000)} s.`]
        : ["Close other streams, or try again later."];
    case 503:
      return ["Nothing was lost that the hub has acknowledged. Try again when the forwarder is back."];
    default:
      return [];
  }
}

/** @type {Record<Action, string>} */
const NEEDS_TOKEN = {
  subscribe: "This hub lets nobody in without one (`ANONYMOUS=off`).",
  publish: "Publishing always needs one.",
  subscriptions: "Who listens is not for everybody to know.",
};

/** @type {Record<Action, string>} */
const NEEDS_GRANT = {
  subscribe: "It is valid, but has no right to subscribe here.",
  publish: "It is valid, but must have a `publish` grant for each of the topics.",
  subscriptions: "It is valid, but needs a `subscribe` grant that matches `{path}`; `*` does.",
};
