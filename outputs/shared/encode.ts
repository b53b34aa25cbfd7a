/**
 * Records as lines of JSON, for the outputs.
 *
 * A record that is a JSON object keeps its bytes; additions go between them (see `merge.ts`). What is none becomes one:
 *   not JSON          {"message":"<the line>","parse_error":"<why>"}
 *   `parser: none`    {"message":"<the line>"}
 *   a cut line        {"message":"<what is left>","truncated":true,"original_length":<bytes>,"original_sha256":"<hex>"}
 * each with `message_base64` (the line's bytes) where the line is not UTF-8, and U+FFFD in `message`.
 *
 * An encoded record never holds a line break. A JSON object can have some between its tokens (`multiline: json`): they become spaces,
 * which changes no value and no canonical form, so hash chains stay valid. `format: original` ships a record's exact bytes but for that
 * (in a line that is no JSON, too); a cut line has no exact bytes any more and is wrapped as above, without additions.
 */
import {
  type Addition,
  type FieldReader,
  type RecordBatch,
  RecordFlag,
  SpanFlag,
  Spans,
} from "../../agent/api/batch.ts";
import type { Emit } from "../../agent/api/events.ts";
import { replaceNonFinite, type Span } from "../../agent/json/value.ts";
import { type Group, groupAdditions } from "./additions.ts";
import { MARKED, withMark } from "./marks.ts";
import { closingBrace, isEmpty, merge, mergeInto } from "./merge.ts";
import { wrap } from "./wrap.ts";
import { ByteWriter } from "./writer.ts";

export interface EncoderOptions {
  readonly fields: FieldReader;
  readonly format: "json" | "original";
  /** What becomes of NaN and Infinity, which are no JSON. */
  readonly nonFinite: "null" | "keep";
  readonly emit: Emit;
  /** The output's, for events. */
  readonly alias: string;
}

const NEWLINE = 0x0a;
const NO_BYTES = Buffer.alloc(0);
const NO_SPANS = new Spans(0, new Uint32Array(), new Uint32Array(), new Uint8Array());

/** Not to be shared between writes that overlap within one tick; `encode` itself is synchronous. */
export class Encoder {
  readonly #fields: FieldReader;
  readonly #original: boolean;
  readonly #keepNonFinite: boolean;
  readonly #emit: Emit;
  readonly #alias: string;
  readonly #scratch = new ByteWriter();

  // Of the batch encoded last.
  #batch: RecordBatch | undefined;
  #spans: Spans = NO_SPANS;
  #additions: readonly Addition[] = [];
  #groups: readonly Group[] = [];
  /** `,"metadata":{…}`: what is appended to an object that has none of the groups' keys. */
  #tail: Buffer = NO_BYTES;
  /** What is to be merged has no column in the spans, so every object must be walked. */
  #walk = false;
  /** The first line break at or after `#lookedFrom`. */
  #lineBreak = -1;
  #lookedFrom = 0;

  #moved = 0;
  #dropped = 0;
  #saidAltered = false;

  constructor(options: EncoderOptions) {
    this.#fields = options.fields;
    this.#original = options.format === "original";
    this.#keepNonFinite = options.nonFinite === "keep";
    this.#emit = options.emit;
    this.#alias = options.alias;
  }

