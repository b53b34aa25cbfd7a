/** The dashboard's chain across its files: whether it holds, and what its tip was after as many entries as anchors name. */
import { scanRecord } from "../../json/explain.ts";
import { findMember } from "../../json/value.ts";
import { beginsChain, killsReference } from "../first-entry.ts";
import { KIND_WORDS } from "../kinds.ts";
import { ChainReader, Step } from "../reader.ts";
import { schemeOf } from "../scheme.ts";
import { stripped } from "../space.ts";
import { NotAFileError, openFile, pythonLines } from "./lines.ts";

export interface DashboardTrail {
  readonly valid: boolean;
  readonly filesChecked: number;
  /** From before there were hashes: the first entry has none, and no file before has one. */
  readonly filesSkipped: number;
  /** That hold, up to the first that does not. */
  readonly entries: number;
  readonly genesisFile: string | undefined;
  readonly brokenFile: string | undefined;
  /** From 1; undefined also where the file as a whole is at fault. */
  readonly brokenLine: number | undefined;
  readonly problem: string | undefined;
  /** The reference dies of the line where the chain breaks, and compares no anchor with a chain it cannot read. */
  readonly unreadable: boolean;
  /** By number of entries, for those asked for that the chain reaches before it breaks. */
  readonly tips: ReadonlyMap<number, string>;
  /** Sentences: what is not wrong by the rules, and yet odd. */
  readonly warnings: readonly string[];
}

const SCHEME = schemeOf("loki-dashboard");

/** `files`: in the order they were written. `lengths`: after how many entries the tip is wanted. */
export async function readDashboardTrail(
  files: readonly string[],
  lengths: ReadonlySet<number>,
): Promise<DashboardTrail> {
  const reader = new ChainReader(SCHEME);
  const tips = new Map([[0, reader.tip]]);
  const warnings: string[] = [];
  let filesChecked = 0;
  let filesSkipped = 0;
  let entries = 0;
  let genesisFile: string | undefined;
  let unreadable = false;
  const answer = (brokenFile?: string, brokenLine?: number, problem?: string): DashboardTrail => {
    const counts = { filesChecked, filesSkipped, entries, genesisFile };
    return { valid: brokenFile === undefined, ...counts, brokenFile, brokenLine, problem, unreadable, tips, warnings };
  };
  for (const path of files) {
    if (genesisFile === undefined) {
      const { begins, hashedLine } = await lookAt(path);
      if (!begins) {
        filesSkipped++;
        if (hashedLine !== undefined) {
          warnings.push(
            `${path} counts as from before there were hashes, by its first line; but line ${hashedLine} has one`,
          );
        }
        continue;
      }
      genesisFile = path;
    }
    filesChecked++;
    let problem: string | undefined;
    let line = 0;
    try {
      for await (const { bytes, start, end, number } of entriesOf(path)) {
        const step = reader.next(bytes, start, end);
        if (step !== Step.follows) {
          problem = problemOf(step);
          line = number;
          unreadable = step === Step.malformed && killsReference(bytes, start, end);
          break;
        }
        entries++;
        if (lengths.has(entries)) tips.set(entries, reader.tip);
      }
    } catch (error) {
      if (error instanceof NotAFileError) return answer(path, undefined, "it is no file");
      throw error;
    }
    if (problem !== undefined) return answer(path, line, problem);
  }
  return answer();
}

function problemOf(step: number): string {
  if (step === Step.malformed) return KIND_WORDS.malformed;
  if (step === Step.stripped) return KIND_WORDS.stripped;
  return "the entry was changed, or entries before it are missing";
}

/** Stripped, without blank lines. A file that is gone by now has none. */
async function* entriesOf(path: string) {
  const file = await openFile(path);
  if (file === undefined) return;
  await using _ = file;
  for await (const { bytes, number } of pythonLines(file)) {
    const { start, end } = stripped(bytes, 0, bytes.length);
    if (start < end) yield { bytes, start, end, number };
  }
}

/** Whether the chain begins with this file, by its first entry. If not, where the first hash stands all the same. */
async function lookAt(path: string): Promise<{ begins: boolean; hashedLine?: number }> {
  let first = true;
  try {
    for await (const { bytes, start, end, number } of entriesOf(path)) {
      const hashed =
        scanRecord(bytes, start, end) === undefined && findMember(bytes, start, end, SCHEME.hash) !== undefined;
      if (first && beginsChain(bytes, start, end, SCHEME.hash)) return { begins: true };
      if (hashed) return { begins: false, hashedLine: number };
      first = false;
    }
  } catch (error) {
    if (!(error instanceof NotAFileError)) throw error;
  }
  return { begins: false };
}
