import { constants } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { access, stat } from "node:fs/promises";
import { dirname } from "node:path";
import type { RecordBatch } from "../../agent/api/batch.ts";
import type { OutputContext } from "../../agent/api/context.ts";
import type { ObjectOutput, ObjectPlan, WriteResult } from "../../agent/api/output.ts";
import { TimeKind, View } from "../../agent/api/view.ts";
import { Encoder } from "../shared/encode.ts";
import { ByteWriter } from "../shared/writer.ts";
import { append, appendLines, repeatLines } from "./append.ts";
import { Closing } from "./closing.ts";
import { findPutAway, openArchive, openExisting, putAway } from "./files.ts";
import { type Compression, FILE_HEADER, fileKey, newFileHeader, planHash, sealChunk } from "./seal.ts";
import { findPlan, openKey, unfinishedHeader, wholeLength } from "./sealed-file.ts";
import { type PathTemplate, pathTemplate } from "./template.ts";

export interface FileSettings {
  readonly path: string;
  readonly format: "json" | "original";
  /** Bytes; undefined for no limit. */
  readonly rotateSize: number | undefined;
  /** Milliseconds since the file was made. */
  readonly rotateAge: number | undefined;
  readonly compression: Compression;
  /** 32 bytes, where files are to be encrypted. */
  readonly key: Buffer | undefined;
}

/** The file as it was when the write was planned: enough to make the same write again. */
interface Note {
  /** Its length; 0 where there was none. */
  readonly length: number;
  /** Its inode; 0 where there was none. */
  readonly inode: number;
}

const SWEEP_MS = 60_000;

export class FileOutput implements ObjectOutput {
  readonly #settings: FileSettings;
  readonly #context: OutputContext;
  readonly #template: PathTemplate;
  readonly #view: View;
  readonly #encoder: Encoder;
  readonly #writer = new ByteWriter(1 << 20);
  readonly #closing: Closing | undefined;
  #lastSweep = Number.NEGATIVE_INFINITY;
  /** The encrypted file written last: it was whole up to there, so its chunks need not be walked again. */
  #whole: { readonly inode: number; readonly length: number } | undefined;
  /** One thing at a time: a write that the lane gave up may still be under way when it is made again. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(settings: FileSettings, context: OutputContext) {
    const { alias, clock, emit, fields } = context;
    this.#settings = settings;
    this.#context = context;
    this.#template = pathTemplate(settings.path);
    this.#view = new View(fields);
    this.#encoder = new Encoder({ fields, format: settings.format, nonFinite: nonFinite(settings), emit, alias });
    if (settings.compression !== "none" && settings.key === undefined) {
      this.#closing = new Closing({ base: this.#template.base, alias, method: settings.compression, clock, emit });
    }
  }

  partition(batch: RecordBatch, index: number): string {
    const time = this.#view.time(batch, index);
    const { tag, source, readTime } = batch;
    return this.#template.render(time.kind === TimeKind.exact ? time.ms : readTime, tag, source);
  }

  async prepare({ partition: path }: { readonly partition: string }): Promise<string> {
    return await this.#inTurn(async () => {
      await this.#sweep(path);
      const file = await openExisting(path);
      if (file === undefined) return note({ length: 0, inode: 0 });
      try {
        const { size, ino } = await file.stat();
        if (await this.#stays(path, file)) return note({ length: size, inode: ino });
      } finally {
        await file.close();
      }
      const closed = await putAway(path);
      await this.#closing?.closed(path, closed);
      return note({ length: 0, inode: 0 });
    });
  }

  async writeObject(batches: AsyncIterable<RecordBatch>, plan: ObjectPlan, signal: AbortSignal): Promise<WriteResult> {
    return await this.#inTurn(async () => {
      signal.throwIfAborted();
      const lines = await this.#encode(batches, signal);
      if (lines.length === 0) return {};
      const before = JSON.parse(plan.note) as Note;
      const stored = plan.repeat && (await this.#repeat(plan, before, lines));
      if (stored) return { repeated: plan.records };
      if (!plan.repeat) await this.#append(plan, lines);
      return {};
    });
  }

  async #encode(batches: AsyncIterable<RecordBatch>, signal: AbortSignal): Promise<Buffer> {
    const writer = this.#writer;
    writer.reset();
    for await (const batch of batches) {
      signal.throwIfAborted();
      for (let i = 0; i < batch.count; i++) {
        this.#encoder.encode(batch, i, writer);
        writer.byte(0x0a);
      }
    }
    this.#encoder.release();
    return writer.view();
  }

  async #append(plan: ObjectPlan, lines: Buffer): Promise<void> {
    const { partition: path } = plan;
    const file = await openArchive(path);
    try {
      const { size } = await file.stat();
      await this.#closing?.touch(path, size === 0);
      if (this.#settings.key) await this.#appendSealed(file, this.#settings.key, plan, lines);
      else await appendLines(file, lines);
    } finally {
      await file.close();
    }
  }

  async #appendSealed(file: FileHandle, key: Buffer, plan: ObjectPlan, lines: Buffer): Promise<void> {
    const { size, ino } = await file.stat();
    const { compression } = this.#settings;
    const header = size === 0 ? newFileHeader(key) : undefined;
    const own = header ? fileKey(key, header) : await openKey(file, key);
    const chunk = await sealChunk(own, lines, header ? FILE_HEADER : size, planHash(plan.id), compression);
    await append(file, header ? Buffer.concat([header, chunk]) : chunk);
    this.#whole = { inode: ino, length: size + (header ? FILE_HEADER : 0) + chunk.length };
  }

  /** Makes the write again; true where it had been made. */
  async #repeat(plan: ObjectPlan, before: Note, lines: Buffer): Promise<boolean> {
    const { partition: path } = plan;
    const file = await this.#fileOf(path, before);
    if (file === undefined) {
      if (before.inode !== 0)
        this.#say(`${path} is gone or another file: what was being written to it is written again`);
      await this.#append(plan, lines);
      return false;
    }
    try {
      await this.#closing?.touch(path, before.length === 0);
      if (this.#settings.key === undefined) return await repeatLines(file, before.length, lines);
      return await this.#repeatSealed(file, this.#settings.key, plan, before, lines);
    } finally {
      await file.close();
    }
  }

