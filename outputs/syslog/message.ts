/** Syslog messages from entries, as bytes: RFC 5424, RFC 3164, and the dashboard forwarder's own form. */
import { type FieldReader, type RecordBatch, RecordFlag, type Source, type Spans } from "../../agent/api/batch.ts";
import type { Emit } from "../../agent/api/events.ts";
import { FACILITIES, SEVERITIES } from "../../agent/api/syslog-names.ts";
import { type EventNames, View } from "../../agent/api/view.ts";
import { SpanMemo } from "../../agent/json/memo.ts";
import { decodeScalar } from "../../agent/json/value.ts";
import { Encoder } from "../shared/encode.ts";
import { ByteWriter } from "../shared/writer.ts";
import { NIL, printable, rfc3164, rfc3164Tag, writeRfc3339 } from "./header.ts";
import { framingOf, type SyslogOptions, sizeLimit } from "./options.ts";
import { compactJson, writePythonJson } from "./python-json.ts";
import { isFalse, isSecurityAction, severityOf, WARNING, writtenSeverity } from "./severity.ts";
import { CHAIN_HASH, StructuredData } from "./structured-data.ts";

const CUT = Buffer.from(" [cut]");
const LOKI_WARNING = "<132>loki-audit: ";
const LOKI_INFO = "<134>loki-audit: ";
const LINE_BREAK = 0x0a;
const SPACE = 0x20;
/** RFC 5424, 6.2: `<PRI>1 ` of every priority. */
const VERSIONED = Array.from({ length: FACILITIES.length * SEVERITIES.length }, (_, pri) => Buffer.from(`<${pri}>1 `));
/** Event names whose header field is kept. */
const EVENTS = 1024;

/** Fields that messages are made of, beside those of the view. */
export function messageFields(options: SyslogOptions): string[] {
  const wanted = options.structured_data.filter((name) => name !== "tag" && name !== "record_id");
  const chain = wanted.includes("chain_hash") ? CHAIN_HASH : [];
  return [...new Set(["action", "success", "pid", ...wanted, ...chain, ...templateFields(options.template)])];
}

function templateFields(template = ""): string[] {
  return [...template.matchAll(/\{([^{}]{1,256})\}/g)].map(([, name]) => name!);
}

export interface MessageContext {
  readonly node: string;
  readonly fields: FieldReader;
  readonly emit: Emit;
  readonly alias: string;
}

export class MessageBuilder {
  readonly #options: SyslogOptions;
  readonly #fields: FieldReader;
  readonly #encoder: Encoder;
  readonly #view: View;
  readonly #limit: number;
  readonly #host: string;
  readonly #scratch = new ByteWriter(4_096);
  readonly #parts: readonly (string | { readonly column: number })[];
  /** A line break would end the message. */
  readonly #oneLine: boolean;
  /** The severity its writer gave; undefined where it gave none, or an unknown one. */
  readonly #written: SpanMemo<number | undefined>;
  /** The forwarder's rule: a security action, or `success` that is there and false, null or 0. */
  readonly #security: SpanMemo<boolean>;
  readonly #pid: SpanMemo<Buffer>;
  readonly #messageIds: ({ readonly event: EventNames; readonly bytes: Buffer } | undefined)[] = [];
  readonly #structured: StructuredData;
  /** ` host app `. */
  readonly #hostAndApp: Buffer;
  readonly #sayCut: () => void;
  #saidCut = false;
  // Of the last source: facility and severity, where it is set and not the entry's own.
  #source: Source | undefined;
  #facility = 0;
  #named: number | undefined;

