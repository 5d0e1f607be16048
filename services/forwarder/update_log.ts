/**
 * The ordered history of updates, in an SQLite file: it numbers them, remembers which request stored which, finds
 * them again, and forgets the oldest.
 *
 * What `append` returned is on the disk (`sync: full`), or in the hands of the operating system (`normal`). The
 * file is this process's alone while it is open: two forwarders with one log would give two updates one number.
 */
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { HistoryLostError } from "../lib/channel.ts";
import type { Position } from "../lib/channels/position.ts";
import type { StoredUpdate } from "../lib/channels/zeromq_wire.ts";
import { messageOf } from "../lib/log.ts";
import { EXIT_BAD_SETTINGS, StartError } from "../lib/start.ts";
import type { Update } from "../lib/update.ts";
import { type Bounds, NO_BOUNDS } from "./retention.ts";

/** An update that wants to be stored. */
export interface AppendRequest {
  readonly update: Update;
  /** Two requests with one key store one update. */
  readonly requestKey?: string;
}

/** What became of a request. */
export interface AppendResult extends StoredUpdate {
  /** The canonical topic. */
  readonly topic: string;
  /** Whether an earlier request with the same key had stored it; the rest is then what that one stored. */
  readonly known: boolean;
}

export interface UpdateLogOptions {
  /** The file; its folder is made when it is missing. `:memory:` stands for none. */
  readonly path: string;
  /** `full` survives the loss of power, `normal` the end of the process. */
  readonly sync?: "full" | "normal";
  readonly bounds?: Bounds;
}

/** The log cannot be written now: the disk is full or read-only. Nothing was stored; it may work again later. */
export class LogUnavailableError extends Error {
  override readonly name = "LogUnavailableError";
}

/** Marks the file as ours, "SSEL", so that no other database is taken for one. */
const APPLICATION_ID = 0x5353454c;
const SCHEMA_VERSION = 1;

const SCHEMA = `
  CREATE TABLE log (epoch TEXT NOT NULL, forgotten INTEGER NOT NULL) STRICT;
  CREATE TABLE updates (
    number INTEGER PRIMARY KEY,
    stored_at INTEGER NOT NULL,
    id TEXT NOT NULL,
    request_key TEXT UNIQUE,
    json TEXT NOT NULL
  ) STRICT;
  CREATE INDEX updates_by_id ON updates (id, number);
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${SCHEMA_VERSION};
`;

/** Characters of JSON in one read: a page of large updates is shorter than a page of small ones. */
const READ_CHARACTERS = 256 * 1024;
/** Characters of JSON that one step of forgetting takes out, so that it holds up nobody for long. */
const STEP_CHARACTERS = 4 * 1024 * 1024;
/** Bytes to which the write-ahead log shrinks again after a burst. */
const JOURNAL_BYTES = 16 * 1024 * 1024;
/** Free pages that are kept for the next updates; what is above goes back to the file system, a few at a time. */
const FREE_PAGES = 256;
const VACUUM_PAGES = 256;

/** SQLite's result codes that mean something to an operator. Source: https://www.sqlite.org/rescode.html */
const REASONS: ReadonlyMap<number, string> = new Map([
  [5, "another process has it open"],
  [8, "it cannot be written"],
  [10, "the disk does not take it, or is full"],
  [11, "it is damaged"],
  [13, "the disk is full"],
  [14, "it cannot be opened"],
  [26, "it is not a database"],
]);

/** Those that may pass by themselves: busy, out of memory, read-only, input or output, full, cannot open. */
const PASSING: ReadonlySet<number> = new Set([5, 7, 8, 10, 13, 14]);

type Statements = Readonly<
  Record<
    | "begin"
    | "commit"
    | "insert"
    | "byKey"
    | "read"
    | "locate"
    | "endAt"
    | "cut"
    | "forget"
    | "remember"
    | "vacuum",
    StatementSync
  >
>;

export class UpdateLog implements Disposable {
  /** Names this log, so that a cursor of another one is noticed. Made when the file is. */
  readonly epoch: string;
  readonly #database: DatabaseSync;
  readonly #statements: Statements;
  readonly #bounds: Bounds;
  #newest: number;
  /** The highest number that is no longer in the file. */
  #forgotten: number;

