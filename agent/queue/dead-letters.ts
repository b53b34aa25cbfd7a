/** What destinations refused for good, kept with the reason until somebody looks: fsynced JSON Lines, of limited size and age. */
import { join } from "node:path";
import type { Clock } from "../api/clock.ts";
import type { Emit } from "../api/events.ts";
import { type Disk, type DiskFile, errorCode, messageOf, realDisk, writeSmall } from "../state/disk.ts";
import type { Reserve } from "../state/reserve.ts";
import { type Kept, keyOf, letterFiles, linesOf, measure, numberOf, REMEMBERED, Recent } from "./dead-letter-files.ts";
import { type DeadLetter, decodeLine, encodeLetters, lineWithout, measureLine } from "./dead-letter-format.ts";
import { KeyRing } from "./keys.ts";
import { Mutex } from "./mutex.ts";

export { measureDeadLetters, readDeadLetters } from "./dead-letter-files.ts";
export type { DeadLetter } from "./dead-letter-format.ts";

export interface DeadLetterOptions {
  readonly dir: string;
  /** The most all files may take, in bytes. */
  readonly maxBytes: number;
  /** Milliseconds. */
  readonly maxAge: number;
  readonly key?: Buffer | undefined;
  readonly previousKeys?: readonly Buffer[] | undefined;
  readonly clock: Clock;
  readonly emit: Emit;
  /** Given up when the disk is full. */
  readonly reserve?: Pick<Reserve, "release" | "restore"> | undefined;
  readonly disk?: Disk;
}

export interface DeadLetters {
  /**
   * Resolves when they are fsynced. Letters of the same output and id that were kept lately are not kept twice. Throws where the disk
   * refuses: then none of them counts as kept, and the caller tries again.
   */
  append(letters: readonly DeadLetter[]): Promise<void>;
  /**
   * Hands the chosen letters to `use`, file by file, and forgets those of a file once it resolves, which `gone` is told. Killed in between,
   * they are still there. While they are used, the same letters may be appended anew. A file that cannot be read is left out, and said.
   */
  take(
    isChosen: (letter: DeadLetter) => boolean,
    use: (letters: readonly DeadLetter[]) => Promise<void>,
    gone?: (letters: readonly DeadLetter[]) => void,
  ): Promise<void>;
  stats(): { readonly records: number; readonly bytes: number };
  close(): Promise<void>;
}

const MAX_FILE = 16 * 1024 * 1024;
const AGE_CHECK_MS = 3_600_000;

export async function openDeadLetters(options: DeadLetterOptions): Promise<DeadLetters> {
  const disk = options.disk ?? realDisk;
  await disk.mkdir(options.dir);
  const files: Kept[] = [];
  const names = await letterFiles(disk, options.dir);
  for (const name of names) files.push(await measure(disk, join(options.dir, name)));
  const box = new LetterBox(options, disk, files, numberOf(names.at(-1)) + 1);
  await box.expire();
  return box;
}

