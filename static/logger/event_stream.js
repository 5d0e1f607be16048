// @ts-check
/**
 * Turns the text of an event stream into events, by the rules of the WHATWG HTML standard,
 * "Interpreting an event stream". It knows nothing of connections, of JSON or of the page.
 *
 * @module
 */

/** @typedef {import("./types.d.ts").StreamEvent} StreamEvent */

/**
 * @typedef {object} ParserHandlers
 * @property {(event: StreamEvent) => void} onEvent
 * @property {(lastEventId: string) => void} onLastEventId Called at each dispatch that sets or clears the id.
 * @property {(ms: number) => void} onRetry
 */

/** One event may fill this many characters; past it the sender is broken, and memory must not pay for it. */
const EVENT_CHARACTERS_MAX = 8 * 1024 * 1024;

// [spec] lines end with CRLF, with a single LF or with a single CR
const LINE_END = /\r\n|\n|\r/g;

const BYTE_ORDER_MARK = "\uFEFF";

export class EventStreamParser {
  #handlers;
  #isAtBeginning = true;
  /** The beginning of a line whose end has not arrived. */
  #partialLine = "";
  /** The last chunk ended with CR: a LF that opens the next one belongs to the same line end. */
  #skipNextLineFeed = false;
  #data = "";
  #hasData = false;
  #type = "";
  /** @type {string | undefined} */
  #id;

  /** @param {ParserHandlers} handlers */
  constructor(handlers) {
    this.#handlers = handlers;
  }

  /**
   * Takes the next piece of decoded text, cut anywhere, with the byte order mark if there is one.
   *
   * @param {string} chunk
   */
  feed(chunk) {
    if (chunk === "") return;
    let start = this.#skipNextLineFeed && chunk.startsWith("\n") ? 1 : 0;
    // [spec] one leading U+FEFF is ignored
    if (this.#isAtBeginning && chunk.startsWith(BYTE_ORDER_MARK)) start = 1;
    this.#isAtBeginning = false;
    this.#skipNextLineFeed = chunk.endsWith("\r");

    LINE_END.lastIndex = start;
    for (let end = LINE_END.exec(chunk); end !== null; end = LINE_END.exec(chunk)) {
      this.#takeLine(this.#partialLine + chunk.slice(start, end.index));
      this.#partialLine = "";
      start = LINE_END.lastIndex;
    }
    this.#partialLine += chunk.slice(start);

    if (this.#partialLine.length + this.#data.length > EVENT_CHARACTERS_MAX) {
      throw new RangeError("An event of the stream is too large.");
    }
  }

  /** @param {string} line */
  #takeLine(line) {
    if (line === "") return this.#dispatch();

    // A comment has its colon first, so its field name is empty and the switch below ignores it.
    const colon = line.indexOf(":");
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    this.#takeField(field, value);
  }

  /**
   * @param {string} field
   * @param {string} value
   */
  #takeField(field, value) {
    switch (field) {
      case "data":
        this.#data += this.#hasData ? `\n${value}` : value;
        this.#hasData = true;
        break;
      case "event":
        this.#type = value;
        break;
      case "id":
        // [spec] an id with U+0000 is ignored
        if (!value.includes("\0")) this.#id = value;
        break;
      case "retry":
        // [spec] ASCII digits only
        if (/^[0-9]+$/.test(value)) this.#handlers.onRetry(Number(value));
        break;
    }
  }

  #dispatch() {
    const event = { id: this.#id ?? "", type: this.#type || "message", data: this.#data };
    const hasId = this.#id !== undefined;
    const hasData = this.#hasData;
    this.#data = "";
    this.#hasData = false;
    this.#type = "";
    this.#id = undefined;

    // [spec] the last event id is set even when there is no data, and then no event is fired
    if (hasId) this.#handlers.onLastEventId(event.id);
    if (hasData) this.#handlers.onEvent(event);
  }
}
