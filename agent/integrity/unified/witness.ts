/** The witness file: one line for each time somebody noted how long both chains were. It only ever grows, and so do its counts. */
import { KIND_WORDS } from "../kinds.ts";
import { hashOf, jsonOf } from "./agent-trail.ts";
import { javascriptLines, openFile } from "./lines.ts";

export interface Witness {
  readonly present: boolean;
  readonly valid: boolean;
  /** Lines that are in order, up to the first that is not. */
  readonly witnesses: number;
  readonly brokenLine: number | undefined;
  readonly problem: string | undefined;
  /** The largest number of agent entries any line names; undefined where none does. */
  readonly highWater: number | undefined;
  /** What the lines saw of each chain. */
  readonly agent: readonly Seen[];
  readonly dashboard: readonly Seen[];
}

/** The chain had so many entries, and the last one this hash. */
export interface Seen {
  readonly line: number;
  readonly entries: number;
  readonly tip: string;
}

export async function readWitness(path: string): Promise<Witness> {
  const file = await openFile(path);
  let witnesses = 0;
  let brokenLine: number | undefined;
  let problem: string | undefined;
  let highWater: number | undefined;
  const seen: Record<"agent" | "dashboard", Seen[]> = { agent: [], dashboard: [] };
  if (file !== undefined) {
    await using _ = file;
    let agent = -1;
    let dashboard = -1;
    for await (const { bytes, number } of javascriptLines(file)) {
      const value = jsonOf(bytes);
      const counts = (value ?? {}) as Record<string, unknown>;
      for (const chain of ["agent", "dashboard"] as const) {
        const tip = hashOf(counts[`${chain}TipHash`]);
        const entries = countOf(counts[`${chain}Entries`]);
        if (tip !== undefined && entries !== undefined) seen[chain].push({ line: number, entries, tip });
      }
      const agentNow = countOf(counts.agentEntries);
      const dashboardNow = countOf(counts.dashboardEntries) ?? 0;
      // Lines behind the first that is not in order count here as well.
      if (agentNow !== undefined) highWater = Math.max(highWater ?? 0, agentNow);
      if (brokenLine !== undefined) continue;
      if (value === undefined || value === null) problem = KIND_WORDS.malformed;
      else if ((agentNow ?? 0) < agent || dashboardNow < dashboard) problem = "counts go backwards: it was rewritten";
      if (problem !== undefined) brokenLine = number;
      else witnesses++;
      agent = agentNow ?? 0;
      dashboard = dashboardNow;
    }
  }
  const valid = brokenLine === undefined;
  return { present: file !== undefined, valid, witnesses, brokenLine, problem, highWater, ...seen };
}

function countOf(value: unknown): number | undefined {
  return typeof value === "number" ? value : undefined;
}
