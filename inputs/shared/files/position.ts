/** What is remembered of a file, in memory and in the queue: everything needed to go on, for any file there ever was. */
import type { Position, Source } from "../../../agent/api/batch.ts";
import type { LogFile } from "./log-file.ts";

/** A position with this key says that the input has run before: `read_from` and `ignore_older` are for the first time only. */
export const STARTED_KEY = "started";

export interface Remembered {
  /** Last known path. */
  path: string;
  inode: string;
  readonly fingerprint: string;
  readonly generation: number;
  /** Everything before it was read. Bytes of the decompressed stream for compressed files. */
  offset: number;
  /** Proof of the bytes before `offset`. */
  proof: string;
  /** Size on disk, as last seen. */
  size: number;
  mtime: number;
  readonly first: number | undefined;
  readonly group: string;
  /** Read to its end, and not the newest of its group any more. */
  finished: boolean;
  /** Not read at all, because of `read_from` or `ignore_older`; only for compressed files, whose end is unknown. */
  skipped: boolean;
  /** When it was found missing, milliseconds since the epoch; undefined while it is there. */
  gone: number | undefined;
  /** Bytes that were unread then. */
  lost: number;
}

/** A remembered file in this process: the file it is now, if any. */
export interface Memory extends Remembered {
  readonly source: Source;
  file: LogFile | undefined;
  /** Where reading was in this run, with the proofs: the latest ones, rising. */
  readonly marks: { readonly offset: number; readonly proof: string }[];
  /** Whole scans that did not find it. */
  missed: number;
}

/** Short keys: an input may remember a hundred thousand files. */
interface Saved {
  v: 1;
  path: string;
  ino: string;
  fp: string;
  gen: number;
  off: number;
  proof: string;
  size: number;
  mtime: number;
  group: string;
  first?: number;
  fin?: 1;
  skip?: 1;
  gone?: number;
  lost?: number;
}

export function save(memory: Memory): Position {
  const saved: Saved = {
    v: 1,
    path: memory.path,
    ino: memory.inode,
    fp: memory.fingerprint,
    gen: memory.generation,
    off: memory.offset,
    proof: memory.proof,
    size: memory.size,
    mtime: memory.mtime,
    group: memory.group,
  };
  if (memory.first !== undefined) saved.first = memory.first;
  if (memory.finished) saved.fin = 1;
  if (memory.skipped) saved.skip = 1;
  if (memory.gone !== undefined) saved.gone = memory.gone;
  if (memory.lost > 0) saved.lost = memory.lost;
  return { key: memory.source.id, value: JSON.stringify(saved) };
}

/** undefined for what is no position of ours. */
export function load(text: string): Remembered | undefined {
  let saved: Partial<Saved>;
  try {
    saved = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof saved !== "object" || saved === null || saved.v !== 1) return undefined;
  const { path, ino, fp, gen, off, proof, size, mtime, group } = saved;
  if (typeof path !== "string" || typeof ino !== "string" || typeof fp !== "string" || typeof proof !== "string")
    return;
  if (typeof gen !== "number" || typeof off !== "number" || typeof size !== "number" || typeof mtime !== "number")
    return;
  if (typeof group !== "string") return;
  return {
    path,
    inode: ino,
    fingerprint: fp,
    generation: gen,
    offset: off,
    proof,
    size,
    mtime,
    first: saved.first,
    group,
    finished: saved.fin === 1,
    skipped: saved.skip === 1,
    gone: saved.gone,
    lost: saved.lost ?? 0,
  };
}
