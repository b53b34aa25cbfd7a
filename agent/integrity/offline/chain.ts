/** Checks the files of one chain, from finding out what they are to the verdict. */
import { basename } from "node:path";
import { beginsChain } from "../first-entry.ts";
import { type FieldNames, type Scheme, type SchemeName, schemeOf } from "../scheme.ts";
import { stripped } from "../space.ts";
import { Check, type Ranges } from "./check.ts";
import { DASHBOARD } from "./find.ts";
import type { ChainFile } from "./opened.ts";
import { inOrder, type OrderName } from "./order.ts";
import { type ChainReport, messageOf, type Reason } from "./report.ts";
import type { Limits } from "./scan.ts";
import { hasHash, schemeOfFiles } from "./scheme.ts";
import { Walk } from "./walk.ts";

const NOTHING = Buffer.alloc(0);

export interface ChainOptions {
  readonly scheme: SchemeName | "auto";
  readonly fields: FieldNames;
  readonly order: OrderName | "auto";
  /** `first`: from the first stored hash on, whatever was before it. */
  readonly anchor: "genesis" | "first";
  /** The hash before the first entry. */
  readonly startHash: string | undefined;
  /** The hash of entry `expectEntries`; without a number, of the last one. */
  readonly expectTip: string | undefined;
  /** At least so many. */
  readonly expectEntries: number | undefined;
  /** Breaks that are told one by one. */
  readonly maxBreaks: number;
  /** Bytes that are checked at a time. */
  readonly rangeSize: number;
  readonly limits: Limits;
}

export async function verifyChain(
  found: readonly ChainFile[],
  options: ChainOptions,
  ranges: Ranges,
  progress: (bytes: number) => void,
): Promise<ChainReport> {
  const byTime = [...found].sort((a, b) => a.mtime - b.mtime);
  const scheme =
    options.scheme === "auto" ? await schemeOfFiles(byTime, options.fields) : schemeOf(options.scheme, options.fields);
  if (scheme === undefined) return unchained(byTime);
  const { startHash, expectEntries, limits, maxBreaks } = options;
  const beginning = {
    tip: startHash ?? scheme.genesis,
    anchored: options.anchor === "first" && startHash === undefined,
  };
  const { files, by, mtimesLost } = await inOrder(found, options.order, scheme, beginning);
  const warnings: string[] = [];
  const skipped = scheme.name === "loki-dashboard" ? await beforeHashes(files, scheme, warnings, limits) : 0;
  const checked = files.slice(skipped);
  const check = new Check(checked, scheme, ranges, options, progress);
  const size = checked.reduce((sum, file) => sum + file.size, 0);
  const paths = checked.map(({ path }) => path);
  const walk = new Walk(scheme, paths, check.atHand, size, {
    beginning,
    startHash,
    limits,
    maxBreaks,
    hashAt: expectEntries ?? 0,
  });
  await check.run(walk);
  endAsExpected(walk, options);

  const { first } = walk;
  const kind = first?.broken.kind ?? null;
  if (mtimesLost && first !== undefined) {
    warnings.push(`modification times were lost: the files were taken in the order of their ${by}s`);
  }
  const reason: Reason | null = kind ?? (mtimesLost ? "mtimes_lost" : null);
  const skippedFiles = files.slice(0, skipped).map(({ path }) => skippedFile(path));
  return {
    valid: first === undefined,
    reason,
    scheme: scheme.name,
    files_checked: first?.files ?? checked.length,
    files_skipped: skipped,
    entries_checked: first?.entries ?? walk.entries,
    first_tampered_file: first?.broken.file ?? null,
    first_tampered_line: first?.broken.line ?? null,
    genesis_file: paths[0] ?? null,
    tip_hash: first?.tip ?? walk.tip,
    first_break_kind: kind,
    breaks: walk.breaks,
    breaks_total: walk.total,
    kinds: Object.fromEntries(walk.kinds),
    order: by,
    entries: walk.entries,
    files: [...skippedFiles, ...walk.files],
    warnings,
    excerpt: walk.excerpt,
  };
}

/** Says so where the end is not what somebody expected. */
function endAsExpected(walk: Walk, { expectTip, expectEntries }: ChainOptions): void {
  const expected = expectTip ?? null;
  if (expectEntries !== undefined && walk.entries < expectEntries) {
    const there = `there are ${walk.entries} where ${expectEntries} were expected`;
    walk.truncated(`${messageOf("truncated")}: ${there}`, expected, walk.tip);
  } else if (expectTip !== undefined && expectEntries !== undefined && walk.hashAt !== expectTip) {
    walk.truncated(`entry ${expectEntries} of the chain is another one than expected`, expected, walk.hashAt ?? null);
  } else if (expectTip !== undefined && expectEntries === undefined && walk.tip !== expectTip) {
    walk.truncated("the chain does not end with the entry that was expected", expected, walk.tip);
  }
}

/** How many files at the front are from before there were hashes. */
async function beforeHashes(
  files: readonly ChainFile[],
  scheme: Scheme,
  warnings: string[],
  { maxLine }: Limits,
): Promise<number> {
  let count = 0;
  for (const file of files) {
    const opened = await file.open(scheme.lines);
    const line = await opened.firstLine(maxLine);
    if (!file.once) await opened.close();
    const { start, end } = stripped(line ?? NOTHING, 0, line?.length ?? 0);
    if (line !== undefined && beginsChain(line, start, end, scheme.hash)) break;
    const later = await hasHash(file, scheme);
    // The dashboard's verifier leaves out files of its own by their first line; a line put in front of another log must not do so, nor one
    // that is too long to be looked at, or stands behind too much white space.
    if (later && (line === undefined || !DASHBOARD.test(basename(file.path)))) break;
    count++;
    if (later) {
      warnings.push(`${file.path}: skipped, as its first entry has no hash, but entries after it have one`);
    }
  }
  return count;
}

function skippedFile(file: string) {
  return { file, state: "skipped" as const, entries: 0, breaks: 0 };
}

/** As the dashboard's verifier says of a folder from before there were hashes. */
function unchained(files: readonly ChainFile[]): ChainReport {
  return {
    valid: true,
    reason: "unchained",
    scheme: null,
    files_checked: 0,
    files_skipped: files.length,
    entries_checked: 0,
    first_tampered_file: null,
    first_tampered_line: null,
    genesis_file: null,
    tip_hash: schemeOf("loki-dashboard").genesis,
    first_break_kind: null,
    breaks: [],
    breaks_total: 0,
    kinds: {},
    order: "mtime",
    entries: 0,
    files: files.map(({ path }) => skippedFile(path)),
    warnings: [],
    excerpt: undefined,
  };
}
