/** Checks the hash chains in files: what `audit-agent verify` does, without a terminal. */
import { availableParallelism } from "node:os";
import type { Readable } from "node:stream";
import type { FieldNames, SchemeName } from "../scheme.ts";
import { type ChainOptions, verifyChain } from "./chain.ts";
import type { Ranges } from "./check.ts";
import { findChains } from "./find.ts";
import { InThisThread } from "./inline.ts";
import type { OrderName } from "./order.ts";
import { CannotCheck } from "./problem.ts";
import type { ChainReport, Reason, Report } from "./report.ts";
import { LIMITS, type Limits } from "./scan.ts";

export interface VerifyOptions {
  readonly scheme?: SchemeName | "auto" | undefined;
  /** Names of members other than the scheme's own. */
  readonly fields?: FieldNames;
  readonly order?: OrderName | "auto";
  /** `first`: from the first stored hash on, whatever was before it. */
  readonly anchor?: "genesis" | "first";
  /** The hash before the first entry. */
  readonly startHash?: string;
  /** The hash of entry `expectEntries`; without a number, of the last one. */
  readonly expectTip?: string;
  /** At least so many. */
  readonly expectEntries?: number;
  /** Every break one by one, and not only the first 100. */
  readonly allBreaks?: boolean;
  /** What the path `-` means. */
  readonly stdin?: Readable;
  /** Threads that check. Unless said one for each core, and for what is small none. */
  readonly jobs?: number;
  /** Bytes that are checked at a time. */
  readonly rangeSize?: number;
  readonly limits?: Limits;
  /** Told how many bytes have been checked, of how many (0 where that is not known). */
  readonly progress?: (done: number, of: number) => void;
}

const RANGE = 1024 * 1024;
/** A thread takes a quarter of a second to get up to speed: measured, what is smaller is done sooner without. */
const INLINE_BELOW = 48 * 1024 * 1024;
const SOME_BREAKS = 100;
const ALL_BREAKS = 100_000;

/** Writers rotate their files: a name that is gone is looked for again, so often. */
const ATTEMPTS = 3;

/** Throws `CannotCheck` where a file cannot be read or there is nothing to check. */
export async function verifyPaths(paths: readonly string[], options: VerifyOptions = {}): Promise<Report> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await verifyOnce(paths, options);
    } catch (error) {
      const again = error instanceof CannotCheck && error.vanished && attempt < ATTEMPTS && !paths.includes("-");
      if (!again) throw error;
    }
  }
}

async function verifyOnce(paths: readonly string[], options: VerifyOptions): Promise<Report> {
  const { chains, warnings } = findChains(paths, options.stdin);
  const { startHash, expectTip, expectEntries } = options;
  if (chains.length > 1 && (startHash ?? expectTip ?? expectEntries) !== undefined) {
    throw new CannotCheck(`these are ${chains.length} chains, and a hash or a number of entries is expected of one`);
  }
  const of = chains.flat().reduce((sum, file) => sum + file.size, 0);
  let done = 0;
  const progress = (bytes: number) => {
    done += bytes;
    options.progress?.(done, of);
  };
  const chainOptions: ChainOptions = {
    scheme: options.scheme ?? "auto",
    fields: options.fields ?? {},
    order: options.order ?? "auto",
    anchor: options.anchor ?? "genesis",
    startHash: options.startHash,
    expectTip: options.expectTip,
    expectEntries: options.expectEntries,
    maxBreaks: options.allBreaks === true ? ALL_BREAKS : SOME_BREAKS,
    rangeSize: options.rangeSize ?? RANGE,
    limits: options.limits ?? LIMITS,
  };
  const ranges = await rangesFor(of, options, chainOptions);
  const reports: ChainReport[] = [];
  try {
    for (const files of chains) reports.push(await verifyChain(files, chainOptions, ranges, progress));
  } finally {
    await ranges.close();
  }
  return together(reports, warnings);
}

async function rangesFor(size: number, options: VerifyOptions, { rangeSize, limits }: ChainOptions): Promise<Ranges> {
  const small = options.jobs === undefined && size < INLINE_BELOW;
  const threads = Math.min(options.jobs ?? availableParallelism(), Math.ceil(size / rangeSize));
  if (small || threads < 2) return new InThisThread(limits);
  const { Pool } = await import("./pool.ts");
  return new Pool(threads, limits);
}

function together(chains: readonly ChainReport[], left: readonly string[]): Report {
  const told = chains.find(({ valid }) => !valid) ?? chains.find(({ scheme }) => scheme !== null) ?? chains[0]!;
  const sum = (of: (chain: ChainReport) => number) => chains.reduce((total, chain) => total + of(chain), 0);
  const reasons = new Set(chains.map(({ reason }) => reason));
  const reason: Reason | null = told.reason ?? (reasons.has("mtimes_lost") ? "mtimes_lost" : null);
  return {
    ...told,
    reason,
    files_checked: sum((chain) => chain.files_checked),
    files_skipped: sum((chain) => chain.files_skipped),
    entries_checked: sum((chain) => chain.entries_checked),
    breaks: chains.flatMap(({ breaks }) => breaks),
    breaks_total: sum((chain) => chain.breaks_total),
    kinds: kindsOf(chains),
    entries: sum((chain) => chain.entries),
    files: chains.flatMap(({ files }) => files),
    warnings: [...left, ...chains.flatMap(({ warnings }) => warnings)],
    chains,
  };
}

function kindsOf(chains: readonly ChainReport[]): ChainReport["kinds"] {
  const counts = new Map<string, number>();
  for (const { kinds } of chains) {
    for (const [kind, count] of Object.entries(kinds)) counts.set(kind, (counts.get(kind) ?? 0) + count);
  }
  return Object.fromEntries(counts);
}
