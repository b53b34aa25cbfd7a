import { hash } from "node:crypto";
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  renameSync,
  writeSync,
} from "node:fs";
import { basename, dirname, extname, join } from "node:path";
import type { RecordBatch } from "../../agent/api/batch.ts";
import type { Diverted } from "./state.ts";

const NEWLINE = 0x0a;
const MODE = 0o600;

/**
 * Files with what came after a break: `<name>.jsonl`, and beside it `<name>.hold`, which says why. As long as that is there, what comes
 * goes into the file; once an operator has removed it, the file is put away under another name and written to no more.
 */
export class Quarantine {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Begins to divert a group. `why`: for the operator. */
  begin(group: string, why: string): Diverted {
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    const name = `${basename(group, extname(group))
      .replace(/[^\w.-]/g, "_")
      .slice(0, 96)}-${hash("sha256", group).slice(0, 16)}`;
    const file = join(this.#directory, `${name}.jsonl`);
    const note = `${why}\nRemove this file to let entries through again; what was held stays beside it.\n`;
    // Nobody knows of what is there: it is of an agent whose state is gone, or of one that was killed just now and begins once more.
    if (existsSync(file)) this.putAway(file, existsSync(holdOf(file)) ? "unfinished" : "released");
    writeWhole(holdOf(file), Buffer.from(note));
    return { file, length: 0 };
  }

  isReleased({ file }: Diverted): boolean {
    return !existsSync(holdOf(file));
  }

  /** Under a name of its own, so that nothing is written to it any more. Answers that. */
  putAway(file: string, as: "released" | "unfinished" = "released"): string | undefined {
    for (let n = 1; ; n++) {
      const free = file.replace(/\.jsonl$/, `.${as}-${n}.jsonl`);
      if (existsSync(free)) continue;
      try {
        renameSync(file, free);
        syncDirectory(dirname(file));
        return free;
      } catch {
        return undefined;
      }
    }
  }

  /** Appends the records from `from` on, durably. What stands behind the known length was written before a crash, and is written again. */
  append({ file, length }: Diverted, batch: RecordBatch, from: number): Diverted {
    const parts: Buffer[] = [];
    for (let i = from; i < batch.count; i++) parts.push(batch.bytes(i), Buffer.of(NEWLINE));
    const bytes = Buffer.concat(parts);
    const at = writeWhole(file, bytes, length);
    return { file, length: at + bytes.length };
  }
}

function holdOf(file: string): string {
  return file.replace(/\.jsonl$/, ".hold");
}

/** Puts the bytes at `length` (or at the end, where the file is shorter) and cuts what is behind. Answers where they stand. */
function writeWhole(path: string, bytes: Buffer, length = 0): number {
  const file = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, MODE);
  try {
    const at = Math.min(length, fstatSync(file).size);
    ftruncateSync(file, at);
    for (let written = 0; written < bytes.length; ) {
      written += writeSync(file, bytes, written, bytes.length - written, at + written);
    }
    fsyncSync(file);
    if (at === 0) syncDirectory(dirname(path));
    return at;
  } finally {
    closeSync(file);
  }
}

function syncDirectory(path: string): void {
  const directory = openSync(path, constants.O_RDONLY);
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