class LetterBox implements DeadLetters {
  readonly #options: DeadLetterOptions;
  readonly #disk: Disk;
  readonly #keys: KeyRing;
  readonly #files: Kept[];
  readonly #mutex = new Mutex();
  readonly #taking = new Mutex();
  #number: number;
  /** The file of this run that is written now. */
  #current: { kept: Kept; file: DiskFile; begun: number } | undefined;
  #recent: Recent | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: DeadLetterOptions, disk: Disk, files: Kept[], number: number) {
    this.#options = options;
    this.#disk = disk;
    this.#keys = new KeyRing(options.key, options.previousKeys);
    this.#files = files;
    this.#number = number;
    this.#watchAge();
  }

  #watchAge(): void {
    this.#timer = setTimeout(() => {
      void this.#alone(() => this.expire()).then(() => this.#closed || this.#watchAge());
    }, AGE_CHECK_MS);
    this.#timer.unref();
  }

  async #alone<T>(action: () => Promise<T>): Promise<T> {
    await this.#mutex.lock();
    try {
      return await action();
    } finally {
      this.#mutex.unlock();
    }
  }

  append(letters: readonly DeadLetter[]): Promise<void> {
    return this.#alone(async () => {
      if (this.#closed) throw new Error("the dead letters are closed");
      this.#recent ??= await this.#recall();
      const fresh = letters.filter((letter) => !this.#recent!.has(keyOf(letter)));
      if (fresh.length === 0) return;
      await this.expire();
      const bytes = encodeLetters(fresh, this.#keys, this.#options.clock.now());
      await this.#makeRoom(bytes.length);
      try {
        await this.#write(bytes, fresh.length);
      } catch (error) {
        const full = errorCode(error) === "ENOSPC" || errorCode(error) === "EDQUOT";
        if (!full || !(await this.#options.reserve?.release().catch(() => false))) throw error;
        await this.#write(bytes, fresh.length);
      }
      for (const letter of fresh) this.#recent.add(keyOf(letter));
    });
  }

  /** Ids of the newest files, so that a replay after a crash keeps nothing twice. */
  async #recall(): Promise<Recent> {
    const recent = new Recent(REMEMBERED);
    const newest: Kept[] = [];
    let records = 0;
    for (const kept of this.#files.toReversed()) {
      if (records >= REMEMBERED) break;
      records += kept.records;
      newest.unshift(kept);
    }
    for (const { path } of newest) {
      try {
        for await (const line of linesOf(this.#disk, path)) {
          for (const letter of decodeLine(line, this.#keys, path)) recent.add(keyOf(letter));
        }
      } catch (error) {
        // An older key is gone, or the disk cannot read it: at worst a letter is kept twice.
        this.#say("warn", `cannot look into ${path}: ${messageOf(error)}`);
      }
    }
    return recent;
  }

  async #write(bytes: Buffer, records: number): Promise<void> {
    const { kept, file } = await this.#fileFor(bytes.length);
    try {
      await file.writev([bytes], kept.bytes);
      await file.datasync();
    } catch (error) {
      // What of it is on disk nobody knows: cut it off, and never trust this file with more.
      await file.truncate(kept.bytes).catch(() => undefined);
      await this.#finish();
      throw error;
    }
    kept.bytes += bytes.length;
    kept.records += records;
    kept.newest = this.#options.clock.now();
  }

  async #fileFor(bytes: number): Promise<{ kept: Kept; file: DiskFile }> {
    const most = Math.min(MAX_FILE, this.#options.maxBytes / 8);
    const now = this.#options.clock.now();
    const current = this.#current;
    if (current) {
      // Files go as a whole, so one may not span too long a time.
      const full = current.kept.bytes > 0 && current.kept.bytes + bytes > most;
      if (!full && now - current.begun < this.#options.maxAge / 8) return current;
      await this.#finish();
    }
    const path = join(this.#options.dir, `${String(this.#number++).padStart(10, "0")}.jsonl`);
    const file = await this.#disk.open(path, "create");
    try {
      await this.#disk.syncDirectory(this.#options.dir);
    } catch (error) {
      await file.close();
      throw error;
    }
    const kept: Kept = { path, records: 0, bytes: 0, newest: now };
    this.#files.push(kept);
    this.#current = { kept, file, begun: now };
    return this.#current;
  }

  async #finish(): Promise<void> {
    const current = this.#current;
    this.#current = undefined;
    await current?.file.close().catch(() => undefined);
  }

  async take(
    isChosen: (letter: DeadLetter) => boolean,
    use: (letters: readonly DeadLetter[]) => Promise<void>,
    gone: (letters: readonly DeadLetter[]) => void = () => {},
  ): Promise<void> {
    // Letters may be appended meanwhile: whoever uses these may be waiting for one who appends.
    await this.#taking.lock();
    try {
      const seen = new Set<string>();
      for (const kept of [...this.#files]) await this.#takeOf(kept, isChosen, seen, use, gone);
    } finally {
      this.#taking.unlock();
    }
  }

  async #takeOf(
    kept: Kept,
    isChosen: (letter: DeadLetter) => boolean,
    seen: Set<string>,
    use: (letters: readonly DeadLetter[]) => Promise<void>,
    gone: (letters: readonly DeadLetter[]) => void,
  ): Promise<void> {
    const chosen = (await this.#lettersOf(kept)).filter(isChosen);
    if (chosen.length === 0) return;
    // What a crash had kept twice is one letter.
    const fresh = chosen.filter((letter) => !seen.has(keyOf(letter)) && seen.add(keyOf(letter)));
    const keys = new Set(chosen.map(keyOf));
    await this.#alone(async () => {
      // One that is refused again while they are used is a new letter, in another file.
      if (this.#current?.kept === kept) await this.#finish();
      this.#recent ??= await this.#recall();
      for (const key of keys) this.#recent.delete(key);
    });
    try {
      if (fresh.length > 0) await use(fresh);
      await this.#alone(() => this.#rewrite(kept, keys));
    } catch (error) {
      for (const key of keys) this.#recent?.add(key);
      throw error;
    }
    gone(fresh);
  }

  async #lettersOf({ path }: Kept): Promise<DeadLetter[]> {
    const letters: DeadLetter[] = [];
    try {
      for await (const line of linesOf(this.#disk, path)) letters.push(...decodeLine(line, this.#keys, path));
      return letters;
    } catch (error) {
      this.#say("warn", `${path} is left out: ${messageOf(error)}`);
      return [];
    }
  }

  /** The file without these letters; the file goes where none is left. */
  async #rewrite(kept: Kept, gone: ReadonlySet<string>): Promise<void> {
    if (!this.#files.includes(kept)) return;
    const parts: Buffer[] = [];
    let records = 0;
    for await (const line of linesOf(this.#disk, kept.path)) {
      const left = lineWithout(line, this.#keys, kept.path, (letter) => gone.has(keyOf(letter)));
      if (left === undefined) continue;
      parts.push(left);
      records += measureLine(left)?.records ?? 0;
    }
    const content = Buffer.concat(parts);
    if (content.length > 0) {
      await writeSmall(this.#disk, kept.path, content);
      Object.assign(kept, { records, bytes: content.length });
    } else {
      await this.#disk.remove(kept.path);
      await this.#disk.syncDirectory(this.#options.dir);
      this.#files.splice(this.#files.indexOf(kept), 1);
    }
  }

  async #makeRoom(bytes: number): Promise<void> {
    while (this.#files.length > 0 && this.stats().bytes + bytes > this.#options.maxBytes) {
      await this.#forget(this.#files[0]!, "dead_letters.max_bytes");
    }
  }

  /** Removes files all of whose letters are too old. */
  async expire(): Promise<void> {
    const limit = this.#options.clock.now() - this.#options.maxAge;
    for (const kept of [...this.#files]) {
      if (kept.newest >= limit && !(kept.records === 0 && kept !== this.#current?.kept)) continue;
      await this.#forget(kept, "dead_letters.max_age").catch((error: unknown) => {
        this.#say("warn", `cannot remove ${kept.path}: ${messageOf(error)}`);
      });
    }
  }

  async #forget(kept: Kept, reason: string): Promise<void> {
    if (this.#current?.kept === kept) await this.#finish();
    await this.#disk.remove(kept.path);
    this.#files.splice(this.#files.indexOf(kept), 1);
    const { records, bytes, path } = kept;
    if (records === 0) return;
    this.#options.emit({ is: "lost", where: "dead_letters", name: "dead_letters", records, bytes, reason, path });
  }

  #say(level: "warn", message: string): void {
    this.#options.emit({ is: "notice", level, component: "dead_letters", message });
  }

  stats(): { records: number; bytes: number } {
    let records = 0;
    let bytes = 0;
    for (const kept of this.#files) {
      records += kept.records;
      bytes += kept.bytes;
    }
    return { records, bytes };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#alone(() => this.#finish());
  }
}
