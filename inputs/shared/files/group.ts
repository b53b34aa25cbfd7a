/** Which files are one log, and in which order its files were written. */
import { basename, dirname, join } from "node:path";

export type GroupBy = "pattern" | "file" | "directory";

/** A date, a time or a counter between separators: `-2026-02-01`, `.101530`, `.1`, `-20260201T10`. Not the 2 of `oauth2`. */
const COUNTER = /(?:^|[-_.@+])\d[\dTZ]*(?=[-_.@+]|$)/g;

/** The name of a file's group: its directory and its name without dates and counters (`/var/log/audit.jsonl`). */
export function groupOf(path: string, by: GroupBy): string {
  if (by === "file") return path;
  if (by === "directory") return dirname(path);
  return join(dirname(path), uncompressed(basename(path)).replace(COUNTER, ""));
}

export function isCompressed(path: string): boolean {
  return path.endsWith(".gz");
}

function uncompressed(name: string): string {
  return isCompressed(name) ? name.slice(0, -3) : name;
}

/** What the order of files needs to know of each. */
export interface Ordered {
  readonly path: string;
  /** Milliseconds. */
  readonly mtime: number;
  /** The first entry's own time, milliseconds. */
  readonly first: number | undefined;
}

/** Modification times closer than this do not tell which file is older: copies and fast rotations blur them. */
const DOUBT_MS = 1000;

/**
 * Oldest first: by modification time; where those are close, by the first entry's own time, then by name. A later order (by the hash
 * chain) has its place here: before the first entry's time, within a run of files in doubt.
 */
export function inOrder<T extends Ordered>(files: readonly T[]): T[] {
  const sorted = [...files].sort((a, b) => a.mtime - b.mtime);
  const result: T[] = [];
  // Runs of neighbours in doubt are sorted among themselves: comparing pairs alone would not be transitive.
  for (let from = 0; from < sorted.length; ) {
    let to = from + 1;
    while (to < sorted.length && sorted[to]!.mtime - sorted[to - 1]!.mtime < DOUBT_MS) to++;
    const run = sorted.slice(from, to);
    const timed = run.every((file) => file.first !== undefined);
    run.sort((a, b) => (timed ? a.first! - b.first! : 0) || compareNames(basename(a.path), basename(b.path)));
    result.push(...run);
    from = to;
  }
  return result;
}

/**
 * Oldest first, as rotation names files: dates and times rise, and a name that lacks one its neighbour has is the newer
 * (`audit-D.101530.jsonl` before `audit-D.jsonl`); a number at the very end counts backwards (`app.log.2`, `app.log.1`, `app.log`).
 */
export function compareNames(a: string, b: string): number {
  const left = countersOf(a);
  const right = countersOf(b);
  if (left.last !== right.last) return right.last - left.last;
  for (let i = 0; i < Math.max(left.rising.length, right.rising.length); i++) {
    const x = left.rising[i];
    const y = right.rising[i];
    if (x === undefined || y === undefined) return x === undefined ? 1 : -1;
    const difference = x.length - y.length || (x < y ? -1 : x > y ? 1 : 0);
    if (difference !== 0) return difference;
  }
  return a < b ? -1 : a > b ? 1 : 0;
}

/** At most four digits at the end, after a dot, are a rotation's number; more are a date. */
function countersOf(name: string): { rising: string[]; last: number } {
  const plain = uncompressed(name);
  const last = /\.(\d{1,4})$/.exec(plain);
  const rest = last ? plain.slice(0, last.index) : plain;
  const rising = (rest.match(COUNTER) ?? []).map((counter) => counter.replace(/\D/g, "").replace(/^0+(?=\d)/, ""));
  return { rising, last: last ? Number(last[1]) : -1 };
}
