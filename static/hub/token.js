// @ts-check
/**
 * Reads what a token says, and finds the mistakes that can be seen without a key. Whether the signature is right,
 * and whether the issuer is trusted, only the hub knows. Source: RFC 9068 and the Mercure protocol, "Authorization".
 *
 * @module
 */

import { parseObject } from "../logger/json.js";

/** @typedef {Record<string, unknown>} JsonObject */

/**
 * @typedef {object} Grant
 * @property {string} match
 * @property {string} type "exact", "urlpattern", or "template" in a token of Mercure 0.x.
 */

/**
 * @typedef {object} Mistake
 * @property {"error" | "warning"} level An error makes the hub refuse the token; a warning is only likely wrong.
 * @property {string} text A sentence; what stands between backticks is code.
 */

/**
 * @typedef {object} Reading
 * @property {JsonObject} header
 * @property {JsonObject} claims
 * @property {Grant[]} publish
 * @property {Grant[]} subscribe
 * @property {number | undefined} expiresAt In ms of the epoch.
 * @property {boolean} isLegacy Its rights are in a `mercure` claim, as in Mercure 0.x.
 * @property {Mistake[]} mistakes
 */

/**
 * @typedef {object} Circumstances
 * @property {string} hubUrl What the audience must name.
 * @property {number} now In ms of the epoch.
 */

export const DETAIL_TYPE = "https://mercure.rocks/authorization-detail";

const ACCESS_TOKEN_TYPE = /^(?:application\/)?at\+jwt$/i;
const ACTIONS = ["publish", "subscribe"];
const MATCH_TYPES = ["exact", "urlpattern"];
/** No controls and nothing invisible: they have no place in a topic. */
const FORBIDDEN = /[\p{Cc}\p{Cf}]/u;
/** As seconds it is the year 5138; what is greater was meant as milliseconds. */
const SECONDS_MAX = 1e11;
/** Text of the token in a sentence about it. */
const QUOTED_CHARACTERS_MAX = 80;

/**
 * Takes off what gets copied together with a token: the name of the header, and the line ends of a terminal.
 *
 * @param {string} text
 */
export function tidyToken(text) {
  return text.replace(/^\s*(?:authorization\s*:)?\s*(?:bearer\s+)?/i, "").replace(/\s+/g, "");
}

/**
 * @param {string} token
 * @param {Circumstances} circumstances
 * @returns {Reading}
 */
export function readToken(token, circumstances) {
  /** @type {Reading} */
  const reading = {
    header: {},
    claims: {},
    publish: [],
    subscribe: [],
    expiresAt: undefined,
    isLegacy: false,
    mistakes: [],
  };
  const parts = token.split(".");
  if (parts.length !== 3) {
    const encrypted = parts.length === 5 ? " Five parts make an encrypted token, which no hub reads." : "";
    err(
      reading,
      `It is no JWT: that has three parts with dots between them, and this has ${parts.length}.${encrypted}`,
    );
    return reading;
  }
  const [header, claims] = parts.map(decodePart);
  if (header === undefined) err(reading, "Its first part, the header, is no JSON object in base64url.");
  if (claims === undefined) err(reading, "Its second part, the claims, is no JSON object in base64url.");
  if (header === undefined || claims === undefined) return reading;
  Object.assign(reading, { header, claims });

  readRights(reading);
  checkHeader(reading, parts[2] ?? "");
  checkParties(reading, circumstances);
  checkTimes(reading, circumstances);
  return reading;
}

/**
 * @param {string} part
 * @returns {JsonObject | undefined}
 */
function decodePart(part) {
  if (!/^[A-Za-z0-9_-]+$/.test(part)) return undefined;
  try {
    const bytes = Uint8Array.from(
      atob(part.replaceAll("-", "+").replaceAll("_", "/")),
      (char) => char.charCodeAt(0),
    );
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return isObject(JSON.parse(text)) ? parseObject(text) : undefined;
  } catch {
    // Not base64, not UTF-8 or not JSON: in each case no part of a token.
    return undefined;
  }
}

/**
 * @param {Reading} reading
 * @param {string} signature
 */
