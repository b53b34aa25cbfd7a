/** What `audit-agent checksums` says: lines, a verdict, or one JSON object. */
import type { Finding, State } from "../checksums/check.ts";
import { shown, textOfName } from "../checksums/names.ts";
import { bytes, type CommandContext, EXIT } from "./context.ts";

export interface Result {
  readonly findings: readonly Finding[];
  readonly code: number;
  /** Said last, behind the directory's name. */
  readonly verdict: string;
  readonly updated: boolean;
}

export function count(findings: readonly Finding[], ...states: State[]): number {
  return findings.filter(({ state }) => states.includes(state)).length;
}

export function filesOf(n: number): string {
  return n === 1 ? "1 file" : `${n.toLocaleString("en-US")} files`;
}

export function totalSize(of: readonly { readonly size: number }[]): string {
  return bytes(of.reduce((sum, { size }) => sum + size, 0));
}

/** `1 altered, 2 missing`; empty where there is nothing of the kind. */
export function troubles(findings: readonly Finding[]): string {
  const words: readonly [State, string][] = [
    ["tampered", "altered"],
    ["missing", "missing"],
    ["unreadable", "not readable"],
    ["outside", "outside of it and not checked"],
  ];
  return words
    .map(([state, word]) => ({ n: count(findings, state), word }))
    .filter(({ n }) => n > 0)
    .map(({ n, word }) => `${n} ${word}`)
    .join(", ");
}

export function verdictOf(findings: readonly Finding[]): string {
  const grown = count(findings, "grown");
  const fresh = count(findings, "new");
  const intact = count(findings, "same") + grown;
  const trouble = troubles(findings);
  if (trouble !== "") return `of ${filesOf(recorded(findings))} recorded: ${trouble}, ${intact} intact`;
  const beside = [
    ...(grown > 0 ? [`${grown} of them grown since`] : []),
    ...(fresh > 0 ? [`${fresh} new and not recorded yet`] : []),
  ];
  return [`${filesOf(intact)} intact (${totalSize(findings)})`, ...beside].join(", ");
}

function recorded(findings: readonly Finding[]): number {
  return findings.length - count(findings, "new", "skipped");
}

const SAID: Partial<Record<State, string>> = {
  tampered: "TAMPER DETECTED",
  missing: "MISSING",
  grown: "GROWN",
  new: "NEW",
};

export function report(verb: string, directory: string, result: Result, json: boolean, context: CommandContext): void {
  const { findings, code, verdict, updated } = result;
  for (const { name, state, why } of findings) {
    const said = SAID[state];
    if (said !== undefined && !json) context.out(`${said}: ${shown(name)}\n`);
    if (why !== undefined) context.err(`${state === "skipped" ? "skipped: " : ""}${shown(name)}: ${why}\n`);
  }
  if (!json) {
    context.out(`${directory}: ${verdict}\n`);
    return;
  }
  const named = (...states: State[]) =>
    findings.filter(({ state }) => states.includes(state)).map(({ name }) => textOfName(name));
  const answer = {
    directory,
    verb,
    valid: code === EXIT.usage ? null : code === EXIT.fine,
    updated,
    files: recorded(findings),
    tampered: named("tampered"),
    missing: named("missing"),
    grown: named("grown"),
    new: named("new"),
    unchecked: named("unreadable", "outside"),
    skipped: named("skipped"),
    reasons: findings.flatMap(({ name, why }) => (why === undefined ? [] : [{ file: textOfName(name), reason: why }])),
    verdict,
  };
  context.out(`${JSON.stringify(answer)}\n`);
}
