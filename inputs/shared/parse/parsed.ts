import type { Cut } from "../../../agent/api/batch.ts";
import type { Framed, Framer } from "./framer.ts";
import { LineFramer } from "./lines.ts";
import { cutOf, RecordOutput } from "./output.ts";
import { cutEnd } from "./spans.ts";

/** Makes records of lines that wrap them. May keep parts of records until their last line. */
export interface LineParser {
  /** A whole line (without its line end) that began at `offset`. */
  line(buffer: Buffer, start: number, end: number, offset: number, out: RecordOutput): void;
  /** A line too long to be parsed: its first bytes. */
  cutLine(bytes: Buffer, offset: number, cut: Cut, out: RecordOutput): void;
  /** No line follows. */
  flush(out: RecordOutput): void;
  /** Offset of the first line of which something is kept; undefined while nothing is. */
  readonly pending: number | undefined;
}

/** Lines first, then what they wrap. */
export class ParsedFramer implements Framer {
  readonly #lines: LineFramer;
  readonly #parser: LineParser;
  readonly #max: number;

  /** `maxRaw`: the longest line that is parsed at all; wrapping makes lines longer than their records. */
  constructor(parser: LineParser, maxLineBytes: number, maxRaw: number) {
    this.#lines = new LineFramer(maxRaw);
    this.#parser = parser;
    this.#max = maxLineBytes;
  }

  push(chunk: Buffer, at: number): Framed {
    return this.#parse(this.#lines.push(chunk, at), false);
  }

  flush(): Framed {
    return this.#parse(this.#lines.flush(), true);
  }

  #parse(raw: Framed, last: boolean): Framed {
    const parser = this.#parser;
    const out = new RecordOutput(raw.count, raw.count === 0 ? 0 : raw.ends[raw.count - 1]! + 64);
    for (let i = 0; i < raw.count; i++) {
      const start = raw.starts[i]!;
      const end = raw.ends[i]!;
      const cut = cutOf(raw, i);
      if (!cut) parser.line(raw.buffer, start, end, raw.offsets[i]!, out);
      else parser.cutLine(this.#shorten(raw.buffer.subarray(start, end)), raw.offsets[i]!, cut, out);
    }
    if (last) parser.flush(out);
    return out.framed(raw.next, parser.pending ?? raw.resume);
  }

  #shorten(bytes: Buffer): Buffer {
    return bytes.length > this.#max ? bytes.subarray(0, cutEnd(bytes, 0, this.#max)) : bytes;
  }
}
