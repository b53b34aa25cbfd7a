import type { RecordBatch } from "../../agent/api/batch.ts";
import type { OutputContext } from "../../agent/api/context.ts";
import type { Failure, Output, Plan, WriteResult } from "../../agent/api/output.ts";
import { bodyPool } from "../shared/bodies.ts";
import { digitsOf, writePadded } from "../shared/digits.ts";
import type { ByteWriter } from "../shared/writer.ts";
import { Connector } from "./connect.ts";
import { MessageBuilder } from "./message.ts";
import { framingOf, type SyslogOptions, serversOf } from "./options.ts";
import { RelpTransport } from "./relp.ts";
import { StreamTransport } from "./stream.ts";
import { type Failures, type Frames, NONE, type Transport } from "./transport.ts";
import { UdpTransport } from "./udp.ts";

/** A write of less gets memory of its own size: a connection's window keeps hundreds of them, and each would keep a mebibyte. */
const LITTLE = 256 * 1024;
/** Three digits and a space. */
const USUAL_COUNT = 4;
const SPACE = 0x20;
const NEWLINE = 0x0a;

export class SyslogOutput implements Output {
  readonly #builder: MessageBuilder;
  readonly #transport: Transport;
  readonly #framing: ReturnType<typeof framingOf>;
  #closed = false;

  constructor(options: SyslogOptions, context: OutputContext) {
    this.#framing = framingOf(options);
    this.#builder = new MessageBuilder(options, context);
    this.#transport = transportOf(options, context);
  }

  async write(batches: readonly RecordBatch[], _plan: Plan, signal: AbortSignal): Promise<WriteResult> {
    signal.throwIfAborted();
    if (this.#closed) throw new Error("closed");
    const failed = new Map<number, Failure>();
    const frames = this.#frames(batches, failed);
    const refused = frames.ends.length > 0 ? await this.#transport.send(frames, signal) : NONE;
    if (refused.size > 0) addByRecord(failed, refused);
    return failed.size > 0 ? { failed } : {};
  }

  probe(signal: AbortSignal): Promise<void> {
    return this.#transport.probe(signal);
  }

  close(): Promise<void> {
    this.#closed = true;
    return this.#transport.close();
  }

  #frames(batches: readonly RecordBatch[], failed: Map<number, Failure>): Frames {
    const writer = bodyPool.take();
    const ends: number[] = [];
    let at = 0;
    for (const batch of batches) {
      for (let index = 0; index < batch.count; index++, at++) {
        const reason = this.#frame(batch, index, writer);
        if (reason === undefined) ends.push(writer.length);
        else failed.set(at, { action: "reject", reason, certain: true });
      }
    }
    this.#builder.done();
    const bytes = writer.view();
    if (bytes.length >= LITTLE) return { bytes, ends, done: () => bodyPool.give(writer) };
    const own = Buffer.from(bytes);
    bodyPool.give(writer);
    return { bytes: own, ends };
  }

  /** Appends a message as the wire wants it. Answers why it cannot be sent, with nothing appended. */
  #frame(batch: RecordBatch, index: number, writer: ByteWriter): string | undefined {
    const octets = this.#framing === "octets";
    const from = writer.length;
    if (octets) {
      writer.ensure(USUAL_COUNT);
      writer.length += USUAL_COUNT;
    }
    const body = writer.length;
    const reason = this.#builder.write(batch, index, writer);
    if (reason !== undefined) {
      writer.length = from;
      return reason;
    }
    if (octets) putCount(writer, from, body);
    else if (this.#framing !== "none") writer.byte(this.#framing === "nul" ? 0 : NEWLINE);
    return undefined;
  }
}

/** Writes the length of the message from `body` on and a space at `from`, where room for a usual one was left. RFC 6587, 3.4.1. */
function putCount(writer: ByteWriter, from: number, body: number): void {
  const length = writer.length - body;
  const digits = digitsOf(length);
  const shift = from + digits + 1 - body;
  if (shift !== 0) {
    writer.ensure(Math.max(shift, 0));
    writer.buffer.copyWithin(body + shift, body, writer.length);
    writer.length += shift;
  }
  writer.buffer[writePadded(writer.buffer, from, length, digits)] = SPACE;
}

/** Records that failed before have no frame. */
function addByRecord(failed: Map<number, Failure>, byFrame: Failures): void {
  const before = new Set(failed.keys());
  let at = 0;
  for (let frame = 0, left = byFrame.size; left > 0; frame++, at++) {
    while (before.has(at)) at++;
    const failure = byFrame.get(frame);
    if (failure === undefined) continue;
    failed.set(at, failure);
    left--;
  }
}

function transportOf(options: SyslogOptions, { clock, emit, alias }: OutputContext): Transport {
  const servers = serversOf(options);
  const now = () => clock.monotonic();
  if (options.protocol === "udp") return new UdpTransport(servers, now);
  const connector = new Connector(
    servers,
    options.protocol === "tls" ? (options.tls ?? { verify: true }) : undefined,
    now,
  );
  if (options.protocol === "relp") return new RelpTransport(connector);
  return new StreamTransport(connector, now, (bytes) => {
    const message = `the connection broke: the last ${bytes} bytes were sent again`;
    emit({ is: "notice", level: "info", component: alias, message });
  });
}