  /** @throws {StartError} when the file cannot be used. */
  constructor({ path, sync = "full", bounds = NO_BOUNDS }: UpdateLogOptions) {
    this.#bounds = bounds;
    try {
      if (path !== ":memory:") mkdirSync(dirname(path), { recursive: true });
      this.#database = openDatabase(path, sync);
    } catch (error) {
      if (error instanceof StartError) throw error;
      throw refusal(path, reasonOf(error), error);
    }
    const row = this.#database.prepare("SELECT epoch, forgotten FROM log").get();
    const { epoch, forgotten } = row as { epoch: string; forgotten: number };
    this.epoch = epoch;
    this.#forgotten = forgotten;
    const last = this.#database.prepare("SELECT max(number) AS number FROM updates").get();
    this.#newest = (last as { number: number | null }).number ?? forgotten;
    const prepare = (sql: string) => this.#database.prepare(sql);
    this.#statements = {
      // Prepared, as all that writes: errors of exec() do not say their result code.
      begin: prepare("BEGIN IMMEDIATE"),
      commit: prepare("COMMIT"),
      insert: prepare(
        "INSERT INTO updates (number, stored_at, id, request_key, json) VALUES (?, ?, ?, ?, ?)",
      ),
      byKey: prepare("SELECT number, json FROM updates WHERE request_key = ?"),
      read: prepare("SELECT number, json FROM updates WHERE number > ? ORDER BY number"),
      locate: prepare("SELECT number FROM updates WHERE id = ? AND number > ? ORDER BY number LIMIT 1"),
      endAt: prepare(
        "SELECT number FROM updates WHERE number > ? AND stored_at < ? ORDER BY number DESC LIMIT 1",
      ),
      cut: prepare(
        "SELECT number, stored_at, length(json) AS size FROM updates WHERE number > ? ORDER BY number LIMIT ?",
      ),
      forget: prepare("DELETE FROM updates WHERE number <= ?"),
      remember: prepare("UPDATE log SET forgotten = ?"),
      vacuum: prepare(`PRAGMA incremental_vacuum(${VACUUM_PAGES})`),
    };
  }

  /** The position of the newest update; its number is 0 before the first one. */
  get end(): Position {
    return this.#at(this.#newest);
  }

  /** Where the log ended at a time, in milliseconds since 1970, or the oldest place that is kept. */
  endAt(time: number): Position {
    const row = this.#statements.endAt.get(this.#start, time) as { number: number } | undefined;
    return this.#at(row?.number ?? this.#start);
  }

  /**
   * Stores all of them in one transaction, or throws and stores none. Returns one answer for each, in order.
   *
   * @throws {LogUnavailableError} when the file cannot be written.
   */
  append(requests: readonly AppendRequest[]): AppendResult[] {
    const before = this.#newest;
    try {
      return this.#transaction(() => requests.map((request) => this.#appendOne(request)));
    } catch (error) {
      this.#newest = before;
      throw error;
    }
  }

  /**
   * At most `limit` updates after a position, and fewer when they are large.
   *
   * @throws {HistoryLostError} when the position is older than what is kept, or not of this log.
   */
  read(after: Position | "earliest", limit: number): StoredUpdate[] {
    const start = after === "earliest" ? this.#start : this.#numberOf(after);
    const page: StoredUpdate[] = [];
    let characters = 0;
    for (const row of this.#statements.read.iterate(start)) {
      const { number, json } = row as { number: number; json: string };
      page.push({ position: this.#at(number), json });
      characters += json.length;
      if (page.length >= limit || characters >= READ_CHARACTERS) break;
    }
    return page;
  }

  /** The position of the first kept update that bears this id. */
  locate(id: string): Position | undefined {
    const row = this.#statements.locate.get(id, this.#start) as { number: number } | undefined;
    return row && this.#at(row.number);
  }

  /**
   * Takes some of the oldest updates that the bounds no longer keep out of the file, at most `limit` and not many
   * bytes, and gives free space back. Returns whether there may be more to do.
   *
   * @throws {LogUnavailableError} when the file cannot be written.
   */
  forget(limit: number, now = Date.now()): boolean {
    const last = this.#lastToForget(limit, now);
    if (last !== undefined) {
      this.#transaction(() => {
        this.#statements.forget.run(last);
        this.#statements.remember.run(last);
      });
      this.#forgotten = last;
    }
    return this.#giveBack() || last !== undefined;
  }

  /** The number up to which one step forgets. */
  #lastToForget(limit: number, now: number): number | undefined {
    const { ageMs, bytes } = this.#bounds;
    const storedBefore = ageMs === 0 ? -Infinity : now - ageMs;
    let excess = bytes === 0 ? 0 : this.#usedBytes() - bytes;
    let last: number | undefined;
    let taken = 0;
    for (const row of this.#statements.cut.iterate(this.#forgotten, limit)) {
      const { number, stored_at, size } = row as { number: number; stored_at: number; size: number };
      // The newest is what its publisher may still be waiting to hear of: no size is worth losing it.
      const isOver = number <= this.#start || stored_at < storedBefore ||
        (excess > 0 && number < this.#newest);
      if (!isOver || taken >= STEP_CHARACTERS) break;
      last = number;
      excess -= size;
      taken += size;
    }
    return last;
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }

  /** The highest number that is forgotten: what is over the count is, even while it still stands in the file. */
  get #start(): number {
    const { updates } = this.#bounds;
    return updates === 0 ? this.#forgotten : Math.max(this.#forgotten, this.#newest - updates);
  }

  #appendOne({ update, requestKey }: AppendRequest): AppendResult {
    const [topic] = update.topics;
    const first = requestKey === undefined
      ? undefined
      : this.#statements.byKey.get(requestKey) as { number: number; json: string } | undefined;
    if (first !== undefined) {
      return { position: this.#at(first.number), topic, json: first.json, known: true };
    }
    const json = JSON.stringify(update);
    const number = this.#newest + 1;
    this.#statements.insert.run(number, Date.now(), update.id, requestKey ?? null, json);
    this.#newest = number;
    return { position: this.#at(number), topic, json, known: false };
  }

  #numberOf({ epoch, number }: Position): number {
    if (epoch !== this.epoch) throw new HistoryLostError("The cursor is of another log");
    if (number < this.#start) throw new HistoryLostError("The cursor is older than what is kept");
    if (number > this.#newest) throw new HistoryLostError("The cursor is newer than the newest update");
    return number;
  }

  #at(number: number): Position {
    return { epoch: this.epoch, number };
  }

  #transaction<T>(write: () => T): T {
    try {
      this.#statements.begin.run();
      const result = write();
      this.#statements.commit.run();
      return result;
    } catch (error) {
      // Some failures, a full disk among them, have ended the transaction already.
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      if (!isPassing(error)) throw error;
      this.#shrinkJournal();
      throw new LogUnavailableError(`Cannot write the log: ${reasonOf(error)}`, { cause: error });
    }
  }

  /** Moves the write-ahead log into the file: on a full disk that is the room in which old updates are forgotten. */
  #shrinkJournal(): void {
    try {
      this.#database.prepare("PRAGMA wal_checkpoint(TRUNCATE)").all();
    } catch (error) {
      // There is no room for this either. The next one who writes tries again.
      if (!isPassing(error)) throw error;
    }
  }

  #usedBytes(): number {
    return (this.#pragma("page_count") - this.#pragma("freelist_count")) * this.#pragma("page_size");
  }

  /** Gives a few free pages back to the file system; returns whether there are more. */
  #giveBack(): boolean {
    const spare = this.#pragma("freelist_count") - FREE_PAGES;
    if (spare <= 0) return false;
    this.#transaction(() => this.#statements.vacuum.all());
    return spare > VACUUM_PAGES;
  }

  #pragma(name: "page_count" | "freelist_count" | "page_size"): number {
    return Object.values(this.#database.prepare(`PRAGMA ${name}`).get() ?? {})[0] as number;
  }
}

