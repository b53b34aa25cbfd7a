import { isUtf8 } from "node:buffer";
import { stands } from "../json/ecmascript-stands.ts";
import { viewOf } from "../json/lexer.ts";
import { LEAD } from "../json/python-writer.ts";
import { viewOver } from "../json/words.ts";

/** Longer entries are left to the slow path. */
const MAX_ENTRY = 65_536;
const CLOSE_BRACE = 0x7d;

/**
 * Writes what is hashed of an agent's entry that stands as its writer writes it: nine members in their order, no white space. That is the
 * line up to the predecessor, and a brace. Used as `PythonWriter` is.
 */
export class AgentLine {
  readonly out: Buffer = Buffer.allocUnsafeSlow(LEAD + MAX_ENTRY + 1);
  readonly outView: DataView = viewOver(this.out);
  lead = "";
  /** Spans of the hash and of the predecessor in the entry. */
  readonly picked = new Uint32Array(4);
  readonly #joints: readonly Buffer[];

  constructor(hash: string, previous: string) {
    const keys = ["seq", "timestamp", "who", "what", "where", "why", "metadata", previous, hash];
    this.#joints = keys.map((key, i) => Buffer.from(`${i === 0 ? "{" : ","}${JSON.stringify(key)}:`));
  }

  /** Answers where the text ends in `out`, or -1 where the slow path has to look. */
  write(bytes: Buffer, start: number, end: number): number {
    if (end - start > MAX_ENTRY) return -1;
    const view = viewOf(bytes);
    const { picked } = this;
    const joints = this.#joints;
    let p = start;
    for (let i = 0; i < joints.length; i++) {
      const joint = joints[i]!;
      for (let k = 0; k < joint.length; k++) if (p + k >= end || bytes[p + k] !== joint[k]) return -1;
      p += joint.length;
      // The last is the hash, the one before it the predecessor: what stays here in the end.
      picked[2] = picked[0]!;
      picked[3] = picked[1]!;
      picked[0] = p;
      p = stands(bytes, view, p, end);
      if (p < 0) return -1;
      picked[1] = p;
    }
    if (p + 1 !== end || bytes[p] !== CLOSE_BRACE) return -1;
    if (!isUtf8(bytes.subarray(start, end))) return -1;
    const hashed = picked[3]!;
    this.out.set(bytes.subarray(start, hashed), LEAD);
    this.out[LEAD + hashed - start] = CLOSE_BRACE;
    return LEAD + hashed - start + 1;
  }
}
