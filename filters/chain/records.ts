/** The records the filter makes, as JSON. */
import { KIND_WORDS } from "../../agent/integrity/kinds.ts";
import { type ChainState, type Finding, short } from "./state.ts";

export const INTEGRITY_TAG = "audit.integrity";

/** What a break is told with. */
export interface Facts {
  readonly kind: keyof typeof KIND_WORDS | "unverifiable";
  readonly level: "error" | "warning";
  readonly line: number | undefined;
  readonly expected: string | undefined;
  readonly found: string | undefined;
}

interface Place {
  readonly group: string;
  readonly scheme: string;
  readonly now: number;
}

const UNVERIFIABLE = "the line is longer than max_line_bytes and travels cut: its hash cannot be checked";

export function finding(
  { kind, level, line, expected, found }: Facts,
  { origin, offset }: Pick<Finding["notice"], "origin" | "offset">,
  { entries, tip }: Pick<ChainState, "entries" | "tip">,
  { group, scheme, now }: Place,
): Finding {
  const name = level === "error" ? "broken" : kind === "restarted" ? "restarted" : kind;
  const json = JSON.stringify({
    timestamp: new Date(now).toISOString(),
    level,
    event: `integrity.chain.${name}`,
    kind,
    message: kind === "unverifiable" ? UNVERIFIABLE : KIND_WORDS[kind],
    scheme,
    group,
    file: origin.path ?? null,
    line: line ?? null,
    offset,
    expected: expected === undefined ? null : short(expected),
    found: found === undefined ? null : short(found),
    entries_verified: entries,
    tip: short(tip),
  });
  return { kind, level, notice: { origin, offset, kind: `chain-${name}`, json } };
}

/** The first entry with a hash. Nothing is known of what stood before it, unless it is the first of its chain. */
export function started(state: ChainState, genesis: boolean, { group, scheme, now }: Place) {
  const { origin, offset } = state.at;
  const json = JSON.stringify({
    timestamp: new Date(now).toISOString(),
    level: "info",
    event: "integrity.chain.started",
    message: genesis
      ? "the chain is verified from its very first entry"
      : "the chain is verified from here on: what stood before was not seen",
    scheme,
    group,
    file: origin.path ?? null,
    offset,
    genesis,
    hash: short(state.tip),
  });
  return { origin, offset, kind: "chain-started", json };
}

/** `entries` of them since the last such record, `entries_verified` in all. */
export function verified(state: ChainState, { group, scheme, now }: Place) {
  const { origin, offset } = state.at;
  const json = JSON.stringify({
    timestamp: new Date(now).toISOString(),
    level: "info",
    event: "integrity.chain.verified",
    message: "entries since the last such record were verified",
    scheme,
    group,
    file: origin.path ?? null,
    entries: state.entries - state.told.entries,
    since: new Date(state.told.at).toISOString(),
    entries_verified: state.entries,
    breaks: state.breaks,
    tip: short(state.tip),
  });
  return { origin, offset, kind: `chain-verified-${state.told.count + 1}`, json };
}
