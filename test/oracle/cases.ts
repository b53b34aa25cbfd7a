/** The chains written by the real writers, with the reference verifiers' answers: test/corpora/chains. */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BreakKind } from "../../agent/integrity/kinds.ts";
import type { SchemeName } from "../../agent/integrity/scheme.ts";
import type { Answer } from "./answer.ts";

export const CHAINS = join(import.meta.dirname, "../corpora/chains");

export interface CorpusCase {
  readonly case: string;
  readonly scheme: SchemeName;
  readonly note: string;
  readonly files_oldest_first: readonly string[];
  /** What the reference verifier answers; for the agent and app schemes only `valid`, `entries_checked` and `first_tampered_line`. */
  readonly reference: Partial<Answer>;
  /** Absent where the reference computes none. */
  readonly tip_hash?: string;
  readonly first_break_kind: BreakKind | null;
}

export function corpusCases(): readonly CorpusCase[] {
  return JSON.parse(readFileSync(join(CHAINS, "cases.json"), "utf8")) as CorpusCase[];
}

/** Runs `use` on a copy of the case's folder whose modification times are in the writers' order: a checkout keeps none. */
export async function inCopy<T>({ case: name, files_oldest_first: files }: CorpusCase, use: (folder: string) => T) {
  const folder = mkdtempSync(join(tmpdir(), "audit-agent-chain-"));
  try {
    cpSync(join(CHAINS, name), folder, { recursive: true });
    files.forEach((file, i) => {
      utimesSync(join(folder, file), 1_000_000_000 + 60 * i, 1_000_000_000 + 60 * i);
    });
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A folder's files, the oldest first. */
export function byAge(folder: string): { name: string; bytes: Buffer }[] {
  return readdirSync(folder)
    .map((name) => ({ name, time: statSync(join(folder, name)).mtimeMs }))
    .sort((a, b) => a.time - b.time)
    .map(({ name }) => ({ name, bytes: readFileSync(join(folder, name)) }));
}
