/** Request bodies: lines, a list, or one document an entry. */
import { type FieldReader, type RecordBatch, SpanFlag } from "../../agent/api/batch.ts";
import type { Emit } from "../../agent/api/events.ts";
import { decodeScalar } from "../../agent/json/value.ts";
import { Encoder } from "../shared/encode.ts";
import type { ByteWriter } from "../shared/writer.ts";
import { type HttpOptions, PLACEHOLDER, RECORD_ID } from "./options.ts";

/** A `{field}` of the template. */
interface Place {
  readonly column: number;
  readonly name: string;
}

interface Member {
  readonly column: number;
  /** `"name":value` */
  readonly text: string;
}

const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;" };

export class HttpBody {
  readonly #fields: FieldReader;
  readonly #encoder: Encoder;
  readonly #members: readonly Member[];
  readonly #all: Buffer | undefined;
  readonly #html: boolean;
  readonly #parts: readonly (string | Place)[] | undefined;

  constructor(options: HttpOptions, { fields, emit, alias }: { fields: FieldReader; emit: Emit; alias: string }) {
    this.#fields = fields;
    const nonFinite = options.format === "original" ? "keep" : "null";
    this.#encoder = new Encoder({ fields, format: options.format, nonFinite, emit, alias });
    this.#members = Object.entries(options.add).map(([name, value]) => ({
      column: fields.column(name),
      text: `${JSON.stringify(name)}:${JSON.stringify(value)}`,
    }));
    this.#all = this.#members.length > 0 ? Buffer.from(this.#members.map(({ text }) => text).join(",")) : undefined;
    this.#html = options.escape === "html";
    this.#parts =
      options.template &&
      JSON.stringify(options.template)
        .split(PLACEHOLDER)
        .map((part, i) => (i % 2 === 0 ? part : { column: fields.column(part), name: part }));
  }

  /** Appends one entry, or the document made of it. */
  write(batch: RecordBatch, index: number, writer: ByteWriter): void {
    if (this.#parts) writer.utf8(this.#document(batch, index, this.#parts));
    else this.#encoder.encode(batch, index, writer, this.#extra(batch, index));
  }

  /** Once per write. */
  done(): void {
    this.#encoder.release();
  }

  #document(batch: RecordBatch, index: number, parts: readonly (string | Place)[]): string {
    const spans = this.#fields.spans(batch);
    const isObject = (spans.flags(index) & SpanFlag.notObject) === 0;
    return parts
      .map((part) => {
        if (typeof part === "string") return part;
        // Never the entry's own: who writes the log could make one incident of two.
        if (part.name === RECORD_ID) return batch.id(index);
        const start = isObject && part.column >= 0 ? spans.start(index, part.column) : 0;
        if (start === 0) return "";
        const end = spans.end(index, part.column);
        const text = decodeScalar(batch.buffer, start, end) ?? batch.buffer.toString("utf8", start, end);
        const safe = this.#html ? text.replace(/[&<>]/g, (sign) => ENTITIES[sign]!) : text;
        return JSON.stringify(safe.toWellFormed()).slice(1, -1);
      })
      .join("");
  }

  #extra(batch: RecordBatch, index: number): Buffer | undefined {
    if (this.#all === undefined) return undefined;
    const spans = this.#fields.spans(batch);
    if (this.#members.every(({ column }) => spans.start(index, column) === 0)) return this.#all;
    const missing = this.#members.filter(({ column }) => spans.start(index, column) === 0);
    return Buffer.from(missing.map(({ text }) => text).join(","));
  }
}