function checkHeader(reading, signature) {
  const { header, isLegacy } = reading;
  if (isLegacy) {
    warn(
      reading,
      "Its rights are in a `mercure` claim, as in Mercure 0.x. Only a hub with `JWT_LEGACY=1` takes it; " +
        "there `typ`, `aud` and `exp` do not matter unless they are present and wrong.",
    );
  } else if (typeof header.typ !== "string" || !ACCESS_TOKEN_TYPE.test(header.typ)) {
    err(reading, `Its \`typ\` is ${show(header.typ)}, and must be \`at+jwt\` (in the header).`);
  }
  if (typeof header.alg !== "string") {
    err(reading, "Its header has no `alg`, so nobody can check its signature.");
  } else if (header.alg.toLowerCase() === "none") {
    err(reading, "Its `alg` is `none`: it is not signed, and no hub takes it.");
  } else if (signature === "") {
    err(reading, "Its third part, the signature, is empty.");
  }
}

/**
 * @param {Reading} reading
 * @param {Circumstances} circumstances
 */
function checkParties(reading, { hubUrl }) {
  const { claims, isLegacy } = reading;
  if (isLegacy) return;
  if (typeof claims.iss !== "string" || claims.iss === "") {
    err(reading, "It has no `iss`, so the hub does not know whose keys to check it with.");
  }
  const audience = Array.isArray(claims.aud) ? claims.aud : [claims.aud];
  if (claims.aud === undefined) {
    err(reading, `It has no \`aud\`, which must name this hub: \`${hubUrl}\`.`);
  } else if (!audience.includes(hubUrl)) {
    warn(
      reading,
      `Its \`aud\` is ${show(claims.aud)}, and does not contain \`${hubUrl}\`, which is this hub. ` +
        "The hub refuses it, unless the settings of the issuer name another audience.",
    );
  }
}

/**
 * @param {Reading} reading
 * @param {Circumstances} circumstances
 */
function checkTimes(reading, { now }) {
  const { exp, nbf } = reading.claims;
  if (exp === undefined) {
    if (!reading.isLegacy) err(reading, "It has no `exp`: a token must say when it expires.");
  } else if (typeof exp !== "number") {
    err(reading, `Its \`exp\` is ${show(exp)}, and must be a number of seconds since 1970.`);
  } else {
    reading.expiresAt = exp * 1000;
    if (exp > SECONDS_MAX) {
      warn(reading, "Its `exp` looks like milliseconds, and must be seconds since 1970.");
    } else if (reading.expiresAt <= now) {
      err(reading, "It has expired.");
    }
  }
  if (typeof nbf === "number" && nbf * 1000 > now) {
    err(reading, "It is not valid yet: its `nbf` is in the future.");
  }
}

/**
 * The Mercure entries of `authorization_details`; without them a `mercure` claim, as Mercure 0.x has it.
 *
 * @param {Reading} reading
 */
function readRights(reading) {
  const { claims } = reading;
  const details = claims.authorization_details;
  const legacy = claims["https://mercure.rocks/"] ?? claims.mercure;
  if (details === undefined && isObject(legacy)) {
    reading.isLegacy = true;
    for (const action of /** @type {const} */ (["publish", "subscribe"])) readLegacy(reading, action, legacy);
    return;
  }
  if (details !== undefined && !Array.isArray(details)) {
    err(reading, `Its \`authorization_details\` is ${show(details)}, and must be an array.`);
    return;
  }
  const entries = details ?? [];
  entries.forEach((/** @type {unknown} */ detail, /** @type {number} */ i) =>
    readDetail(reading, detail, `authorization_details[${i}]`)
  );
  if (legacy !== undefined) {
    warn(reading, "Its `mercure` claim grants nothing beside `authorization_details`.");
  }
  const isBad = reading.mistakes.some(({ level }) => level === "error");
  if (!isBad && reading.publish.length + reading.subscribe.length === 0) {
    warn(
      reading,
      `It grants nothing: no entry of \`authorization_details\` has the type \`${DETAIL_TYPE}\` and an action that a hub knows.`,
    );
  }
}

/**
 * @param {Reading} reading
 * @param {unknown} detail
 * @param {string} path
 */