  /**
   * Writes record `index` as one line, without a newline. `extra`: ready members (`"a":1,"b":2`), appended; not for `original`. `unfit`: why
   * the destination cannot be given this object; it is wrapped like what is none, with that for a `parse_error`; not for `original`.
   */
  encode(batch: RecordBatch, index: number, writer: ByteWriter, extra?: Buffer, unfit?: string): void {
    if (batch !== this.#batch) this.#open(batch);
    const start = batch.starts[index]!;
    const end = batch.ends[index]!;
    const recordFlags = batch.flags === undefined ? 0 : batch.flags[index]!;
    if (this.#original) {
      this.#exact(batch, index, start, end, recordFlags, writer);
      return;
    }
    const spanFlags = this.#spans.flags(index);
    if ((recordFlags & ~MARKED) !== 0 || (spanFlags & SpanFlag.notObject) !== 0 || unfit !== undefined)
      this.#wrapped(batch, index, writer, extra, unfit, this.#groupsFor(recordFlags));
    else if (
      recordFlags !== 0 ||
      (!batch.lines && this.#hasLineBreak(batch.buffer, start, end)) ||
      ((spanFlags & SpanFlag.nonFinite) !== 0 && !this.#keepNonFinite)
    ) {
      this.#rewritten(batch.buffer, start, end, spanFlags, writer, extra, this.#groupsFor(recordFlags));
    } else if (this.#walk || this.#hasOwn(index)) this.#merged(batch.buffer, start, end, index, writer, extra);
    else this.#appended(batch.buffer, start, end, writer, extra);
  }

  /** Emits what was counted since the last call. Once per write. */
  report(): void {
    if (this.#moved === 0) return;
    const dropped = this.#dropped > 0 ? { dropped: this.#dropped } : {};
    this.#emit({ is: "addition_moved", output: this.#alias, records: this.#moved, ...dropped });
    this.#moved = 0;
    this.#dropped = 0;
  }

  /** Lets the last batch's memory go, where an encoder stays idle for long. */
  release(): void {
    this.report();
    this.#batch = undefined;
    this.#spans = NO_SPANS;
  }

  #open(batch: RecordBatch): void {
    this.#batch = batch;
    // Exact bytes need no look at them.
    this.#spans = this.#original && this.#keepNonFinite ? NO_SPANS : this.#fields.spans(batch);
    this.#lineBreak = -1;
    if (!sameAdditions(this.#additions, batch.additions)) this.#prepare(batch.additions);
    if (batch.altered && this.#original && !this.#saidAltered) {
      this.#saidAltered = true;
      const message = "format: original ships records that a filter altered: they are no evidence of what was written";
      this.#emit({ is: "notice", level: "warn", component: this.#alias, message });
    }
  }

  #prepare(additions: readonly Addition[]): void {
    this.#additions = additions;
    this.#groups = groupAdditions(additions, this.#fields);
    this.#walk = this.#groups.some((group) => group.column < 0);
    const scratch = new ByteWriter(1024);
    // Where the additions themselves are in each other's way, they also need a key that is no group's.
    this.#walk ||= merge(Buffer.from("{}"), 0, 2, this.#groups, scratch).moved;
    const members = scratch.view().subarray(1, -1);
    this.#tail = members.length === 0 ? NO_BYTES : Buffer.concat([Buffer.from(","), members]);
  }

  /** The batch's additions, and what the record is marked with. */
  #groupsFor(recordFlags: number): readonly Group[] {
    return (recordFlags & MARKED) === 0 ? this.#groups : withMark(this.#groups, recordFlags);
  }

  /** Whether the entry has one of the groups' keys itself. */
  #hasOwn(index: number): boolean {
    const spans = this.#spans;
    const groups = this.#groups;
    for (let i = 0; i < groups.length; i++) if (spans.start(index, groups[i]!.column) !== 0) return true;
    return false;
  }

  /** Asked in the order of the records, it looks at every byte once. */
  #hasLineBreak(buffer: Buffer, start: number, end: number): boolean {
    if (start > this.#lineBreak || start < this.#lookedFrom) {
      this.#lookedFrom = start;
      const found = buffer.indexOf(NEWLINE, start);
      this.#lineBreak = found < 0 ? buffer.length : found;
    }
    return this.#lineBreak < end;
  }

  /** The usual case: the entry's bytes up to its brace, then what was prepared. */
  #appended(buffer: Buffer, start: number, end: number, writer: ByteWriter, extra: Buffer | undefined): void {
    const tail = this.#tail;
    const close = closingBrace(buffer, end);
    writer.ensure(close - start + tail.length + (extra === undefined ? 0 : extra.length) + 2);
    const to = writer.buffer;
    let at = writer.length;
    buffer.copy(to, at, start, close);
    at += close - start;
    let empty = isEmpty(buffer, close);
    if (tail.length > 0) {
      // `set` of a whole array takes half of what `copy` takes.
      if (empty) tail.copy(to, at, 1);
      else to.set(tail, at);
      at += empty ? tail.length - 1 : tail.length;
      empty = false;
    }
    if (extra !== undefined && extra.length > 0) {
      if (!empty) to[at++] = 0x2c;
      to.set(extra, at);
      at += extra.length;
    }
    to[at++] = 0x7d;
    writer.length = at;
  }

  #merged(
    buffer: Buffer,
    start: number,
    end: number,
    index: number,
    writer: ByteWriter,
    extra: Buffer | undefined,
  ): void {
    const spans = this.#spans;
    if (this.#groups.length === 1 && !this.#walk) {
      const group = this.#groups[0]!;
      const { column } = group;
      if (mergeInto(buffer, start, end, spans.start(index, column), spans.end(index, column), group, writer, extra))
        return;
    }
    this.#mergedAny(buffer, start, end, index, writer, extra);
  }

