/** What a .gz file holds, read as a stream with a small window behind it: bounded memory, whatever the file claims to hold. */
import { createGunzip, type Gunzip } from "node:zlib";
import { type ByteSource, PROOF_BYTES } from "./identity.ts";
import type { OpenFile } from "./open.ts";

/** Compressed bytes given to zlib at once. They may grow a thousandfold, so this bounds what waits in memory (to some 32 MiB). */
const FEED_BYTES = 32_768;

export class GzipSource implements ByteSource {
  readonly #file: OpenFile;
  #stream: Gunzip | undefined;
  /** Decompressed bytes from `#start` on, not yet dropped. */
  #window: Buffer[] = [];
  #start = 0;
  #held = 0;
  /** Decompressed bytes still to be thrown away: a second look at a damaged file. */
  #skip = 0;
  /** Compressed bytes that zlib has. */
  fed = 0;
  /** Where single bytes are fed, so that all that can be decoded before the damage comes out. */
  #careful = Number.POSITIVE_INFINITY;
  #ended = false;
  #failure: Error | undefined;
  #uses = 0;
  #closing = false;
  /** Why the content ends early; undefined while it does not. */
  damage: string | undefined;
  /** Of all the content, once it was read to its end. */
  length: number | undefined;

  constructor(file: OpenFile) {
    this.#file = file;
  }

  /** How far it was decompressed. */
  get decoded(): number {
    return this.#start + this.#held;
  }

  /** Going back more than the 4 KiB of a proof starts over from the beginning. */
  async read(from: number, length: number): Promise<Buffer> {
    this.#uses++;
    try {
      return await this.#read(from, length);
    } finally {
      this.#uses--;
      if (this.#closing && this.#uses === 0) this.#release();
    }
  }

  /** After the reads under way: a stream destroyed under them would never answer. */
  close(): void {
    this.#closing = true;
    if (this.#uses === 0) this.#release();
  }

  async #read(from: number, length: number): Promise<Buffer> {
    if (from < this.#start) this.#restart();
    while (!this.#ended && this.#start + this.#held < from + length) {
      await this.#more();
      this.#drop(from);
    }
    const whole = this.#window.length === 1 ? this.#window[0]! : Buffer.concat(this.#window);
    this.#window = [whole];
    const answer = Buffer.allocUnsafeSlow(Math.max(0, Math.min(length, whole.length - (from - this.#start))));
    whole.copy(answer, 0, from - this.#start);
    this.#drop(from + answer.length - 2 * PROOF_BYTES);
    return answer;
  }

  #release(): void {
    this.#stream?.destroy();
    this.#stream = undefined;
    this.#window = [];
    this.#held = 0;
  }

  #restart(): void {
    this.#release();
    this.#start = 0;
    this.#skip = 0;
    this.fed = 0;
    this.#ended = false;
    this.#failure = undefined;
  }

  /** Drops whole pieces before `offset`. */
  #drop(offset: number): void {
    while (this.#window.length > 0 && this.#start + this.#window[0]!.length <= offset) {
      const first = this.#window.shift()!;
      this.#start += first.length;
      this.#held -= first.length;
    }
  }

  async #more(): Promise<void> {
    this.#stream ??= this.#open();
    const stream = this.#stream;
    const at = this.fed;
    const input = await this.#file.read(at, at >= this.#careful ? 1 : FEED_BYTES);
    this.fed += input.length;
    await this.#file.system.working(feed(stream, input.length === 0 ? undefined : input));
    if (this.#failure) this.#fail(this.#failure, at, input.length);
    else if (input.length === 0) {
      this.#ended = true;
      this.length = this.#start + this.#held;
    }
  }

  #fail(failure: Error, at: number, length: number): void {
    if (length <= 1) {
      this.damage = failure.message;
      this.#ended = true;
      return;
    }
    // zlib keeps what it decoded of a piece until the piece is done: look again, byte by byte, from the bad piece on.
    // What was decoded so far is kept, and thrown away when it comes a second time.
    this.#skip = this.#start + this.#held;
    this.#stream?.destroy();
    this.#stream = undefined;
    this.#failure = undefined;
    this.fed = 0;
    this.#careful = at;
  }

  #open(): Gunzip {
    const stream = createGunzip({ chunkSize: 65_536 });
    stream.on("data", (piece: Buffer) => this.#take(piece));
    stream.on("error", (error) => {
      this.#failure = error;
    });
    return stream;
  }

  #take(piece: Buffer): void {
    const skipped = Math.min(this.#skip, piece.length);
    this.#skip -= skipped;
    if (skipped === piece.length) return;
    const rest = piece.subarray(skipped);
    this.#window.push(rest);
    this.#held += rest.length;
  }
}

/** Resolves when zlib is done with the input (undefined: the end), also when it failed. */
function feed(stream: Gunzip, input: Buffer | undefined): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      stream.off("error", done);
      stream.off("end", done);
      resolve();
    };
    stream.once("error", done);
    if (input) stream.write(input, done);
    else {
      stream.once("end", done);
      stream.end();
    }
  });
}
