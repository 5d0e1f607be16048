// @ts-check
/**
 * What one row of the page is made of. Everything that came by the stream is untrusted: anybody may publish.
 *
 * @module
 */

import { parseObject } from "./json.js";
import { toUpdate } from "./update.js";

/** @typedef {import("./types.d.ts").Entry} Entry */
/** @typedef {import("./types.d.ts").StreamEvent} StreamEvent */

const LEVELS = new Set(["debug", "info", "warning", "error"]);
/** Characters; a row shows less. */
const MESSAGE_MAX = 500;
const NAME_MAX = 200;

/**
 * @param {StreamEvent} event
 * @param {{ arrived: number, isLive: boolean }} how
 * @returns {Entry} With 0 for its place.
 */
export function toEntry(event, { arrived, isLive }) {
  const body = parseObject(event.data);
  const update = toUpdate(event, arrived, body);
  const isTracked = typeof body.kind === "string" && typeof body.site === "string";
  const kind = name(isTracked ? body.kind : event.type);
  const clocks = object(body.clocks);
  const time = isTime(body.time) ? body.time : update.time;
  const level = isTracked && typeof body.level !== "string"
    ? kind === "error" ? "error" : "info"
    : update.level;
  const message = isTracked && typeof body.message !== "string" ? describe(kind, body) : update.message;
  return {
    seq: 0,
    row: "update",
    id: event.id,
    kind,
    type: event.type,
    level: LEVELS.has(level) ? level : "other",
    message: message.slice(0, MESSAGE_MAX),
    notify: update.notify,
    time,
    arrived,
    isLive,
    site: name(body.site),
    sid: name(body.sid),
    n: typeof body.n === "number" ? body.n : -1,
    latency: isTracked && isTime(clocks.received) ? Math.max(0, clocks.received - time) : -1,
    dropped: typeof body.dropped === "number" && body.dropped > 0
      ? Math.min(Math.floor(body.dropped), 1e9)
      : 0,
    data: event.data,
    // What the row says need not stand in the data: of the kind nothing does, and JSON has escapes.
    text: `${kind} ${message} ${event.data}`.toLowerCase(),
  };
}

/**
 * A row that is no update.
 *
 * @param {"gap" | "mark" | "notice"} row
 * @param {string} message
 * @param {number} time In ms of the epoch.
 * @returns {Entry}
 */
export function noteEntry(row, message, time) {
  const unknown = {
    id: "",
    kind: "",
    type: "",
    level: "other",
    site: "",
    sid: "",
    data: "",
    n: -1,
    latency: -1,
  };
  const rest = { notify: false, dropped: 0, isLive: true, text: message.toLowerCase() };
  return { ...unknown, ...rest, seq: 0, row, message, time, arrived: time };
}

/**
 * One line about a tracking event.
 *
 * @param {string} kind
 * @param {Record<string, unknown>} body
 */
function describe(kind, body) {
  const props = object(body.props);
  const path = pathOf(body.url);
  switch (kind) {
    case "pageview":
      return [text(props.title), path].filter((part) => part !== "").join(" · ");
    case "engagement":
      return `${seconds(props.ms)} on ${path}${
        props.scroll === undefined ? "" : `, read to ${text(props.scroll)} %`
      }`;
    case "click":
    case "outbound":
    case "download":
      return [text(props.text), text(props.href)].filter((part) => part !== "").join(" → ") || path;
    case "form":
      return `${text(props.name) || text(props.id) || "A form"} sent on ${path}`;
    case "error":
      return [text(props.message), path].filter((part) => part !== "").join(" · ");
    default:
      return Object.entries(props).map(([key, value]) => `${key}: ${text(value)}`).join(", ") || path;
  }
}

/** @param {unknown} url */
function pathOf(url) {
  const address = typeof url === "string" ? URL.parse(url) : null;
  return address === null ? text(url) : address.pathname + address.search + address.hash;
}

/** @param {unknown} ms Number() would run what an object claims to be. */
function seconds(ms) {
  return `${Math.round((Number.isFinite(ms) ? Number(ms) : 0) / 1000)} s`;
}

/** @param {unknown} value */
function text(value) {
  if (typeof value === "string") return value;
  try {
    return value === undefined || value === null ? "" : JSON.stringify(value).slice(0, MESSAGE_MAX);
  } catch {
    // It is nested too deep to be written.
    return "…";
  }
}

/** @param {unknown} value */
function name(value) {
  return typeof value === "string" ? value.slice(0, NAME_MAX) : "";
}

/**
 * @param {unknown} value
 * @returns {Record<string, unknown>}
 */
function object(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? /** @type {Record<string, unknown>} */ (value)
    : {};
}

/**
 * A time that a Date can hold.
 *
 * @param {unknown} value
 * @returns {value is number}
 */
export function isTime(value) {
  return typeof value === "number" && Math.abs(value) <= 8.64e15;
}