function openDatabase(path: string, sync: "full" | "normal"): DatabaseSync {
  const database = new DatabaseSync(path);
  try {
    const steps = [
      // First, so that the lock is taken with the first look and kept for as long as the file is open.
      "PRAGMA locking_mode = EXCLUSIVE",
      "PRAGMA auto_vacuum = INCREMENTAL",
      "PRAGMA journal_mode = WAL",
      `PRAGMA synchronous = ${sync}`,
      `PRAGMA journal_size_limit = ${JOURNAL_BYTES}`,
      "BEGIN IMMEDIATE",
    ];
    for (const step of steps) database.prepare(step).all();
    const { objects } = database.prepare("SELECT count(*) AS objects FROM sqlite_schema").get() as {
      objects: number;
    };
    if (objects === 0) create(database);
    else check(database, path);
    database.exec("COMMIT");
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function create(database: DatabaseSync): void {
  database.exec(SCHEMA);
  const epoch = crypto.getRandomValues(new Uint8Array(8)).toHex();
  database.prepare("INSERT INTO log (epoch, forgotten) VALUES (?, 0)").run(epoch);
}

function check(database: DatabaseSync, path: string): void {
  const valueOf = (pragma: string) => Object.values(database.prepare(`PRAGMA ${pragma}`).get() ?? {})[0];
  if (valueOf("application_id") !== APPLICATION_ID) throw refusal(path, "it is a database of something else");
  const version = valueOf("user_version");
  if (version !== SCHEMA_VERSION) {
    throw refusal(path, `its version is ${version}, and this forwarder reads version ${SCHEMA_VERSION}`);
  }
}

function refusal(path: string, reason: string, cause?: unknown): StartError {
  return new StartError(`Cannot use UPDATE_LOG ${path}: ${reason}`, { cause, exitCode: EXIT_BAD_SETTINGS });
}

/** SQLite's primary result code, or undefined when the error is not SQLite's. */
function resultCodeOf(error: unknown): number | undefined {
  const code = (error as { errcode?: unknown }).errcode;
  return typeof code === "number" ? code & 0xff : undefined;
}

function isPassing(error: unknown): boolean {
  const code = resultCodeOf(error);
  return code !== undefined && PASSING.has(code);
}

function reasonOf(error: unknown): string {
  const code = resultCodeOf(error);
  return (code !== undefined && REASONS.get(code)) || messageOf(error);
}
