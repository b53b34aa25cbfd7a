import { isUtf8 } from "node:buffer";
import { met, stands } from "../json/ecmascript-stands.ts";
import { viewOf } from "../json/lexer.ts";

/** Longer entries are left to the slow path. */
const MAX_ENTRY = 65_536;
const CLOSE_BRACE = 0x7d;

/**
 * An agent's entry that stands as its writer writes it: nine members in their order, no white space. What is hashed is then the line up
 * to the predecessor, and a brace.
 */
export class AgentLine {
  /** What is hashed. */
  readonly out: Buffer = Buffer.allocUnsafeSlow(MAX_ENTRY + 1);
  /** For those who share it: the hash put there last. */
  readonly digits: Buffer = Buffer.allocUnsafeSlow(64);
  readonly digitsView: DataView = new DataView(this.digits.buffer, this.digits.byteOffset, 64);
  lead = "";
  /** Where the values of the predecessor and the hash begin in the entry; both are 64 characters in quotes. */
  previous = 0;
  hash = 0;
  /** Where the predecessor ends. */
  previousEnd = 0;
  readonly #joints: readonly Buffer[];

  constructor(previous: string, hash: string) {
    const keys = ["seq", "timestamp", "who", "what", "where", "why", "metadata", previous, hash];
    this.#joints = keys.map((key, i) => Buffer.from(`${i === 0 ? "{" : ","}${JSON.stringify(key)}:`));
  }

  /** Bytes of `out` to be hashed; -1 where the slow path has to look. */
  read(bytes: Buffer, start: number, end: number): number {
    if (end - start > MAX_ENTRY) return -1;
    const view = viewOf(bytes);
    const joints = this.#joints;
    const last = joints.length - 1;
    met.wide = false;
    let p = start;
    for (let i = 0; i <= last; i++) {
      const joint = joints[i]!;
      for (let k = 0; k < joint.length; k++) if (p + k >= end || bytes[p + k] !== joint[k]) return -1;
      p += joint.length;
      const value = p;
      p = stands(bytes, view, p, end);
      if (p < 0) return -1;
      if (i === last - 1) {
        this.previous = value;
        this.previousEnd = p;
      } else if (i === last) {
        this.hash = value;
      }
    }
    if (p - this.hash !== 66 || p + 1 !== end || bytes[p] !== CLOSE_BRACE) return -1;
    if (met.wide && !isUtf8(bytes.subarray(start, end))) return -1;
    const length = this.previousEnd - start;
    this.out.set(bytes.subarray(start, this.previousEnd), 0);
    this.out[length] = CLOSE_BRACE;
    return length + 1;
  }
}
