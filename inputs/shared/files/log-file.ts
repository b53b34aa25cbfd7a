/** One file as it is now: open or not, and how far it has been read. */
import { hash } from "node:crypto";
import type { Framed, Framer } from "../parse/framer.ts";
import { GzipSource } from "./gzip.ts";
import { type ByteSource, type Fingerprint, PROOF_BYTES, proofAt, proofIn } from "./identity.ts";
import type { FileStat, OpenFile } from "./open.ts";
import type { Memory } from "./position.ts";

/** What reading once gave. */
export type Step =
  | { readonly is: "records"; readonly framed: Framed; readonly proof: string }
  /** Nothing new up to the end. */
  | { readonly is: "end" }
  /** What stood before the reading position is not there any more. */
  | { readonly is: "broken"; readonly reason: string };

/** Room for lines that are appended between asking for the size and reading. */
const SLACK = 4096;

/** A file being read: how far the framer is, which may be beyond what a restart would resume from. */
interface Reading {
  readonly framer: Framer;
  /** Where to read on. */
  next: number;
  /** Proof of the bytes before `next`. */
  check: string;
  /** Where the last records ended: `memory.offset` without its delay. */
  resume: number;
  proof: string;
  /** The framer holds or has held something since it was flushed. */
  pushed: boolean;
  /** Started early, while the pipeline is busy with the last batch. */
  ahead: { readonly from: number; readonly length: number; readonly bytes: Promise<Buffer> } | undefined;
}

export class LogFile {
  path: string;
  readonly inode: string;
  readonly compressed: boolean;
  size: number;
  mtime: number;
  links: number;
  memory: Memory | undefined;
  /** The name it was found under is gone (or another file's) though the file is not: moved to where no pattern matches. */
  strayed = false;
  /** Monotonic milliseconds of the last change seen. */
  changedAt: number;
  /** Something may have changed since the last look at its end. */
  touched = true;
  /** Decompressed for compressed files: how far it has been looked at. */
  end = 0;
  /** Monotonic milliseconds since when it keeps newer files waiting at its end. */
  holdingSince: number | undefined;
  /** What it was before its content was exchanged. */
  before: { readonly memory: Memory; readonly reported: boolean } | undefined;
  /** Its beginning, as read for its identification. */
  head: Fingerprint | undefined;
  lastHead: string | undefined;
  /** Why it could not be opened or read for that. */
  unopenable: Error | undefined;
  /** Remembered files in whose place it was found. */
  replaced: readonly Memory[] | undefined;
  /** A likely copy of another known file: since when it is looked at as such (monotonic milliseconds). */
  twinSince: number | undefined;
  lateSaid = false;
  damageSaid = false;
  /** How it changed after it was listed and before it was known: maybe it was copied, emptied and filled again. */
  stirred: "changed" | "shortened" | undefined;
  /** Since it was found to be another file than before, or to have changed, its directory was listed again. */
  relisted = false;
  /** What the remembered file said that a compressed one was taken for, until reading proves it. */
  unproved: Pick<Memory, "path" | "inode" | "size" | "mtime" | "gone" | "lost"> | undefined;
  /** Remembered files it was taken for, and is not. */
  readonly not = new Set<Memory>();
  /** How far its records have a place in the queue. */
  consumed = 0;
  /** `once`: its last line was taken though it has no newline. */
  flushed = false;
  /** The last sweep reads to here. */
  limit = Number.POSITIVE_INFINITY;
  readonly #maxLineBytes: number;
  #open: OpenFile | undefined;
  #gzip: GzipSource | undefined;
  #reading: Reading | undefined;

  constructor(path: string, stat: FileStat, compressed: boolean, changedAt: number, maxLineBytes: number) {
    this.#maxLineBytes = maxLineBytes;
    this.path = path;
    this.inode = stat.inode;
    this.size = stat.size;
    this.mtime = stat.mtime;
    this.links = stat.links;
    this.compressed = compressed;
    this.changedAt = changedAt;
  }

  get first(): number | undefined {
    return this.memory?.first;
  }
  get isOpen(): boolean {
    return this.#open !== undefined;
  }
  /** No name leads to it any more: what is not read now will never be. */
  get deleted(): boolean {
    return this.links === 0;
  }
  get finished(): boolean {
    return this.memory?.finished === true;
  }

