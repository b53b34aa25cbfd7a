import type { Surroundings } from "../../agent/integrity/judge.ts";
import type { ChainReader } from "../../agent/integrity/reader.ts";
import type { Line, Lines } from "./lines.ts";
import { standsBefore } from "./neighbours.ts";
import type { Recent } from "./recent.ts";

/** The judge looks so many lines ahead. */
export const AHEAD = 64;

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
    const { recent, hurried } = this.#parts;
    return recent.latest(hurried ? Math.min(count, AHEAD) : count);
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
