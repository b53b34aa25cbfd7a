/** The one line to be read from across the room: is anything lost, what is behind, and why. */
import type { PipelineView } from "../../agent/api/operate.ts";
import { bytes, count, plural } from "./format.ts";
import { type Problem, problemsOf } from "./problems.ts";
import type { Rates } from "./rates.ts";

export interface Verdict {
  readonly mood: "ok" | "busy" | "starting" | "warn" | "bad";
  readonly headline: string;
  /** What the worst part itself says of it. */
  readonly reason: string | undefined;
  readonly anchor: string | undefined;
  /** All but the one in the headline. */
  readonly others: readonly Problem[];
  /** How many of all somebody should look at. */
  readonly problems: number;
}

export function verdictOf(view: PipelineView, rates: Rates): Verdict {
  const all = problemsOf(view, rates);
  const [worst, ...rest] = all;
  const problems = all.filter(({ level }) => level === "loss" || level === "bad" || level === "warn").length;
  if (!worst || worst.level === "note") {
    const mood = view.ready ? "ok" : "starting";
    const headline = view.ready ? `${lossOf(view)} All caught up.` : "The agent is starting.";
    return { mood, headline, reason: undefined, anchor: undefined, others: all, problems };
  }
  const { text, level, reason, anchor } = worst;
  const headline = level === "busy" ? `${lossOf(view)} ${text}.` : `${text}.`;
  const mood = level === "loss" ? "bad" : level;
  return { mood, headline, reason, anchor, others: rest, problems };
}

/** Of the past, in the present: what was lost long ago is not being lost now, and is not nothing either. */
function lossOf({ outputs, lost_at_input_bytes: vanished }: PipelineView): string {
  const lost = outputs.reduce((sum, { ledger }) => sum + ledger.lost, 0);
  if (lost > 0) return `Nothing is being lost now (${count(lost)} earlier).`;
  return vanished > 0 ? `Nothing is being lost now (${bytes(vanished)} earlier).` : "Nothing lost.";
}

/** For the tab, which is all one sees of a page among many. */
export function titleOf(verdict: Verdict | undefined, connected: boolean): string {
  if (!verdict) return "audit-agent";
  if (!connected) return "○ not connected – audit-agent";
  if (verdict.problems > 0) return `● ${plural(verdict.problems, "problem")} – audit-agent`;
  return `${verdict.mood === "ok" ? "✓" : "◔"} audit-agent`;
}
