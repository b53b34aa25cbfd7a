/** The files of the dead letters, read. */
import { join } from "node:path";
import { type Disk, errorCode, realDisk } from "../state/disk.ts";
import { type DeadLetter, decodeLine, measureLine } from "./dead-letter-format.ts";
import { KeyRing } from "./keys.ts";

const CHUNK = 256 * 1024;
/** Replays after a crash repeat at most what was in flight; so many ids are remembered. */
export const REMEMBERED = 50_000;

/** A file of letters. */
export interface Kept {
  readonly path: string;
  records: number;
  bytes: number;
  /** Time of its newest letter, milliseconds since the epoch. */
  newest: number;
}

export async function letterFiles(disk: Disk, dir: string): Promise<string[]> {
  return (await disk.list(dir)).filter((name) => /^\d{10}\.jsonl$/.test(name));
}

export const numberOf = (name: string | undefined) => Number.parseInt(name ?? "0", 10);

export async function measure(disk: Disk, path: string): Promise<Kept> {
  const kept: Kept = { path, records: 0, bytes: 0, newest: 0 };
  for await (const line of linesOf(disk, path)) {
    const found = measureLine(line);
    kept.records += found?.records ?? 0;
    kept.newest = Math.max(kept.newest, found?.time ?? 0);
    kept.bytes += line.length + 1;
  }
  return kept;
}

/** Whole lines of a file; an unfinished last one was never acknowledged. */
export async function* linesOf(disk: Disk, path: string): AsyncGenerator<Buffer> {
  const file = await disk.open(path, "read");
  try {
    let rest: Buffer[] = [];
    for (let at = 0; ; ) {
      const chunk = Buffer.allocUnsafe(CHUNK);
      const got = await file.read(chunk, CHUNK, at);
      if (got === 0) return;
      at += got;
      let from = 0;
      for (let end = chunk.indexOf(10); end >= 0 && end < got; end = chunk.indexOf(10, from)) {
        yield Buffer.concat([...rest, chunk.subarray(from, end)]);
        rest = [];
        from = end + 1;
      }
      rest.push(chunk.subarray(from, got));
    }
  } finally {
    await file.close();
  }
}

/** How many there are. Needs no key; a directory that is not there has none. */
export async function measureDeadLetters(dir: string, disk = realDisk): Promise<{ records: number; bytes: number }> {
  const sum = { records: 0, bytes: 0 };
  const names = await letterFiles(disk, dir).catch((error: unknown) => {
    if (errorCode(error) === "ENOENT") return [];
    throw error;
  });
  for (const name of names) {
    const { records, bytes } = await measure(disk, join(dir, name));
    sum.records += records;
    sum.bytes += bytes;
  }
  return sum;
}

/** All letters, oldest first, each (output, id) once. Throws QueueKeyError where some are encrypted with a key that is not given. */
export async function* readDeadLetters(options: {
  readonly dir: string;
  readonly key?: Buffer | undefined;
  readonly previousKeys?: readonly Buffer[] | undefined;
  readonly disk?: Disk;
}): AsyncGenerator<DeadLetter> {
  const disk = options.disk ?? realDisk;
  const keys = new KeyRing(options.key, options.previousKeys);
  const seen = new Recent(REMEMBERED);
  for (const name of await letterFiles(disk, options.dir)) {
    const path = join(options.dir, name);
    for await (const line of linesOf(disk, path)) {
      for (const letter of decodeLine(line, keys, path)) if (seen.add(keyOf(letter))) yield letter;
    }
  }
}

export const keyOf = ({ output, id }: DeadLetter) => `${output}\0${id}`;

/** The last so many keys. */
export class Recent {
  readonly #keys = new Set<string>();
  readonly #most: number;

  constructor(most: number) {
    this.#most = most;
  }

  delete(key: string): void {
    this.#keys.delete(key);
  }

  has(key: string): boolean {
    return this.#keys.has(key);
  }

  /** False where it was there. */
  add(key: string): boolean {
    if (this.#keys.has(key)) return false;
    this.#keys.add(key);
    if (this.#keys.size > this.#most) this.#keys.delete(this.#keys.values().next().value!);
    return true;
  }
}
