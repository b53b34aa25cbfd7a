/**
 * Builds the body of a bulk request: per record an action line and the document, as bytes.
 *
 *   {"create":{"_index":"audit-logs-2026.02.01","_id":"<source id>-<offset>"}}
 *   {<the entry's own bytes>,"@timestamp":"2026-02-01T09:00:17.123456+00:00"}
 *
 * `create` with the record's own id makes a repeat harmless: the second one is answered 409 and changes nothing.
 */
import { type FieldReader, type RecordBatch, SpanFlag, type Spans } from "../../agent/api/batch.ts";
import type { Emit } from "../../agent/api/events.ts";
import { type EntryTime, TimeKind, View } from "../../agent/api/view.ts";
import { viewOf } from "../../agent/json/lexer.ts";
import { writeDigits } from "../shared/digits.ts";
import { Encoder } from "../shared/encode.ts";
import { ByteWriter } from "../shared/writer.ts";
import { tooManyLevels } from "./levels.ts";
import { copyTime, fitsNanos, writeTime } from "./stamp.ts";

/** Top-level members that this output may add, and so must know of in the entry: a second one of the same name would be refused. */
export const STAMP = "@timestamp";
export const TIME_FROM = "time_from";

const NEWLINE = 0x0a;
const STAMP_HEAD = Buffer.from(`"${STAMP}":"`);
const TIME_FROM_MEMBER = Buffer.from(`"${TIME_FROM}":"agent"`);
/** The head, 35 bytes of a strict stamp, a quote, a comma and the other member. */
const EXTRA_LIMIT = STAMP_HEAD.length + 35 + 2 + TIME_FROM_MEMBER.length;

export interface BodyOptions {
  /** Index or data stream of a record with this time (milliseconds). Asked for every record: it should remember. */
  readonly target: (ms: number) => string;
  readonly fields: FieldReader;
  /** `original`: objects as they were written, nothing added. */
  readonly format: "json" | "original";
  readonly emit: Emit;
  readonly alias: string;
}

export class BodyBuilder {
  readonly #target: (ms: number) => string;
  readonly #view: View;
  readonly #fields: FieldReader;
  readonly #encoder: Encoder;
  readonly #exact: Encoder | undefined;
  readonly #stampColumn: number;
  readonly #fromColumn: number;
  /** Begins with `"@timestamp":"`, always. */
  readonly #extra = Buffer.concat([STAMP_HEAD], EXTRA_LIMIT);
  readonly #extraView = new DataView(this.#extra.buffer, this.#extra.byteOffset, EXTRA_LIMIT);
  /** Views of `#extra` by length, so that no record makes a new one. */
  readonly #extras: Buffer[];
  // The action line up to the offset, for as long as index and source stay the same.
  #index = "";
  #source = "";
  #head: Buffer = Buffer.alloc(0);

  constructor(options: BodyOptions) {
    this.#target = options.target;
    this.#view = new View(options.fields);
    this.#fields = options.fields;
    const { fields, emit, alias } = options;
    this.#encoder = new Encoder({ fields, format: "json", nonFinite: "null", emit, alias });
    if (options.format === "original")
      this.#exact = new Encoder({ fields, format: "original", nonFinite: "keep", emit, alias });
    this.#stampColumn = options.fields.column(STAMP);
    this.#fromColumn = options.fields.column(TIME_FROM);
    this.#extras = Array.from({ length: EXTRA_LIMIT + 1 }, (_, length) => this.#extra.subarray(0, length));
  }

  /** Appends all records to the writer; returns how many. Synchronous. */
  write(batches: readonly RecordBatch[], writer: ByteWriter): number {
    let count = 0;
    for (const batch of batches) {
      this.#batch(batch, writer);
      count += batch.count;
    }
    this.#encoder.report();
    return count;
  }

