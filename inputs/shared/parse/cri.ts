import type { Cut } from "../../../agent/api/batch.ts";
import { Joiner } from "./joiner.ts";
import type { RecordOutput } from "./output.ts";
import type { LineParser } from "./parsed.ts";

const SPACE = 0x20;
const COLON = 0x3a;
const FULL = 0x46;
const PARTIAL = 0x50;
/** `2026-02-12T18:30:00Z` to nanoseconds and an offset. */
const STAMP = { min: 20, max: 35 } as const;

/**
 * The files of Kubernetes' container runtimes: `<RFC 3339 time> <stdout|stderr> <P|F>[:more tags] <text>`. The record is the text; parts
 * (P) are joined up to the next full line (F) of their stream. A line of another form passes whole.
 */
export class CriParser implements LineParser {
  readonly #joiner: Joiner;

  constructor(maxLineBytes: number) {
    this.#joiner = new Joiner(maxLineBytes);
  }

  get pending(): number | undefined {
    return this.#joiner.pending;
  }

  line(buffer: Buffer, start: number, end: number, offset: number, out: RecordOutput): void {
    const stream = stampEnd(buffer, start, end) + 1;
    const tags = stream + "stdout ".length;
    const text = stream > 0 && isStream(buffer, stream) ? textStart(buffer, tags, end) : -1;
    if (text < 0) {
      this.#joiner.whole(buffer, start, end, offset, out);
      return;
    }
    const name = buffer[stream + 3] === 0x6f ? "stdout" : "stderr";
    this.#joiner.part(name, buffer, text, end, offset, buffer[tags] === FULL, out);
  }

  cutLine(bytes: Buffer, offset: number, cut: Cut, out: RecordOutput): void {
    this.#joiner.cut(bytes, offset, cut, out);
  }

  flush(out: RecordOutput): void {
    this.#joiner.flush(out);
  }
}

/** Position of the space after a time; -1 where there is none. */
function stampEnd(buffer: Buffer, start: number, end: number): number {
  if (
    end - start < STAMP.min ||
    buffer[start + 4] !== 0x2d ||
    buffer[start + 10] !== 0x54 ||
    buffer[start + 13] !== COLON
  ) {
    return -1;
  }
  for (let i = start + STAMP.min; i < end && i <= start + STAMP.max; i++) if (buffer[i] === SPACE) return i;
  return -1;
}

/** `stdout ` or `stderr ` stands at `at`. */
function isStream(buffer: Buffer, at: number): boolean {
  const name = buffer.toString("latin1", at, at + 7);
  return name === "stdout " || name === "stderr ";
}

/** Position after the tags, of which the first is P or F; -1 where they are no tags. A line may end with them. */
function textStart(buffer: Buffer, tags: number, end: number): number {
  if (tags >= end || (buffer[tags] !== FULL && buffer[tags] !== PARTIAL)) return -1;
  let at = tags + 1;
  if (at < end && buffer[at] === COLON) {
    const space = buffer.indexOf(SPACE, at);
    at = space < 0 || space > end ? end : space;
  }
  if (at === end) return end;
  return buffer[at] === SPACE ? at + 1 : -1;
}
