/** Request bodies of the HTTP Event Collector, as bytes: no entry is parsed. */
import { type FieldReader, type RecordBatch, RecordFlag, SpanFlag, type Spans } from "../../agent/api/batch.ts";
import type { Emit } from "../../agent/api/events.ts";
import { TimeKind, View } from "../../agent/api/view.ts";
import { writeDigits, writePadded } from "../shared/digits.ts";
import { Encoder } from "../shared/encode.ts";
import { textOf } from "../shared/text.ts";
import type { ByteWriter } from "../shared/writer.ts";
import type { SplunkOptions } from "./options.ts";

const NEWLINE = 0x0a;
const QUOTE = 0x22;
/** The chain's hash, by both of its names. Splunk hides fields whose names begin with an underscore. */
export const HASH_FIELDS = ["_integrity_hash", "chain_hash"] as const;
const HASH_NAME = "integrity_hash";
/** Fields of every event, which no field of the entry can be named like. */
export const OWN_FIELDS: readonly string[] = ["tag", "record_id", HASH_NAME, "time_from"];

const CLOSE_BRACE = 0x7d;
const DOT = 0x2e;
const TIME = Buffer.from('{"time":');
const TIME_FROM = Buffer.from(',"time_from":"agent"');
const EVENT = Buffer.from('},"event":');
const HASH = Buffer.from(`,"${HASH_NAME}":`);
const MOST_DIGITS = 16;
/** Seconds, a dot, nine digits. */
const LONGEST_TIME = MOST_DIGITS + 10;

interface Column {
  readonly column: number;
  /** `"name":` */
  readonly key: Buffer;
}

export interface BodyOptions {
  readonly options: Pick<
    SplunkOptions,
    "mode" | "format" | "index" | "source" | "sourcetype" | "host" | "indexed_fields"
  >;
  readonly node: string;
  readonly fields: FieldReader;
  readonly emit: Emit;
  readonly alias: string;
}

export class EventBody {
  readonly #options: BodyOptions["options"];
  readonly #node: string;
  readonly #fields: FieldReader;
  readonly #encoder: Encoder;
  readonly #view: View;
  readonly #hashes: readonly number[];
  readonly #columns: readonly Column[];
  /** `"host":…,"fields":{"record_id":"…-` of the last source. */
  #head: Buffer = Buffer.alloc(0);
  #source: RecordBatch["source"] | undefined;
  #tag = "";

  constructor({ options, node, fields, emit, alias }: BodyOptions) {
    this.#options = options;
    this.#node = node;
    this.#fields = fields;
    // An envelope must be JSON; the original bytes of a raw line need not be.
    const nonFinite = options.mode === "raw" && options.format === "original" ? "keep" : "null";
    this.#encoder = new Encoder({ fields, format: options.format, nonFinite, emit, alias });
    this.#view = new View(fields);
    this.#hashes = HASH_FIELDS.map((name) => fields.column(name)).filter((column) => column >= 0);
    this.#columns = options.indexed_fields
      .filter((name) => !OWN_FIELDS.includes(name))
      .map((name) => ({ column: fields.column(name), key: Buffer.from(`${JSON.stringify(name)}:`) }))
      .filter(({ column }) => column >= 0);
  }

