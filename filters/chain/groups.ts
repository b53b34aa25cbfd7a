/** What the filter tells of its chains. */
import type { ChainGroup } from "../../agent/api/filter.ts";
import { foremost } from "../../agent/api/foremost.ts";
import { type BreakKind, KIND_WORDS } from "../../agent/integrity/kinds.ts";
import { type ChainState, short } from "./state.ts";

/** A break makes the filter `degraded` for so long, and its chain `broken`. */
export const SHOWN_MS = 86_400_000;

export interface KnownGroup {
  readonly group: string;
  readonly state: ChainState;
}

/** Those with breaks first, the latest first, then those that were active last. */
export function groupsTold(groups: Iterable<KnownGroup>, limit: number, now: number): ChainGroup[] {
  const brokenAt = ({ state }: KnownGroup) => state.last?.at ?? 0;
  return foremost(groups, limit, (a, b) => brokenAt(b) - brokenAt(a) || b.state.active - a.state.active).map((known) =>
    told(known, now),
  );
}

function told({ group, state }: KnownGroup, now: number): ChainGroup {
  const { scheme, entries, breaks, tip, active, last } = state;
  const broken = last && { ...last, words: KIND_WORDS[last.kind as BreakKind] ?? last.kind, offset: last.offset ?? 0 };
  return { group, scheme, state: stateOf(state, now), entries, breaks, tip: short(tip), active, last: broken };
}

function stateOf({ diverted, stopped, last }: ChainState, now: number): ChainGroup["state"] {
  if (diverted !== undefined) return "quarantined";
  if (stopped !== undefined) return "stopped";
  return last !== undefined && now - last.at <= SHOWN_MS ? "broken" : "intact";
}