  /** A function of its own, so that V8 compiles it for the next call, and not the loop around it in the midst of one, again and again. */
  #batch(batch: RecordBatch, writer: ByteWriter): void {
    const added = addedKeys(batch);
    const spans = this.#fields.spans(batch);
    for (let i = 0; i < batch.count; i++) {
      const own = this.#ownTime(batch, i);
      this.#action(batch, i, this.#target(own ? own.ms : batch.readTime), writer);
      this.#document(batch, spans, i, own, added, writer);
      writer.byte(NEWLINE);
    }
  }

  /** Lets go of the last batch. */
  release(): void {
    this.#encoder.release();
    this.#exact?.release();
  }

  /** One record again, as `write` wrote it: where it goes, its document, and the paths of what this agent added to it. */
  again(batch: RecordBatch, index: number): { target: string; document: string; added: (readonly string[])[] } {
    const own = this.#ownTime(batch, index);
    const target = this.#target(own ? own.ms : batch.readTime);
    const spans = this.#fields.spans(batch);
    const writer = new ByteWriter(1024);
    this.#document(batch, spans, index, own, addedKeys(batch), writer);
    const document = writer.view().toString("utf8");
    const unfit = this.#unfit(batch, index);
    if (this.#exact && isPlain(batch, spans, index, unfit)) return { target, document, added: [] };
    const added: (readonly string[])[] = [...batch.additions.map(({ path }) => path), [TIME_FROM]];
    if (spans.start(index, this.#stampColumn) === 0 || unfit !== undefined) added.push([STAMP]);
    return { target, document, added };
  }

  #document(
    batch: RecordBatch,
    spans: Spans,
    index: number,
    own: EntryTime | undefined,
    added: number,
    writer: ByteWriter,
  ): void {
    const unfit = this.#unfit(batch, index);
    if (this.#exact && isPlain(batch, spans, index, unfit)) {
      this.#exact.encode(batch, index, writer);
      return;
    }
    // As text it has no members of its own.
    const known = unfit === undefined ? spans : undefined;
    this.#encoder.encode(batch, index, writer, this.#stamp(batch, known, index, own, added), unfit);
  }

  #unfit(batch: RecordBatch, index: number): string | undefined {
    return tooManyLevels(batch.buffer, batch.starts[index]!, batch.ends[index]!);
  }

  #action(batch: RecordBatch, index: number, target: string, writer: ByteWriter): void {
    if (target !== this.#index || batch.source.id !== this.#source) {
      this.#index = target;
      this.#source = batch.source.id;
      const id = JSON.stringify(`${batch.source.id}-`).slice(1, -1);
      this.#head = Buffer.from(`{"create":{"_index":${JSON.stringify(target)},"_id":"${id}`);
    }
    const head = this.#head;
    writer.ensure(head.length + 32);
    writer.buffer.set(head, writer.length);
    writer.length = writeDigits(writer.buffer, writer.length + head.length, batch.offsets[index]!);
    if (batch.kind !== "") writer.utf8(JSON.stringify(`-${batch.kind}`).slice(1, -1));
    writer.ensure(4);
    const { buffer, length } = writer;
    buffer[length] = 0x22; // "
    buffer[length + 1] = 0x7d; // }
    buffer[length + 2] = 0x7d;
    buffer[length + 3] = NEWLINE;
    writer.length = length + 4;
  }

  /** The entry's time, where date_nanos can hold it. A time without a zone is none: nobody knows when it was. */
  #ownTime(batch: RecordBatch, index: number): EntryTime | undefined {
    const time = this.#view.time(batch, index);
    return time.kind === TimeKind.exact && fitsNanos(time.ms) ? time : undefined;
  }

  /** The members to add: `@timestamp` unless the entry has its own, and `time_from` where the time is the agent's. */
  #stamp(
    batch: RecordBatch,
    spans: Spans | undefined,
    index: number,
    own: EntryTime | undefined,
    added: number,
  ): Buffer | undefined {
    const hasStamp =
      (added & ADDED_STAMP) !== 0 || (spans !== undefined && spans.start(index, this.#stampColumn) !== 0);
    if (own && hasStamp) return undefined;
    const noFrom =
      own || (added & ADDED_FROM) !== 0 || (spans !== undefined && spans.start(index, this.#fromColumn) !== 0);
    if (hasStamp) return noFrom ? undefined : TIME_FROM_MEMBER;
    const extra = this.#extra;
    let at = STAMP_HEAD.length;
    if (own?.strict) at = copyTime(viewOf(batch.buffer), own, this.#extraView, at);
    else at = own ? writeTime(own.ms, own.nanos, extra, at) : writeTime(batch.readTime, 0, extra, at);
    extra[at++] = 0x22;
    if (!noFrom) {
      extra[at++] = 0x2c;
      at += TIME_FROM_MEMBER.copy(extra, at);
    }
    return this.#extras[at];
  }
}

/** An object that Elasticsearch can be given as it is: not wrapped, not cut, without NaN. */
function isPlain(batch: RecordBatch, spans: Spans, index: number, unfit: string | undefined): boolean {
  const none = SpanFlag.notObject | SpanFlag.nonFinite;
  return unfit === undefined && (spans.flags(index) & none) === 0 && (batch.flags?.[index] ?? 0) === 0;
}

const ADDED_STAMP = 1;
const ADDED_FROM = 2;

function addedKeys(batch: RecordBatch): number {
  let added = 0;
  for (const { path } of batch.additions) {
    if (path[0] === STAMP) added |= ADDED_STAMP;
    if (path[0] === TIME_FROM) added |= ADDED_FROM;
  }
  return added;
}
