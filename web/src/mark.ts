/** How a part is, as one of a few marks: each has a shape, a word and a colour, so that none of them stands alone. */
import type { ChainView, InputView, OutputView, PartView, QueueView } from "../../agent/api/operate.ts";

export type Mark = "ok" | "busy" | "starting" | "paused" | "off" | "warn" | "bad";

export interface Marked {
  readonly mark: Mark;
  readonly word: string;
}

/** Lower is worse: what comes first where not all can be shown. */
const ORDER: readonly Mark[] = ["bad", "warn", "paused", "starting", "busy", "off", "ok"];

/** Behind for longer than this is worth a word. */
export const BEHIND_SECONDS = 30;

export function markOf(part: Pick<PartView | QueueView, "state">): Marked {
  switch (part.state) {
    case "ok":
      return { mark: "ok", word: "ok" };
    case "starting":
      return { mark: "starting", word: "starting" };
    case "stopped":
      return { mark: "off", word: "ended" };
    case "degraded":
      return { mark: "warn", word: "degraded" };
    default:
      return { mark: "bad", word: part.state };
  }
}

export function inputMark(input: InputView): Marked {
  const behind = input.lag.bytes > 0 && input.lag.seconds > BEHIND_SECONDS;
  return input.state === "ok" && behind ? { mark: "busy", word: "behind" } : markOf(input);
}

export function outputMark(output: OutputView): Marked {
  if (output.paused) return { mark: "paused", word: "paused" };
  if (isDown(output)) return { mark: "bad", word: output.state === "degraded" ? "down" : output.state };
  if (output.state !== "ok") return markOf(output);
  if (output.stalled) return { mark: "warn", word: "stalled" };
  return isBehind(output) ? { mark: "busy", word: "behind" } : { mark: "ok", word: "ok" };
}

/** In trouble, and nothing has been settled since it began: that is an outage, not a slow day. */
export function isDown(output: OutputView): boolean {
  if (output.state === "failed" || output.state === "blocked") return true;
  if (output.state !== "degraded") return false;
  return output.last_progress === null || Date.parse(output.last_progress) <= Date.parse(output.since);
}

/** What gathers entries for a large object is not behind while it gathers. */
export function isBehind({ backlog, waits_seconds = 0 }: OutputView): boolean {
  return backlog.records > 0 && backlog.oldest_seconds > BEHIND_SECONDS + waits_seconds;
}

/** These happen in healthy installations: writers delete their oldest files, and are started anew. */
const NO_TAMPERING: ReadonlySet<string> = new Set(["head_missing", "restarted"]);

export function chainMark({ state, last_break }: ChainView): Marked {
  if (state === "intact") return { mark: "ok", word: "intact" };
  if (state === "broken" && last_break && NO_TAMPERING.has(last_break.kind))
    return { mark: "busy", word: "begun anew" };
  return { mark: "bad", word: state };
}

export interface Shown<T> {
  readonly shown: readonly T[];
  readonly more: readonly T[];
}

/** At most so many, the worst of them; in the order they have, so that nothing jumps about while it is read. */
export function worstFirst<T>(parts: readonly T[], most: number, markOfPart: (part: T) => Marked): Shown<T> {
  // One more line says no less than "and 1 more".
  if (parts.length <= most + 1) return { shown: parts, more: [] };
  const ranked = parts
    .map((part, index) => ({ part, index, rank: ORDER.indexOf(markOfPart(part).mark) }))
    .sort((a, b) => a.rank - b.rank || a.index - b.index);
  return { shown: ranked.slice(0, most).map(({ part }) => part), more: ranked.slice(most).map(({ part }) => part) };
}