  async #repeatSealed(file: FileHandle, key: Buffer, plan: ObjectPlan, before: Note, lines: Buffer): Promise<boolean> {
    const own = await openKey(file, key).catch(() => undefined);
    if (own && (await findPlan(file, own, before.length, planHash(plan.id))) !== undefined) {
      await file.datasync();
      return true;
    }
    // Behind the last whole chunk stands our own unfinished one; anything else is not ours to cut.
    const whole = own ? await wholeLength(file) : (await unfinishedHeader(file)) ? 0 : -1;
    if (whole >= before.length) {
      await file.truncate(whole);
      await this.#appendSealed(file, key, plan, lines);
    } else {
      this.#say(`${plan.partition} is put away: it was changed by somebody else`);
      await putAway(plan.partition);
      await this.#append(plan, lines);
    }
    return false;
  }

  /** The file that the plan was made for, also where it was renamed since. */
  async #fileOf(path: string, before: Note): Promise<FileHandle | undefined> {
    const file = await openExisting(path);
    if (before.inode === 0) return file;
    if (file !== undefined) {
      if ((await file.stat()).ino === before.inode) return file;
      await file.close();
    }
    return await findPutAway(path, before.inode);
  }

  /** Whether the file takes what comes next; otherwise it is to be put away. */
  async #stays(path: string, file: FileHandle): Promise<boolean> {
    const { rotateSize, rotateAge, key } = this.#settings;
    const { size, ino, birthtimeMs, mtimeMs } = await file.stat();
    if (size === 0) return true;
    if (rotateSize !== undefined && size >= rotateSize) return false;
    // Some file systems keep no time of birth and answer with a later time: then the file only stays longer.
    if (rotateAge !== undefined && this.#context.clock.now() - Math.min(birthtimeMs, mtimeMs) >= rotateAge)
      return false;
    if (key !== undefined && this.#whole?.inode === ino && this.#whole.length === size) return true;
    const sealed = await openKey(file, key ?? Buffer.alloc(32)).then(
      () => true,
      (error: Error) => /another key/.test(error.message),
    );
    if (key === undefined && !sealed) return true;
    const whole = key !== undefined && sealed && (await isWhole(file, key, size));
    if (!whole)
      this.#say(`${path} is put away: it is ${sealed ? "encrypted with another key, or unfinished" : "not encrypted"}`);
    return whole;
  }

  async #sweep(current: string): Promise<void> {
    const now = this.#context.clock.monotonic();
    if (this.#closing === undefined || now - this.#lastSweep < SWEEP_MS) return;
    this.#lastSweep = now;
    await this.#closing.sweep(current);
  }

  #say(message: string): void {
    this.#context.emit({ is: "notice", level: "warn", component: this.#context.alias, message });
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => {});
    return await turn;
  }

  /** The directory exists and may be written, or can be made. */
  async probe(): Promise<void> {
    let directory = this.#template.base;
    for (;;) {
      const found = await stat(directory).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== "ENOENT") throw error;
      });
      if (found && !found.isDirectory()) throw new Error(`${directory} is not a directory`);
      if (found) break;
      directory = dirname(directory);
    }
    await access(directory, constants.W_OK | constants.X_OK).catch(() => {
      throw new Error(`${directory} cannot be written by this user`);
    });
  }

  /** Waits for closed files to be compressed; for tests. */
  async idle(): Promise<void> {
    await this.#turn;
    await this.#closing?.idle();
  }

  async close(): Promise<void> {
    await this.#turn;
    await this.#closing?.stop();
  }
}

async function isWhole(file: FileHandle, key: Buffer, size: number): Promise<boolean> {
  return await openKey(file, key).then(
    async () => (await wholeLength(file)) === size,
    () => false,
  );
}

/** JSON Lines hold JSON; an original is shipped as it was. */
function nonFinite({ format }: FileSettings): "null" | "keep" {
  return format === "json" ? "null" : "keep";
}

const note = (value: Note): string => JSON.stringify(value);