  /** Appends a record and a newline. Synchronous. */
  write(batch: RecordBatch, index: number, writer: ByteWriter): void {
    if (this.#options.mode === "raw") this.#encoder.encode(batch, index, writer);
    else this.#event(batch, index, writer);
    writer.byte(NEWLINE);
  }

  /** Once per write: says what was counted, and lets go of the last batch. */
  done(): void {
    this.#encoder.release();
  }

  #event(batch: RecordBatch, index: number, writer: ByteWriter): void {
    if (batch.source !== this.#source || batch.tag !== this.#tag) this.#open(batch);
    const spans = this.#fields.spans(batch);
    writer.ensure(TIME.length + LONGEST_TIME);
    writer.bytes(TIME);
    const own = this.#time(batch, index, writer);
    writer.bytes(this.#head);
    writer.ensure(MOST_DIGITS);
    writer.length = writeDigits(writer.buffer, writer.length, batch.offsets[index]!);
    if (batch.kind !== "") writer.utf8(`-${batch.kind}`);
    writer.byte(QUOTE);
    if (!own) writer.bytes(TIME_FROM);
    if ((spans.flags(index) & SpanFlag.notObject) === 0) this.#indexed(batch, spans, index, writer);
    writer.bytes(EVENT);
    if (this.#options.format === "original" && isText(batch, spans, index)) {
      writer.utf8(JSON.stringify(textOf(batch.bytes(index))));
    } else this.#encoder.encode(batch, index, writer);
    writer.byte(CLOSE_BRACE);
  }

  #open(batch: RecordBatch): void {
    const { source, tag } = batch;
    this.#source = source;
    this.#tag = tag;
    const { index, sourcetype } = this.#options;
    const members = {
      host: this.#options.host ?? this.#node,
      source: this.#options.source ?? source.path ?? source.input,
      sourcetype,
      ...(index !== undefined && { index }),
    };
    const fields = `"tag":${JSON.stringify(tag)},"record_id":${JSON.stringify(`${source.id}-`).slice(0, -1)}`;
    this.#head = Buffer.from(`,${JSON.stringify(members).slice(1, -1)},"fields":{${fields}`);
  }

  /**
   * Seconds since the epoch with as many digits as there are: the entry's time, or when it was read. Answers whether it is the entry's.
   * Splunk takes no time before 1970.
   */
  #time(batch: RecordBatch, index: number, writer: ByteWriter): boolean {
    const time = this.#view.time(batch, index);
    const own = time.kind === TimeKind.exact && time.ms >= 0;
    const ms = own ? time.ms : Math.max(0, batch.readTime);
    const nanos = own ? time.nanos : 0;
    const seconds = Math.floor(ms / 1_000);
    const { buffer } = writer;
    let at = writeDigits(buffer, writer.length, seconds);
    buffer[at] = DOT;
    at = writePadded(buffer, at + 1, ms - seconds * 1_000, 3);
    if (nanos > 0 && nanos % 1_000 === 0) at = writePadded(buffer, at, nanos / 1_000, 3);
    else if (nanos > 0) at = writePadded(buffer, at, nanos, 6);
    writer.length = at;
    return own;
  }

  #indexed(batch: RecordBatch, spans: Spans, index: number, writer: ByteWriter): void {
    for (const column of this.#hashes) {
      if (!isScalar(batch.buffer, spans.start(index, column))) continue;
      writer.bytes(HASH);
      this.#value(batch.buffer, spans.start(index, column), spans.end(index, column), writer);
      break;
    }
    for (const { column, key } of this.#columns) {
      const start = spans.start(index, column);
      if (!isScalar(batch.buffer, start)) continue;
      writer.byte(0x2c);
      writer.bytes(key);
      this.#value(batch.buffer, start, spans.end(index, column), writer);
    }
  }

  /** Always a string: Splunk documents no other value, and drops whole numbers without a word. */
  #value(buffer: Buffer, start: number, end: number, writer: ByteWriter): void {
    const bare = buffer[start] !== QUOTE;
    if (bare) writer.byte(QUOTE);
    writer.bytes(buffer, start, end);
    if (bare) writer.byte(QUOTE);
  }
}

/** A string that is not empty, a finite number, true or false: what can be an indexed field. */
function isScalar(buffer: Buffer, start: number): boolean {
  if (start === 0) return false;
  const first = buffer[start]!;
  if (first === 0x2d) return buffer[start + 1]! <= 0x39;
  if (first === QUOTE) return buffer[start + 1] !== QUOTE;
  return (first >= 0x30 && first <= 0x39) || first === 0x74 || first === 0x66;
}

/** Its original bytes are no JSON, so they travel as a string. A cut line is wrapped by the encoder. */
function isText(batch: RecordBatch, spans: Spans, index: number): boolean {
  const flags = batch.flags === undefined ? 0 : batch.flags[index]!;
  return (flags & RecordFlag.cut) === 0 && (spans.flags(index) & SpanFlag.notObject) !== 0;
}
