/** How the pipeline is: as the running agent says, or as its data directory does. */
import type { PipelineView } from "../../api/operate.ts";
import { type BreakKind, NO_TAMPERING } from "../../integrity/kinds.ts";
import { bytes } from "../context.ts";
import type { OnDisk } from "../on-disk.ts";
import { error, type Finding, ok, orOk, type Subject, warn } from "./check.ts";

/** An old break stays in the books for ever; only a fresh one is an alarm. */
const FRESH_MS = 7 * 86_400_000;

export interface State {
  /** undefined where no agent runs. */
  readonly view: PipelineView | undefined;
  /** undefined where no agent has ever run. */
  readonly disk: OnDisk | undefined;
}

export function checkState({ file, config }: Subject, { view, disk }: State): readonly Finding[] {
  const findings: Finding[] = [];
  const n = (count: number) => count.toLocaleString("en-US");
  if (view === undefined && disk === undefined) return [ok("no agent has run with this configuration yet")];
  for (const problem of view?.problems ?? []) {
    findings.push(
      warn(problem, `audit-agent status --config ${file} shows the rest; nothing is lost while the output waits`),
    );
  }
  for (const what of disk?.damage ?? []) {
    const todo = what.endsWith(": set aside")
      ? "it was damaged on disk and is no part of the queue any more: look at the disk; remove it when nobody needs it"
      : `stop the agent and run audit-agent queue repair --config ${file} (a start does the same); look at the disk`;
    findings.push((what.endsWith(": set aside") ? warn : error)(what, todo));
  }
  const letters = view?.dead_letters ?? disk?.deadLetters;
  if (letters && letters.records > 0) {
    const todo = `audit-agent dead-letters list --config ${file} says why; then replay or discard them`;
    findings.push(warn(`${n(letters.records)} dead letters (${bytes(letters.bytes)})`, todo));
  }
  for (const { alias, records, size } of orphans({ view, disk })) {
    const todo = `audit-agent queue drop ${alias} --config ${file}, or configure an output of that alias again`;
    findings.push(warn(`${n(records)} entries (${bytes(size)}) wait for ${alias}, which no output is called`, todo));
  }
  for (const { alias, lost, off } of ledgers({ view, disk })) {
    if (lost > 0) {
      const todo = "the agent's log says where and why (event `lost`)";
      findings.push(warn(`${alias}: ${n(lost)} entries are lost`, todo));
    }
    // While an agent runs, its own view is the truth of this moment; on disk a cursor may be a step behind.
    if (off !== 0)
      findings.push(error(`${alias}: the ledger is off by ${n(Math.abs(off))}`, "please report it: it is a bug"));
  }
  const limit = config.service.queue.max_bytes;
  const used = view?.queue.bytes ?? disk?.queue.bytes ?? 0;
  if (used > 0.8 * limit) {
    const todo = "mend the output that is behind, or give service.queue.max_bytes more room";
    findings.push(warn(`the queue holds ${bytes(used)} of ${bytes(limit)}`, todo));
  }
  return orOk(findings, view ? "the agent runs, and is well" : "no agent runs; what it left behind is whole");
}

export function checkChains(subject: Subject, { view, disk }: State): readonly Finding[] {
  const now = subject.clock.now();
  const last = view
    ? view.filters
        .flatMap(({ chains }) => chains?.groups ?? [])
        .map(({ group, state, entries, breaks, last_break }) => ({
          ...{ group, state, entries, breaks },
          last: last_break && { ...last_break, words: last_break.explanation, at: Date.parse(last_break.at) },
        }))
    : (disk?.chains ?? []).map(({ last, ...chain }) => ({
        ...chain,
        last: last && { ...last, path: last.path ?? null },
      }));
  if (last.length === 0) {
    const verifies = subject.config.filters.some(({ definition }) => definition.name === "chain");
    return [ok(verifies ? "no chain was met yet" : "no hash chains are verified (filter `chain`)")];
  }
  const findings: Finding[] = [];
  for (const { group, state, breaks, last: broken } of last) {
    if (state === "stopped" || state === "quarantined") {
      findings.push(error(`${group}: ${state} after a break`, "see docs/evidence.md: look into it, then release it"));
    }
    if (!broken) continue;
    const when = new Date(broken.at).toISOString().slice(0, 16).replace("T", " ");
    const what = `${group}: ${breaks === 1 ? "a break" : `${breaks} breaks`}, the last at ${when}: ${broken.words} (${broken.path ?? "its file is not known"}, byte ${broken.offset})`;
    const todo = `audit-agent verify ${broken.path ?? "PATH"} shows the place`;
    const alarming = now - broken.at < FRESH_MS && !NO_TAMPERING.has(broken.kind as BreakKind);
    findings.push((alarming ? error : warn)(what, todo));
  }
  const entries = last.reduce((sum, chain) => sum + chain.entries, 0);
  return orOk(findings, `${last.length} chains, ${entries.toLocaleString("en-US")} entries verified, none broken`);
}

function orphans({ view, disk }: State): { alias: string; records: number; size: number }[] {
  if (view) return view.orphans.map(({ alias, records, bytes: size }) => ({ alias, records, size }));
  return (disk?.outputs ?? [])
    .filter(({ orphan }) => orphan)
    .map(({ alias, backlog }) => ({ alias, records: backlog?.records ?? 0, size: backlog?.bytes ?? 0 }));
}

function ledgers({ view, disk }: State): { alias: string; lost: number; off: number }[] {
  if (view) return view.outputs.map(({ alias, ledger, imbalance }) => ({ alias, lost: ledger.lost, off: imbalance }));
  return (disk?.outputs ?? []).map(({ alias, ledger, imbalance }) => ({
    alias,
    lost: ledger?.lost ?? 0,
    off: imbalance,
  }));
}
