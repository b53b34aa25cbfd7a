/** From records to the bodies of requests: the entries' bytes are escaped into JSON strings as they are, and never become objects. */
import { isUtf8 } from "node:buffer";
import { hostname } from "node:os";
import type { RecordBatch } from "../../agent/api/batch.ts";
import type { OutputContext } from "../../agent/api/context.ts";
import type { Failure } from "../../agent/api/output.ts";
import { TimeKind, View } from "../../agent/api/view.ts";
import { firstOf, hitsOf, viewOf } from "../../agent/json/lexer.ts";
import { Encoder } from "../shared/encode.ts";
import { textOf } from "../shared/text.ts";
import { ByteWriter } from "../shared/writer.ts";
import { inRange, MAX_EVENT_BYTES, type Sized } from "./limits.ts";
import { type NameTemplate, nameTemplate } from "./names.ts";
import type { CloudwatchOptions } from "./options.ts";

const CUT = Buffer.from(" [cut]");
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** `{"timestamp":` and `,"message":` and `},` with a time of 16 digits at most. */
const AROUND = 42;

export interface LogEvent extends Sized {
  /** Index through all batches of the write. */
  readonly at: number;
  /** Its message as a JSON string, in the write's text. */
  readonly start: number;
  readonly end: number;
}

/** Events of one stream, in order of time; of the same time, in their own order. */
export interface Target {
  readonly group: string;
  readonly stream: string;
  readonly events: readonly LogEvent[];
}

export interface Gathered {
  readonly targets: readonly Target[];
  readonly text: Buffer;
}

export class EventGatherer {
  readonly #options: CloudwatchOptions;
  readonly #context: OutputContext;
  readonly #view: View;
  readonly #encoder: Encoder;
  readonly #group: NameTemplate;
  readonly #stream: NameTemplate;
  readonly #scratch = new ByteWriter(4_096);

  constructor(options: CloudwatchOptions, context: OutputContext) {
    const { fields, emit, alias, node } = context;
    this.#options = options;
    this.#context = context;
    this.#view = new View(fields);
    const nonFinite = options.format === "original" ? "keep" : "null";
    this.#encoder = new Encoder({ fields, format: options.format, nonFinite, emit, alias });
    const about = { hostname: hostname(), node };
    this.#group = nameTemplate(options.log_group, "group", about);
    this.#stream = nameTemplate(options.log_stream, "stream", about);
  }

  /** Messages go into `text`. What can never be an event is in `failed` afterwards. */
  gather(batches: readonly RecordBatch[], text: ByteWriter, failed: Map<number, Failure>): Gathered {
    const streams = new Map<string, { group: string; stream: string; events: LogEvent[] }>();
    const now = this.#context.clock.now();
    let at = 0;
    for (const batch of batches) {
      for (let index = 0; index < batch.count; index++, at++) {
        const message = this.#message(batch, index);
        if (typeof message === "string") {
          failed.set(at, { action: "reject", certain: true, reason: message });
          continue;
        }
        const time = this.#view.time(batch, index);
        // Before 1970 is too old like any other, but a negative time would be no time to the service.
        const own = time.kind === TimeKind.exact ? Math.max(0, time.ms) : batch.readTime;
        const group = this.#group.render(batch.tag, own);
        const stream = this.#stream.render(batch.tag, own);
        const key = `${group}\n${stream}`;
        let target = streams.get(key);
        if (target === undefined) {
          target = { group, stream, events: [] };
          streams.set(key, target);
        }
        const start = text.length;
        quote(message, text);
        target.events.push({
          at,
          ms: this.#sent(own, batch.readTime, now),
          bytes: message.length,
          start,
          end: text.length,
        });
      }
    }
    this.#encoder.release();
    for (const { events } of streams.values()) events.sort((a, b) => a.ms - b.ms);
    return { targets: [...streams.values()], text: text.view() };
  }

  #sent(own: number, readTime: number, now: number): number {
    if (this.#options.out_of_range === "dead_letter" || inRange(own, now)) return own;
    return inRange(readTime, now) ? readTime : now;
  }

  /** The event's bytes, until the next call; or why it can be none. */
  #message(batch: RecordBatch, index: number): Buffer | string {
    const scratch = this.#scratch;
    scratch.reset();
    this.#encoder.encode(batch, index, scratch);
    let message = scratch.view();
    // An event is a text.
    if (this.#options.format === "original" && !isUtf8(message)) message = Buffer.from(JSON.stringify(textOf(message)));
    if (message.length === 0) return "is empty, which the service does not take";
    if (message.length <= MAX_EVENT_BYTES) return message;
    if (this.#options.too_large === "dead_letter")
      return `larger than the ${MAX_EVENT_BYTES} bytes that the service takes`;
    let end = MAX_EVENT_BYTES - CUT.length;
    while ((message[end]! & 0xc0) === 0x80) end--;
    return Buffer.concat([message.subarray(0, end), CUT]);
  }
}

/** UTF-8 as a JSON string. What has to be escaped is ASCII; all other bytes stay. */
function quote(bytes: Buffer, to: ByteWriter): void {
  const begun = to.length;
  // Every byte may need a backslash, and words are written whole.
  to.ensure(2 * bytes.length + 8);
  const from = viewOf(bytes);
  const into = viewOf(to.buffer);
  const end = bytes.length | 0;
  const last = (end - 4) | 0;
  let at = begun | 0;
  into.setUint8(at, QUOTE);
  at = (at + 1) | 0;
  for (let p = 0; ; ) {
    while (p <= last) {
      const word = from.getInt32(p, true);
      into.setInt32(at, word, true);
      const hits = hitsOf(word);
      const plain = hits === 0 ? 4 : firstOf(hits);
      p = (p + plain) | 0;
      at = (at + plain) | 0;
      if (hits !== 0) break;
    }
    if (p >= end) break;
    const byte = from.getUint8(p);
    p = (p + 1) | 0;
    if (byte < 0x20) {
      // A line that is no JSON may have them.
      to.length = begun;
      quoteAny(bytes, to);
      return;
    }
    if (byte === QUOTE || byte === BACKSLASH) {
      into.setUint8(at, BACKSLASH);
      at = (at + 1) | 0;
    }
    into.setUint8(at, byte);
    at = (at + 1) | 0;
  }
  into.setUint8(at, QUOTE);
  to.length = at + 1;
}

/** Each byte is taken for a character: those that are not ASCII come back as they were. */
function quoteAny(bytes: Buffer, to: ByteWriter): void {
  const quoted = JSON.stringify(bytes.toString("latin1"));
  to.ensure(quoted.length);
  to.length += to.buffer.write(quoted, to.length, "latin1");
}

/** A PutLogEvents request, in memory of its own. */
export function bodyOf({ group, stream }: Target, events: readonly LogEvent[], text: Buffer): Buffer {
  const head = JSON.stringify({ logGroupName: group, logStreamName: stream }).slice(0, -1);
  let size = 3 * head.length + 20;
  for (const { start, end } of events) size += end - start + AROUND;
  const body = new ByteWriter(size);
  body.utf8(head);
  body.ascii(',"logEvents":[');
  for (const [i, { ms, start, end }] of events.entries()) {
    body.ascii(i === 0 ? '{"timestamp":' : ',{"timestamp":');
    body.ascii(String(ms));
    body.ascii(',"message":');
    body.bytes(text, start, end);
    body.byte(0x7d);
  }
  body.ascii("]}");
  return body.take();
}
