/** Syslog messages from entries, as bytes: RFC 5424, RFC 3164, and the dashboard forwarder's own form. */
import { type FieldReader, type RecordBatch, SpanFlag } from "../../agent/api/batch.ts";
import type { Emit } from "../../agent/api/events.ts";
import { FACILITIES, SEVERITIES } from "../../agent/api/syslog-names.ts";
import { type EntryTime, Level, TimeKind, View } from "../../agent/api/view.ts";
import { decodeScalar } from "../../agent/json/value.ts";
import { Encoder } from "../shared/encode.ts";
import { ByteWriter } from "../shared/writer.ts";
import { type SyslogOptions, sizeLimit } from "./options.ts";
import { writePythonJson } from "./python-json.ts";

const NIL = "-";
const CUT = Buffer.from(" [cut]");
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/** What the dashboard's forwarder warns of. */
const LOKI_ACTIONS = new Set(["delete", "kill", "stop", "login", "logout", "create_token", "revoke_token"]);
const LOKI_WARNING = "<132>loki-audit: ";
const LOKI_INFO = "<134>loki-audit: ";
const SEVERITY_OF = new Map<number, number>([
  [Level.debug, 7],
  [Level.info, 6],
  [Level.warning, 4],
  [Level.error, 3],
]);
/** RFC 3164, 4.1.3. */
const MAX_TAG = 32;
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

  constructor(options: SyslogOptions, { node, fields, emit, alias }: MessageContext) {
    this.#options = options;
    this.#fields = fields;
    const format = options.message === "original" ? "original" : "json";
    // The dashboard's forwarder writes what Python writes.
    this.#encoder = new Encoder({
      fields,
      format,
      nonFinite: options.format === "loki" ? "keep" : "null",
      emit,
      alias,
    });
    this.#view = new View(fields);
    this.#limit = sizeLimit(options);
    this.#host = options.hostname ?? (node.replace(/[^\x21-\x7e]/g, "_").slice(0, 255) || NIL);
    this.#parts = (options.template ?? "")
      .split(/\{([^{}]{1,256})\}/)
      .map((part, i) => (i % 2 === 0 ? part : { column: fields.column(part) }));
  }

  /** Appends one message, without framing. Answers why it cannot be sent, with nothing appended. */
  write(batch: RecordBatch, index: number, writer: ByteWriter): string | undefined {
    const from = writer.length;
    if (this.#options.format === "loki") this.#loki(batch, index, writer);
    else {
      if (this.#options.format === "rfc5424") this.#header5424(batch, index, writer);
      else this.#header3164(batch, index, writer);
      this.#body(batch, index, writer);
    }
    const length = writer.length - from;
    if (length <= this.#limit) return undefined;
    if (this.#options.too_long === "dead_letter") {
      writer.length = from;
      return `the message has ${length} bytes; ${this.#limit} are the most (max_message_size)`;
    }
    this.#cut(from, writer);
    return undefined;
  }

  /** Once per write. */
  done(): void {
    this.#encoder.release();
  }

  #header5424(batch: RecordBatch, index: number, writer: ByteWriter): void {
    const { app_name } = this.#options;
    writer.ascii(`<${this.#priority(batch, index)}>1 `);
    writer.ascii(rfc3339(this.#view.time(batch, index), batch.readTime));
    writer.ascii(` ${this.#host} ${app_name} ${this.#procId(batch, index)} ${this.#messageId(batch, index)} `);
    this.#structuredData(batch, index, writer);
    writer.byte(0x20);
  }

  /** The time is this host's local one, as every receiver of this form takes it. */
  #header3164(batch: RecordBatch, index: number, writer: ByteWriter): void {
    const time = this.#view.time(batch, index);
    const at = new Date(time.kind === TimeKind.exact ? time.ms : batch.readTime);
    const two = (n: number) => String(n).padStart(2, "0");
    const day = String(at.getDate()).padStart(2, " ");
    const clock = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
    const tag = this.#options.app_name.replace(/[^\w.-]/g, "_").slice(0, MAX_TAG);
    writer.ascii(`<${this.#priority(batch, index)}>${MONTHS[at.getMonth()]} ${day} ${clock} ${this.#host} ${tag}: `);
  }

  #loki(batch: RecordBatch, index: number, writer: ByteWriter): void {
    const spans = this.#fields.spans(batch);
    const { buffer } = batch;
    const action = this.#text(batch, index, "action");
    const success = spans.start(index, this.#fields.column("success"));
    const failed = success !== 0 && isFalse(buffer, success, spans.end(index, this.#fields.column("success")));
    writer.ascii(failed || (action !== undefined && LOKI_ACTIONS.has(action)) ? LOKI_WARNING : LOKI_INFO);
    const scratch = this.#scratch;
    scratch.reset();
    this.#encoder.encode(batch, index, scratch);
    writePythonJson(scratch.view(), 0, scratch.length, writer);
  }

  #priority(batch: RecordBatch, index: number): number {
    const { source } = batch;
    const facility = FACILITIES.indexOf((source.facility ?? this.#options.facility) as (typeof FACILITIES)[number]);
    const named = source.severity ?? this.#options.severity;
    const severity = named
      ? SEVERITIES.indexOf(named as (typeof SEVERITIES)[number])
      : (SEVERITY_OF.get(this.#view.level(batch, index)) ?? 6);
    return Math.max(facility, 0) * 8 + Math.max(severity, 0);
  }

  #messageId(batch: RecordBatch, index: number): string {
    return printable(this.#view.event(batch, index).name, 32);
  }

  #procId(batch: RecordBatch, index: number): string {
    return printable(this.#text(batch, index, "pid") ?? "", 128);
  }

  #structuredData(batch: RecordBatch, index: number, writer: ByteWriter): void {
    let any = false;
    for (const name of this.#options.structured_data) {
      const value = this.#parameter(batch, index, name);
      if (value === undefined) continue;
      writer.utf8(any ? ` ${name}="` : `[${this.#options.sd_id} ${name}="`);
      any = true;
      // RFC 5424, 6.3.3: these three are escaped, and nothing else.
      writer.utf8(`${value.toWellFormed().replace(/["\\\]]/g, "\\$&")}"`);
    }
    writer.byte(any ? 0x5d : 0x2d);
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
    if (this.#options.message !== "template") {
      this.#encoder.encode(batch, index, writer);
      return;
    }
    const spans = this.#fields.spans(batch);
    const isObject = (spans.flags(index) & SpanFlag.notObject) === 0;
    let text = "";
    for (const part of this.#parts) {
      if (typeof part === "string") text += part;
      else if (isObject && part.column >= 0 && spans.start(index, part.column) !== 0) {
        const [start, end] = [spans.start(index, part.column), spans.end(index, part.column)];
        text += decodeScalar(batch.buffer, start, end) ?? batch.buffer.toString("utf8", start, end);
      }
    }
    // biome-ignore lint/suspicious/noControlCharactersInRegex: a line break would end the message where newlines frame it
    writer.utf8(text.toWellFormed().replace(/[\u0000-\u001f\u007f]+/g, " "));
  }

  /** A scalar's text. */
  #text(batch: RecordBatch, index: number, field: string): string | undefined {
    const column = this.#fields.column(field);
    const spans = this.#fields.spans(batch);
    if (column < 0 || (spans.flags(index) & SpanFlag.notObject) !== 0) return undefined;
    const start = spans.start(index, column);
    return start === 0 ? undefined : decodeScalar(batch.buffer, start, spans.end(index, column));
  }

  /** To the limit, at the start of a character, with a mark. */
  #cut(from: number, writer: ByteWriter): void {
    let end = from + this.#limit - CUT.length;
    while (end > from && (writer.buffer[end]! & 0xc0) === 0x80) end--;
    writer.length = end;
    writer.bytes(CUT);
  }
}

/** RFC 5424, 6.2.3: at most microseconds; the entry's own offset. */
function rfc3339({ kind, ms, nanos, offset }: EntryTime, readTime: number): string {
  const own = kind === TimeKind.exact && ms >= 0 && ms < 253_402_300_799_000;
  const minutes = own ? offset : 0;
  const text = new Date((own ? ms : readTime) + minutes * 60_000).toISOString().slice(0, -1);
  const micros = own && nanos >= 1_000 ? String(Math.floor(nanos / 1_000)).padStart(3, "0") : "";
  if (minutes === 0) return `${text}${micros}Z`;
  const two = (n: number) => String(n).padStart(2, "0");
  const away = Math.abs(minutes);
  return `${text}${micros}${minutes < 0 ? "-" : "+"}${two(Math.floor(away / 60))}:${two(away % 60)}`;
}

function printable(text: string, most: number): string {
  return text.replace(/[^\x21-\x7e]+/g, "_").slice(0, most) || NIL;
}

/** false, null, or a zero. */
function isFalse(buffer: Buffer, start: number, end: number): boolean {
  const token = buffer.toString("latin1", start, Math.min(end, start + 32));
  return token === "false" || token === "null" || /^-?0(\.0*)?([eE][+-]?\d+)?$/.test(token);
}
