/** Syslog messages from entries, as bytes: RFC 5424, RFC 3164, and the dashboard forwarder's own form. */
import { type FieldReader, type RecordBatch, RecordFlag, SpanFlag, type Spans } from "../../agent/api/batch.ts";
import type { Emit } from "../../agent/api/events.ts";
import { FACILITIES, SEVERITIES } from "../../agent/api/syslog-names.ts";
import { View } from "../../agent/api/view.ts";
import { SpanMemo } from "../../agent/json/memo.ts";
import { decodeScalar } from "../../agent/json/value.ts";
import { Encoder } from "../shared/encode.ts";
import { ByteWriter } from "../shared/writer.ts";
import { NIL, printable, rfc3164, rfc3164Tag, rfc3339 } from "./header.ts";
import { framingOf, type SyslogOptions, sizeLimit } from "./options.ts";
import { compactJson, writePythonJson } from "./python-json.ts";
import { isFalse, isSecurityAction, severityOf, WARNING, writtenSeverity } from "./severity.ts";

const CUT = Buffer.from(" [cut]");
const LOKI_WARNING = "<132>loki-audit: ";
const LOKI_INFO = "<134>loki-audit: ";
const LINE_BREAK = 0x0a;
const CHAIN_HASH = ["_integrity_hash", "chain_hash", "hash"] as const;

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
  readonly #sayCut: () => void;
  #saidCut = false;

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
    const time = rfc3339(this.#view.time(batch, index), batch.readTime);
    const event = printable(this.#view.event(batch, index).name, 32);
    const fields = `${this.#host} ${this.#options.app_name} ${this.#procId(batch, index)} ${event}`;
    const header = `<${this.#priority(batch, index)}>1 ${time} ${fields} `;
    // In one go: a call for each piece costs more than the piece.
    writer.utf8(`${header}${this.#structuredData(batch, index, most - writer.length - header.length)} `);
  }

  #header3164(batch: RecordBatch, index: number, writer: ByteWriter): void {
    const time = rfc3164(this.#view.time(batch, index), batch.readTime);
    const tag = rfc3164Tag(this.#options.app_name, this.#procId(batch, index));
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
    const facility = FACILITIES.indexOf((source.facility ?? this.#options.facility) as (typeof FACILITIES)[number]);
    const named = source.severity ?? this.#options.severity;
    const severity = named ? SEVERITIES.indexOf(named as (typeof SEVERITIES)[number]) : this.#severity(batch, index);
    return Math.max(facility, 0) * 8 + Math.max(severity, 0);
  }

  #severity(batch: RecordBatch, index: number): number {
    const written = this.#written.get(batch.buffer, this.#fields.spans(batch), index);
    if (written !== undefined) return written;
    const derived = severityOf(this.#view.level(batch, index));
    return derived > WARNING && this.#isSecurity(batch, index) ? WARNING : derived;
  }

  #procId(batch: RecordBatch, index: number): string {
    return printable(this.#text(batch, index, "pid") ?? "", 128);
  }

  /** At most so many bytes. A parameter without room is left out as a whole: half of an id or a hash is another one. */
  #structuredData(batch: RecordBatch, index: number, most: number): string {
    let text = "";
    for (const name of this.#options.structured_data) {
      const value = this.#parameter(batch, index, name);
      if (value === undefined) continue;
      // RFC 5424, 6.3.3: these three are escaped, and nothing else.
      const escaped = value.toWellFormed().replace(/["\\\]]/g, "\\$&");
      const part = `${text === "" ? `[${this.#options.sd_id}` : text} ${name}="${escaped}"`;
      if (most === Number.POSITIVE_INFINITY || Buffer.byteLength(part) < most) text = part;
    }
    return text === "" ? NIL : `${text}]`;
  }

  #parameter(batch: RecordBatch, index: number, name: string): string | undefined {
    if (name === "tag") return batch.tag;
    if (name === "record_id") return batch.id(index);
    if (name !== "chain_hash") return this.#text(batch, index, name);
    for (const field of CHAIN_HASH) {
      const hash = this.#text(batch, index, field);
      if (hash !== undefined) return hash;
    }
    return undefined;
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

  /** A scalar's text. */
  #text(batch: RecordBatch, index: number, field: string): string | undefined {
    const column = this.#fields.column(field);
    const spans = this.#fields.spans(batch);
    if (column < 0 || (spans.flags(index) & SpanFlag.notObject) !== 0) return undefined;
    return scalar(batch.buffer, spans, index, column);
  }

  /** To the limit, at the start of a character of the body, with a mark. False where what stands before the body leaves no room. */
  #cut(from: number, body: number, writer: ByteWriter): boolean {
    const most = from + this.#limit - CUT.length;
    if (most < body) return false;
    let end = most;
    // A character has three such bytes at most; more of them are none.
    while (end > body && end > most - 3 && (writer.buffer[end]! & 0xc0) === 0x80) end--;
    writer.length = end;
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
