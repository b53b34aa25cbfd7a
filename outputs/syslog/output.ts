import type { RecordBatch } from "../../agent/api/batch.ts";
import type { OutputContext } from "../../agent/api/context.ts";
import type { Failure, Output, Plan, WriteResult } from "../../agent/api/output.ts";
import { ByteWriter } from "../shared/writer.ts";
import { Connector } from "./connect.ts";
import { MessageBuilder } from "./message.ts";
import { framingOf, type SyslogOptions, serversOf } from "./options.ts";
import { RelpTransport } from "./relp.ts";
import { StreamTransport } from "./stream.ts";
import { type Failures, type Frames, NONE, type Transport } from "./transport.ts";
import { UdpTransport } from "./udp.ts";

const BODY_HINT = 64 * 1024;

export class SyslogOutput implements Output {
  readonly #options: SyslogOptions;
  readonly #builder: MessageBuilder;
  readonly #transport: Transport;
  readonly #scratch = new ByteWriter(4_096);
  #closed = false;

  constructor(options: SyslogOptions, context: OutputContext) {
    this.#options = options;
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
    const writer = new ByteWriter(BODY_HINT);
    const ends: number[] = [];
    const scratch = this.#scratch;
    let at = 0;
    for (const batch of batches) {
      for (let index = 0; index < batch.count; index++, at++) {
        scratch.reset();
        const reason = this.#builder.write(batch, index, scratch);
        if (reason !== undefined) {
          failed.set(at, { action: "reject", reason, certain: true });
          continue;
        }
        this.#frame(scratch, writer);
        ends.push(writer.length);
      }
    }
    this.#builder.done();
    return { bytes: writer.take(), ends };
  }

  #frame(message: ByteWriter, writer: ByteWriter): void {
    const framing = framingOf(this.#options);
    if (framing === "octets") writer.ascii(`${message.length} `);
    writer.bytes(message.view());
    if (framing === "nul") writer.byte(0);
    else if (framing === "newline") writer.byte(0x0a);
  }
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
