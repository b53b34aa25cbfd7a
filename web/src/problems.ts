/** What is wrong, as sentences a person can act on, the worst first. */
import type { ChainView, OutputView, PipelineView } from "../../agent/api/operate.ts";
import { bytes, clock, count, entries, plural, span } from "./format.ts";
import { BEHIND_SECONDS, chainMark, isBehind, isDown } from "./mark.ts";
import { keyOf, type Rates, rateOf } from "./rates.ts";
import { visible } from "./text.ts";

/** loss: entries are going, now. bad: somebody has to act. warn: somebody should look. busy: behind, and working. note: good to know. */
export type Level = "loss" | "bad" | "warn" | "busy" | "note";

export interface Problem {
  readonly level: Level;
  /** Ends without a full stop. */
  readonly text: string;
  /** What the part itself said, where it said something. */
  readonly reason?: string | undefined;
  /** Where on the page to read on. */
  readonly anchor: string;
}

const LEVELS: readonly Level[] = ["loss", "bad", "warn", "busy", "note"];

export const partId = (kind: "input" | "filter" | "output", alias: string): string => `${kind}-${alias}`;

export function problemsOf(view: PipelineView, rates: Rates): Problem[] {
  const found = [
    ...view.outputs.flatMap((output) => outputProblems(output, view, rates)),
    ...queueProblems(view),
    ...inputProblems(view),
    ...filterProblems(view),
    ...chainProblems(view),
    ...leftBehind(view),
    ...reloadProblems(view),
  ];
  return [...found, ...unsaid(view)].sort((a, b) => LEVELS.indexOf(a.level) - LEVELS.indexOf(b.level));
}

function outputProblems(output: OutputView, { time }: PipelineView, rates: Rates): Problem[] {
  const { alias, ledger, imbalance, backlog, state, paused, stalled } = output;
  const anchor = partId("output", alias);
  const problems: Problem[] = [];
  const say = (level: Level, text: string, reason: string | null = null) =>
    problems.push({ level, text, anchor, reason: reason === null ? undefined : visible(reason) });
  const losing = rateOf(rates, alias, "lost") ?? 0;
  const lost = ledger.lost === 0 ? "nothing lost" : `${count(ledger.lost)} lost since its first entry`;
  const waiting = `${waits(backlog.records)}, ${lost}`;
  const since = clock(output.since, time);

  if (losing > 0) say("loss", `${alias} is losing entries: ${count(ledger.lost)} so far`, output.reason);
  else if (ledger.lost > 0) say("note", `${entries(ledger.lost)} for ${alias} were lost earlier`);
  if (imbalance > 0) say("bad", `The ledger of ${alias} does not balance: ${entries(imbalance)} unaccounted for`);
  if (imbalance < 0) say("bad", `The ledger of ${alias} does not balance: ${entries(-imbalance)} counted twice`);
  if (paused) say("warn", `${alias} is paused: ${waiting}`, output.reason);
  else if (state === "failed") say("bad", `${alias} failed at ${since}: ${waiting}`, output.reason);
  else if (state === "blocked") say("bad", `${alias} has been blocked since ${since}: ${waiting}`, output.reason);
  else if (isDown(output)) say("bad", `${alias} has been down since ${since}: ${waiting}`, output.reason);
  else if (state === "degraded") {
    say("warn", `${alias} has had trouble since ${since}, but goes on: ${waiting}`, output.reason);
  } else if (stalled)
    say("warn", `${alias} settles nothing: ${waiting}, the oldest for ${span(backlog.oldest_seconds)}`);
  else if (isBehind(output)) say("busy", behind(output, rates));
  return problems;
}

/** `12,431 entries wait`, in agreement with their number. */
export function waits(records: number): string {
  if (records === 0) return "nothing waits";
  return records === 1 ? "1 entry waits" : `${count(records)} entries wait`;
}

function behind({ alias, backlog }: OutputView, rates: Rates): string {
  const change = rates.perSecond.get(keyOf(alias, "backlog")) ?? 0;
  const waiting = `${entries(backlog.records)} to go, the oldest from ${span(backlog.oldest_seconds)} ago`;
  // Where it shrinks by less than this, an estimate would be a guess.
  if (change < -0.5) return `${alias} is catching up: ${waiting}, done in about ${span(backlog.records / -change)}`;
  return `${alias} is ${change > 0.5 ? "falling" : "staying"} behind: ${waiting}`;
}

function queueProblems({ queue, time }: PipelineView): Problem[] {
  const anchor = "queue";
  const share = queue.max_bytes > 0 ? queue.bytes / queue.max_bytes : 0;
  const filled = `${bytes(queue.bytes)} of ${bytes(queue.max_bytes)}`;
  const reason = queue.reason === null ? undefined : visible(queue.reason);
  if (queue.state === "blocked" || queue.state === "failed") {
    const text = `The queue has taken nothing since ${clock(queue.since, time)} (${filled}): the inputs wait`;
    return [{ level: "bad", text, reason, anchor }];
  }
  if (queue.state === "degraded") {
    return [{ level: "warn", text: `The queue has had trouble since ${clock(queue.since, time)}`, reason, anchor }];
  }
  if (share < 0.8) return [];
  const text = `The queue is ${Math.floor(share * 100)} % full (${filled}); once full, the inputs wait`;
  return [{ level: "warn", text, anchor }];
}