  constructor(options: SyslogOptions, { node, fields, emit, alias }: MessageContext) {
    this.#options = options;
    this.#fields = fields;
    const format = options.message === "original" ? "original" : "json";
    // What Python writes, the dashboard's forwarder sends; and exact bytes are exact.
    const nonFinite = options.format === "loki" || format === "original" ? "keep" : "null";
    this.#encoder = new Encoder({ fields, format, nonFinite, emit, alias });
    this.#view = new View(fields);
    this.#limit = sizeLimit(options);
    this.#host = options.hostname ?? (node.replace(/[^\x21-\x7e]/g, "_").slice(0, 255) || NIL);
    this.#parts = (options.template ?? "")
      .split(/\{([^{}]{1,256})\}/)
      .map((part, i) => (i % 2 === 0 ? part : { column: fields.column(part) }));
    this.#oneLine = framingOf(options) === "newline";
    const columns = (...names: string[]) => names.map((name) => fields.column(name));
    const [level, severity] = columns("level", "severity") as [number, number];
    this.#written = new SpanMemo([level, severity], 64, (bytes, spans, i) =>
      writtenSeverity(scalar(bytes, spans, i, level), scalar(bytes, spans, i, severity)),
    );
    const [action, success] = columns("action", "success") as [number, number];
    this.#security = new SpanMemo([action, success], 256, (bytes, spans, i) => {
      const start = spans.start(i, success);
      if (start !== 0 && isFalse(bytes, start, spans.end(i, success))) return true;
      return isSecurityAction(scalar(bytes, spans, i, action));
    });
    const [pid] = columns("pid") as [number];
    this.#pid = new SpanMemo([pid], 256, (bytes, spans, i) =>
      Buffer.from(printable(scalar(bytes, spans, i, pid) ?? "", 128)),
    );
    this.#messageIds.length = EVENTS;
    this.#structured = new StructuredData(options, fields);
    this.#hostAndApp = Buffer.from(` ${this.#host} ${options.app_name} `);
    this.#sayCut = () => {
      const message = `messages of more than ${this.#limit} bytes are cut (max_message_size, too_long)`;
      emit({ is: "notice", level: "warn", component: alias, message });
    };
  }

  /** Appends one message, without framing. Answers why it cannot be sent, with nothing appended. */
  write(batch: RecordBatch, index: number, writer: ByteWriter): string | undefined {
    const from = writer.length;
    const body = this.#whole(batch, index, writer, Number.POSITIVE_INFINITY);
    const length = writer.length - from;
    if (length <= this.#limit) return undefined;
    let why = `the message has ${length} bytes; ${this.#limit} are the most (max_message_size)`;
    if (this.#options.too_long === "cut") {
      if (this.#cut(from, body, writer)) return undefined;
      // Then it is the structured data that is too long.
      writer.length = from;
      if (this.#cut(from, this.#whole(batch, index, writer, from + this.#limit - CUT.length - 1), writer))
        return undefined;
      why += ", and its header alone is longer";
    }
    writer.length = from;
    return why;
  }

  /** Once per write. */
  done(): void {
    this.#encoder.release();
  }

  /** Answers where the body begins. `most`: where the structured data has to end. */
  #whole(batch: RecordBatch, index: number, writer: ByteWriter, most: number): number {
    const from = writer.length;
    if (this.#options.format === "loki") return this.#loki(batch, index, writer);
    if (this.#options.format === "rfc5424") this.#header5424(batch, index, writer, most);
    else this.#header3164(batch, index, writer);
    const body = writer.length;
    this.#body(batch, index, writer);
    if (this.#oneLine) blankLineBreaks(writer.buffer, from, writer.length);
    return body;
  }

  #header5424(batch: RecordBatch, index: number, writer: ByteWriter, most: number): void {
    writer.bytes(VERSIONED[this.#priority(batch, index)]!);
    writeRfc3339(this.#view.time(batch, index), batch.readTime, writer);
    writer.bytes(this.#hostAndApp);
    writer.bytes(this.#procId(batch, index));
    writer.byte(SPACE);
    writer.bytes(this.#messageId(batch, index));
    writer.byte(SPACE);
    this.#structured.write(batch, index, writer, most);
    writer.byte(SPACE);
  }

  #header3164(batch: RecordBatch, index: number, writer: ByteWriter): void {
    const time = rfc3164(this.#view.time(batch, index), batch.readTime);
    const tag = rfc3164Tag(this.#options.app_name, this.#procId(batch, index).toString("latin1"));
    writer.ascii(`<${this.#priority(batch, index)}>${time} ${this.#host} ${tag}: `);
  }

  #loki(batch: RecordBatch, index: number, writer: ByteWriter): number {
    writer.ascii(this.#isSecurity(batch, index) ? LOKI_WARNING : LOKI_INFO);
    const body = writer.length;
    const scratch = this.#scratch;
    scratch.reset();
    this.#encoder.encode(batch, index, scratch);
    writePythonJson(scratch.view(), 0, scratch.length, writer);
    return body;
  }

  #isSecurity(batch: RecordBatch, index: number): boolean {
    return this.#security.get(batch.buffer, this.#fields.spans(batch), index);
  }

  #priority(batch: RecordBatch, index: number): number {
    const { source } = batch;
    if (source !== this.#source) {
      this.#source = source;
      const { facility, severity } = this.#options;
      this.#facility = Math.max(FACILITIES.indexOf((source.facility ?? facility) as (typeof FACILITIES)[number]), 0);
      const named = (source.severity ?? severity) as (typeof SEVERITIES)[number] | undefined;
      this.#named = named && Math.max(SEVERITIES.indexOf(named), 0);
    }
    return this.#facility * 8 + (this.#named ?? this.#severity(batch, index));
  }

  #severity(batch: RecordBatch, index: number): number {
    const written = this.#written.get(batch.buffer, this.#fields.spans(batch), index);
    if (written !== undefined) return written;
    const derived = severityOf(this.#view.level(batch, index));
    return derived > WARNING && this.#isSecurity(batch, index) ? WARNING : derived;
  }

  #procId(batch: RecordBatch, index: number): Buffer {
    return this.#pid.get(batch.buffer, this.#fields.spans(batch), index);
  }

  /** The event's name. */
  #messageId(batch: RecordBatch, index: number): Buffer {
    const event = this.#view.event(batch, index);
    const slot = event.id % EVENTS;
    const known = this.#messageIds[slot];
    if (known?.event === event) return known.bytes;
    const bytes = Buffer.from(printable(event.name, 32));
    this.#messageIds[slot] = { event, bytes };
    return bytes;
  }

  #body(batch: RecordBatch, index: number, writer: ByteWriter): void {
    const { message } = this.#options;
    // A template has nothing to say of a line without fields.
    if (message === "template" && this.#view.isObject(batch, index)) {
      this.#template(batch, index, writer);
      return;
    }
    const from = writer.length;
    this.#encoder.encode(batch, index, writer);
    if (message !== "original") {
      writer.length = compactJson(writer.buffer, from, writer.length);
    } else if (((batch.flags?.[index] ?? 0) & RecordFlag.cut) === 0) {
      // The encoder's lines have no breaks; here they may have their own.
      batch.bytes(index).copy(writer.buffer, from);
    }
  }

  #template(batch: RecordBatch, index: number, writer: ByteWriter): void {
    const spans = this.#fields.spans(batch);
    let text = "";
    for (const part of this.#parts) {
      if (typeof part === "string") text += part;
      else if (part.column >= 0 && spans.start(index, part.column) !== 0) {
        const [start, end] = [spans.start(index, part.column), spans.end(index, part.column)];
        text += decodeScalar(batch.buffer, start, end) ?? batch.buffer.toString("utf8", start, end);
      }
    }
    // biome-ignore lint/suspicious/noControlCharactersInRegex: a text of somebody else's making must not look like several messages
    writer.utf8(text.toWellFormed().replace(/[\u0000-\u001f\u007f]+/g, " "));
  }

  /** To the limit, at the start of a character of the body, with a mark. False where what stands before the body leaves no room. */
  #cut(from: number, body: number, writer: ByteWriter): boolean {
    const most = from + this.#limit - CUT.length;
    if (most < body) return false;
    // Without a parameter that had no room it may be shorter: what lies behind it is not of this message.
    if (most < writer.length) {
      let end = most;
      // A character has three such bytes at most; more of them are none.
      while (end > body && end > most - 3 && (writer.buffer[end]! & 0xc0) === 0x80) end--;
      writer.length = end;
    }
    writer.bytes(CUT);
    if (!this.#saidCut) this.#sayCut();
    this.#saidCut = true;
    return true;
  }
}

function scalar(bytes: Buffer, spans: Spans, index: number, column: number): string | undefined {
  const start = spans.start(index, column);
  return start === 0 ? undefined : decodeScalar(bytes, start, spans.end(index, column));
}

function blankLineBreaks(buffer: Buffer, start: number, end: number): void {
  const bytes = buffer.subarray(start, end);
  for (let at = bytes.indexOf(LINE_BREAK); at >= 0; at = bytes.indexOf(LINE_BREAK, at + 1)) bytes[at] = 0x20;
}
