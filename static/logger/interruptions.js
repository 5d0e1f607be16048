// @ts-check
/**
 * Makes a row of each time that the connection was away.
 *
 * @module
 */

/** Another tab that takes over is no interruption. */
const LOST_MS_MIN = 1_000;

export class Interruptions {
  #log;
  /** In ms of the epoch; 0 while it is there, or has never been. */
  #lostAt = 0;
  #wasConnected;

  /** @param {import("./logger.js").Log} log */
  constructor(log) {
    this.#log = log;
    this.#wasConnected = log.isLive;
  }

  /** @param {import("./types.d.ts").SourceState} state */
  show({ name }) {
    const isConnected = name === "live" || name === "catching-up";
    const lostAt = this.#lostAt;
    this.#wasConnected ||= isConnected;
    this.#lostAt = isConnected || !this.#wasConnected ? 0 : lostAt || Date.now();
    if (!isConnected || lostAt === 0) return;
    const { ring, note } = this.#log;
    const lostMs = Date.now() - lostAt;
    // Where nothing happens, one of many will do: streams end every few minutes.
    if (lostMs < LOST_MS_MIN || ring.at(ring.end - 1)?.row === "notice") return;
    note("notice", `Connected again after ${Math.round(lostMs / 1000)} s`);
  }
}
