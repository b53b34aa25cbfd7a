/** Structured data of RFC 5424, 6.3, as bytes. */
import type { FieldReader, RecordBatch, Source } from "../../agent/api/batch.ts";
import { decodeScalar } from "../../agent/json/value.ts";
import { writeDigits } from "../shared/digits.ts";
import type { ByteWriter } from "../shared/writer.ts";
import { NIL } from "./header.ts";
import type { SyslogOptions } from "./options.ts";

/** The chain's hash, by each of its names. */
export const CHAIN_HASH = ["_integrity_hash", "chain_hash", "hash"] as const;

const QUOTE = 0x22;
const CLOSE_BRACKET = 0x5d;
const BACKSLASH = 0x5c;
const MOST_DIGITS = 16;

interface Parameter {
  /** ` name="`, and the same behind the element's name, for where it comes first. */
  readonly head: Buffer;
  readonly first: Buffer;
  /** Of the entry's fields, the first that has a value; undefined for what the batch knows. */
  readonly columns: readonly number[] | undefined;
  readonly name: string;
}

export class StructuredData {
  readonly #parameters: readonly Parameter[];
  readonly #fields: FieldReader;
  // What the batches before had: escaped, as bytes.
  #tag: string | undefined;
  #tagBytes: Buffer = Buffer.alloc(0);
  #source: Source | undefined;
  #idBytes: Buffer = Buffer.alloc(0);

  constructor({ sd_id, structured_data }: Pick<SyslogOptions, "sd_id" | "structured_data">, fields: FieldReader) {
    this.#fields = fields;
    this.#parameters = structured_data.map((name) => {
      const known = name === "tag" || name === "record_id";
      const columns = (name === "chain_hash" ? CHAIN_HASH : [name]).map((field) => fields.column(field));
      return {
        name,
        head: Buffer.from(` ${name}="`),
        first: Buffer.from(`[${sd_id} ${name}="`),
        columns: known ? undefined : columns.filter((column) => column >= 0),
      };
    });
  }

  /** Appends it, or the nil value, to end before `most`. A parameter without room is left out as a whole: half of an id or a hash is another one. */
  write(batch: RecordBatch, index: number, writer: ByteWriter, most: number): void {
    const from = writer.length;
    for (const parameter of this.#parameters) {
      const before = writer.length;
      writer.bytes(before === from ? parameter.first : parameter.head);
      const written = parameter.columns
        ? this.#field(batch, index, parameter.columns, writer)
        : this.#known(batch, index, parameter.name, writer);
      if (written) writer.byte(QUOTE);
      if (!written || writer.length >= most) writer.length = before;
    }
    if (writer.length === from) writer.ascii(NIL);
    else writer.byte(CLOSE_BRACKET);
  }

  #known(batch: RecordBatch, index: number, name: string, writer: ByteWriter): true {
    const { tag, source, kind } = batch;
    if (name === "tag") {
      if (tag !== this.#tag) {
        this.#tag = tag;
        this.#tagBytes = Buffer.from(escaped(tag));
      }
      writer.bytes(this.#tagBytes);
      return true;
    }
    if (source !== this.#source) {
      this.#source = source;
      this.#idBytes = Buffer.from(escaped(`${source.id}-`));
    }
    writer.bytes(this.#idBytes);
    writer.ensure(MOST_DIGITS);
    writer.length = writeDigits(writer.buffer, writer.length, batch.offsets[index]!);
    if (kind !== "") writer.utf8(escaped(`-${kind}`));
    return true;
  }

  /** A scalar's text. False where none of them has one. */
  #field(batch: RecordBatch, index: number, columns: readonly number[], writer: ByteWriter): boolean {
    const spans = this.#fields.spans(batch);
    const { buffer } = batch;
    for (let i = 0; i < columns.length; i++) {
      const start = spans.start(index, columns[i]!);
      if (start === 0) continue;
      const first = buffer[start]!;
      // An object, an array, null.
      if (first === 0x7b || first === 0x5b || first === 0x6e) continue;
      const end = spans.end(index, columns[i]!);
      if (!copyPlain(buffer, first === QUOTE ? start + 1 : start, first === QUOTE ? end - 1 : end, writer))
        writer.utf8(escaped(decodeScalar(buffer, start, end)!));
      return true;
    }
    return false;
  }
}

/** Copies what needs no escape, neither undone nor made; else answers false and appends nothing. */
function copyPlain(bytes: Buffer, start: number, end: number, writer: ByteWriter): boolean {
  writer.ensure(end - start);
  const { buffer } = writer;
  let at = writer.length;
  for (let p = start; p < end; p++) {
    const byte = bytes[p]!;
    if (byte === BACKSLASH || byte === CLOSE_BRACKET) return false;
    buffer[at++] = byte;
  }
  writer.length = at;
  return true;
}

/** RFC 5424, 6.3.3: these three are escaped, and nothing else. */
function escaped(text: string): string {
  return text.toWellFormed().replace(/["\\\]]/g, "\\$&");
}
