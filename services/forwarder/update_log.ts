/**
 * The ordered history of updates: it numbers them, remembers which request stored which, and finds them again.
 * It lives in memory as long as the process does; in SQLite all the same, whose transactions and indexes stay
 * what they are when the history moves to a file.
 */
import { DatabaseSync, type StatementSync } from "node:sqlite";
import type { Position } from "../lib/channels/position.ts";
import type { StoredUpdate } from "../lib/channels/zeromq_wire.ts";
import { HistoryLostError } from "../lib/channel.ts";
import type { Update } from "../lib/update.ts";

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
  /** How many updates are kept at most. */
  readonly keep?: number;
}

const SCHEMA = `
  CREATE TABLE updates (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    request_key TEXT UNIQUE,
    json TEXT NOT NULL
  ) STRICT;
  CREATE INDEX updates_by_id ON updates (id, number);
`;

/** Characters of JSON in one read: a page of large updates is shorter than a page of small ones. */
const READ_CHARACTERS = 1024 * 1024;

export class UpdateLog implements Disposable {
  /** Names this log, so that a cursor of another one is noticed. */
  readonly epoch: string = Array.from(
    crypto.getRandomValues(new Uint8Array(8)),
    (byte) => byte.toString(16).padStart(2, "0"),
  ).join("");
  readonly #keep: number;
  readonly #database = new DatabaseSync(":memory:");
  readonly #statements: Record<"insert" | "byKey" | "forget" | "read" | "locate", StatementSync>;
  #newest = 0;
  #oldest = 1;

  constructor({ keep = 10_000 }: UpdateLogOptions = {}) {
    this.#keep = keep;
    this.#database.exec(SCHEMA);
    const prepare = (sql: string) => this.#database.prepare(sql);
    this.#statements = {
      insert: prepare("INSERT INTO updates (number, id, request_key, json) VALUES (?, ?, ?, ?)"),
      byKey: prepare("SELECT number, json FROM updates WHERE request_key = ?"),
      forget: prepare("DELETE FROM updates WHERE number < ?"),
      read: prepare("SELECT number, json FROM updates WHERE number > ? ORDER BY number"),
      locate: prepare("SELECT number FROM updates WHERE id = ? ORDER BY number LIMIT 1"),
    };
  }

  /** The position of the newest update; its number is 0 before the first one. */
  get end(): Position {
    return this.#at(this.#newest);
  }

  /** Stores all of them, or throws and stores none. Returns one answer for each, in their order. */
  append(requests: readonly AppendRequest[]): AppendResult[] {
    const before = this.#newest;
    this.#database.exec("BEGIN");
    try {
      const results = requests.map((request) => this.#appendOne(request));
      this.#forget();
      this.#database.exec("COMMIT");
      return results;
    } catch (error) {
      this.#newest = before;
      this.#database.exec("ROLLBACK");
      throw error;
    }
  }

  /**
   * At most `limit` updates after a position, and fewer when they are large.
   *
   * @throws {HistoryLostError} when the position is older than what is kept, or not of this log.
   */
  read(after: Position | "earliest", limit: number): StoredUpdate[] {
    const start = after === "earliest" ? this.#oldest - 1 : this.#numberOf(after);
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
    const row = this.#statements.locate.get(id) as { number: number } | undefined;
    return row && this.#at(row.number);
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }

  #appendOne({ update, requestKey }: AppendRequest): AppendResult {
    const first = requestKey === undefined
      ? undefined
      : this.#statements.byKey.get(requestKey) as { number: number; json: string } | undefined;
    const [topic] = update.topics;
    if (first !== undefined) {
      return { position: this.#at(first.number), topic, json: first.json, known: true };
    }
    const json = JSON.stringify(update);
    const number = this.#newest + 1;
    this.#statements.insert.run(number, update.id, requestKey ?? null, json);
    this.#newest = number;
    return { position: this.#at(number), topic, json, known: false };
  }

  #forget(): void {
    const oldest = Math.max(this.#oldest, this.#newest - this.#keep + 1);
    if (oldest === this.#oldest) return;
    this.#statements.forget.run(oldest);
    this.#oldest = oldest;
  }

  #numberOf({ epoch, number }: Position): number {
    if (epoch !== this.epoch) throw new HistoryLostError("The cursor is of another log");
    if (number < this.#oldest - 1) throw new HistoryLostError("The cursor is older than what is kept");
    if (number > this.#newest) throw new HistoryLostError("The cursor is newer than the newest update");
    return number;
  }

  #at(number: number): Position {
    return { epoch: this.epoch, number };
  }
}
