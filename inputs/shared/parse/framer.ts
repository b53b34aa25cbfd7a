import type { Cut } from "../../../agent/api/batch.ts";
import { CriParser } from "./cri.ts";
import { DockerParser } from "./docker.ts";
import { LineFramer } from "./lines.ts";
import { ObjectFramer } from "./objects.ts";
import { ParsedFramer } from "./parsed.ts";
import { SyslogParser } from "./syslog.ts";

/** How a source's bytes become records. */
export type ParserName = "json" | "none" | "syslog" | "cri" | "docker";

/**
 * Records found in one chunk: record i is `buffer[starts[i], ends[i])` and began at byte `offsets[i]` of its source.
 * The arrays may be longer than `count`.
 */
export interface Framed {
  readonly buffer: Buffer;
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
  readonly offsets: Float64Array;
  readonly count: number;
  /** `RecordFlag` bits; undefined where no record has one. */
  readonly flags: Uint8Array | undefined;
  readonly cuts: ReadonlyMap<number, Cut> | undefined;
  /** No record has a line break in it. */
  readonly lines?: boolean;
  /** Where to read on. Before the end of the chunk where the framer wants the rest of it (an unfinished record) again. */
  readonly next: number;
  /**
   * Where a new framer may start after a crash: it finds exactly the records not yet returned, with the same offsets and bytes.
   * Every record returned so far began before it.
   */
  readonly resume: number;
}

/**
 * Cuts a stream of bytes into records. Rules of all parsers: the newline is no part of a record, nor is one CR before it; a line of
 * nothing but spaces, tabs and CRs is no record; a UTF-8 byte order mark at offset 0 is skipped (the first record's offset is then 3);
 * anything else, NUL and invalid UTF-8 included, passes as it is. What is longer than `maxLineBytes` travels cut: its first
 * `maxLineBytes` bytes, less up to three so that no UTF-8 character is split, with the full length and hash in `cuts`.
 */
export interface Framer {
  /**
   * Takes the chunk that starts at source offset `at`: any offset on the first call, the last answer's `next` afterwards (anything else
   * throws). Keeps references to the chunk: it must not be overwritten. An answer may hold no record.
   */
  push(chunk: Buffer, at: number): Framed;
  /** The source is finished: the unfinished rest as records. The framer then starts afresh at `next`. */
  flush(): Framed;
}

export interface FramerOptions {
  readonly parser: ParserName;
  /** `json`: pretty-printed objects over several lines; only with `parser: json`. */
  readonly multiline?: "json" | undefined;
  /** The longest record that passes whole, in bytes, without its line end. */
  readonly maxLineBytes: number;
}

/** Bytes that wrap the text of a line at most: times, names, braces. */
const WRAPPING = 4096;
/** `\u0001` for one byte. */
const JSON_ESCAPING = 6;

export function createFramer(options: FramerOptions): Framer {
  const { parser, multiline, maxLineBytes: max } = options;
  switch (parser) {
    case "json":
      return multiline === "json" ? new ObjectFramer(max) : new LineFramer(max);
    case "none":
      return new LineFramer(max, true);
    case "syslog":
      return new ParsedFramer(new SyslogParser(max), max, max);
    case "cri":
      return new ParsedFramer(new CriParser(max), max, max + WRAPPING);
    case "docker":
      return new ParsedFramer(new DockerParser(max), max, max * JSON_ESCAPING + WRAPPING);
  }
}