  /** Apart from `#merged`, because a function that makes another one allocates for it before it knows whether it must. */
  #mergedAny(
    buffer: Buffer,
    start: number,
    end: number,
    index: number,
    writer: ByteWriter,
    extra: Buffer | undefined,
  ): void {
    const spans = this.#spans;
    const own = ({ column }: Group): Span | undefined => {
      if (column < 0) return undefined;
      const from = spans.start(index, column);
      return from === 0 ? { start: -1, end: -1 } : { start: from, end: spans.end(index, column) };
    };
    this.#count(merge(buffer, start, end, this.#groups, writer, extra, own));
  }

  /** For objects whose own bytes cannot stay (line breaks between tokens, values that are no JSON), and those that are marked, which are rare. */
  #rewritten(
    buffer: Buffer,
    start: number,
    end: number,
    spanFlags: number,
    writer: ByteWriter,
    extra: Buffer | undefined,
    groups: readonly Group[],
  ): void {
    const scratch = this.#scratch;
    scratch.reset();
    if ((spanFlags & SpanFlag.nonFinite) !== 0 && !this.#keepNonFinite)
      scratch.bytes(replaceNonFinite(buffer, start, end));
    else scratch.bytes(buffer, start, end);
    blankLineBreaks(scratch.buffer, 0, scratch.length);
    this.#count(merge(scratch.buffer, 0, scratch.length, groups, writer, extra));
  }

  #wrapped(
    batch: RecordBatch,
    index: number,
    writer: ByteWriter,
    extra: Buffer | undefined,
    unfit: string | undefined,
    groups: readonly Group[],
  ): void {
    const scratch = this.#scratch;
    scratch.reset();
    wrap(batch, index, scratch, unfit);
    this.#count(merge(scratch.buffer, 0, scratch.length, groups, writer, extra));
  }

  #exact(batch: RecordBatch, index: number, start: number, end: number, recordFlags: number, writer: ByteWriter): void {
    if ((recordFlags & RecordFlag.cut) !== 0) {
      wrap(batch, index, writer);
      return;
    }
    const at = writer.length;
    if (this.#keepNonFinite || (this.#spans.flags(index) & SpanFlag.nonFinite) === 0)
      writer.bytes(batch.buffer, start, end);
    else writer.bytes(replaceNonFinite(batch.buffer, start, end));
    if (!batch.lines && this.#hasLineBreak(batch.buffer, start, end)) blankLineBreaks(writer.buffer, at, writer.length);
  }

  #count({ moved, dropped }: { moved: boolean; dropped: boolean }): void {
    if (moved) this.#moved++;
    if (dropped) this.#dropped++;
  }
}

function sameAdditions(a: readonly Addition[], b: readonly Addition[]): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function blankLineBreaks(buffer: Buffer, start: number, end: number): void {
  for (let i = start; i < end; i++) if (buffer[i] === NEWLINE || buffer[i] === 0x0d) buffer[i] = 0x20;
}
