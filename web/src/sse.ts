/** Server-sent events from the text of a response (WHATWG HTML § 9.2.6). EventSource cannot send the token. */
export interface SseMessage {
  readonly event: string;
  readonly data: string;
}

/** A line longer than this is no message of ours. */
const MAX_LINE = 32 * 2 ** 20;

export class SseParser {
  #rest = "";
  /** The last piece ended with `\r`; a `\n` that begins the next one belongs to it. */
  #afterReturn = false;
  #event = "";
  #data: string[] = [];

  /** The messages that are complete with this piece. */
  push(piece: string): SseMessage[] {
    let text = piece;
    if (this.#afterReturn && text.startsWith("\n")) text = text.slice(1);
    if (text !== "") this.#afterReturn = text.endsWith("\r");
    const lines = (this.#rest + text).split(/\r\n|\r|\n/);
    this.#rest = lines.pop()!;
    if (this.#rest.length > MAX_LINE) throw new Error("a message of the agent is too long");
    return lines.flatMap((line) => this.#line(line) ?? []);
  }

  #line(line: string): SseMessage | undefined {
    if (line === "") return this.#dispatch();
    const colon = line.indexOf(":");
    // A line that begins with a colon is a comment: it keeps the connection alive.
    if (colon === 0) return undefined;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") this.#event = value;
    if (field === "data") this.#data.push(value);
    return undefined;
  }

  #dispatch(): SseMessage | undefined {
    const message = { event: this.#event || "message", data: this.#data.join("\n") };
    const empty = this.#data.length === 0;
    this.#event = "";
    this.#data = [];
    return empty ? undefined : message;
  }
}
