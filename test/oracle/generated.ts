/** Chains made by test/oracle/generate.py, and how an answer is held against what is to be said of them. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { BreakKind } from "../../agent/integrity/kinds.ts";
import type { SchemeName } from "../../agent/integrity/scheme.ts";
import type { Answer } from "./answer.ts";

export interface GeneratedCase {
  /** Its number, and the name of its folder. */
  readonly case: string;
  readonly tampering: string;
  readonly scheme: SchemeName;
  readonly hash_key: string;
  readonly files_oldest_first: readonly string[];
  /** Some line shows which scheme it is. */
  readonly recognisable: boolean;
  readonly modification_times: { readonly order: "kept" | "equal" | "reversed" | "shuffled" };
  /** In the order the files were written in. */
  readonly reference: Omit<Answer, "tip_hash" | "breaks">;
  /** The hash of the last entry before the first break, or of all. */
  readonly last_verified: string;
  /** `any`: decision 0011 leaves it open. */
  readonly first_break_kind: BreakKind | null | "any";
  readonly breaks: number | "any";
}

/** Into a folder that exists. Throws with what the generator said. */
export function generate(folder: string, seed: number, cases: number): GeneratedCase[] {
  const script = join(import.meta.dirname, "generate.py");
  const { status, stderr } = spawnSync(
    "python3",
    [script, "--out", folder, "--seed", String(seed), "--cases", String(cases)],
    { encoding: "utf8", env: { ...process.env, PYTHONDONTWRITEBYTECODE: "1" } },
  );
  if (status !== 0) throw new Error(`generate.py --seed ${seed} --cases ${cases} exited with ${status}:\n${stderr}`);
  return JSON.parse(readFileSync(join(folder, "cases.json"), "utf8")) as GeneratedCase[];
}

/** What is wrong with an answer, in words; nothing where it is right. */
export function differences(about: GeneratedCase, answer: Answer): string[] {
  const { order } = about.modification_times;
  // Tampered with and out of order, there is no telling which came first.
  if (order !== "kept" && !about.reference.valid) return answer.valid ? ["valid, and it is not"] : [];
  const { files_checked, files_skipped, ...others } = about.reference;
  const expected: Partial<Answer> = {
    ...others,
    // Where no file has a hash there is no tip.
    ...(files_checked > 0 ? { tip_hash: about.last_verified } : {}),
    // Whether a file without entries stands before the first hash or behind it, only its time can tell.
    ...(order === "kept" ? { files_checked, files_skipped } : {}),
  };
  const wrong = Object.entries(expected)
    .filter(([member, value]) => answer[member as keyof Answer] !== value)
    .map(([member, value]) => `${member} is ${answer[member as keyof Answer]}, not ${value}`);
  const kind = answer.breaks[0]?.kind ?? null;
  if (about.first_break_kind !== "any" && kind !== about.first_break_kind)
    wrong.push(`the first break is ${kind}, not ${about.first_break_kind}`);
  if (about.breaks !== "any" && answer.breaks.length !== about.breaks) {
    const told = answer.breaks.map(({ file, line, kind }) => `${file}:${line} ${kind}`).join(", ");
    wrong.push(`${answer.breaks.length} breaks (${told}), not ${about.breaks}`);
  }
  return wrong;
}