  /** Bytes nobody has read, as far as known; for compressed files those on disk, as a sign only. */
  get unread(): number {
    const memory = this.memory;
    if (!memory || memory.skipped) return 0;
    if (this.compressed) return memory.finished ? 0 : this.size;
    return Math.max(0, this.size - memory.offset);
  }
  /** Bytes without a place in the queue; of a compressed file those known, and what was not decompressed yet as it is on disk. */
  get lag(): number {
    const { memory } = this;
    if (memory?.skipped) return 0;
    if (!this.compressed) return Math.max(0, this.size - this.consumed);
    const known = Math.max(0, Math.max(memory?.offset ?? 0, this.#gzip?.decoded ?? 0) - this.consumed);
    return memory?.finished ? known : known + Math.max(0, this.size - (this.#gzip?.fed ?? 0));
  }

  /** All of it has its place, but for the rest of an entry that its writer did not finish. */
  get caughtUp(): boolean {
    if (this.lag === 0) return true;
    return !this.compressed && this.memory !== undefined && this.consumed >= this.memory.offset && !this.readable;
  }

  /** Worth a read: the file is known, and it is longer or newer than when it was last looked at. */
  get readable(): boolean {
    if (!this.memory || this.memory.skipped || this.end >= this.limit) return false;
    return this.touched || (!this.compressed && this.size > this.end);
  }

  /** Read or passed over to its end, and known not to have changed since: there is nothing to do before it does. */
  get done(): boolean {
    return this.finished && !this.readable && this.unread === 0;
  }

  /** The content: of the file, or of what it holds compressed. */
  get source(): ByteSource {
    if (!this.#open) throw new Error(`${this.path} is not open`);
    if (!this.compressed) return this.#open;
    this.#gzip ??= new GzipSource(this.#open);
    return this.#gzip;
  }
  get damage(): string | undefined {
    return this.#gzip?.damage;
  }
  /** Length of the content; of a compressed file known once it was read to its end. */
  get length(): number | undefined {
    return this.compressed ? this.#gzip?.length : this.size;
  }

  opened(file: OpenFile): void {
    this.#open = file;
  }

  /** Takes in what the system says of it now. True when it changed. */
  update(stat: FileStat, now: number): boolean {
    this.links = stat.links;
    if (stat.size === this.size && stat.mtime === this.mtime) return false;
    if (!this.memory) {
      this.stirred ??= "changed";
      if (stat.size < this.size) {
        this.stirred = "shortened";
        this.relisted = false;
      }
    }
    // A shrunk file is about to become another: what it was remembers how much there was.
    if (this.memory && stat.size >= this.memory.size) this.#note(this.memory, stat);
    this.size = stat.size;
    this.mtime = stat.mtime;
    this.changedAt = now;
    this.touched = true;
    // What was decoded so far may have ended in the midst of what is there now.
    this.#gzip?.close();
    this.#gzip = undefined;
    return true;
  }

  #note(memory: Memory, { size, mtime }: { size: number; mtime: number }): void {
    memory.size = size;
    memory.mtime = mtime;
  }

  async refresh(now: number): Promise<boolean> {
    return this.#open ? this.update(await this.#open.stat(), now) : false;
  }

  /** It is this remembered file, and goes on where that was left. */
  adopt(memory: Memory): void {
    this.memory = memory;
    this.twinSince = undefined;
    this.touched = true;
    this.end = memory.offset;
    this.#reading = undefined;
    if (memory.file && memory.file !== this) memory.file.memory = undefined;
    memory.file = this;
    memory.missed = 0;
    memory.gone = undefined;
    memory.lost = 0;
    memory.path = this.path;
    memory.inode = this.inode;
    this.consumed = memory.offset;
    if (this.compressed || this.size >= memory.offset) this.#note(memory, this);
  }

  /** Starts again from what is remembered: the bytes beyond were never more than an unfinished line. */
  rewind(): void {
    this.#reading = undefined;
    this.end = this.memory?.offset ?? 0;
    this.touched = true;
  }

  /** It is not what it was: nothing is known of it. */
  forget(): void {
    if (this.memory?.file === this) this.memory.file = undefined;
    this.memory = undefined;
    this.#reading = undefined;
    this.holdingSince = undefined;
    this.lateSaid = false;
    this.touched = true;
    this.end = 0;
  }

  /** Releases the descriptor and all that is only needed while reading. */
  close(): void {
    this.#reading = undefined;
    this.#gzip?.close();
    this.#gzip = undefined;
    this.#open?.close();
    this.#open = undefined;
  }

  /** Whether the bytes before the remembered offset are still there. */
  async proves(memory: Memory): Promise<boolean> {
    // Both as of now: it may be read on meanwhile.
    const { offset, proof } = memory;
    return (await proofAt(this.source, offset)) === proof;
  }

  /** Reads and frames up to `bytes` bytes, not beyond `limit`. */
  async step(createFramer: () => Framer, bytes: number): Promise<Step> {
    const { limit } = this;
    const memory = this.memory!;
    this.#reading ??= this.#start(memory, createFramer());
    const reading = this.#reading;
    const from = Math.max(0, reading.next - PROOF_BYTES);
    const lead = reading.next - from;
    const known = this.compressed ? bytes : Math.min(bytes, Math.max(0, this.size - reading.next) + SLACK);
    const length = lead + Math.max(0, Math.min(known, limit - reading.next));
    this.touched = false;
    const { buffer, asked } = await this.#take(reading, from, length);
    if (this.memory !== memory || this.#reading !== reading) return { is: "end" };
    if (buffer.length < lead) return { is: "broken", reason: "it is shorter than what was read" };
    // The same bytes must precede: a file can be emptied and filled again between two looks.
    if (
      proofIn(buffer, from, reading.next) !== reading.check ||
      (from === 0 && !beginsAs(memory, buffer, this.#maxLineBytes))
    ) {
      return { is: "broken", reason: "the content before the offset changed" };
    }
    const chunk = buffer.subarray(lead);
    this.end = Math.max(this.end, reading.next + chunk.length);
    if (chunk.length === 0) {
      // It was shortened since its size was seen; reading on and on would not tell more.
      if (!this.compressed) this.size = Math.min(this.size, reading.next);
      return { is: "end" };
    }
    // Asked while the framer works: emptied and filled again during one read, the bytes would be of two files.
    const again = this.compressed ? undefined : this.#open!.read(from, Math.min(buffer.length, PROOF_BYTES));
    reading.pushed = true;
    const at = reading.next;
    const framed = reading.framer.push(chunk, at);
    if (again && !buffer.subarray(0, PROOF_BYTES).equals(await again)) {
      return { is: "broken", reason: "it was emptied while it was read" };
    }
    if (this.memory !== memory || this.#reading !== reading) return { is: "end" };
    await this.#advance(reading, framed, buffer, from);
    // A short answer is the end of the file, unless it grew meanwhile; a full one may have more behind it. What the framer wants again
    // it gets at once: there may be whole lines in it.
    const wanted = reading.next > at && reading.next < at + chunk.length;
    if ((buffer.length === asked && reading.next < limit) || wanted) this.touched = true;
    return { is: "records", framed, proof: reading.proof };
  }

  /** The file is complete: the unfinished rest as records. Call only after `step` said `end`. */
  flush(): Step {
    const reading = this.#reading;
    // A framer that was given nothing does not know where it stands.
    if (!reading?.pushed) return { is: "end" };
    reading.pushed = false;
    const framed = reading.framer.flush();
    // Everything up to `next` was given to the framer, and nothing is held back now.
    reading.resume = framed.resume;
    reading.proof = reading.check;
    return { is: "records", framed, proof: reading.proof };
  }

  /** Whether all that was looked at was also given to the framer. */
  get drained(): boolean {
    return this.#reading === undefined || this.#reading.next >= this.end;
  }

  /** Where it is read on. */
  get position(): number {
    return this.#reading?.next ?? this.memory?.offset ?? 0;
  }

  /** Begins the next read. At most one file at a time should, or memory is bounded by their number. */
  readAhead(bytes: number): void {
    const reading = this.#reading;
    if (!reading || reading.ahead || this.compressed || !this.#open) return;
    if (this.size - reading.next < bytes) return;
    const from = Math.max(0, reading.next - PROOF_BYTES);
    const length = reading.next - from + bytes;
    const read = this.#open.read(from, length);
    // Awaited later; until then a failure is nobody's.
    read.catch(() => {});
    reading.ahead = { from, length, bytes: read };
  }

  #start(memory: Memory, framer: Framer): Reading {
    const { offset, proof } = memory;
    return { framer, next: offset, check: proof, resume: offset, proof, pushed: false, ahead: undefined };
  }

  async #take(reading: Reading, from: number, length: number): Promise<{ buffer: Buffer; asked: number }> {
    const { ahead } = reading;
    reading.ahead = undefined;
    if (ahead && ahead.from === from && ahead.length <= length)
      return { buffer: await ahead.bytes, asked: ahead.length };
    return { buffer: await this.source.read(from, length), asked: length };
  }

  async #advance(reading: Reading, framed: Framed, buffer: Buffer, from: number): Promise<void> {
    reading.next = framed.next;
    reading.check = proofIn(buffer, from, framed.next) ?? (await proofAt(this.source, framed.next)) ?? "unknown";
    if (framed.resume === reading.resume) return;
    reading.resume = framed.resume;
    reading.proof =
      framed.resume === framed.next
        ? reading.check
        : (proofIn(buffer, from, framed.resume) ?? (await proofAt(this.source, framed.resume)) ?? "unknown");
  }
}

/** A first line that the buffer holds must be the one the file is known by; of a longer one the proofs tell later. */
function beginsAs(memory: Memory, buffer: Buffer, maxLineBytes: number): boolean {
  const newline = buffer.subarray(0, Math.min(PROOF_BYTES, maxLineBytes)).indexOf(0x0a);
  return newline < 0 || hash("sha256", buffer.subarray(0, newline), "hex") === memory.fingerprint;
}
