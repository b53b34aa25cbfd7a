/**
 * What is kept of a group's chain, in every block of the group: one byte of version, one with the number of hashes, the latest hashes
 * (32 bytes each), and the rest as JSON.
 */
import type { JudgeMemory } from "../../agent/integrity/judge.ts";
import type { SchemeName } from "../../agent/integrity/scheme.ts";

const VERSION = 1;
const HASH_BYTES = 32;

/** Where an entry comes from, as far as a record about it needs it. */
export interface Origin {
  readonly id: string;
  readonly input: string;
  readonly path?: string | undefined;
}

/** A line whose verdict waits for the lines after it. */
export interface Waiting {
  readonly origin: Origin;
  readonly offset: number;
  readonly cut: boolean;
  readonly history?: "truncated" | "rolled_back" | undefined;
  readonly blank?: number | undefined;
  readonly bytes: Buffer;
}

/** A record to be made. Its id is that of the entry it is about, and its kind. */
export interface Notice {
  readonly origin: Origin;
  readonly offset: number;
  readonly kind: string;
  readonly json: string;
}

/** What is known of a break when it is told. */
export interface Finding {
  /** A kind of break, or `unverifiable`. */
  readonly kind: string;
  readonly level: "error" | "warning";
  readonly notice: Notice;
}

/** A break at the beginning of a file, not told as long as another file may explain it. */
export interface Held {
  /** Undefined for the anchor: where nothing explains it, nothing is told. */
  readonly finding: Finding | undefined;
  /** The hash that explains it; undefined for a beginning at genesis: nothing more waits for a hash, so all of it hangs together. */
  readonly wanted: string | undefined;
  /** Milliseconds since the epoch. */
  readonly since: number;
}

export interface Diverted {
  readonly file: string;
  /** Its length when this was stored: what stands behind it is written again. */
  readonly length: number;
}

export interface ChainState {
  scheme: SchemeName;
  hash: string;
  previous: string | undefined;
  /** Its first entry was judged. */
  anchored: boolean;
  tip: string;
  tipSeq: number | undefined;
  judge: JudgeMemory;
  /** Where the tip stands. */
  at: { readonly origin: Origin; readonly offset: number };
  /** Entries verified, those of them in the latest file (with what is broken), and breaks told. */
  entries: number;
  inFile: number;
  breaks: number;
  /** Entries at the last `integrity.chain.verified`, how many of those there were, and when. */
  told: { readonly entries: number; readonly count: number; readonly at: number };
  /** When an entry was verified last, milliseconds since the epoch. */
  active: number;
  last:
    | {
        readonly kind: string;
        readonly path: string | undefined;
        /** Missing in what older versions stored. */
        readonly offset?: number;
        readonly at: number;
      }
    | undefined;
  /** Ids of sources in which an entry with a hash was met, the latest last. */
  sources: string[];
  /** An entry that follows genesis was met as the first of all, or of a file that may be the first of all. */
  rooted: boolean;
  waiting: readonly Waiting[];
  waitingSince: number;
  held: readonly Held[];
  /** Hashes that were found to have a successor which was met before them. */
  linked: string[];
  /** A source whose beginning was told of already. */
  excused: string | undefined;
  outbox: Notice[];
  diverted: Diverted | undefined;
  stopped: string | undefined;
}

/** What is longer stands where a hash should be, and is none: it is neither remembered nor told whole, and nothing follows it. */
const LONGEST_HASH = 128;

export function isHashLike(hash: string): boolean {
  return hash.length <= LONGEST_HASH;
}

/** As it may be told, and kept. */
export function short(hash: string): string {
  return isHashLike(hash) ? hash : `${hash.slice(0, LONGEST_HASH - 1)}…`;
}

export function encodeState(state: ChainState, hashes: Buffer): Buffer {
  const { waiting, tip, judge } = state;
  // A path may have four thousand bytes, and the lines that wait have one or two of them.
  const origins = [...new Map(waiting.map(({ origin }) => [origin.id, origin])).values()];
  const rest = {
    ...state,
    tip: short(tip),
    judge: {
      ...judge,
      moved: judge.moved && short(judge.moved),
      gap: judge.gap && { ...judge.gap, at: short(judge.gap.at) },
    },
    origins,
    waiting: waiting.map(({ origin, bytes, ...line }) => ({
      ...line,
      origin: origins.findIndex(({ id }) => id === origin.id),
      bytes: bytes.toString("base64"),
    })),
  };
  return Buffer.concat([Buffer.from([VERSION, hashes.length / HASH_BYTES]), hashes, Buffer.from(JSON.stringify(rest))]);
}

/** undefined for what is no state of this version. */
export function decodeState(bytes: Uint8Array): { state: ChainState; hashes: Buffer } | undefined {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (buffer[0] !== VERSION) return undefined;
  const end = 2 + buffer[1]! * HASH_BYTES;
  if (buffer.length <= end) return undefined;
  const { origins, ...rest } = JSON.parse(buffer.toString("utf8", end)) as Omit<ChainState, "waiting"> & {
    readonly origins: readonly Origin[];
    readonly waiting: readonly (Omit<Waiting, "bytes" | "origin"> & {
      readonly bytes: string;
      readonly origin: number;
    })[];
  };
  const waiting = rest.waiting.map(({ origin, bytes, ...line }) => ({
    ...line,
    origin: origins[origin]!,
    bytes: Buffer.from(bytes, "base64"),
  }));
  return { state: { ...rest, waiting }, hashes: buffer.subarray(2, end) };
}
