import type { Writable } from "node:stream";
import type { RecordBatch } from "../../agent/api/batch.ts";
import type { OutputContext } from "../../agent/api/context.ts";
import type { Output, Plan, WriteResult } from "../../agent/api/output.ts";
import { Encoder } from "../shared/encode.ts";
import { ByteWriter } from "../shared/writer.ts";
import { Pretty } from "./pretty.ts";

export type StdoutFormat = "json" | "original" | "pretty";

/** A stream that may be a terminal. */
export type Target = Writable & { readonly isTTY?: boolean };

const GONE = "nobody reads standard output any more";

export class StdoutOutput implements Output {
  readonly #target: Target;
  readonly #encoder: Encoder;
  readonly #pretty: Pretty | undefined;
  readonly #onError: (error: NodeJS.ErrnoException) => void;
  #broken: string | undefined;
  /** Writes the stream has not answered, also those given up. */
  #pending = 0;

  constructor(target: Target, format: StdoutFormat, context: OutputContext) {
    const { fields, emit, alias } = context;
    this.#target = target;
    this.#pretty = format === "pretty" ? new Pretty(fields, target.isTTY === true) : undefined;
    const bytes = format === "original" ? "original" : "json";
    const nonFinite = format === "original" ? "keep" : "null";
    this.#encoder = new Encoder({ fields, format: bytes, nonFinite, emit, alias });
    // Without a listener a closed pipe would end the process.
    this.#onError = (error) => {
      this.#broken = error.code === "EPIPE" ? GONE : error.message;
    };
    target.on("error", this.#onError);
  }

  async write(batches: readonly RecordBatch[], _plan: Plan, signal: AbortSignal): Promise<WriteResult> {
    signal.throwIfAborted();
    if (this.#gone()) return { blocked: this.#broken ?? GONE };
    const bytes = this.#render(batches);
    if (bytes.length === 0) return {};
    try {
      await this.#put(bytes, signal);
    } catch (error) {
      if (this.#gone()) return { blocked: this.#broken ?? GONE };
      throw error;
    }
    return {};
  }

  #gone(): boolean {
    return this.#broken !== undefined || this.#target.destroyed || this.#target.writableEnded;
  }

  #render(batches: readonly RecordBatch[]): Buffer {
    const writer = new ByteWriter();
    for (const batch of batches) {
      for (let i = 0; i < batch.count; i++) {
        if (this.#pretty) writer.utf8(this.#pretty.line(batch, i));
        else this.#encoder.encode(batch, i, writer);
        writer.byte(0x0a);
      }
    }
    this.#encoder.release();
    return writer.take();
  }

  /** Resolves when the stream has handed the bytes on: a slow reader slows the lane down, and nothing piles up in memory. */
  async #put(bytes: Buffer, signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const aborted = () => reject(signal.reason);
      const closed = () => reject(new Error(GONE));
      signal.addEventListener("abort", aborted, { once: true });
      this.#target.once("close", closed);
      this.#pending++;
      this.#target.write(bytes, (error) => {
        this.#pending--;
        signal.removeEventListener("abort", aborted);
        this.#target.off("close", closed);
        if (error) this.#onError(error);
        if (error) reject(error);
        else resolve();
      });
    });
  }

  async probe(): Promise<void> {
    if (this.#gone()) throw new Error(this.#broken ?? GONE);
  }

  /** The stream itself stays open: it is the process's. While it still has something to write, its errors stay ours. */
  async close(): Promise<void> {
    if (this.#pending === 0) this.#target.off("error", this.#onError);
  }
}
