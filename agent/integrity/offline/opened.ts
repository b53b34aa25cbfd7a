/** A file of a chain that is being read, with the bounds of the text that counts. */
import type { Readable } from "node:stream";
import { setTimeout } from "node:timers/promises";
import { systemClock } from "../../api/clock.ts";
import { type LineMode, lastLineEnd, leadingSpace, withoutTrailingSpace } from "./lines.ts";
import { type Bounded, firstLine } from "./near.ts";
import { openText, StreamText, streamText } from "./stream.ts";
import { FileText } from "./text.ts";

const CHUNK = 64 * 1024;
/** Read ahead of a stream, so that what stands behind an entry can be asked for. */
const AHEAD = 1024 * 1024;
/** A file that was written to so lately may still be. */
const RECENT_MS = 2000;
/** A line is written in less. */
const WRITING_MS = 50;

export class Opened implements Bounded {
  readonly text: FileText | StreamText;
  readonly mode: LineMode;
  #start = 0;
  #end: number | undefined;

  private constructor(text: FileText | StreamText, mode: LineMode) {
    this.text = text;
    this.mode = mode;
  }

  static async of(text: FileText | StreamText, mode: LineMode): Promise<Opened> {
    const opened = new Opened(text, mode);
    await opened.fill(0);
    if (mode === "javascript") while (!opened.#trimmed()) await opened.fill(opened.#start + CHUNK);
    return opened;
  }

  /** The writer may be in the middle of the last line. */
  async awaitLastLine(): Promise<void> {
    const { text } = this;
    if (!(text instanceof FileText) || text.end === 0) return;
    const last = text.read(text.end - 1, text.end)[0];
    if (last === 0x0a || last === 0x0d || Math.abs(systemClock.now() - text.mtime) > RECENT_MS) return;
    await setTimeout(WRITING_MS);
    text.takeRest(AHEAD);
    this.#end = undefined;
  }

  get start(): number {
    return this.#start;
  }

  /** Of a stream as far as it is known. */
  get end(): number {
    if (!this.ended) return this.text.end;
    this.#end ??= this.mode === "javascript" ? this.#trimmedEnd() : this.text.end;
    return this.#end;
  }

  get ended(): boolean {
    return !(this.text instanceof StreamText) || this.text.ended;
  }

  /** Of a stream: reads on until `to` is at hand, and a little more. */
  async fill(to: number): Promise<void> {
    if (this.text instanceof StreamText) await this.text.fill(to + AHEAD);
  }

  /** The first line that is not blank; undefined where there is none, or it is longer than `maxLine`. */
  async firstLine(maxLine: number): Promise<Buffer | undefined> {
    for (;;) {
      const line = firstLine(this, this.mode, maxLine);
      // What a stream has not given yet may belong to it.
      const cut = line === undefined || line.offset + line.bytes.length === this.text.end;
      if (!cut || this.ended || this.text.end - this.#start > maxLine) return line?.bytes;
      await this.fill(2 * this.text.end);
    }
  }

  release(position: number): void {
    if (this.text instanceof StreamText) this.text.release(position);
  }

  /** The text in pieces of about `size` bytes that end where lines end, but in lines longer than `maxLine`. */
  async *pieces(size: number, maxLine: number): AsyncGenerator<{ from: number; to: number }> {
    let from = this.#start;
    // Of a line that is too long what follows is not collected.
    let most = maxLine;
    const buffer = Buffer.allocUnsafe(size);
    for (;;) {
      let length = size;
      let to: number;
      for (;;) {
        await this.fill(from + length);
        to = Math.min(this.end, from + length);
        if (to === this.end && this.ended) break;
        const cut = lastLineEnd(this.text.read(from, to, buffer), this.mode);
        if (cut > 0) to = from + cut;
        if (cut > 0) most = maxLine;
        if (cut > 0 || length > most) break;
        length *= 2;
      }
      if (length > most) most = 0;
      if (to > from) yield { from, to };
      if (to === this.end && this.ended) return;
      from = to;
    }
  }

  async close(): Promise<void> {
    await this.text.close();
  }

  /** Moves the start over white space that is at hand; whether that was all of it. */
  #trimmed(): boolean {
    const bytes = this.text.read(this.#start, this.#start + CHUNK);
    const space = leadingSpace(bytes);
    this.#start += space;
    this.release(this.#start);
    // Less than a character may be left at the end of what was read.
    return space < bytes.length - 2 || (this.ended && space === 0) || (this.ended && this.#start === this.text.end);
  }

  #trimmedEnd(): number {
    let end = this.text.end;
    for (;;) {
      const from = Math.max(this.#start, this.text.lowest, end - CHUNK);
      const left = withoutTrailingSpace(this.text.read(from, end));
      end = from + left;
      if (left > 2 || from === Math.max(this.#start, this.text.lowest)) return end;
    }
  }
}

/** A file that belongs to a chain. */
export class ChainFile {
  readonly path: string;
  /** Milliseconds. */
  readonly mtime: number;
  /** On disk; 0 where that is not known. */
  readonly size: number;
  readonly #stdin: Readable | undefined;
  #streamed: Opened | undefined;

  constructor(path: string, mtime: number, size: number, stdin?: Readable) {
    this.path = path;
    this.mtime = mtime;
    this.size = size;
    this.#stdin = stdin;
  }

  /** A stream that cannot be read a second time. */
  get once(): boolean {
    return this.#stdin !== undefined;
  }

  async open(mode: LineMode): Promise<Opened> {
    if (this.#stdin === undefined) return Opened.of(openText(this.path), mode);
    if (this.#streamed === undefined || this.#streamed.mode !== mode) {
      this.#streamed = await Opened.of(this.#streamed?.text ?? streamText(this.path, this.#stdin), mode);
    }
    return this.#streamed;
  }
}