function inputProblems({ inputs, time }: PipelineView): Problem[] {
  return inputs.flatMap(({ alias, state, since, reason: said, lag }): Problem[] => {
    const anchor = partId("input", alias);
    const reason = said === null ? undefined : visible(said);
    const at = clock(since, time);
    if (state === "failed") return [{ level: "bad", text: `${alias} has read nothing since ${at}`, reason, anchor }];
    if (state === "blocked") return [{ level: "bad", text: `${alias} has been held up since ${at}`, reason, anchor }];
    if (state === "degraded") return [{ level: "warn", text: `${alias} has had trouble since ${at}`, reason, anchor }];
    if (lag.bytes === 0 || lag.seconds <= BEHIND_SECONDS) return [];
    const text = `${alias} is ${span(lag.seconds)} behind its files: ${bytes(lag.bytes)} to read`;
    return [{ level: "busy", text, anchor }];
  });
}

function filterProblems({ filters, time }: PipelineView): Problem[] {
  return filters.flatMap(({ alias, state, since, reason, chains }): Problem[] => {
    if (state !== "failed" && state !== "blocked" && state !== "degraded") return [];
    // A filter that verifies chains is degraded because of a break, which has a sentence of its own.
    if (state === "degraded" && chains?.groups.some((chain) => chainMark(chain).mark !== "ok")) return [];
    const text = `${alias} has been ${state} since ${clock(since, time)}`;
    const said = reason === null ? undefined : visible(reason);
    return [{ level: state === "degraded" ? "warn" : "bad", text, reason: said, anchor: partId("filter", alias) }];
  });
}

/** More than these would hide the rest. */
const CHAINS_NAMED = 3;

function chainProblems(view: PipelineView): Problem[] {
  const chains = view.filters.flatMap(({ chains }) => chains?.groups ?? []);
  const broken = chains.filter((chain) => chainMark(chain).mark === "bad");
  const anchor = "chains";
  const problems = broken.slice(0, CHAINS_NAMED).map((chain): Problem => {
    const held = { stopped: ", and reading has stopped there", quarantined: ", and what follows is kept aside" };
    const then = chain.state === "stopped" || chain.state === "quarantined" ? held[chain.state] : "";
    return {
      level: "bad",
      text: `The hash chain of ${visible(chain.group)} is broken${then}`,
      reason: breakOf(chain, view.time)?.replace(/^./, (first) => first.toUpperCase()),
      anchor,
    };
  });
  if (broken.length > CHAINS_NAMED) {
    problems.push({ level: "bad", text: `${broken.length - CHAINS_NAMED} more hash chains are broken`, anchor });
  }
  return problems;
}

/** The last break in one sentence. */
export function breakOf({ last_break: last, breaks }: ChainView, now: string): string | undefined {
  if (!last) return undefined;
  const file = last.path === null ? "" : `${visible(last.path.slice(last.path.lastIndexOf("/") + 1))}, `;
  const others = breaks > 1 ? `; ${plural(breaks, "break")} in all` : "";
  return `${last.explanation} (${file}byte ${count(last.offset)}, ${clock(last.at, now)}${others})`;
}

function leftBehind({ dead_letters: letters, orphans, lost_at_input_bytes: vanished }: PipelineView): Problem[] {
  const problems: Problem[] = [];
  if (letters.records > 0) {
    const refused =
      letters.records === 1
        ? "1 entry was refused for good and waits"
        : `${count(letters.records)} entries were refused for good and wait`;
    problems.push({ level: "warn", text: `${refused} as dead letters for a decision`, anchor: "dead-letters" });
  }
  if (vanished > 0) {
    const text = `${bytes(vanished)} vanished from files before they could be read, in the last 30 days`;
    problems.push({ level: "note", text, anchor: "ledger" });
  }
  for (const { alias, records } of orphans) {
    const text = `${waits(records)} for ${alias}, which is no longer configured`;
    problems.push({ level: "note", text, anchor: "orphans" });
  }
  return problems;
}

function reloadProblems({ last_reload: reload, time }: PipelineView): Problem[] {
  if (!reload || reload.problems.length === 0) return [];
  const at = clock(reload.at, time);
  const reason = reload.problems.map(visible).join("; ");
  const anchor = "about";
  if (reload.applied) return [{ level: "note", text: "Some changes take effect at the next start", reason, anchor }];
  return [{ level: "warn", text: `The new configuration was not taken at ${at}; the old one goes on`, reason, anchor }];
}

/** What the agent itself complains of and no sentence above is about: it may know of things this page does not. */
function unsaid(view: PipelineView): Problem[] {
  const parts = [
    ...view.inputs.map(({ alias }) => `input ${alias}`),
    ...view.filters.map(({ alias }) => `filter ${alias}`),
    ...view.outputs.map(({ alias }) => `output ${alias}`),
    "queue",
  ];
  return view.problems
    .filter((problem) => !parts.some((part) => problem.startsWith(`${part}:`) || problem.startsWith(`${part} `)))
    .map((problem) => ({ level: "warn", text: visible(problem), anchor: "pipeline" }));
}