function readDetail(reading, detail, path) {
  if (!isObject(detail)) return warn(reading, `\`${path}\` is ${show(detail)}, and should be an object.`);
  if (detail.type !== DETAIL_TYPE) {
    // Entries of other types are for other resources. Only what nearly is one is worth a word.
    if (typeof detail.type === "string" && /mercure/i.test(detail.type)) {
      warn(
        reading,
        `\`${path}.type\` is ${show(detail.type)}, and so is ignored: it must be \`${DETAIL_TYPE}\`.`,
      );
    }
    return;
  }
  const actions = readActions(reading, detail.actions, path);
  const topics = readTopics(reading, detail.topics, path);
  if (detail.payload !== undefined && !isObject(detail.payload)) {
    err(reading, `\`${path}.payload\` is ${show(detail.payload)}, and must be an object.`);
  }
  if (actions.includes("publish")) reading.publish.push(...topics);
  if (actions.includes("subscribe")) reading.subscribe.push(...topics);
}

/**
 * @param {Reading} reading
 * @param {unknown} actions
 * @param {string} path
 * @returns {unknown[]}
 */
function readActions(reading, actions, path) {
  if (!Array.isArray(actions) || actions.length === 0) {
    err(
      reading,
      `\`${path}.actions\` is ${
        show(actions)
      }, and must be an array with \`publish\`, \`subscribe\` or both.`,
    );
    return [];
  }
  for (const action of actions) {
    if (typeof action !== "string") {
      err(reading, `\`${path}.actions\` has ${show(action)}, which is no string.`);
    } else if (!ACTIONS.includes(action)) {
      warn(reading, `\`${path}.actions\` has ${show(action)}, which grants nothing.`);
    }
  }
  return actions;
}

/**
 * @param {Reading} reading
 * @param {unknown} topics
 * @param {string} path
 * @returns {Grant[]}
 */
function readTopics(reading, topics, path) {
  if (!Array.isArray(topics) || topics.length === 0) {
    err(reading, `\`${path}.topics\` is ${show(topics)}, and must be an array with at least one matcher.`);
    return [];
  }
  return topics.flatMap((topic, i) => readTopic(reading, topic, `${path}.topics[${i}]`));
}

/**
 * @param {Reading} reading
 * @param {unknown} topic
 * @param {string} path
 * @returns {Grant[]}
 */
function readTopic(reading, topic, path) {
  if (typeof topic === "string") {
    err(
      reading,
      `\`${path}\` is the bare string ${show(topic)}, and must be \`{"match": ${
        JSON.stringify(cut(topic))
      }}\`.`,
    );
    return [];
  }
  if (!isObject(topic) || typeof topic.match !== "string" || topic.match === "") {
    err(reading, `\`${path}\` is ${show(topic)}, and must be an object whose \`match\` is a string.`);
    return [];
  }
  const type = topic.match_type ?? "exact";
  if (typeof type !== "string" || !MATCH_TYPES.includes(type)) {
    err(reading, `\`${path}.match_type\` is ${show(type)}, and must be \`exact\` or \`urlpattern\`.`);
    return [];
  }
  if (FORBIDDEN.test(topic.match)) {
    err(reading, `\`${path}.match\` has a control or an invisible character, which no topic may have.`);
    return [];
  }
  return [{ match: topic.match, type }];
}

/**
 * @param {Reading} reading
 * @param {"publish" | "subscribe"} action
 * @param {JsonObject} claim
 */
function readLegacy(reading, action, claim) {
  const topics = claim[action] ?? [];
  if (!Array.isArray(topics)) {
    err(reading, `\`mercure.${action}\` is ${show(topics)}, and must be an array.`);
    return;
  }
  for (const topic of topics) {
    if (typeof topic === "string") {
      reading[action].push({ match: topic, type: topic.includes("{") ? "template" : "exact" });
    } else if (isObject(topic) && typeof topic.match === "string") {
      const type = typeof topic.match_type === "string" ? topic.match_type : "exact";
      reading[action].push({ match: topic.match, type });
    } else {
      err(reading, `\`mercure.${action}\` has ${show(topic)}, which is no topic.`);
    }
  }
}

/**
 * @param {Reading} reading
 * @param {string} text
 */
function err(reading, text) {
  reading.mistakes.push({ level: "error", text });
}

/**
 * @param {Reading} reading
 * @param {string} text
 */
function warn(reading, text) {
  reading.mistakes.push({ level: "warning", text });
}

/**
 * @param {unknown} value
 * @returns {value is JsonObject}
 */
function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** @param {unknown} value */
function show(value) {
  return value === undefined ? "missing" : `\`${cut(JSON.stringify(value))}\``;
}

/** @param {string} text */
function cut(text) {
  return text.length <= QUOTED_CHARACTERS_MAX ? text : `${text.slice(0, QUOTED_CHARACTERS_MAX)}…`;
}
