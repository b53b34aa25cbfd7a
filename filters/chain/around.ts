import type { Surroundings } from "../../agent/integrity/judge.ts";
import type { ChainReader } from "../../agent/integrity/reader.ts";
import type { Line, Lines } from "./lines.ts";
import { standsBefore } from "./neighbours.ts";
import type { Recent } from "./recent.ts";

/** The judge looks so many lines ahead. */
export const AHEAD = 64;
/** A long entry is tried with fewer of the hashes before it: each costs as many bytes as it has. */
const MOST_HASHED_BYTES = 32 * 1024 * 1024;

interface Parts {
  readonly lines: Lines;
  readonly k: number;
  readonly line: Line;
  readonly recent: Recent;
  /** Reads other entries than the one in question. */
  readonly probe: ChainReader;
  readonly firstOfChain: boolean;
  readonly firstOfFile: boolean;
  /** Break upon break: what takes long is left out. */
  readonly hurried: boolean;
}

/** What the filter knows of the lines around one. */
export class Around implements Surroundings {
  readonly firstOfChain: boolean;
  readonly firstOfFile: boolean;
  /** The lines after it were asked for, and are not all there yet. */
  short = false;
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.firstOfChain = parts.firstOfChain;
    this.firstOfFile = parts.firstOfFile;
  }

  before(count: number): readonly string[] {
    const { line, recent, hurried } = this.#parts;
    const many = hurried ? 0 : MOST_HASHED_BYTES / (line.end - line.start + 1);
    return recent.latest(Math.min(count, Math.max(AHEAD, Math.floor(many))));
  }

  after(count: number): readonly string[] {
    const { lines, k, probe } = this.#parts;
    const wanted = Math.min(count, AHEAD);
    if (lines.count - 1 - k < wanted) this.short = true;
    return lines.hashesAfter(k, wanted, probe);
  }

  /** In memory, and then in what was read of the file itself. */
  seen(hash: string): boolean {
    const { recent, line, probe, hurried } = this.#parts;
    if (recent.has(hash)) return true;
    const { path } = line.origin;
    return !hurried && path !== undefined && standsBefore(path, line.offset, hash, probe);
  }
}
