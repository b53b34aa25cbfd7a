import { createHash } from "node:crypto";
import type { Readable } from "node:stream";
import { RecordBatch, type Source } from "../../agent/api/batch.ts";
import type { InputContext } from "../../agent/api/context.ts";
import type { Input } from "../../agent/api/input.ts";
import { createFramer, type Framed, type Framer, type FramerOptions } from "../shared/parse/framer.ts";

/** A batch is read when it has so many bytes, or so long after its first byte. */
const BATCH_BYTES = 256 * 1024;
const LINGER_MS = 50;
/** An unfinished line longer than this is the framer's to keep: it bounds what one line may cost. */
const MOST_REST = 64 * 1024;
/** Key of the stored position: how many records were read in the life of the data directory. */
const SEQUENCE = "sequence";

/** Pipes and terminals can be told not to keep the process; files need not. */
export type ByteStream = Readable & { ref?(): void; unref?(): void };

export interface StdinOptions extends FramerOptions {
  readonly facility?: string | undefined;
  readonly severity?: string | undefined;
}

/**
 * Reads a stream that cannot be read again. A record's offset is its number among all this input ever read; the number goes on from the
 * stored position, so that no id comes twice. What was read and not yet durable when the agent is killed is gone: pipes keep nothing.
 */
export class StdinInput implements Input {
  readonly #stream: ByteStream;
  readonly #context: InputContext;
  readonly #framer: Framer;
  readonly #source: Source;
  #sequence: number;
  /** Where the framer stands; `#rest` begins there. */
  #at = 0;
  #rest: Buffer = Buffer.alloc(0);
  #ended = false;
  #stopping = false;
  #error: Error | undefined;
  #timer: NodeJS.Timeout | undefined;
  #wake: () => void = () => {};

  constructor(stream: ByteStream, options: StdinOptions, context: InputContext) {
    const { facility, severity } = options;
    this.#stream = stream;
    this.#context = context;
    this.#framer = createFramer(options);
    this.#sequence = storedSequence(context);
    const name = [context.dataDirId, context.alias, this.#sequence].join("\0");
    this.#source = {
      id: createHash("sha256").update(name).digest("base64url").slice(0, 22),
      input: context.alias,
      group: context.alias,
      ...(facility ? { facility } : {}),
      ...(severity ? { severity } : {}),
    };
  }

  async *read(): AsyncGenerator<RecordBatch> {
    if (this.#stream.listenerCount("readable") > 0) throw new Error("standard input is already read by another input");
    const release = this.#listen();
    try {
      while (!this.#ended) {
        const bytes = await this.#gather();
        if (bytes.length > this.#rest.length) yield* this.#frame(bytes);
      }
      yield* this.#frame(this.#rest, true);
      const unfinished = this.#batch(this.#framer.flush());
      if (unfinished) yield unfinished;
      if (this.#error) throw this.#error;
    } finally {
      release();
    }
  }

  /** What arrives within the next moment is still read; then the stream counts as ended. */
  stop(): void {
    if (this.#stopping || this.#ended) return;
    this.#stopping = true;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#end(), LINGER_MS);
  }

  async close(): Promise<void> {
    this.#end();
  }

  /** Answers what leaves the stream to the next reader (a reload), unread and, once nobody reads it, no reason to keep the process. */
  #listen(): () => void {
    const stream = this.#stream;
    const wake = () => this.#wake();
    const end = () => this.#end();
    const fail = (error: Error) => {
      this.#error = error;
      this.#end();
    };
    stream.ref?.();
    stream.on("readable", wake).on("end", end).on("close", end).on("error", fail);
    if (stream.readableEnded || stream.destroyed) end();
    return () => {
      stream.off("readable", wake).off("end", end).off("close", end).off("error", fail);
      stream.unref?.();
    };
  }

  #end(): void {
    clearTimeout(this.#timer);
    this.#ended = true;
    this.#wake();
  }

  /** What is left and the next bytes, as many as are worth a batch; few or none when the stream ends. */
  async #gather(): Promise<Buffer> {
    const parts = [this.#rest];
    let size = 0;
    let due = false;
    let linger: NodeJS.Timeout | undefined;
    while (size < BATCH_BYTES && !due) {
      const part: Buffer | null = this.#stream.read();
      if (part) {
        parts.push(part);
        size += part.length;
        linger ??= setTimeout(() => {
          due = true;
          this.#wake();
        }, LINGER_MS);
      } else if (this.#ended) {
        break;
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
    clearTimeout(linger);
    return Buffer.concat(parts);
  }

  /** The unfinished end is kept and joined with what comes next, which costs no copy of its own. */
  *#frame(bytes: Buffer, last = false): Generator<RecordBatch> {
    let rest = bytes;
    while (rest.length > 0) {
      const framed = this.#framer.push(rest, this.#at);
      rest = rest.subarray(framed.next - this.#at);
      this.#at = framed.next;
      const batch = this.#batch(framed);
      if (batch) yield batch;
      if (!last && rest.length < MOST_REST) break;
    }
    this.#rest = rest;
  }

  #batch(framed: Framed): RecordBatch | undefined {
    const { buffer, starts, ends, offsets, count, flags, cuts } = framed;
    if (count === 0) return undefined;
    const { alias, clock, emit, tag } = this.#context;
    for (let i = 0; i < count; i++) offsets[i] = this.#sequence + i;
    for (const [i, { length }] of cuts ?? []) {
      emit({ is: "line_cut", input: alias, path: "stdin", offset: offsets[i]!, length });
    }
    this.#sequence += count;
    const positions = [{ key: SEQUENCE, value: String(this.#sequence) }];
    const readTime = clock.now();
    return new RecordBatch({
      buffer,
      starts,
      ends,
      offsets,
      count,
      flags,
      cuts,
      tag,
      source: this.#source,
      readTime,
      positions,
    });
  }
}

function storedSequence({ alias, positions }: InputContext): number {
  const stored = positions.get(SEQUENCE) ?? "0";
  const sequence = Number(stored);
  if (!Number.isSafeInteger(sequence)) throw new Error(`${alias}: the stored position ${stored} is no number`);
  return sequence;
}
